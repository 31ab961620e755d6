"""An https server of the test's own, which serves what it is told to, in a thread: for certificates of carriers."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from tests.certificates import Authority

Answer = Callable[[BaseHTTPRequestHandler], None]


def plain(body: bytes, status: int = 200, **headers: str) -> Answer:
    """This body, whole."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


class HttpsServer:
    """At a port of loopback, with a certificate for `localhost` and its address by an authority of its own.

    `pages` are answers by path; `asked` is every path that was asked for, in order.
    """

    def __init__(self, work: Path, *names: str) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.authority = Authority(work, "web")
        pair = self.authority.pair("server", *(names or ("localhost", "127.0.0.1")))
        self.pages: dict[str, Answer] = {}
        self.asked: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                server.pages.get(self.path, plain(b"", 404))(self)

            def log_message(self, *_: object) -> None:
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> HttpsServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url(self, path: str, host: str = "localhost") -> str:
        """The URL of a page."""
        return f"https://{host}:{self.port}{path}"


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away in the middle are what is tested."""
