"""What is played where audio is missing: the voice goes on in its own pitch, and fades (after ITU-T G.711 Appendix I).

Used by the playout buffer for codecs whose frames can be looked into one by one, and by decoders that have no
concealment of their own. The last pitch period of what was heard is repeated, with its ends blended; longer losses
repeat two, then three of them, so that it does not buzz; from 10 ms on it fades and is silent after 60 ms. What comes
after the loss is blended in, and unlike the appendix nothing is delayed by it: what was played stays as it was. Where
the frame after the loss is at hand, as it mostly is in a playout buffer, its voice is led back into the hole as well
and the two are blended, which hides three times as much.

The same makes 20 ms more or less of a voice without a click, where two clocks differ.

Samples are signed 16 bit, machine byte order, mono; lengths are in samples. At 8 kHz a lost frame takes 30 µs, 80 with
the one after it, and a call without loss nothing.
"""

from __future__ import annotations

import audioop
from array import array
from functools import cache
from operator import add, mul
from typing import Final

HISTORY_MS: Final = 60
"""How much of what was heard is looked at, at most."""
_TEMPLATE_MS: Final = 10
_LAG_MS_MIN: Final = 5
_LAG_MS_MAX: Final = 15
"""A pitch of 66 to 200 Hz; of higher voices two or three periods are taken for one."""
_SEARCH_PER_MS: Final = 8
_HOLD_MS: Final = 10
_FADE_MS: Final = 50
_FADE_STEP_MS: Final = 2
_WIDEN_MS: Final = 20
_BLEND_MS_MIN: Final = 4
_BLEND_MS_MAX: Final = 10
_PERIODS_MAX: Final = 3
_RAMP_BITS: Final = 15


class Concealment:
    """One stream at one rate. `made_up` counts the samples since the last that was real."""

    __slots__ = ("_at", "_history", "_lag", "_per_ms", "_period", "_periods", "made_up")

    def __init__(self, rate_hz: int) -> None:
        self.made_up = 0
        self._per_ms = rate_hz // 1000
        self._history = array("h")
        self._period = array("h")
        self._periods = self._lag = self._at = 0

    def forget(self) -> None:
        """Another stream: what comes is not to be blended with what was."""
        self.made_up = 0

    def lost(self, count: int, history: bytes, following: bytes = b"") -> bytes:
        """So many samples in place of what is missing.

        `history` is what was heard before the loss began, `following` what will be heard right after these samples,
        where that is known.
        """
        going = self._forward(count, history)
        if len(following) < 2 * (_LAG_MS_MAX + _LAG_MS_MIN) * self._per_ms:
            return going  # its pitch cannot be told
        back = Concealment(1000 * self._per_ms).lost(count, audioop.reverse(following, 2))
        self.made_up = 0
        return crossed(going, audioop.reverse(back, 2))

    def found(self, frame: bytes) -> bytes:
        """The first real audio after a loss, blended with what would have been made up."""
        if not self.made_up:
            return frame
        lost_ms = self.made_up // self._per_ms
        count = min(_BLEND_MS_MIN + 4 * (lost_ms // 10), _BLEND_MS_MAX) * self._per_ms
        count = min(count, len(frame) // 2)
        blended = crossed(self._forward(count, b""), frame[: 2 * count])
        self.made_up = 0
        return blended + frame[2 * count :]

    def beyond(self, count: int, history: bytes) -> bytes:
        """What will follow `history`, as far as that can be told; a period at most. Nothing is made up by it."""
        if not self.made_up:
            self._begin(history)
        return history[-2 * self._lag :][: 2 * count] if self._lag else bytes(2 * count)

    def _forward(self, count: int, history: bytes) -> bytes:
        if not self.made_up:
            self._begin(history)
        if self.made_up >= (_HOLD_MS + _FADE_MS) * self._per_ms or not self._lag:
            self.made_up += count
            return bytes(2 * count)
        wanted = min(self.made_up // (_WIDEN_MS * self._per_ms) + 1, _PERIODS_MAX)
        if wanted > self._periods:
            self._widen(wanted)
        linear = self._repeated(count)
        if self.made_up + count > _HOLD_MS * self._per_ms:
            linear = self._faded(linear)
        self.made_up += count
        return linear

    def _begin(self, history: bytes) -> None:
        """Find the pitch: where the end of what was heard looks most like what was before it."""
        longest, shortest = _LAG_MS_MAX * self._per_ms, _LAG_MS_MIN * self._per_ms
        history = history[-2 * HISTORY_MS * self._per_ms :]
        self._history = array("h", history)
        self._periods = self._lag = self._at = 0
        template = min(_TEMPLATE_MS * self._per_ms, len(self._history) - longest)
        if template < shortest:
            return
        if self._per_ms <= _SEARCH_PER_MS:
            self._lag = _pitch(history, template, shortest, longest)
            return
        # At a higher rate a search takes the square of the time: first coarsely, then between its steps.
        step = self._per_ms // _SEARCH_PER_MS
        coarse, _ = audioop.ratecv(history, 2, 1, step, 1, None)
        around = step * _pitch(coarse, template // step, shortest // step, longest // step)
        self._lag = _pitch(history, template, max(shortest, around - step), min(longest, around + step))

    def _widen(self, periods: int) -> None:
        """Repeat so many periods from now on; the last quarter of one flows into the beginning of what is repeated."""
        lag, history = self._lag, self._history
        blend = lag // 4
        size = max(1, min(periods, (len(history) - blend) // lag)) * lag
        period = history[-size:]
        before = history[-size - blend : -size]
        period[-blend:] = array("h", crossed(period[-blend:].tobytes(), before.tobytes()))
        self._at %= lag
        self._period, self._periods = period, periods

    def _repeated(self, count: int) -> bytes:
        period, at = self._period, self._at
        samples = period[at : at + count]
        while len(samples) < count:
            samples += period[: count - len(samples)]
        self._at = (at + count) % len(period)
        return samples.tobytes()

    def _faded(self, linear: bytes) -> bytes:
        """In steps of 4 %, too small to be heard: a tenth of the work of one for each sample."""
        fade, step = _FADE_MS * self._per_ms, _FADE_STEP_MS * self._per_ms
        left = fade + _HOLD_MS * self._per_ms - self.made_up
        blocks = range(0, len(linear) // 2, step)
        return b"".join(
            [audioop.mul(linear[2 * n : 2 * (n + step)], 2, max(0, min(left - n, fade)) / fade) for n in blocks]
        )


def _pitch(history: bytes, template: int, shortest: int, longest: int) -> int:
    """How long ago, within these bounds, it sounded most like its last `template` samples."""
    end = len(history)
    before = history[end - 2 * (template + longest) : end - 2 * shortest]
    return longest - audioop.findfit(before, history[end - 2 * template :])[0]


def crossed(going: bytes, coming: bytes) -> bytes:
    """The one fades out while the other, as long, fades in: also of two frames in a row, for one in their place."""
    up, down = _ramps(len(coming) // 2)
    first, second = array("h", going), array("h", coming)
    return array("h", [s >> _RAMP_BITS for s in map(add, map(mul, first, down), map(mul, second, up))]).tobytes()


@cache
def _ramps(size: int) -> tuple[array[int], array[int]]:
    """From nothing to all in so many samples, and back."""
    whole = 1 << _RAMP_BITS
    up = array("i", [whole * (2 * n + 1) // (2 * size) for n in range(size)])
    return up, array("i", [whole - share for share in up])
