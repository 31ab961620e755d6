"""Keys as tones in the voice: what is heard as one (ITU-T Q.24), what is not, and what of it reaches the room."""

from __future__ import annotations

import audioop
import math
import random
from array import array
from functools import cache

import pytest

from runtime.media.codecs import g711
from runtime.media.codecs.codec import PCMU
from runtime.media.frame import Frame
from runtime.media.key_ears import KeyEars, KeyFilter
from runtime.media.key_tones import KEYPAD, KeyTones, pair_of, tone_of
from runtime.media.voice import Voice
from tests.peers import SPEECH
from tests.sound import SPEECH_PCMU

KEYS = "".join(KEYPAD)
TICK = 320


def amplitude(dbm0: float) -> float:
    """Of a sine of this level; one at full scale has 3.14 dBm0."""
    return 32_767 * 10 ** ((dbm0 - 3.14) / 20)


def pressed(
    key: str,
    tone_ms: float = 40,
    pause_ms: float = 40,
    *,
    low: float = -9,
    high: float = -9,
    off_low: float = 0.0,
    off_high: float = 0.0,
    snr_db: float = 60,
    times: int = 6,
    seed: int = 0,
) -> bytes:
    """A key pressed several times, at any moment of a tick and in any phase, as a phone's G.711 brings it."""
    drawn = random.Random(f"{key}{seed}")
    hz = pair_of(key)[0] * (1 + off_low), pair_of(key)[1] * (1 + off_high)
    loud = amplitude(low), amplitude(high)
    samples = [0.0] * (800 + drawn.randrange(160))
    for _ in range(times):
        phases = drawn.random() * 6.28, drawn.random() * 6.28
        for n in range(int(8 * tone_ms)):
            samples.append(
                sum(a * math.sin(2 * math.pi * f * n / 8000 + p) for a, f, p in zip(loud, hz, phases, strict=True))
            )
        samples += [0.0] * (int(8 * pause_ms) + drawn.randrange(40))
    noise = math.sqrt((loud[0] ** 2 + loud[1] ** 2) / 2 / 10 ** (snr_db / 10))
    linear = array("h", (max(-32768, min(32767, round(v + drawn.gauss(0, noise)))) for v in samples + [0.0] * 800))
    return g711.decode("pcmu", g711.encode("pcmu", linear.tobytes()))


def heard(linear: bytes) -> str:
    ears = KeyEars()
    return "".join(ears.hear(linear[at : at + TICK]) for at in range(0, len(linear) - TICK + 1, TICK))


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({}, id="40 ms, 40 ms"),
        pytest.param({"low": 0, "high": 0}, id="0 dBm0"),
        pytest.param({"low": -36, "high": -36}, id="-36 dBm0"),
        pytest.param({"low": -12, "high": -8}, id="high 4 dB above low"),
        pytest.param({"low": -8, "high": -16}, id="low 8 dB above high"),
        pytest.param({"off_low": 0.018, "off_high": 0.018}, id="+1.8 %"),
        pytest.param({"off_low": -0.018, "off_high": -0.018}, id="-1.8 %"),
        pytest.param({"off_low": 0.015, "off_high": -0.015}, id="1.5 % apart"),
        pytest.param({"snr_db": 12}, id="noise 12 dB below"),
        pytest.param({"tone_ms": 400, "pause_ms": 100, "times": 2}, id="a long press is one"),
    ],
)
def test_every_key_is_told_once_for_each_press(how: dict[str, float]) -> None:
    times = int(how.get("times", 6))
    assert {key: heard(pressed(key, **how)) for key in KEYS} == {key: key * times for key in KEYS}


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"tone_ms": 23}, id="23 ms"),
        pytest.param({"off_low": 0.035}, id="low +3.5 %"),
        pytest.param({"off_low": -0.035}, id="low -3.5 %"),
        pytest.param({"off_high": 0.035}, id="high +3.5 %"),
        pytest.param({"off_high": -0.035}, id="high -3.5 %"),
        pytest.param({"low": -60, "high": -9}, id="one tone alone"),
        pytest.param({"low": -9, "high": -20}, id="twist of 11 dB"),
        pytest.param({"low": -50, "high": -50}, id="-50 dBm0"),
    ],
)
def test_what_is_no_key_is_not_told(how: dict[str, float]) -> None:
    assert {key: heard(pressed(key, **how)) for key in KEYS} == dict.fromkeys(KEYS, "")


def test_an_interruption_does_not_make_two_of_a_key() -> None:
    for key in KEYS:
        tone = tone_of(key, 60)
        assert heard(bytes(1600) + tone + bytes(160) + tone + bytes(1600)) == key


@pytest.mark.parametrize("lost", [None, bytes(TICK), "repeated"])
def test_neither_does_a_frame_that_was_lost(lost: bytes | str | None) -> None:
    for key in KEYS:
        ears, told, before = KeyEars(), "", bytes(TICK)
        linear = bytes(500) + tone_of(key, 300) + bytes(1600)
        for tick, at in enumerate(range(0, len(linear) - TICK + 1, TICK)):
            frame = linear[at : at + TICK]
            told += ears.hear((before if lost == "repeated" else lost) if tick == 8 else frame)
            before = frame
        assert told == key


@cache
def spoken() -> bytes:
    return g711.decode("pcmu", SPEECH_PCMU)


@pytest.mark.parametrize("pitch", [0.8, 0.9, 1.0, 1.1, 1.25])
def test_speech_is_no_key(pitch: float) -> None:
    assert SPEECH.exists()
    voice, _ = audioop.ratecv(spoken(), 2, 1, 8000, int(8000 * pitch), None)
    assert heard(voice) == ""


@pytest.mark.parametrize("hz", [(350, 440), (480, 620), (425,), (950, 1400, 1800), (941, 1800), (1004,)])
def test_neither_are_tones_of_the_network(hz: tuple[int, ...]) -> None:
    linear = array("h", (round(sum(6000 * math.sin(2 * math.pi * f * n / 8000) for f in hz)) for n in range(16_000)))
    assert heard(linear.tobytes()) == ""


def test_of_a_tone_nothing_reaches_the_room_that_could_be_found_again() -> None:
    for key in KEYS:
        for start in (0, 50, 100, 150):
            stage, again, voice, told = KeyFilter(), KeyEars(), Voice(PCMU), ""
            spoken_first = spoken()[:16_000]
            linear = spoken_first + bytes(2 * start) + tone_of(key, 120) + bytes(3200)
            out = b""
            for at in range(0, len(linear) - TICK + 1, TICK):
                keys, passed = stage.step(voice.frame(g711.encode("pcmu", linear[at : at + TICK])))
                told += keys
                out += bytes(TICK) if passed is None else passed.linear(8000)
            assert told == key
            assert heard(out) == again.hear(None) == ""
            leaked = out[len(spoken_first) + TICK :]
            loud = [audioop.rms(leaked[at : at + 80], 2) > 500 for at in range(0, len(leaked) - 80, 80)]
            assert sum(loud) * 5 <= 25, "milliseconds of the tone"


def test_a_frame_without_a_tone_is_handed_on_as_it_came() -> None:
    stage, voice = KeyFilter(), Voice(PCMU)
    frames = [voice.frame(SPEECH_PCMU[at : at + 160]) for at in range(0, 16_000, 160)]
    passed = [stage.step(frame)[1] for frame in frames]
    assert passed[1:] == frames[:-1]


def test_a_wideband_voice_is_heard_too() -> None:
    stage, voice, told = KeyFilter(), Voice(), ""
    up, _ = audioop.ratecv(bytes(1600) + tone_of("7", 100) + bytes(1600), 2, 1, 8000, 48_000, None)
    for at in range(0, len(up) - 1919, 1920):
        keys, passed = stage.step(voice.speak(up[at : at + 1920], 48_000))
        told += keys
        assert passed is None or len(passed.linear(48_000)) == 1920
    assert told == "7"


def test_our_own_tones_are_keys() -> None:
    tones, frames = KeyTones(), []
    tones.begin("A", 100)
    while tones.sounding:
        frames.append(tones.frame())
    assert all(isinstance(frame, Frame) for frame in frames)
    assert len(frames) == 5
    assert tones.frame() is None
    assert heard(bytes(TICK * 5) + b"".join(frame.linear(8000) for frame in frames if frame) + bytes(1600)) == "A"
