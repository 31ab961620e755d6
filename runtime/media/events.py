"""What a media session tells its user: one frozen value per event, read with `MediaSession.next_event()`."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.media.source import Address


@dataclass(frozen=True, slots=True)
class DigitReceived:
    """The peer pressed a key: `0-9`, `*`, `#`, `A-D`. Reported at the first packet of the event that arrives."""

    digit: str


@dataclass(frozen=True, slots=True)
class DigitHeard:
    """The same by a tone in the voice itself, some 60 ms after it began."""

    digit: str


@dataclass(frozen=True, slots=True)
class DigitDue:
    """The peer is to be told of this digit now, by SIP INFO, as a tone of so many milliseconds."""

    digit: str
    tone_ms: int


@dataclass(frozen=True, slots=True)
class DigitsSent:
    """No digit waits to be sent any more."""


@dataclass(frozen=True, slots=True)
class SourceLocked:
    """From now on this address alone is heard, and spoken to."""

    address: Address


@dataclass(frozen=True, slots=True)
class MediaTimedOut:
    """No RTP for `silent_s` seconds; `initial` when there never was any. Said once for each silence."""

    initial: bool
    silent_s: float
    outside: str = ""
    """Where RTP did come from, and was refused because the trunk's `mediaAddresses` do not name it."""


@dataclass(frozen=True, slots=True)
class RemoteBye:
    """RTCP says that the peer's stream ended; the call may go on."""


Event = DigitReceived | DigitHeard | DigitDue | DigitsSent | SourceLocked | MediaTimedOut | RemoteBye
