"""Ringing tones: their cadence and frequencies, by country."""

from __future__ import annotations

import audioop
import math
from array import array

import pytest

from runtime.media.tones import AMPLITUDE, RingingTone
from schemas.ringing import RINGING, ringing_of


def level(linear: bytes, hz: float) -> float:
    """The amplitude of one frequency."""
    samples = array("h", linear)
    re = sum(v * math.cos(2 * math.pi * hz * n / 8000) for n, v in enumerate(samples))
    im = sum(v * math.sin(2 * math.pi * hz * n / 8000) for n, v in enumerate(samples))
    return 2 * math.hypot(re, im) / len(samples)


@pytest.mark.parametrize("name", RINGING)
def test_each_country_has_its_cadence_again_and_again(name: str) -> None:
    tone, cadence = RingingTone(name), [length // 20 for length in RINGING[name].cadence_ms]
    for _ in range(2):
        for part, ticks in enumerate(cadence):
            heard = [tone.frame() for _ in range(ticks)]
            assert all((frame is None) is bool(part % 2) for frame in heard)


@pytest.mark.parametrize("name", ["tone", "us", "gb", "fr", "de", "in"])
def test_it_sounds_as_the_country_says(name: str) -> None:
    tone = RingingTone(name)
    burst = b"".join(frame.linear(8000) for _ in range(20) if (frame := tone.frame()) is not None)
    for hz in RINGING[name].hz:
        assert level(burst, hz) > AMPLITUDE / 4
    assert audioop.max(burst, 2) <= AMPLITUDE
    assert level(burst, 1000) < AMPLITUDE / 50


def test_a_country_is_known_by_its_two_letters() -> None:
    assert (ringing_of("US"), ringing_of("gb"), ringing_of("XX"), ringing_of("")) == ("us", "gb", "tone", "tone")
