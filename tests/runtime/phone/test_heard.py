"""What the test phone says that it heard."""

from __future__ import annotations

import audioop
from random import Random

import pytest

from runtime.media.codecs import g711
from runtime.phone.heard import compare
from tests.sound import SPEECH_PCMU

SPEECH = g711.decode("pcmu", SPEECH_PCMU)


def silence(seconds: float) -> bytes:
    return bytes(int(seconds * 8000) * 2)


@pytest.mark.parametrize("delay_s", [0.0, 0.4, 1.3])
def test_own_speech_that_comes_back_is_recognised_with_its_delay(delay_s: float) -> None:
    heard = compare(SPEECH, silence(delay_s) + g711.decode("pcma", g711.encode("pcma", SPEECH)) + silence(1))
    assert heard.delay_s == pytest.approx(delay_s, abs=0.02)
    assert heard.words == f"your speech came back {delay_s:.1f} s later"


def test_speech_that_began_late_is_measured_from_where_it_began() -> None:
    assert compare(SPEECH, silence(1.9) + SPEECH, began_s=1.5).delay_s == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize("tick", range(4, len(SPEECH) // 320, 8))
def test_playout_that_moves_by_a_frame_does_not_make_it_another_voice(tick: int) -> None:
    at = tick * 320
    for heard in (SPEECH[:at] + silence(0.02) + SPEECH[at:], SPEECH[:at] + SPEECH[at + 320 :]):
        assert compare(SPEECH, silence(0.4) + heard + silence(1)).delay_s == pytest.approx(0.4, abs=0.04), tick


def test_speech_whose_phases_a_codec_has_turned_is_still_the_own_one() -> None:
    pieces = [SPEECH[at : at + 3200] for at in range(0, len(SPEECH), 3200)]
    turned = b"".join(audioop.mul(piece, 2, -1) if at % 2 else piece for at, piece in enumerate(pieces))
    assert compare(SPEECH, silence(0.4) + turned + silence(1)).delay_s == pytest.approx(0.4, abs=0.02)


def test_another_voice_is_not_taken_for_the_own_one() -> None:
    heard = compare(SPEECH, silence(0.5) + audioop.reverse(SPEECH, 2))
    assert heard.delay_s is None
    assert "other sound" in heard.words


def test_noise_is_not_speech_that_came_back() -> None:
    assert compare(SPEECH, Random(1).randbytes(len(SPEECH))).delay_s is None


def test_silence_and_nothing_are_told_apart() -> None:
    assert "silence" in compare(SPEECH, silence(2)).words
    assert compare(SPEECH, b"").words == "no audio came at all"


def test_speech_that_is_too_short_to_compare_does_not_fail() -> None:
    assert compare(b"", SPEECH).delay_s is None
    assert compare(SPEECH, SPEECH[:100]).delay_s is None
