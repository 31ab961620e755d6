"""What became of a call of the test phone: filled in while it lasts, read when it is over."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Referral:
    """Where the other side sent the phone on to (RFC 3515), as the URI that it named; or the phone would not go."""

    to: str
    accepted: bool


@dataclass(slots=True)
class Outcome:
    """`heard` is 16-bit mono at `heard_hz`, from where media began.

    `status` 0: no final response was sent or received; `codec` "": no media was agreed on.
    """

    status: int = 0
    reason: str = ""
    warning: str = ""
    answered: bool = False
    ended_by_peer: bool = False
    caller: str = ""
    """Who called and who was called, where the phone was called."""
    called: str = ""
    heard: bytearray = field(default_factory=bytearray)
    heard_hz: int = 8_000
    codec: str = ""
    encryption: str = ""
    """How media was encrypted; "" = not at all."""
    digits: str = ""
    spoke_after_s: float = 0.0
    """How much was heard before the first frame was played."""
    packets_received: int = 0
    packets_lost: int = 0
    referral: Referral | None = None
