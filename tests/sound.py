"""Sound for tests: WAV files in, and how well one is found in another."""

from __future__ import annotations

import audioop
import wave
from pathlib import Path

from runtime.media.codecs import g711
from runtime.media.codecs.resampling import Resampler
from runtime.phone.heard import compare
from runtime.rooms.files import load_sound
from tests.peers import SPEECH

SPEECH_PCMU = b"".join(frame.in_law("pcmu") for frame in load_sound(SPEECH))
"""The shipped sentence, raw."""


def samples(path: Path, rate_hz: int = 8000) -> bytes:
    """The 16-bit samples of a WAV file in mono at this rate; its header may be unfinished."""
    data = path.read_bytes()
    at = data.find(b"data")
    with wave.open(str(path)) as file:
        assert file.getsampwidth() == 2, path
        rate, channels = file.getframerate(), file.getnchannels()
    pcm = data[at + 8 :]
    pcm = pcm[: len(pcm) // (2 * channels) * 2 * channels]
    if channels == 2:
        pcm = audioop.tomono(pcm, 2, 0.5, 0.5)
    return pcm if rate == rate_hz else Resampler(rate, rate_hz, len(pcm) // 2).resample(pcm)


def write_wav(path: Path, pcm: bytes, rate_hz: int = 8000, channels: int = 1) -> Path:
    """A 16-bit WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(pcm)
    return path


def speech(path: Path, seconds: float, *, reverse: bool = False) -> Path:
    """The shipped sentence, repeated to this length; backwards it is another voice that correlates with nothing."""
    pcm = g711.decode("pcmu", SPEECH_PCMU)
    if reverse:
        pcm = audioop.reverse(pcm, 2)
    wanted = int(seconds * 8000) * 2
    return write_wav(path, (pcm * (wanted // len(pcm) + 1))[:wanted])


GOOD_FIT = 0.5
"""A voice that came with the gaps of a busy machine; that of somebody else comes to 0.3."""


def fit(spoken: Path, heard: Path) -> float:
    """How well the loudest second of `spoken` is found in `heard`: 0 (not) to 1 (exactly)."""
    return compare(samples(spoken), samples(heard)).fit
