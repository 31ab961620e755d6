"""Sound for tests: WAV files in, and how well one is found in another."""

from __future__ import annotations

import audioop
import wave
from pathlib import Path

from runtime.media.codecs import g711
from runtime.phone.heard import compare
from runtime.rooms.files import load_sound
from tests.peers import SPEECH

SPEECH_PCMU = b"".join(frame.in_law("pcmu") for frame in load_sound(SPEECH))
"""The shipped sentence, raw."""


def samples(path: Path) -> bytes:
    """The 16-bit mono 8 kHz samples of a WAV file, whose header may be unfinished."""
    data = path.read_bytes()
    at = data.find(b"data")
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2), path
        rate = file.getframerate()
    pcm = data[at + 8 :]
    pcm = pcm[: len(pcm) & ~1]
    return pcm if rate == 8000 else audioop.ratecv(pcm, 2, 1, rate, 8000, None)[0]


def write_wav(path: Path, pcm: bytes) -> Path:
    """A 16-bit mono WAV file at 8 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(pcm)
    return path


def speech(path: Path, seconds: float, *, reverse: bool = False) -> Path:
    """The shipped sentence, repeated to this length; backwards it is another voice that correlates with nothing."""
    pcm = g711.decode("pcmu", SPEECH_PCMU)
    if reverse:
        pcm = audioop.reverse(pcm, 2)
    wanted = int(seconds * 8000) * 2
    return write_wav(path, (pcm * (wanted // len(pcm) + 1))[:wanted])


def fit(spoken: Path, heard: Path) -> float:
    """How well the loudest second of `spoken` is found in `heard`: 0 (not) to 1 (exactly)."""
    return compare(samples(spoken), samples(heard)).fit
