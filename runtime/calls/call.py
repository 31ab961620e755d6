"""One call: what is known of it, and the one table of its states.

The board holds a `Call` for every phone and moves it by `advance`. A step that the table does not know is a bug of
ours, never a peer's doing: peers' faults are settled in the endpoint below. A call that came in (`InboundCall`):

    ROUTED --room joined--> ANSWERED --ACK--> ACTIVE --BYE, timeout, stop--> ENDED

One whose trunk verifies callers waits for a certificate first, if need be: VERIFYING --verified--> ROUTED.

One whose rule has a PIN is answered before it has a room:

    ROUTED --asked--> ASKED --ACK--> PROMPTING --right PIN--> JOINING --room joined--> ACTIVE

A call of ours (`OutboundCall`) is in its room first; one with keys to press is active when they are pressed:

    ENTERING --in its room--> DIALLING --180--> RINGING --200--> [AUTOMATION --keys pressed-->] ACTIVE
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from runtime.calls.commands import Command, DialSettled, HoldSettled, Ports
from runtime.calls.failures import failure_of
from runtime.calls.hunt import Hunt
from runtime.calls.negotiate import HOLDING, early, with_timeout
from runtime.calls.presses import Presses
from runtime.calls.record import CallRecord, EndedBy
from runtime.calls.referral import Referral
from runtime.calls.transfer import Transfer
from runtime.gate.bucket import TokenBucket
from runtime.media.config import StreamConfig
from runtime.routing.dial import Failure, FailureKind
from runtime.routing.orders import Orders
from runtime.routing.place import Placement
from runtime.routing.route import Admission, PinAsked
from runtime.sip.offer_answer import LocalMedia, OfferAnswer
from runtime.stir.verification import Inquiry
from schemas.tables.rows import Pairs


class State(StrEnum):
    """Where a call is in its life."""

    VERIFYING = "verifying"
    ROUTED = "routed"
    ANSWERED = "answered"
    ASKED = "asked"
    PROMPTING = "prompting"
    JOINING = "joining"
    ENTERING = "entering"
    DIALLING = "dialling"
    RINGING = "ringing"
    AUTOMATION = "automation"
    ACTIVE = "active"
    ENDED = "ended"


class Step(StrEnum):
    """What moves it."""

    VERIFY = "verify"
    ANSWER = "answer"
    ASK = "ask"
    OPEN = "open"
    ACKNOWLEDGE = "acknowledge"
    DIAL = "dial"
    RING = "ring"
    PRESS = "press"
    END = "end"


TRANSITIONS: dict[tuple[State, Step], State] = {
    (State.VERIFYING, Step.VERIFY): State.ROUTED,
    (State.ROUTED, Step.ANSWER): State.ANSWERED,
    (State.ROUTED, Step.ASK): State.ASKED,
    (State.ASKED, Step.ACKNOWLEDGE): State.PROMPTING,
    (State.PROMPTING, Step.OPEN): State.JOINING,
    (State.JOINING, Step.ANSWER): State.ACTIVE,
    (State.ANSWERED, Step.ACKNOWLEDGE): State.ACTIVE,
    (State.ENTERING, Step.DIAL): State.DIALLING,
    (State.DIALLING, Step.DIAL): State.DIALLING,
    (State.RINGING, Step.DIAL): State.DIALLING,
    (State.DIALLING, Step.RING): State.RINGING,
    (State.DIALLING, Step.ANSWER): State.ACTIVE,
    (State.RINGING, Step.ANSWER): State.ACTIVE,
    (State.DIALLING, Step.PRESS): State.AUTOMATION,
    (State.RINGING, Step.PRESS): State.AUTOMATION,
    (State.AUTOMATION, Step.ANSWER): State.ACTIVE,
    **{(state, Step.END): State.ENDED for state in State if state is not State.ENDED},
}

UNANSWERED = frozenset({State.VERIFYING, State.ROUTED})
"""An INVITE came in and has no final answer."""

UNDER_WAY = frozenset({State.DIALLING, State.RINGING})
"""An INVITE of ours is out and has no final answer."""


@dataclass(slots=True, kw_only=True)
class Call:
    """The mutable heart of one call; owned by the board alone."""

    leg: int | None
    """The endpoint's handle; None while nothing was said to the phone."""
    record: CallRecord
    orders: Orders
    """What its trunk, and its rule or request, order."""
    ports: Ports
    local: LocalMedia
    offer_answer: OfferAnswer
    stream: StreamConfig | None
    """None until an answer is known."""
    state: State
    rings_until: float = field(default=float("inf"))
    """When the phone has rung long enough, on the monotonic clock."""
    attributes: dict[str, str] = field(default_factory=dict)
    """Of its participant, as the room last showed them."""
    ends_at: float = field(default=float("inf"))
    """When the longest allowed duration is over, likewise."""
    longest_s: float = 0.0
    """That duration."""
    transfer: Transfer | None = None
    """The last one that was begun."""
    referral: Referral | None = None
    """The last one that its phone asked for."""
    wants_hold: bool = False
    """Whether the room's side wants the phone on hold; `holds` is whether the phone has agreed."""
    hold_asked: bool = False
    """Somebody waits for that."""
    proposed: LocalMedia | None = None
    """What a re-INVITE of ours offers that is not answered yet."""
    retry_at: float = field(default=float("inf"))
    """When it is tried again, on the monotonic clock."""
    writes: TokenBucket | None = None
    """What its phone may still write."""
    presses: Presses = field(default_factory=Presses)
    """The keys that its phone has told of."""
    music: str = ""
    """What its phone hears on hold, as it was told."""
    shown_hold: str = ""
    """`sip.hold` of the participant."""

    @property
    def id(self) -> str:
        """LiveKit's call id, `SCL_…`."""
        return self.record.call_id

    @property
    def holds(self) -> bool:
        """Whether we have the phone on hold."""
        return self.local.direction == HOLDING

    @property
    def hold(self) -> str:
        """Who has the call on hold: `local` is the room's side, `remote` the phone's, `both`; "" nobody."""
        theirs = self.stream is not None and not self.stream.send
        return ("both" if theirs else "local") if self.holds else ("remote" if theirs else "")

    def before_answer(self, stream: StreamConfig) -> StreamConfig:
        """How packets flow before the call is answered."""
        raise AssertionError("how depends on who calls")

    def lasts(self, longest_s: float, now: float) -> None:
        """It may last so long from now on, and no longer than was allowed before."""
        if now + longest_s < self.ends_at:
            self.ends_at, self.longest_s = now + longest_s, longest_s

    def advance(self, step: Step) -> None:
        """Move to the next state."""
        self.state = TRANSITIONS[self.state, step]

    def last_words(self, record: CallRecord) -> Sequence[Command]:
        """Whoever waits for something of this call is told that it is over."""
        said: list[Command] = []
        if self.hold_asked:
            words = f"the call ended meanwhile: {record.words}"
            said.append(HoldSettled(self.id, self.holds, Failure(FailureKind.CANCELED, words)))
        if self.transfer is not None:
            said += self.transfer.call_ended(record)
        return said


@dataclass(slots=True, kw_only=True)
class InboundCall(Call):
    """One that came in."""

    leg: int
    orders: Admission
    body: bytes
    """The SDP of the 200: an answer, or our offer when the INVITE brought none."""
    has_answered: bool = False
    """The SDP went out with a provisional response that the phone has acknowledged."""
    waits: bool = False
    """Nobody has shown yet that the phone is where its SDP says: before the answer nothing is sent there unasked."""
    asked: PinAsked | None = None
    """Set when a PIN is asked for first; `orders` are the asking rule's until then."""
    inquiry: Inquiry | None = None
    """The certificate that its verification waits for."""
    verified: Pairs = ()
    """Attributes that say what came of it."""
    state: State = State.ROUTED

    def before_answer(self, stream: StreamConfig) -> StreamConfig:
        """It hears what its rule says."""
        return early(stream, waits=self.waits)

    def opened(self, admission: Admission) -> None:
        """A PIN was right: from now on this rule's orders hold, but for what offer and answer have agreed on."""
        self.advance(Step.OPEN)
        self.orders = admission
        self.record = self.record.admitted(admission)
        assert self.stream is not None, "the PIN came in by it"
        self.stream = with_timeout(self.stream, admission.media_timeout_s)


@dataclass(slots=True, kw_only=True)
class OutboundCall(Call):
    """One of ours."""

    orders: Placement
    hunt: Hunt
    state: State = State.ENTERING
    participant_id: str = ""
    settled: bool = False
    """Whoever asked for the call has been told what became of it."""

    def before_answer(self, stream: StreamConfig) -> StreamConfig:
        """The room hears what the phone's side plays; the room is not heard before somebody has answered."""
        return early(stream, silent=True)

    def last_words(self, record: CallRecord) -> Sequence[Command]:
        """Likewise; who waited for the answer hears why there is none."""
        said = [*Call.last_words(self, record)]
        if not self.settled:
            self.settled = True
            said.append(DialSettled(self.id, failure_of(record)))
        return said


def hung_up_by(call: Call) -> EndedBy:
    """Who a phone that hangs up is."""
    return EndedBy.CALLER if isinstance(call, InboundCall) else EndedBy.CALLEE
