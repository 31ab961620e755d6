"""The ringing tone: what a room hears while a phone rings, and a phone while it is sent on.

As in most of the world (ETSI TR 101 041-2): 425 Hz, one second on and four seconds off, at half of full scale.
"""

from __future__ import annotations

import math
from array import array
from functools import cache
from typing import Final

from runtime.media.codecs.codec import TICKS_PER_S
from runtime.media.frame import Frame

RINGING_HZ: Final = 425
RINGING_AMPLITUDE: Final = 16_383
RATES_HZ: Final = (8_000, 16_000, 48_000)
"""What listeners ask for: a tone is made anew for each, and nothing is resampled."""
_ON: Final = TICKS_PER_S
_CYCLE: Final = 5 * TICKS_PER_S


class RingingTone:
    """One tone from its beginning: a frame for each tick."""

    __slots__ = ("_at",)

    def __init__(self) -> None:
        self._at = 0

    def frame(self) -> Frame | None:
        """None in the pause."""
        at, self._at = self._at, (self._at + 1) % _CYCLE
        return _ringing()[at] if at < _ON else None


@cache
def _ringing() -> tuple[Frame, ...]:
    """The second that sounds, in frames; it ends with a whole period."""
    linear = {rate_hz: _sine(rate_hz) for rate_hz in RATES_HZ}
    return tuple(Frame.of_linear({rate_hz: frames[at] for rate_hz, frames in linear.items()}) for at in range(_ON))


def _sine(rate_hz: int) -> list[bytes]:
    step = 2 * math.pi * RINGING_HZ / rate_hz
    linear = array("h", (round(RINGING_AMPLITUDE * math.sin(step * n)) for n in range(rate_hz))).tobytes()
    size = 2 * rate_hz // TICKS_PER_S
    return [linear[at : at + size] for at in range(0, len(linear), size)]
