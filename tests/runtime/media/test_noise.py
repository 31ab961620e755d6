"""Noise taken out of a voice: how much of it goes, what becomes of the voice, and what it costs."""

from __future__ import annotations

import audioop
import math
import random
from array import array

import pytest

from runtime.media.codecs import g711
from runtime.media.codecs.opus import OpusEncoder, OpusWishes
from runtime.media.noise import NoiseError, NoiseFilter
from runtime.phone.heard import compare
from runtime.workers.noise import WEIGHTS
from tests.signals import speech, ticks
from tests.sound import SPEECH_PCMU

SAID = g711.decode("pcmu", SPEECH_PCMU * 4)


def at_rate(linear: bytes, rate_hz: int) -> bytes:
    return linear if rate_hz == 8000 else audioop.ratecv(linear, 2, 1, 8000, rate_hz, None)[0]


def noise(kind: str, count: int, rms: float) -> bytes:
    drawn, low = random.Random(5), 0.0
    samples = []
    for n in range(count):
        if kind == "hum":
            samples.append(sum(math.sin(2 * math.pi * 50 * k * n / 8000) / k for k in range(1, 8)))
        else:
            white = drawn.gauss(0, 1)
            low = 0.97 * low + white
            samples.append(white if kind == "white" else low)
    scale = rms / math.sqrt(sum(v * v for v in samples) / count)
    return array("h", (max(-32768, min(32767, round(v * scale))) for v in samples)).tobytes()


def cleaned(linear: bytes, rate_hz: int = 8000) -> bytes:
    made = NoiseFilter(str(WEIGHTS), rate_hz)
    size = rate_hz // 50 * 2
    return b"".join(made.clean(linear[at : at + size]) for at in range(0, len(linear) - size + 1, size))


def quietest(linear: bytes) -> float:
    """The level between the words, of the second half, when the network has found its feet."""
    half = linear[len(linear) // 2 :]
    levels = sorted(audioop.rms(half[at : at + 320], 2) for at in range(0, len(half) - 320, 320))
    return max(1.0, levels[len(levels) // 10])


@pytest.mark.parametrize(("kind", "least_db"), [("white", 12), ("low", 15), ("hum", 8)])
def test_noise_between_the_words_goes_and_the_words_stay(kind: str, least_db: float) -> None:
    heard = g711.decode("pcmu", g711.encode("pcmu", audioop.add(SAID, noise(kind, len(SAID) // 2, 1000), 2)))
    out = cleaned(heard)
    assert 20 * math.log10(quietest(heard) / quietest(out)) > least_db
    assert compare(SAID, out).fit > max(0.9, compare(SAID, heard).fit)


def test_a_clean_voice_stays_what_it_is() -> None:
    out = cleaned(SAID)
    assert compare(SAID, out).fit > 0.97
    assert abs(20 * math.log10(audioop.rms(out, 2) / audioop.rms(SAID, 2))) < 1.5


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 48_000])
def test_every_tick_in_is_a_tick_out_some_hundredths_of_a_second_later(rate_hz: int) -> None:
    said = at_rate(SAID[: 16_000 * 2], rate_hz)
    out = cleaned(said, rate_hz)
    assert len(out) == len(said) // (rate_hz // 25) * (rate_hz // 25)
    starts = range(0, len(said) // 2 - rate_hz, rate_hz // 100)
    loud = max(starts, key=lambda at: audioop.rms(said[2 * at : 2 * at + rate_hz // 5], 2))
    template = said[2 * loud : 2 * loud + rate_hz // 5]
    window = out[2 * loud : 2 * loud + rate_hz // 5 + rate_hz // 10]
    at, _ = audioop.findfit(window, template)
    assert at / rate_hz <= 0.025


def test_where_there_is_no_network_the_reason_is_told(tmp_path) -> None:
    with pytest.raises(NoiseError, match="arnndn"):
        NoiseFilter(str(tmp_path / "none"), 8000)


def test_what_an_encoder_leaves_on_the_stack_does_not_let_noise_through() -> None:
    heard = audioop.add(SAID, noise("white", len(SAID) // 2, 1000), 2)
    encoder = OpusEncoder(48_000, OpusWishes())
    for tick in ticks(speech(48_000), 48_000):
        encoder.encode(tick)
    out = cleaned(heard)
    assert 20 * math.log10(quietest(heard) / quietest(out)) > 12
