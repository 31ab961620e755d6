"""One inbound call: what is known of it, and the one table of its states.

The switchboard holds a `Call` for every leg and moves it by `advance`. A step that the table does not know is a bug
of ours, never a peer's doing: peers' faults are settled in the endpoint below.

    ROUTED --room joined--> ANSWERED --ACK--> ACTIVE --BYE, timeout, stop--> ENDED

One whose rule has a PIN is answered before it has a room:

    ROUTED --asked--> ASKED --ACK--> PROMPTING --right PIN--> JOINING --room joined--> ACTIVE
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from runtime.calls.commands import Ports
from runtime.calls.negotiate import with_timeout
from runtime.calls.record import CallRecord
from runtime.media.session import StreamConfig
from runtime.routing.route import Admission, PinAsked
from runtime.sip.offer_answer import LocalMedia, OfferAnswer


class State(StrEnum):
    """Where a call is in its life."""

    ROUTED = "routed"
    ANSWERED = "answered"
    ASKED = "asked"
    PROMPTING = "prompting"
    JOINING = "joining"
    ACTIVE = "active"
    ENDED = "ended"


class Step(StrEnum):
    """What moves it."""

    ANSWER = "answer"
    ASK = "ask"
    OPEN = "open"
    ACKNOWLEDGE = "acknowledge"
    END = "end"


TRANSITIONS: dict[tuple[State, Step], State] = {
    (State.ROUTED, Step.ANSWER): State.ANSWERED,
    (State.ROUTED, Step.END): State.ENDED,
    (State.ROUTED, Step.ASK): State.ASKED,
    (State.ASKED, Step.ACKNOWLEDGE): State.PROMPTING,
    (State.ASKED, Step.END): State.ENDED,
    (State.PROMPTING, Step.OPEN): State.JOINING,
    (State.PROMPTING, Step.END): State.ENDED,
    (State.JOINING, Step.ANSWER): State.ACTIVE,
    (State.JOINING, Step.END): State.ENDED,
    (State.ANSWERED, Step.ACKNOWLEDGE): State.ACTIVE,
    (State.ANSWERED, Step.END): State.ENDED,
    (State.ACTIVE, Step.END): State.ENDED,
}


@dataclass(slots=True)
class Call:
    """The mutable heart of one call; owned by the switchboard alone."""

    leg: int
    record: CallRecord
    admission: Admission
    ports: Ports
    local: LocalMedia
    offer_answer: OfferAnswer
    body: bytes
    """The SDP of the 200: an answer, or our offer when the INVITE brought none."""
    stream: StreamConfig | None
    """None until an answer is known (late offer)."""
    asked: PinAsked | None = None
    """Set when a PIN is asked for first; `admission` is the asking rule's until then."""
    state: State = State.ROUTED
    rings_until: float = field(default=float("inf"))
    """When the phone has rung long enough, on the monotonic clock."""
    attributes: dict[str, str] = field(default_factory=dict)
    """Of its participant, as the room last showed them."""
    ends_at: float = field(default=float("inf"))
    """When the longest allowed duration is over, likewise."""

    @property
    def id(self) -> str:
        """LiveKit's call id, `SCL_…`."""
        return self.record.call_id

    def opened(self, admission: Admission) -> None:
        """A PIN was right: from now on this rule's orders hold, but for what offer and answer have agreed on."""
        self.advance(Step.OPEN)
        self.admission = admission
        self.record = self.record.admitted(admission)
        assert self.stream is not None, "the PIN came in by it"
        self.stream = with_timeout(self.stream, admission.media_timeout_s)

    def advance(self, step: Step) -> None:
        """Move to the next state."""
        self.state = TRANSITIONS[self.state, step]
