"""What is played where audio is missing: it sounds on, it fades, it joins without a click."""

from __future__ import annotations

import audioop
import math
import random
from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.concealment import Concealment, crossed

VOICES_HZ = [75, 110, 145, 190, 230, 310]


def voice(hz: float, samples: int, rate_hz: int = 8000, first: int = 0) -> bytes:
    """A steady vowel: harmonics of a pitch, none above 1.5 kHz."""
    orders = range(1, int(1500 / hz) + 1)
    return array(
        "h",
        [
            int(sum(4000 / order * math.sin(2 * math.pi * hz * order * n / rate_hz) for order in orders))
            for n in range(first, first + samples)
        ],
    ).tobytes()


def roughest(pcm: bytes) -> int:
    """The largest change of slope from one sample to the next: a click is one."""
    steps = [b - a for a, b in pairwise(array("h", pcm))]
    return max(abs(b - a) for a, b in pairwise(steps))


def error(pcm: bytes, expected: bytes) -> float:
    """How far two are apart, of the expected one's power."""
    return audioop.rms(audioop.add(pcm, audioop.mul(expected, 2, -1), 2), 2) / max(1, audioop.rms(expected, 2))


@pytest.mark.parametrize("hz", VOICES_HZ)
@pytest.mark.parametrize("rate_hz", [8000, 16000])
@pytest.mark.parametrize("is_known", [False, True])
def test_one_lost_frame_of_a_voice_is_hidden_without_a_click(hz: int, rate_hz: int, is_known: bool) -> None:
    frame = rate_hz // 50
    said = voice(hz, 8 * frame, rate_hz)
    history, lost, after = said[: 6 * frame], said[6 * frame : 8 * frame], said[8 * frame : 10 * frame]
    conceals = Concealment(rate_hz)
    made_up = conceals.lost(frame, history, after if is_known else b"")
    back = conceals.found(after)
    assert error(made_up, lost) < 0.5, "silence would be 1.0"
    assert roughest(history + made_up + back) < 2.5 * roughest(said)
    assert conceals.made_up == 0
    assert conceals.found(after) is after


def test_noise_goes_on_as_loud_as_it_was() -> None:
    dice = random.Random(1)
    noise = array("h", [dice.randint(-3000, 3000) for _ in range(480)]).tobytes()
    made_up = Concealment(8000).lost(80, noise)
    assert audioop.rms(made_up, 2) == pytest.approx(audioop.rms(noise, 2), rel=0.3)


def test_a_long_loss_fades_and_is_silent_after_sixty_milliseconds() -> None:
    history, conceals = voice(120, 480), Concealment(8000)
    frames = [conceals.lost(160, history) for _ in range(5)]
    loudness = [audioop.rms(frame, 2) for frame in frames]
    assert loudness[:3] == sorted(loudness[:3], reverse=True)
    assert loudness[0] > 0.8 * audioop.rms(history, 2)
    assert loudness[3:] == [0, 0]
    back = conceals.found(voice(120, 160))
    assert roughest(frames[-1] + back) < 2.5 * roughest(history)
    assert back[160:] == voice(120, 160)[160:], "10 ms are blended at most"


def test_whatever_is_known_of_the_past_nothing_is_played_that_is_no_audio() -> None:
    for samples in (0, 1, 79, 160, 161, 239, 280, 480, 4000):
        conceals = Concealment(8000)
        made_up = conceals.lost(160, voice(100, samples)) + conceals.lost(70, b"")
        assert len(made_up) == 460
        assert len(conceals.found(bytes(320))) == 320


@given(st.binary(max_size=1200).map(lambda data: data[: len(data) & ~1]), st.lists(st.integers(1, 320), max_size=6))
def test_no_history_breaks_it(history: bytes, counts: list[int]) -> None:
    conceals = Concealment(8000)
    for count in counts:
        assert len(conceals.lost(count, history)) == 2 * count
        assert len(conceals.lost(count, history, history)) == 2 * count
    assert len(conceals.found(history)) == len(history)


@pytest.mark.parametrize("hz", VOICES_HZ)
def test_one_frame_in_place_of_two_joins_both_sides(hz: int) -> None:
    said = voice(hz, 640)
    first, second = said[320:640], said[640:960]
    short = crossed(first, second)
    assert roughest(said[:320] + short + said[960:]) < 1.5 * roughest(said)
