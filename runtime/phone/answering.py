"""CORE. The test phone as the one who is called: it waits, rings, and picks up or declines. See `one_call`.

It has one line. Whoever calls while it is taken hears that it is busy; when the one call is over, so is the phone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runtime.calls.negotiate import describe
from runtime.phone.one_call import MEDIA_TIMEOUT_S, Media, OneCall
from runtime.phone.outcome import Outcome
from runtime.sip import events as sip
from runtime.sip.endpoint import Endpoint
from runtime.sip.errors import SipSyntaxError
from runtime.sip.fields import parse_name_addr
from runtime.sip.message import Request
from runtime.sip.offer_answer import NegotiationFailure
from runtime.sip.path import Path
from runtime.sip.responses import REASONS
from runtime.sip.uri import parse_uri

BUSY, NO_PORTS = 486, 503
GAVE_UP = 487


@dataclass(frozen=True, slots=True)
class Manner:
    """How the phone takes its call. `decline`: the status to refuse it with; 0 = it picks up."""

    wait_s: float = 60.0
    """How long it waits to be called."""
    ring_s: float = 1.0
    decline: int = 0
    takes_transfers: bool = True


class Answering(OneCall):
    """One call that comes, from `now` on; `tell(words)` is told what happens, as it happens."""

    def __init__(
        self,
        endpoint: Endpoint,
        media: Media,
        outcome: Outcome,
        manner: Manner,
        tell: Callable[[str], None],
        now: float,
    ) -> None:
        super().__init__(endpoint, media, outcome, takes_transfers=manner.takes_transfers)
        self._manner = manner
        self._tell = tell
        self._waits_until: float | None = now + manner.wait_s
        self._rings_until: float | None = None
        self._body = b""

    def handle(self, event: sip.Event, now: float) -> None:
        """What the endpoint tells; of other calls than the one, nothing matters."""
        match event:
            case sip.InviteReceived() if self._leg:
                self._endpoint.respond(event.leg, BUSY, now)
            case sip.InviteReceived():
                self._called(event.leg, event.request, event.path, now)
            case sip.LegEnded() | sip.ByeReceived() | sip.AckReceived() | sip.AckMissing() if event.leg != self._leg:
                pass
            case sip.AckMissing():
                self._outcome.reason = "the answer was never acknowledged"
            case sip.Cancelled() | sip.InviteExpired() if event.leg == self._leg:
                self._rings_until = None
                self._outcome.status, self._outcome.reason = GAVE_UP, "the caller gave up"
            case _:
                super().handle(event, now)

    def hang_up(self, now: float) -> None:
        """BYE; before the answer the caller hears that it is not wanted."""
        if self._outcome.answered:
            self._endpoint.bye(self._leg, now)
        else:
            self._endpoint.respond(self._leg, self._manner.decline or BUSY, now)

    def handle_timer(self, now: float) -> None:
        """Pick up when it has rung long enough; give up when nobody has called."""
        if self._waits_until is not None and now >= self._waits_until:
            self._waits_until = None
            self._outcome.reason = f"nobody called within {self._manner.wait_s:g} s"
            self.is_over = True
        if self._rings_until is not None and now >= self._rings_until:
            self._rings_until = None
            self._pick_up(now)

    def next_deadline(self) -> float | None:
        """When that is; only one of the two is ever waited for."""
        return self._waits_until if self._rings_until is None else self._rings_until

    # -- the call --------------------------------------------------------------------------------------------------

    def _called(self, leg: int, request: Request, path: Path, now: float) -> None:
        self._leg, self._waits_until = leg, None
        self._outcome.caller, self._outcome.called = (_number(request, name) for name in ("From", "To"))
        self._tell(f"rings: {self._outcome.caller} calls {self._outcome.called}")
        refusal = self._manner.decline or self._agree(request, path)
        if refusal:
            self._decline(refusal, now)
            return
        self._endpoint.respond(leg, 180, now)
        self._rings_until = now + self._manner.ring_s

    def _agree(self, request: Request, path: Path) -> int:
        """Settle what is spoken, before it rings; the status of the refusal where that cannot be, else 0."""
        local = self._media.open(path.local[0])
        if isinstance(local, str):
            self._outcome.reason = local
            return NO_PORTS
        self._local = local
        try:
            self._body, self._stream = describe(self._offer_answer, request.body, local, MEDIA_TIMEOUT_S, ())
        except NegotiationFailure as fault:
            self._outcome.reason = fault.text
            return fault.status
        return 0

    def _decline(self, status: int, now: float) -> None:
        self._outcome.status = status
        self._outcome.reason = self._outcome.reason or REASONS.get(status, "")
        self._endpoint.respond(self._leg, status, now)

    def _pick_up(self, now: float) -> None:
        if self._endpoint.respond(self._leg, 200, now, body=self._body):
            self._outcome.status, self._outcome.reason, self._outcome.answered = 200, REASONS[200], True
            self._tell("picked up")


def _number(request: Request, header: str) -> str:
    """The user part of From or To; the whole URI where it has none."""
    text = parse_name_addr(request.headers.first(header) or "", header).uri
    try:
        return parse_uri(text).user or text
    except SipSyntaxError:
        return text  # of another scheme
