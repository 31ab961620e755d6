"""CORE. The test phone as the one who calls: one INVITE, and what becomes of it. See `one_call`."""

from __future__ import annotations

from runtime.calls.negotiate import stream_of
from runtime.phone.one_call import MEDIA_TIMEOUT_S, Media, OneCall
from runtime.phone.outcome import Outcome
from runtime.sip import events as sip
from runtime.sip.auth.client import Login
from runtime.sip.endpoint import Endpoint
from runtime.sip.grammar import write_host_port
from runtime.sip.message import Response
from runtime.sip.offer_answer import LocalMedia, NegotiationFailure
from runtime.sip.path import Path

NOBODY = "nobody answers at that address"
NO_SIGN_OF_LIFE_S = 5.0
"""A SIP server says 100 at once; RFC 3261's own 32 s are too long for a person who mistyped a port."""


class Calling(OneCall):
    """One call that we place."""

    def __init__(self, endpoint: Endpoint, media: Media, outcome: Outcome) -> None:
        super().__init__(endpoint, media, outcome)
        self._silent_until: float | None = None
        self._unreachable = ""

    def begin(self, target: str, caller: str, path: Path, local: LocalMedia, login: Login | None, now: float) -> None:
        """Call `target`, a SIP URI. `login` answers the challenges of whoever is called."""
        self._silent_until = now + NO_SIGN_OF_LIFE_S
        self._local = local
        self._leg = self._endpoint.invite(
            target,
            path,
            now,
            from_=f"<sip:{caller}@{write_host_port(path.local[0], None)}>",
            to=f"<{target}>",
            body=self._offer_answer.offer(local),
            login=login,
        )

    def handle(self, event: sip.Event, now: float) -> None:
        """What the endpoint tells."""
        match event:
            case sip.Answered():
                self._answered(event.response, now)
            case sip.Rejected() if self._unreachable:
                self._outcome.reason = self._unreachable  # the 503 is of our own making
            case sip.Rejected():
                self._note(event.response)
            case sip.InviteTimedOut():
                self._outcome.reason = NOBODY
            case _:
                super().handle(event, now)

    def hang_up(self, now: float) -> None:
        """BYE, or CANCEL before an answer."""
        end = self._endpoint.bye if self._outcome.answered else self._endpoint.cancel
        end(self._leg, now)

    def reached(self) -> None:
        """Somebody is there."""
        self._silent_until = None

    def not_reached(self, words: str) -> None:
        """Nobody listens there, or there is no way."""
        self._unreachable = words

    def handle_timer(self, now: float) -> None:
        """Give up where nobody has said anything at all."""
        if self._silent_until is not None and now >= self._silent_until:
            self._silent_until = None
            self._outcome.reason = NOBODY
            self.is_over = True

    def next_deadline(self) -> float | None:
        """When a sign of life must be here."""
        return self._silent_until

    def _note(self, response: Response) -> None:
        self._outcome.status, self._outcome.reason = response.status, response.reason
        warning = response.headers.first("Warning") or ""
        self._outcome.warning = warning.partition('"')[2].rpartition('"')[0]

    def _answered(self, response: Response, now: float) -> None:
        self._note(response)
        try:
            negotiated = self._offer_answer.accept(response.body)
        except NegotiationFailure as fault:
            self._outcome.reason = f"the answer's SDP cannot be used: {fault.reason}"
            self._endpoint.bye(self._leg, now)
            return
        self._outcome.answered = True
        self._stream = stream_of(negotiated, MEDIA_TIMEOUT_S)
        self._media.start(self._stream, now)
