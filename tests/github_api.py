"""A stand-in of GitHub's REST API for comments on pull requests: over HTTP, paged, with permissions and bad days.

It follows https://docs.github.com/rest/issues/comments and /rest/using-the-rest-api: `per_page` up to 100, a `Link`
header with `rel="next"`, 201 of a create, 403 of a token that may only read, 404 of what it may not see, 422 of a
body that is too long.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qs, urlsplit

BODY_CHARS_MAX = 65_536
WRITES, READS, NOBODY = "ghs_writes", "ghs_reads", "ghs_nobody"
PERSON = "ghp_person"
BOT = {"login": "github-actions[bot]", "type": "Bot"}
ALICE = {"login": "alice", "type": "User"}
MALLORY = {"login": "mallory", "type": "User"}


@dataclass
class Fault:
    """The next request of this method is answered so. `done`: it is carried out all the same, and its answer lost."""

    method: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "something is wrong"
    done: bool = False


class GitHub:
    """One repository with one pull request, and what was asked of it."""

    repository = "acme/telephony"
    number = 7

    def __init__(self) -> None:
        self.comments: list[dict] = []
        self.faults: list[Fault] = []
        self.asked: list[tuple[str, str]] = []
        self.agents: set[str] = set()
        self.lock = Lock()
        self.url = ""
        self._last = 100

    def comment(self, user: dict, body: str) -> dict:
        self._last += 1
        url = f"https://github.example/{self.repository}/pull/{self.number}#issuecomment-{self._last}"
        made = {"id": self._last, "user": user, "body": body, "html_url": url}
        self.comments.append(made)
        return made

    def answer(self, method: str, target: str, token: str, body: dict) -> tuple[int, dict[str, str], object]:
        self.asked.append((method, target))
        fault = next((one for one in self.faults if one.method == method), None)
        if fault is not None:
            self.faults.remove(fault)
            if fault.done:
                self._do(method, target, token, body)
            return fault.status, fault.headers, {"message": fault.message}
        return self._do(method, target, token, body)

    def _do(self, method: str, target: str, token: str, body: dict) -> tuple[int, dict[str, str], object]:
        if token not in (WRITES, READS, NOBODY, PERSON):
            return 401, {}, {"message": "Bad credentials"}
        path = urlsplit(target).path
        if path == "/user":
            return (200, {}, ALICE) if token == PERSON else (403, {}, {"message": NOT_ACCESSIBLE})
        if token == NOBODY or not path.startswith(f"/repos/{self.repository}/issues/"):
            return 404, {}, {"message": "Not Found"}
        if method != "GET" and token == READS:
            return 403, {}, {"message": NOT_ACCESSIBLE}
        if len(str(body.get("body", ""))) > BODY_CHARS_MAX:
            return 422, {}, {"message": "Validation Failed"}
        rest = path.removeprefix(f"/repos/{self.repository}/issues/")
        if rest == f"{self.number}/comments":
            user = ALICE if token == PERSON else BOT
            return self._page(target) if method == "GET" else (201, {}, self.comment(user, body["body"]))
        return self._one(method, rest, body)

    def _page(self, target: str) -> tuple[int, dict[str, str], object]:
        query = parse_qs(urlsplit(target).query)
        size, page = min(100, int(query.get("per_page", ["30"])[0])), int(query.get("page", ["1"])[0])
        shown = self.comments[(page - 1) * size : page * size]
        more = len(self.comments) > page * size
        link = f'<{self.url}{urlsplit(target).path}?per_page={size}&page={page + 1}>; rel="next"'
        return 200, {"Link": link} if more else {}, shown

    def _one(self, method: str, rest: str, body: dict) -> tuple[int, dict[str, str], object]:
        found = re.fullmatch(r"comments/(\d+)", rest)
        comment = next((one for one in self.comments if found and one["id"] == int(found[1])), None)
        if comment is None:
            return 404, {}, {"message": "Not Found"}
        if method == "DELETE":
            self.comments.remove(comment)
            return 204, {}, None
        comment["body"] = body["body"]
        return 200, {}, comment


NOT_ACCESSIBLE = "Resource not accessible by integration"


@contextmanager
def github():
    """The stand-in, listening on a port of this machine while the context lasts."""
    hub = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            with hub.lock:
                hub.agents.add(self.headers.get("User-Agent", ""))
                status, headers, said = hub.answer(self.command, self.path, token, body)
            data = b"" if said is None else json.dumps(said).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = _any  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
