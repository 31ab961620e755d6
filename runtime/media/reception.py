"""What arrived of one RTP stream: sequence numbers, loss, duplicates and jitter (RFC 3550 appendices A.1, A.3 and A.8).

Called for every accepted packet before it is played. It tells new from old and old from double exactly, by a bit per
sequence number, and it counts; it holds no audio. Totals live on when the stream changes; the figures of a report are
the stream's.
"""

from __future__ import annotations

from typing import Final

from runtime.media import native

NEXT: Final = 0
"""The packet that was due."""
AHEAD: Final = 1
"""Newer than any, with sequence numbers missing before it."""
REORDERED: Final = 2
DUPLICATE: Final = 3
RESTARTED: Final = 4
"""The sender started its sequence numbers anew: what is buffered belongs to the past."""
STRANGE: Final = 5
"""Far off the sequence: not to be played unless the next packet follows it."""

DROPOUT_PACKETS_MAX: Final = 3000
MISORDER_PACKETS_MAX: Final = 100
RESTART_SILENCE_S_MIN: Final = 0.05
"""While packets in sequence come closer together than this, what does not fit them is a replay, not a restart."""
TRANSIT_STEP_S_MAX: Final = 10.0
"""A larger step between two packets is a clock that was set, not jitter."""

_SEEN_MASK: Final = (1 << (MISORDER_PACKETS_MAX + 1)) - 1
_CUMULATIVE_LOST_MAX: Final = 0x7FFFFF
_CUMULATIVE_LOST_MIN: Final = -0x800000


class Reception:
    """Counters of one call's incoming audio. `newest` is the highest sequence number, extended beyond 16 bits."""

    __slots__ = (
        "_base",
        "_clock_hz",
        "_earlier_expected",
        "_jitter",
        "_last_at",
        "_reported_expected",
        "_reported_received",
        "_restart_at",
        "_seen",
        "_stream_received",
        "_transit",
        "duplicates",
        "newest",
        "received",
    )

    def __init__(self, clock_hz: int) -> None:
        self._clock_hz = clock_hz
        self.received = 0
        self.duplicates = 0
        self.newest = -1
        self._base = 0
        self._earlier_expected = 0
        self._last_at = 0.0
        self.restart()

    def restart(self) -> None:
        """Another stream begins with the next packet; the totals stay."""
        if self.newest >= 0:
            self._earlier_expected += self.newest - self._base + 1
        self.newest = -1
        self._seen = 1
        self._restart_at = -1
        self._transit: float | None = None
        self._jitter = 0.0
        self._stream_received = 0
        self._reported_expected = 0
        self._reported_received = 0

    def use_clock(self, clock_hz: int) -> None:
        """Timestamps count at this rate from now on: the codec has changed."""
        if clock_hz != self._clock_hz:
            self._jitter *= clock_hz / self._clock_hz
            self._clock_hz, self._transit = clock_hz, None

    def arrived(self, sequence: int, now: float) -> int:
        """Count a packet and say what it is: one of the constants above (RFC 3550 A.1, `update_seq`)."""
        ahead = (sequence - self.newest) & 0xFFFF
        if self.newest < 0:
            self.newest = self._base = sequence
            verdict = NEXT
        elif 0 < ahead < DROPOUT_PACKETS_MAX:
            self.newest += ahead
            self._seen = (self._seen << ahead | 1) & _SEEN_MASK
            verdict = NEXT if ahead == 1 else AHEAD
        else:
            verdict = self._judge_old(sequence, -ahead & 0xFFFF, now)
            if verdict == STRANGE:
                return verdict
        self._restart_at = -1
        self._last_at = now
        self._stream_received += 1
        self.received += 1
        return verdict

    def _judge_old(self, sequence: int, behind: int, now: float) -> int:
        if behind <= MISORDER_PACKETS_MAX:
            bit = 1 << behind
            if self._seen & bit:
                self.duplicates += 1
                return DUPLICATE
            self._seen |= bit
            self._base = min(self._base, self.newest - behind)
            return REORDERED
        if sequence != self._restart_at or now - self._last_at < RESTART_SILENCE_S_MIN:
            self._restart_at = (sequence + 1) & 0xFFFF
            return STRANGE
        self.restart()
        self.newest = self._base = sequence
        return RESTARTED

    def note_transit(self, timestamp: int, now: float) -> None:
        """Feed the jitter estimate (§6.4.1, A.8) with an audio packet; events keep one timestamp and are left out."""
        transit = now * self._clock_hz - timestamp
        if self._transit is not None:
            step = abs(transit - self._transit)
            if step < TRANSIT_STEP_S_MAX * self._clock_hz:
                self._jitter += (step - self._jitter) / 16
        self._transit = transit

    @property
    def lost(self) -> int:
        """Packets that never came, over all streams of the call."""
        expected = self._earlier_expected + (self.newest - self._base + 1 if self.newest >= 0 else 0)
        return max(0, expected - (self.received - self.duplicates))

    @property
    def jitter_ms(self) -> float:
        """Mean deviation of the interarrival time."""
        return self._jitter * 1000 / self._clock_hz

    def report(self) -> tuple[int, int, int, int]:
        """Fraction lost since the last report (of 256), lost in all, highest sequence, jitter in clock steps (A.3).

        As the RFC has it, duplicates count as received here, so the loss can be negative.
        """
        expected = self.newest - self._base + 1
        lost = expected - self._stream_received
        expected_since = expected - self._reported_expected
        lost_since = expected_since - (self._stream_received - self._reported_received)
        self._reported_expected = expected
        self._reported_received = self._stream_received
        fraction = 0 if expected_since <= 0 or lost_since <= 0 else min(255, (lost_since << 8) // expected_since)
        cumulative = max(_CUMULATIVE_LOST_MIN, min(_CUMULATIVE_LOST_MAX, lost))
        return fraction, cumulative, self.newest & 0xFFFFFFFF, int(self._jitter)


def make_reception(clock_hz: int) -> Reception:
    """The native one where there is one."""
    made: Reception = native.core.Reception(clock_hz) if native.core is not None else Reception(clock_hz)
    return made
