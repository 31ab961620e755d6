"""Signals for tests of codecs and resamplers, and how much of one is in another."""

from __future__ import annotations

import audioop
import math
from array import array
from functools import cache

from runtime.media.codecs.resampling import Resampler
from runtime.rooms.files import load_sound
from tests.peers import SPEECH


def tone(hertz: float, rate_hz: int, seconds: float = 1.0, amplitude: int = 9000) -> bytes:
    """A sine, 16 bit mono."""
    turn = 2 * math.pi * hertz / rate_hz
    return array("h", (round(amplitude * math.sin(turn * n)) for n in range(int(rate_hz * seconds)))).tobytes()


def amplitude(linear: bytes, hertz: float, rate_hz: int) -> float:
    """How much of one frequency is in samples, by a Hann window."""
    samples = array("h", linear)
    count, turn = len(samples), 2 * math.pi * hertz / rate_hz
    window = [0.5 - 0.5 * math.cos(2 * math.pi * n / count) for n in range(count)]
    real = sum(s * w * math.cos(turn * n) for n, (s, w) in enumerate(zip(samples, window, strict=True)))
    imaginary = sum(s * w * math.sin(turn * n) for n, (s, w) in enumerate(zip(samples, window, strict=True)))
    return 4 * math.hypot(real, imaginary) / count


@cache
def speech(rate_hz: int) -> bytes:
    """The shipped sentence at a rate, in whole ticks."""
    linear = load_sound(SPEECH).linear(8000)
    if rate_hz != 8000:
        resampler = Resampler(8000, rate_hz, len(linear))
        linear = resampler.resample(linear)[2 * resampler.lag :] + resampler.rest()
    tick = 2 * rate_hz // 50
    return linear[: len(linear) // tick * tick]


def ticks(linear: bytes, rate_hz: int) -> list[bytes]:
    """The whole ticks of samples."""
    size = 2 * rate_hz // 50
    return [linear[at : at + size] for at in range(0, len(linear) - size + 1, size)]


def likeness(said: bytes, heard: bytes, lag_max: int) -> float:
    """Normalised correlation at the lag, up to `lag_max` samples, that fits best: 1 is the same, or its opposite."""
    length = min(len(said), len(heard)) // 2 - lag_max
    probe = said[: 2 * length]
    at, _factor = audioop.findfit(heard[: 2 * (length + lag_max)], probe)
    found = heard[2 * at : 2 * (at + length)]
    energy = audioop.rms(probe, 2) * audioop.rms(found, 2) * length
    pairs = zip(memoryview(probe).cast("h"), memoryview(found).cast("h"), strict=True)
    return abs(sum(a * b for a, b in pairs)) / energy if energy else 0.0
