"""One phone that asked to be sent on: what it asked, and how far its room's new phone has come. Its call holds it."""

from __future__ import annotations

from dataclasses import dataclass, field

from runtime.calls.hunt import Hunt
from runtime.media.config import StreamConfig
from runtime.routing.place import Placement
from runtime.sip.offer_answer import LocalMedia, OfferAnswer
from schemas.tables.rows import TrunkRow


@dataclass(slots=True)
class Referral:
    """Where it stands. `deadline` and `leaves_at` are on the monotonic clock."""

    cseq: int
    """Of the REFER, which NOTIFYs name (RFC 3515 section 2.4.6)."""
    tells: bool
    """The phone wants NOTIFYs (RFC 4488)."""
    placement: Placement
    deadline: float
    local: LocalMedia | None = None
    offer_answer: OfferAnswer = field(default_factory=OfferAnswer)
    stream: StreamConfig | None = None
    """What the other phone's network plays before the answer."""
    hunt: Hunt | None = None
    """How the other phone is called; None before and after."""
    told: set[int] = field(default_factory=set)
    """The provisional statuses that the phone has been told of."""
    old_leg: int | None = None
    """The phone that was sent on: we hang up on it at `leaves_at`, if it has not."""
    leaves_at: float = field(default=float("inf"))
    is_over: bool = False
    has_place: bool = False
    """It counts for its trunk's limits, and the phone that was reached goes on to."""
    held: TrunkRow | None = None
    """Where the phone that asks has such a place, for it was itself reached by a REFER."""
