"""EDGE. GitHub's REST API: one request at a time, each bounded, tried again when that can help.

A refusal for the rate is waited for as long as GitHub says, and no longer than a job should stand still. A request
that creates something is never repeated here: whether it was done is for the caller to look up.
https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from reconciler.errors import ReconcileError

API_VERSION = "2022-11-28"
TIMEOUT_S = 20.0
ANSWER_BYTES_MAX = 32 * 1024 * 1024
"""A page of a hundred comments of 64 KiB, and what comes with each."""
TRIES_MAX = 4
WAIT_S_MAX = 120.0
"""Of one command, all its requests together."""
FIRST_PAUSE_S = 1.0
UNSAID_PAUSE_S = 60.0
"""What GitHub asks to wait at least, where it limits the rate and does not say for how long."""
MESSAGE_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: status 0 = nothing did, and `data` says why. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    data: Any

    @property
    def is_good(self) -> bool:
        """Whether it was done."""
        return 200 <= self.status < 300

    @property
    def is_passing(self) -> bool:
        """Whether the same request may fare better soon."""
        return self.status == 0 or self.status >= 500

    @property
    def is_limited(self) -> bool:
        """Whether it was one request too many."""
        if self.status not in (403, 429):
            return False
        spent = self.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in self.headers
        return self.status == 429 or spent or "rate limit" in self.message.lower()

    @property
    def message(self) -> str:
        """GitHub's words, on one line."""
        said = self.data.get("message", "") if isinstance(self.data, dict) else self.data
        text = "".join(c if c.isprintable() else " " for c in str(said or ""))
        return text[:MESSAGE_CHARS_MAX]


class _NoRedirects(HTTPRedirectHandler):
    """A token goes where it was sent, and nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


@dataclass(slots=True)
class Api:
    """One command's hand on the API at `url`. `sleep` and `wall` (Unix time) are the clock."""

    url: str
    token: str = field(repr=False)
    sleep: Callable[[float], None] = time.sleep
    wall: Callable[[], float] = time.time
    waited_s: float = 0.0
    _opener: OpenerDirector = field(default_factory=lambda: build_opener(_NoRedirects))

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """The answer, after as many tries as make sense; the last one where none was good."""
        for tries in range(1, TRIES_MAX + 1):
            answer = self._once(method, path, body)
            may_repeat = answer.is_limited or (answer.is_passing and method != "POST")
            if not may_repeat or tries == TRIES_MAX or not self.pause(answer, tries):
                break
        return answer

    def pause(self, answer: Answer, tries: int) -> bool:
        """Wait before another try; False where that would take too long."""
        wait_s = _pause_s(answer, tries, self.wall())
        if self.waited_s + wait_s > WAIT_S_MAX:
            return False
        self.waited_s += wait_s
        self.sleep(wait_s)
        return True

    def _once(self, method: str, path: str, body: Mapping[str, Any] | None) -> Answer:
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.token}",
            "User-Agent": "dialplane",
            "X-GitHub-Api-Version": API_VERSION,
        }
        data = json.dumps(body).encode() if body is not None else None
        request = Request(f"{self.url}{path}", data, headers, method=method)  # noqa: S310 - https, or this machine
        try:
            with self._reply(request) as reply:
                return _answer(reply)
        except (OSError, HTTPException) as error:
            return Answer(0, {}, str(getattr(error, "reason", "") or error or type(error).__name__))

    def _reply(self, request: Request) -> HTTPResponse | HTTPError:
        """What came, whatever its status."""
        try:
            reply = self._opener.open(request, timeout=TIMEOUT_S)
        except HTTPError as error:
            return error
        assert isinstance(reply, HTTPResponse)
        return reply


def _answer(reply: HTTPResponse | HTTPError) -> Answer:
    status = reply.code if isinstance(reply, HTTPError) else reply.status
    data = reply.read(ANSWER_BYTES_MAX + 1)
    if len(data) > ANSWER_BYTES_MAX:
        raise ReconcileError("GitHub's answer is too long", "try again")
    try:
        said = json.loads(data) if data else None
    except (ValueError, RecursionError):
        said = None if status < 300 else "no JSON"
    return Answer(status, {name.lower(): value for name, value in reply.headers.items()}, said)


def _pause_s(answer: Answer, tries: int, now: float) -> float:
    after = answer.headers.get("retry-after", "")
    if after.isascii() and after.isdigit():
        return float(after[:9])
    if not answer.is_limited:
        return float(FIRST_PAUSE_S * 2 ** (tries - 1))
    reset = answer.headers.get("x-ratelimit-reset", "")
    if answer.headers.get("x-ratelimit-remaining") == "0" and reset.isascii() and reset.isdigit():
        return max(FIRST_PAUSE_S, float(reset[:12]) - now)
    return UNSAID_PAUSE_S
