"""What a user chooses about an endpoint, and the bounds of what it keeps."""

from __future__ import annotations

from dataclasses import dataclass, field

from runtime.sip.facing import UNSEEN, Facing
from runtime.sip.timers import TimerValues

LEG_REQUESTS_MAX = 16
"""Unanswered requests of the peer within one dialog; more are answered 500 with Retry-After."""

FORKS_MAX = 8
"""Early dialogs and further 2xx of one INVITE of ours; more are left alone."""

UNACKED_MAX = 2
"""2xx of ours in one dialog that wait for their ACK; another re-INVITE is answered 491 until one arrives."""

DROPPED_HEAD_BYTES = 64
"""How much of an unusable datagram `MessageDropped` carries."""

TRANSACTION_BYTES = 1_500
"""What a transaction is taken to cost beside the texts that it keeps: its key and the message that it repeats."""

QUEUED_MAX = 8
"""Provisional responses of ours that wait for the PRACK of the one before; more are left out."""

REINVITE_RETRY_S_MAX = 10
"""RFC 3261 section 14.2: Retry-After of an overlapping re-INVITE is chosen between 0 and 10 s."""


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """The most of everything. New calls and requests outside dialogs get 503 at these; calls that are up get twice."""

    legs_max: int = 5_000
    transactions_max: int = 40_000
    """The requests of one address: as many as are still free, so half of them at most."""
    transaction_bytes_max: int = 128 << 20
    """What all transactions keep together, by `TRANSACTION_BYTES`: about 2 kB each, a hostile one 16. One address, too:
    as much as is still free."""
    events_max: int = 20_000
    retry_after_s: int = 5


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    """One endpoint. `facing`: which address of ours a peer is told; it may change later.

    `allow` are the methods that are served; everything beyond INVITE, ACK, CANCEL and BYE surfaces as
    `RequestReceived`. `supported` are option tags: `100rel` has reliable provisional responses sent and acknowledged
    (RFC 3262), `timer` has session timers agreed on and kept (RFC 4028), of `session_expires_s` where we ask.
    """

    user_agent: str
    facing: Facing = UNSEEN
    allow: tuple[str, ...] = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS")
    supported: tuple[str, ...] = ()
    session_expires_s: int = 1_800
    timers: TimerValues = field(default_factory=TimerValues)
    limits: EndpointLimits = field(default_factory=EndpointLimits)
