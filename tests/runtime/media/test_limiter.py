"""The limiter: loud sums are turned down without clipping, what is not loud is not touched."""

from __future__ import annotations

import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.limiter import THRESHOLD, Limiter

pytestmark = pytest.mark.usefixtures("each_core")

FULL = 1 << 23
RATE_HZ = 8000
FRAME = 160


def tone(amplitude: float, frame: int, hz: float = 400.0) -> bytes:
    """One frame of a sine that goes on from frame to frame; 1.0 is full scale."""
    first = frame * FRAME
    return array(
        "i", [int(amplitude * FULL * math.sin(2 * math.pi * hz * n / RATE_HZ)) for n in range(first, first + FRAME)]
    ).tobytes()


def peak(samples: bytes) -> float:
    return max(map(abs, array("i", samples))) / FULL


def test_what_is_below_the_threshold_is_the_very_same() -> None:
    limiter = Limiter()
    for number in range(50):
        frame = tone(0.89, number)
        assert limiter.limited(frame, FULL, RATE_HZ) is frame


def test_a_sum_of_four_loud_talkers_is_brought_down_within_three_milliseconds_and_stays_there() -> None:
    limiter = Limiter()
    first = limiter.limited(tone(4.0, 0), FULL, RATE_HZ)
    assert peak(first[4 * 8 * 4 :]) <= THRESHOLD + 0.001
    for number in range(1, 50):
        out = limiter.limited(tone(4.0, number), FULL, RATE_HZ)
        assert 0.8 < peak(out) <= THRESHOLD + 0.001


def test_within_a_frame_the_gain_comes_down_before_the_peak() -> None:
    limiter = Limiter()
    frame = array("i", tone(0.5, 0))
    for n in range(120, 160):
        frame[n] *= 6
    assert peak(limiter.limited(frame.tobytes(), FULL, RATE_HZ)) <= THRESHOLD + 0.001


def test_it_comes_back_slowly_and_is_then_transparent() -> None:
    limiter = Limiter()
    limiter.limited(tone(3.0, 0), FULL, RATE_HZ)
    gains = []
    for number in range(1, 30):
        limiter.limited(tone(0.3, number), FULL, RATE_HZ)
        gains.append(limiter.gain)
    assert gains == sorted(gains)
    assert gains[2] < 0.5, "60 ms later it is still coming back"
    assert gains[-1] == 1.0
    quiet = tone(0.3, 31)
    assert limiter.limited(quiet, FULL, RATE_HZ) is quiet


def test_a_steady_loud_tone_is_not_distorted() -> None:
    limiter = Limiter()
    out = array("i")
    for number in range(60):
        out.frombytes(limiter.limited(tone(2.5, number, 500.0), FULL, RATE_HZ))
    settled = out[FRAME * 20 :]
    size = len(settled)

    def share(hz: float) -> float:
        wave = [2 * math.pi * hz * n / RATE_HZ for n in range(size)]
        real = sum(s * math.cos(w) for s, w in zip(settled, wave, strict=True))
        imaginary = sum(s * math.sin(w) for s, w in zip(settled, wave, strict=True))
        return math.hypot(real, imaginary)

    harmonics = sum(share(500.0 * order) ** 2 for order in range(2, 8)) ** 0.5
    assert harmonics / share(500.0) < 0.01, "a clipped one has 0.2"


@given(st.lists(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=160, max_size=160), max_size=5))
def test_no_samples_break_it(frames: list[list[int]]) -> None:
    limiter = Limiter()
    for samples in frames:
        out = limiter.limited(array("i", samples).tobytes(), FULL, RATE_HZ)
        assert len(out) == 640
        assert 0 < limiter.gain <= 1
