"""STOI (Taal 2011), by `pystoi`: 0 to 1, above 0.9 nothing of what was said is lost. No part of our set-up."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ears:
    """Of 16-bit mono. `stoi`: how much of what was said is in what was heard, of one length, at a rate in Hz; `place`:

    at which sample of a longer piece it is found.
    """

    stoi: Callable[[bytes, bytes, int], float]
    place: Callable[[bytes, bytes], int]


def load_ears() -> Ears | None:
    """None where they are not installed, which is said."""
    try:
        import numpy as np  # only benchmarks need them, and they are large
        from pystoi import stoi
    except ImportError:
        print("  skipped: pystoi is not here (pip install pystoi)", file=sys.stderr)
        return None

    def samples(pcm: bytes) -> Any:
        return np.frombuffer(pcm, "<i2").astype(float)

    def scored(said: bytes, heard: bytes, rate_hz: int) -> float:
        return float(stoi(samples(said), samples(heard), rate_hz))

    def place(said: bytes, within: bytes) -> int:
        one, other = samples(said), samples(within)
        size = len(one) + len(other)
        found = np.fft.irfft(np.fft.rfft(other, size) * np.conj(np.fft.rfft(one, size)), size)
        return int(np.argmax(found[: len(other) - len(one) + 1]))

    return Ears(scored, place)
