"""The ringing tone: what a room hears while a phone rings, and a phone while it is sent on.

As in most of the world (ETSI TR 101 041-2): 425 Hz, one second on and four seconds off, at half of full scale.
"""

from __future__ import annotations

import math
from array import array
from functools import cache
from typing import Final

from runtime.media.codecs import g711
from runtime.media.codecs.g711 import FRAME_BYTES, FRAME_MS, SAMPLES_PER_S, Law

RINGING_HZ: Final = 425
RINGING_AMPLITUDE: Final = 16_383
_ON: Final = 1_000 // FRAME_MS
_CYCLE: Final = 5_000 // FRAME_MS


class RingingTone:
    """One tone from its beginning: a frame for each tick."""

    __slots__ = ("_at",)

    def __init__(self) -> None:
        self._at = 0

    def frame(self, law: Law) -> bytes | None:
        """160 bytes of G.711, or None in the pause."""
        at, self._at = self._at, (self._at + 1) % _CYCLE
        return _ringing(law)[at] if at < _ON else None


@cache
def _ringing(law: Law) -> tuple[bytes, ...]:
    """The second that sounds, in frames; it ends with a whole period."""
    step = 2 * math.pi * RINGING_HZ / SAMPLES_PER_S
    linear = array("h", (round(RINGING_AMPLITUDE * math.sin(step * n)) for n in range(SAMPLES_PER_S)))
    coded = g711.encode(law, linear.tobytes())
    return tuple(coded[at : at + FRAME_BYTES] for at in range(0, len(coded), FRAME_BYTES))
