"""What a phone writes within its call (MESSAGE, RFC 3428; INFO, RFC 6086), for its room where the rule says so.

A core; it works on the board. Text or bytes are handed on as they came, bounded in size and rate; nothing is read in
them, and nothing is written down.
"""

from __future__ import annotations

from typing import Final

from runtime.calls.board import Board, Now
from runtime.calls.call import Call
from runtime.calls.commands import PassMessage
from runtime.gate.bucket import TokenBucket
from runtime.sip.endpoint import Endpoint
from runtime.sip.errors import SipSyntaxError
from runtime.sip.events import RequestReceived
from runtime.sip.fields import parse_media_type
from runtime.sip.message import Request

BODY_BYTES_MAX: Final = 4_096
BURST: Final = 20
PER_S: Final = 5
"""Messages that one phone may write."""
TYPE_CHARS_MAX: Final = 128
RETRY: Final = ("Retry-After", "1")


class Messages:
    """One per bridge. `allow` is the Allow header where a call takes none."""

    def __init__(self, board: Board, endpoint: Endpoint, allow: str) -> None:
        self._board = board
        self._endpoint = endpoint
        self._allow = ("Allow", allow)

    def written(self, event: RequestReceived, now: Now) -> None:
        """A MESSAGE of a phone."""
        call = self._board.of_leg(event.leg) if event.leg is not None else None
        if call is None:
            self._say(event, 481, now)
        elif not call.orders.messages:
            self._say(event, 405, now, self._allow)
        else:
            self.pass_on(call, event, now)

    def pass_on(self, call: Call, event: RequestReceived, now: Now) -> None:
        """Hand it to the room, if it is bearable."""
        request = event.request
        kind = type_of(request)
        if not kind or len(kind) > TYPE_CHARS_MAX:
            self._say(event, 415, now)
        elif len(request.body) > BODY_BYTES_MAX:
            self._say(event, 413, now)
        elif not self._may_write(call, now):
            self._say(event, 500, now, RETRY)
        elif not call.record.answered_at:
            self._say(event, 480, now)
        else:
            self._say(event, 200, now)
            self._board.do(PassMessage(call.id, request.method, kind, request.body))

    def _may_write(self, call: Call, now: Now) -> bool:
        if call.writes is None:
            call.writes = TokenBucket(PER_S, BURST, now.mono)
        return call.writes.take(now.mono)

    def _say(self, event: RequestReceived, status: int, now: Now, *headers: tuple[str, str]) -> None:
        self._endpoint.respond_request(event.request_id, status, now.mono, headers=headers)


def type_of(request: Request) -> str:
    """`type/subtype` of the body in small letters, "" where none can be read."""
    try:
        kind = parse_media_type(request.headers.first("Content-Type") or "")
    except SipSyntaxError:
        return ""
    return f"{kind.type}/{kind.subtype}"
