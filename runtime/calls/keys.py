"""Keys by SIP INFO, both ways, where a trunk or rule says `media.dtmf: [info]`. A core; it works on the board.

Keys that a phone tells by INFO and by RFC 4733 meet here, so that each press is one. Keys for a phone go by INFO where
nothing else is allowed, or where it took no telephone-event; the media session keeps their time either way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from runtime.calls.board import Board, Now
from runtime.calls.call import Call
from runtime.calls.messages import Messages, type_of
from runtime.calls.presses import Way
from runtime.media.info_digits import RELAY, TYPES, read_key, write_relay
from runtime.sip.endpoint import Endpoint
from runtime.sip.events import RequestReceived

ACCEPT: Final = ("Accept", ", ".join(TYPES))
NO_PACKAGES: Final = ("Recv-Info", "")
"""RFC 6086 section 4.2.2: none is taken."""
RETRY: Final = ("Retry-After", "1")


class Keys:
    """One per bridge. `pressed` is told of every press of every phone."""

    def __init__(
        self, board: Board, endpoint: Endpoint, messages: Messages, pressed: Callable[[Call, str, Now], None]
    ) -> None:
        self._board = board
        self._messages = messages
        self._endpoint = endpoint
        self._pressed = pressed

    def informed(self, event: RequestReceived, now: Now) -> None:
        """An INFO of a phone."""
        call = self._board.of_leg(event.leg) if event.leg is not None else None
        request = event.request
        if call is None:
            self._say(event, 481, now)
        elif "Info-Package" in request.headers:
            self._say(event, 469, now, NO_PACKAGES)
        elif not request.body:
            self._say(event, 200, now)  # RFC 2976 section 2.2: it asks whether the call is up
        elif call.orders.messages and type_of(request) not in TYPES:
            self._messages.pass_on(call, event, now)
        elif not call.local.info_digits or type_of(request) not in TYPES:
            self._say(event, 415, now, ACCEPT if call.local.info_digits else ("Accept", ""))
        elif not call.presses.may_tell(now.mono):
            self._say(event, 500, now, RETRY)
        else:
            key = read_key(request.body)
            self._say(event, 200 if key is not None else 400, now)
            if key and call.record.answered_at:
                self.heard(call, key, Way.INFO, now)

    def heard(self, call: Call, key: str, way: Way, now: Now) -> None:
        """A key was told; it counts if it has not been told by the other way."""
        if call.presses.is_new(key, way, now.mono):
            self._pressed(call, key, now)

    def send(self, call: Call, key: str, duration_ms: int, now: Now) -> None:
        """A key's time has come, and the phone is told of it by INFO."""
        if call.leg is not None:
            self._endpoint.request(call.leg, "INFO", now.mono, body=write_relay(key, duration_ms), content_type=RELAY)

    def _say(self, event: RequestReceived, status: int, now: Now, *headers: tuple[str, str]) -> None:
        self._endpoint.respond_request(event.request_id, status, now.mono, headers=headers)
