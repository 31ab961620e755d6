"""A page on a web server of the test's own, on loopback: with JsSIP in it, and nothing from anywhere else."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.browser.linked import linked
from tests.peers import JSSIP

HERE = Path(__file__).parent


class Served:
    """`url` is the page's, `origin` how a browser names it."""

    def __init__(self) -> None:
        files = {
            "/": (
                "text/html",
                '<!doctype html><meta charset="utf-8"><script src="jssip.js"></script><script src="phone.js"></script>',
            ),
            "/jssip.js": ("text/javascript", linked("jssip", "JsSIP", JSSIP.parent)),
            "/phone.js": ("text/javascript", (HERE / "phone.js").read_text()),
        }

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, text = files.get(self.path, ("", ""))
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                """Not to the test's output."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.origin}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
