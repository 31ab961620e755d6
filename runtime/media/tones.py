"""Ringing tones: what a room hears while a phone rings, and a phone while it waits or is sent on.

By country, as `schemas/ringing` has them; each at half of full scale, all its frequencies together.
"""

from __future__ import annotations

import math
from array import array
from functools import lru_cache
from typing import Final

from runtime.media.codecs.codec import TICK_MS, TICKS_PER_S
from runtime.media.frame import Frame
from runtime.media.voice import Voice
from schemas.ringing import RINGING, USUAL

AMPLITUDE: Final = 16_383
RATE_HZ: Final = 8_000
"""What tones are made at: none is higher than a phone carries."""

_BEAT_DEPTH: Final = 0.9
_SAMPLES: Final = RATE_HZ // TICKS_PER_S
_FRAMES_KEPT: Final = 1_024


class RingingTone:
    """One tone from its beginning, by its name in `RINGING`: a frame for each tick."""

    __slots__ = ("_at", "_name", "_sounds", "_voice")

    def __init__(self, name: str = USUAL) -> None:
        self._name = name
        self._sounds = _pattern(RINGING[name].cadence_ms)
        self._at = 0
        self._voice = Voice()

    def frame(self) -> Frame | None:
        """None in a pause."""
        at, self._at = self._at, (self._at + 1) % len(self._sounds)
        if self._sounds[at] < 0:
            return None
        return self._voice.speak(_samples(self._name, self._sounds[at]), RATE_HZ)


@lru_cache(maxsize=len(RINGING))
def _pattern(cadence_ms: tuple[int, ...]) -> tuple[int, ...]:
    """For each tick of one round: which of its burst it is, -1 in a pause."""
    return tuple(
        -1 if part % 2 else tick for part, length in enumerate(cadence_ms) for tick in range(length // TICK_MS)
    )


@lru_cache(maxsize=_FRAMES_KEPT)
def _samples(name: str, tick: int) -> bytes:
    """One tick of a burst, made when it is first heard: a whole burst at once would hold up all calls."""
    ringing = RINGING[name]
    steps = [2 * math.pi * hz / RATE_HZ for hz in ringing.hz]
    beat = 2 * math.pi * ringing.beat_hz / RATE_HZ
    samples = array("h")
    for n in range(tick * _SAMPLES, (tick + 1) * _SAMPLES):
        swell = (1 + _BEAT_DEPTH * math.sin(beat * n)) / (1 + _BEAT_DEPTH) if ringing.beat_hz else 1.0
        samples.append(round(AMPLITUDE * swell * sum(math.sin(step * n) for step in steps) / len(steps)))
    return samples.tobytes()
