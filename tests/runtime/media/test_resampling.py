"""From one rate to another: nothing is mirrored, nothing is lost, and no frame has an edge."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.media.codecs.resampling import Resampler
from tests.signals import amplitude, speech, ticks, tone

WAYS = [(8_000, 16_000), (16_000, 8_000), (8_000, 48_000), (48_000, 8_000), (16_000, 48_000), (48_000, 16_000)]


def resampled(linear: bytes, source_hz: int, target_hz: int) -> bytes:
    resampler = Resampler(source_hz, target_hz)
    return b"".join(resampler.resample(tick) for tick in ticks(linear, source_hz))


def decibels(hertz: float, source_hz: int, target_hz: int, heard_hz: float) -> float:
    """How loud a tone of so many Hz is at another frequency of what comes out."""
    heard = resampled(tone(hertz, source_hz, 0.6), source_hz, target_hz)[target_hz // 5 * 2 :]
    return 20 * math.log10(amplitude(heard[: target_hz // 4 * 2], heard_hz, target_hz) / 9000 + 1e-9)


@pytest.mark.parametrize(("source_hz", "target_hz"), WAYS)
def test_a_tick_in_is_a_tick_out_from_the_first_on(source_hz: int, target_hz: int) -> None:
    resampler = Resampler(source_hz, target_hz)
    for tick in ticks(tone(440, source_hz, 0.4), source_hz):
        assert len(resampler.resample(tick)) == 2 * target_hz // 50


@pytest.mark.parametrize(("source_hz", "target_hz"), WAYS)
def test_what_a_phone_carries_passes_and_what_would_be_mirrored_does_not(source_hz: int, target_hz: int) -> None:
    lower = min(source_hz, target_hz)
    for share in (0.05, 0.2, 0.425):  # of 8 kHz: 400, 1,600 and 3,400 Hz
        assert abs(decibels(share * lower, source_hz, target_hz, share * lower)) < 0.3
    if source_hz > target_hz:
        assert decibels(0.6 * lower, source_hz, target_hz, 0.4 * lower) < -85
    else:
        assert decibels(0.425 * lower, source_hz, target_hz, 0.575 * lower) < -85


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 160), min_size=1, max_size=30))
def test_the_same_comes_out_however_a_signal_is_cut(sizes: list[int]) -> None:
    linear, at, cut = speech(8_000)[16_000:20_000], 0, b""
    whole, pieces = Resampler(8_000, 16_000, len(linear)), Resampler(8_000, 16_000, len(linear))
    for size in (*sizes, len(linear)):
        piece = linear[at : at + 2 * size]
        cut += pieces.resample(piece) if piece else b""
        at += 2 * size
    assert cut == whole.resample(linear)


def test_after_a_restart_nothing_of_before_is_heard() -> None:
    resampler = Resampler(8_000, 16_000)
    resampler.resample(tone(440, 8_000, 0.02))
    resampler.restart()
    assert not any(resampler.resample(bytes(320)))
