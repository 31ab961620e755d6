"""Digits as telephone-events (RFC 4733), in both directions.

Called by the session: `DigitReceiver.receive` for every event packet, `DigitSender.tick` once per tick while digits
are pending.

Receiving: a digit is reported once, with the *first* packet of its event that arrives. That is the earliest moment,
and it makes a lost start or end packet harmless: whichever packet comes first tells the digit. All later packets of
the event (updates, three end packets, retransmissions, stragglers after the next digit) are recognised by the event's
timestamp. An event that goes on under a new timestamp (a segment of a long press, §2.5.1.3, or a sender that moves
the timestamp with each packet) stays one digit.

Sending: one packet per tick with the duration so far, the end packet three times (§2.5.1.4), then the rest of the
gap.
"""

from __future__ import annotations

from collections import deque
from struct import Struct
from typing import Final

from runtime.media.codecs.codec import TICK_MS, TICKS_PER_S

EVENTS: Final = "0123456789*#ABCD"
"""RFC 4733 §3.2, table 3: the digit of each event code."""
PAUSE: Final = "w"
pause_ms: Final = 500
tone_ms: Final = 250
gap_ms: Final = 250
tone_ms_min: Final = 40
tone_ms_max: Final = 6000
gap_ms_max: Final = 6000
volume_dbm0: Final = 10
"""Power of the tone below 0 dBm0, as the event says it (§2.3.3)."""
DIGITS_QUEUED_MAX: Final = 256

_EVENT: Final = Struct("!BBH")
_END: Final = 0x80
_END_PACKETS: Final = 3
_STALE_S_MAX: Final = 10
"""An older timestamp than this is a sender that set its clock."""
_GAP_MS_MIN: Final = 40
"""No two presses of one key are closer, so a shorter distance is one press under a new timestamp."""
_DURATION_MAX: Final = 0xFFFF
"""A longer event goes on as another segment (§2.5.1.3); at 48 kHz that is after 1.3 s."""
_SEGMENT_MS_EARLY: Final = 60
"""So much earlier than it has to a sender may begin the next segment: by a packet."""
_CODES: Final = {digit: code for code, digit in enumerate(EVENTS)} | {"a": 12, "b": 13, "c": 14, "d": 15}


def is_digits(text: str) -> bool:
    """Whether `text` can be sent: `0-9`, `*`, `#`, `A-D` in either case, and `w` for half a second of pause."""
    return all(character == PAUSE or character in _CODES for character in text)


class DigitReceiver:
    """The events of one call. Counters: `ignored` events that are no digit, `malformed` payloads."""

    __slots__ = ("_clock_hz", "_code", "_duration", "_ended", "_other_clock", "_timestamp", "ignored", "malformed")

    def __init__(self, clock_hz: int) -> None:
        self._clock_hz = clock_hz
        self.ignored = 0
        self.malformed = 0
        self._timestamp: int | None = None
        self._code = -1
        self._duration = 0
        self._ended = False
        self._other_clock = False

    def use_clock(self, clock_hz: int) -> None:
        """Timestamps count at this rate from now on."""
        self._clock_hz = clock_hz

    def restart(self) -> None:
        """Another stream: no order between its timestamps and those before; an equal one is still the same event."""
        self._other_clock = True

    def receive(self, timestamp: int, marker: bool, payload: bytes) -> str | None:
        """The digit that this packet is the first to tell of, else None."""
        if len(payload) < _EVENT.size:
            self.malformed += 1
            return None
        code, flags, duration = _EVENT.unpack_from(payload)
        is_new = self._is_new(timestamp, marker, code, duration)
        if is_new is None:
            return None
        if code >= len(EVENTS):
            self.ignored += is_new
        self._other_clock = False
        self._timestamp, self._code, self._duration = timestamp, code, duration
        self._ended = bool(flags & _END) or (self._ended and not is_new)
        return EVENTS[code] if is_new and code < len(EVENTS) else None

    def _is_new(self, timestamp: int, marker: bool, code: int, duration: int) -> bool | None:
        """Whether the packet begins an event (True), belongs to the one under way (False), or to the past (None)."""
        if self._timestamp is None:
            return True
        ahead = (timestamp - self._timestamp) & 0xFFFFFFFF
        if ahead == 0:
            return False
        if self._other_clock:
            return True
        if 0x100000000 - ahead <= _STALE_S_MAX * self._clock_hz:
            return None
        gap = _GAP_MS_MIN * self._clock_hz // 1000
        goes_on = (
            0 <= ahead - self._duration < gap
            or self._duration < duration >= ahead
            # The next segment of a long press (§2.5.1.3), where the last packets of the one before were lost.
            or _DURATION_MAX - _SEGMENT_MS_EARLY * self._clock_hz // 1000 <= ahead < _DURATION_MAX + gap
        )
        return marker or self._ended or code != self._code or not goes_on


class DigitSender:
    """The digits still to send on one call, and the event under way; durations count at `clock_hz`."""

    __slots__ = ("_clock_hz", "_ends_sent", "_event", "_queue", "_segment", "_started", "_ticks", "_wait")

    def __init__(self, clock_hz: int) -> None:
        self._clock_hz = clock_hz
        self._queue: deque[tuple[str, int, int]] = deque()
        self._event: tuple[int, int, int] | None = None
        self._started = 0
        self._segment = 0
        self._ticks = 0
        self._ends_sent = 0
        self._wait = 0

    @property
    def pending(self) -> bool:
        """Whether a digit or pause is still to come or under way; the gap after the last digit does not count."""
        return self._event is not None or bool(self._queue)

    def add(self, text: str, tone_ms: int = tone_ms, gap_ms: int = gap_ms) -> bool:
        """Queue digits; False, and nothing queued, when too many wait already. ValueError for what is no digit."""
        if not is_digits(text):
            raise ValueError("digits are 0-9, *, #, A-D and w for a pause")
        assert tone_ms_min <= tone_ms <= tone_ms_max
        assert 0 <= gap_ms <= gap_ms_max
        if len(self._queue) + len(text) > DIGITS_QUEUED_MAX:
            return False
        self._queue.extend((character, tone_ms, gap_ms) for character in text)
        return True

    def use_clock(self, clock_hz: int) -> None:
        """Durations count at this rate from now on; the digit under way counts as sent."""
        if clock_hz != self._clock_hz:
            self.interrupt()
            self._clock_hz = clock_hz

    def clear(self) -> None:
        """Forget all digits: the peer takes none any more."""
        self._queue.clear()
        self._event = None

    def interrupt(self) -> None:
        """Sending stops (hold): the digit under way counts as sent, the others wait."""
        if self._event is not None:
            self._finish(*self._event[1:])

    def tick(self, timestamp: int) -> tuple[bytes, int, bool] | None:
        """Payload, RTP timestamp and marker of this tick's event packet; None when the tick belongs to audio."""
        if self._event is None and not self._begin(timestamp):
            return None
        assert self._event is not None
        code, tone, gap = self._event
        step, whole = self._clock_hz // TICKS_PER_S, tone * self._clock_hz // 1000
        passed = self._ticks * step
        self._ticks += 1
        duration = min(passed + step, whole) - self._segment
        if duration > _DURATION_MAX:
            self._segment, duration = passed, min(step, whole - passed)
        flags = volume_dbm0
        marker = self._ticks == 1
        if self._segment + duration == whole:
            flags |= _END
            self._ends_sent += 1
            if self._ends_sent == _END_PACKETS:
                self._finish(tone, gap)
        return _EVENT.pack(code, flags, duration), self._started + self._segment & 0xFFFFFFFF, marker

    def due(self, timestamp: int) -> tuple[str, int] | None:
        """The digit whose time has come and its tone in ms, where it does not go by RTP; in place of `tick`."""
        if not self._begin(timestamp):
            return None
        assert self._event is not None
        code, tone, gap = self._event
        self._finish(tone, gap)
        return EVENTS[code], tone

    def _begin(self, timestamp: int) -> bool:
        if self._wait > 0:
            self._wait -= 1
            return False
        if not self._queue:
            return False
        character, tone, gap = self._queue.popleft()
        if character == PAUSE:
            self._wait = pause_ms // TICK_MS - 1
            return False
        self._event = (_CODES[character], tone, gap)
        self._started = timestamp
        self._segment = self._ticks = self._ends_sent = 0
        return True

    def _finish(self, tone: int, gap: int) -> None:
        """Wait for what is left of tone and gap, counted from the start of the tone."""
        self._wait = max(0, -(-(tone + gap) // TICK_MS) - self._ticks)
        self._event = None
