"""What changes in the session of a call: re-INVITE, UPDATE and PRACK of the phone, hold of ours. A core; on the board.

An offer is answered at once and truly; one that cannot be agreed on leaves the session as it was (RFC 3261 section
14.2). Hold of ours is a re-INVITE: where the phone's own crosses it (491) it is tried again after the time that the
RFC gives each side (section 14.1), and what the call is to be by then counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runtime.calls.board import Board, Now
from runtime.calls.call import Call, InboundCall, State
from runtime.calls.commands import HoldSettled, StartMedia
from runtime.calls.negotiate import HOLDING, TALKING, agreed, describe
from runtime.calls.opening import Opening
from runtime.calls.reasons import EndReason
from runtime.calls.record import EndedBy
from runtime.media.config import StreamConfig
from runtime.routing.dial import Failure, FailureKind
from runtime.sip import events as sip
from runtime.sip.endpoint import Endpoint
from runtime.sip.message import Request
from runtime.sip.offer_answer import NegotiationFailure
from runtime.sip.sessions import DIALOG_GONE
from runtime.sip.validate import SDP_TYPE, Rejection, validate_invite

REQUEST_PENDING = 491
BUSY_S = 1.0
"""When a re-INVITE of ours is tried again that could not go out because another one was under way."""

GLARE_UNIT_S = 0.01
GLARE_OWNER_S = (2.1, 4.0)
GLARE_OTHER_S = (0.0, 2.0)
"""RFC 3261 section 14.1: how long whoever made the Call-ID waits after 491, and the other one; in units of 10 ms."""

RETRY_AFTER_S_MAX = 10
"""RFC 3311 section 5.2: Retry-After of an UPDATE that comes before the answer to the first offer."""


SessionEvent = (
    sip.ReinviteReceived
    | sip.ReinviteAnswered
    | sip.ReinviteRejected
    | sip.ReinviteCancelled
    | sip.PrackReceived
    | sip.RefreshDue
    | sip.SessionRefreshed
)


class Changes:
    """One per bridge. `hears(call, stream, now)` is told of every agreement."""

    def __init__(
        self,
        board: Board,
        endpoint: Endpoint,
        opening: Opening,
        entropy: Callable[[int], bytes],
        hears: Callable[[Call, StreamConfig, Now], None],
    ) -> None:
        self._board = board
        self._endpoint = endpoint
        self._opening = opening
        self._entropy = entropy
        self._hears = hears

    def handle(self, event: SessionEvent, now: Now) -> None:
        """An event that is about the session of a call, and nothing else."""
        match event:
            case sip.ReinviteReceived():
                self.reinvited(event, now)
            case sip.ReinviteAnswered():
                self.answered(event, now)
            case sip.ReinviteRejected():
                self.rejected(event, now)
            case sip.PrackReceived():
                self._board.early_acknowledged(event.leg)
            case sip.RefreshDue():
                self.refresh_due(event.leg, now)
            case sip.SessionRefreshed():
                self.alive(event.leg)
            case sip.ReinviteCancelled():
                pass  # one that comes has its answer at once

    # -- what the phone wants --------------------------------------------------------------------------------------

    def reinvited(self, event: sip.ReinviteReceived, now: Now) -> None:
        """A re-INVITE: its offer is answered, one without gets ours."""
        call = self._board.of_leg(event.leg)
        if call is None:
            self._endpoint.respond(event.leg, 481, now.mono)
            return
        outcome = validate_invite(event.request) or self._answer(call, event.request)
        if isinstance(outcome, Rejection):
            self._endpoint.respond(event.leg, outcome.status, now.mono, reason=outcome.reason, headers=outcome.headers)
            return
        body, stream = outcome
        self._endpoint.respond(event.leg, 200, now.mono, body=body)
        if stream is not None:
            self._agree(call, stream, now)

    def updated(self, event: sip.RequestReceived, now: Now) -> None:
        """An UPDATE (RFC 3311): with an offer, or to say where the phone is and that it is there."""
        call = self._board.of_leg(event.leg) if event.leg is not None else None
        if call is None:
            self._endpoint.respond_request(event.request_id, 481, now.mono)
            return
        refusal = validate_invite(event.request)
        if refusal is None and not event.request.body:
            self._endpoint.respond_request(event.request_id, 200, now.mono)
            return
        if refusal is None and isinstance(call, InboundCall) and call.state is State.ROUTED and not call.has_answered:
            wait_s = self._entropy(1)[0] % (RETRY_AFTER_S_MAX + 1)
            refusal = Rejection(500, "Answer Pending", (("Retry-After", str(wait_s)),))
        self._say(event, call, refusal or self._answer(call, event.request), now)

    def pracked(self, event: sip.RequestReceived, now: Now) -> None:
        """A PRACK that brings the answer to an offer of ours, or an offer (RFC 3262 section 5)."""
        call = self._board.of_leg(event.leg) if event.leg is not None else None
        if call is None:
            self._endpoint.respond_request(event.request_id, 481, now.mono)
            return
        refusal = validate_invite(event.request)
        if refusal is None and call.offer_answer.awaits_answer:
            refusal = self._accept(call, event.request.body, now)
            if refusal is None:
                self._endpoint.respond_request(event.request_id, 200, now.mono)
                return
        self._say(event, call, refusal or self._answer(call, event.request), now)

    def late_answer(self, call: Call, body: bytes, now: Now) -> None:
        """The ACK brings the answer to an offer of ours."""
        refusal = self._accept(call, body, now)
        if refusal is None:
            return
        call.offer_answer.withdraw()
        if call.stream is None:  # it never had media: there is nothing to go on with
            words = f"no common media in the ACK: {refusal.reason}"
            self._board.hang_up(call.id, now, EndReason.MEDIA, words, EndedBy.BRIDGE)

    def alive(self, leg: int) -> None:
        """The session was refreshed: a phone on hold that sends nothing has said that it is there."""
        call = self._board.of_leg(leg)
        if call is not None and call.stream is not None and call.stream.held and call.record.answered_at:
            self._board.do(StartMedia(call.id, call.stream))

    # -- what we want ----------------------------------------------------------------------------------------------

    def hold(self, call_id: str, now: Now, *, on: bool) -> Failure | None:
        """Put a call on hold, or take it back. What comes of it is told by one `HoldSettled`, unless it fails here."""
        call = self._board.get(call_id)
        if call is None:
            return Failure(FailureKind.NOT_FOUND, f"there is no call {call_id}")
        if call.state is not State.ACTIVE or call.stream is None:
            return Failure(FailureKind.FAILED_PRECONDITION, "the call has not been answered yet")
        if call.leg is None:
            return Failure(FailureKind.FAILED_PRECONDITION, "the phone has hung up, and another is being called")
        call.wants_hold = on
        call.hold_asked = True
        self._propose(call, now)
        return None

    def refresh_due(self, leg: int, now: Now) -> None:
        """The session timer wants a re-INVITE that changes nothing."""
        call = self._board.of_leg(leg)
        if call is not None and call.leg is not None and self._can_offer(call):
            self._endpoint.reinvite(call.leg, now.mono, call.offer_answer.offer(call.local))

    def answered(self, event: sip.ReinviteAnswered, now: Now) -> None:
        """A re-INVITE of ours was taken."""
        call = self._board.of_leg(event.leg)
        if call is None or not call.offer_answer.awaits_answer:
            return
        proposed, call.proposed = call.proposed, None
        before, call.local = call.local, proposed or call.local
        refusal = self._accept(call, event.response.body, now)
        if refusal is not None:
            call.offer_answer.withdraw()
            call.local = before
            call.wants_hold = call.holds
            self._settle(call, f"the phone's answer cannot be used: {refusal.reason}")
        self._propose(call, now)

    def rejected(self, event: sip.ReinviteRejected, now: Now) -> None:
        """A re-INVITE of ours was not: the session stays as it was, unless there is no call any more."""
        call = self._board.of_leg(event.leg)
        if call is None:
            return
        call.offer_answer.withdraw()
        wanted, call.proposed = call.proposed, None
        status = 408 if event.response is None else event.response.status
        if status in DIALOG_GONE:
            words = "the phone does not answer" if status == 408 else "the phone does not know the call any more"
            self._board.hang_up(call.id, now, EndReason.LEG_LOST, words, EndedBy.NETWORK)
        elif status == REQUEST_PENDING:
            call.retry_at = now.mono + self._glare_s(call)
        elif wanted is not None:
            call.wants_hold = call.holds
            self._settle(call, f"the phone refuses: SIP {status} {event.response.reason if event.response else ''}")

    def handle_timer(self, now: Now) -> None:
        """Try again what could not go out, or crossed something of the phone's."""
        for call in self._board.live_calls():
            if call.retry_at <= now.mono:
                self._propose(call, now)

    # -- parts -----------------------------------------------------------------------------------------------------

    def _propose(self, call: Call, now: Now) -> None:
        """Have the session be as it is wanted to be."""
        call.retry_at = float("inf")
        if call.proposed is not None or call.leg is None:
            return
        if call.wants_hold == call.holds:
            self._settle(call)
        elif self._can_offer(call):
            call.proposed = replace(call.local, direction=HOLDING if call.wants_hold else TALKING)
            self._endpoint.reinvite(call.leg, now.mono, call.offer_answer.offer(call.proposed))
        else:
            call.retry_at = now.mono + BUSY_S

    def _can_offer(self, call: Call) -> bool:
        return call.leg is not None and not call.offer_answer.awaits_answer and self._endpoint.may_reinvite(call.leg)

    def _settle(self, call: Call, words: str = "") -> None:
        if not call.hold_asked:
            return
        call.hold_asked = False
        failure = Failure(FailureKind.FAILED_PRECONDITION, words) if words else None
        self._board.do(HoldSettled(call.id, call.holds, failure))

    def _glare_s(self, call: Call) -> float:
        first, last = GLARE_OTHER_S if isinstance(call, InboundCall) else GLARE_OWNER_S
        steps = round((last - first) / GLARE_UNIT_S) + 1
        return first + int.from_bytes(self._entropy(2)) % steps * GLARE_UNIT_S

    def _answer(self, call: Call, request: Request) -> Rejection | tuple[bytes, StreamConfig | None]:
        """Our answer to an offer and what it means, our own offer where there is none; or why not."""
        timeout_s = call.orders.media_timeout_s
        try:
            return describe(call.offer_answer, request.body, call.local, timeout_s, self._opening.media_ports)
        except NegotiationFailure as fault:
            return Rejection(fault.status, fault.reason, (("Warning", fault.warning),))

    def _accept(self, call: Call, body: bytes, now: Now) -> Rejection | None:
        """The answer to an offer of ours takes effect; or why not, and nothing has changed."""
        try:
            negotiated = call.offer_answer.accept(body)
            stream = agreed(negotiated, call.local, call.orders.media_timeout_s, self._opening.media_ports)
        except NegotiationFailure as fault:
            return Rejection(fault.status, fault.text, (("Warning", fault.warning),))
        self._agree(call, stream, now)
        return None

    def _say(
        self,
        event: sip.RequestReceived,
        call: Call,
        outcome: Rejection | tuple[bytes, StreamConfig | None],
        now: Now,
    ) -> None:
        """Answer an UPDATE or a PRACK."""
        if isinstance(outcome, Rejection):
            self._endpoint.respond_request(
                event.request_id, outcome.status, now.mono, reason=outcome.reason, headers=outcome.headers
            )
            return
        body, stream = outcome
        self._endpoint.respond_request(event.request_id, 200, now.mono, body=body, content_type=SDP_TYPE)
        if stream is not None:
            self._agree(call, stream, now)

    def _agree(self, call: Call, stream: StreamConfig, now: Now) -> None:
        self._board.stream_agreed(call, stream)
        self._hears(call, stream, now)
