"""Files that rooms play and record: WAV in, WAV out (8 kHz, 16 bit, mono). The edge to the disk.

A recording is written frame by frame and its header is set right when the room closes; one that a crash cut short is
still readable by players that take the length from the file. A disk that fails ends the recording, never the call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from runtime.errors import BridgeError
from runtime.limits import WAV_BYTES_MAX
from runtime.media.frame import Frame
from runtime.media.mixer import Mixer
from runtime.media.sound import Sound
from runtime.media.wav import HEADER_BYTES, WavError, pcm16_header, read_sound

RATE_HZ = 8_000
SAMPLES_PER_FRAME = 160
_SILENCE = bytes(2 * SAMPLES_PER_FRAME)


def load_sound(path: Path) -> Sound:
    """The sound of a WAV file. BridgeError when it is missing, too large or not a WAV we read."""
    try:
        size = path.stat().st_size
        if size > WAV_BYTES_MAX:
            raise BridgeError(f"{path} is larger than {WAV_BYTES_MAX >> 20} MiB", "cut it shorter")
        return read_sound(path.read_bytes())
    except OSError as fault:
        raise BridgeError(f"cannot read {path}: {fault.strerror}", "name a WAV file that is there") from fault
    except WavError as fault:
        hint = f"convert it: sox {path} -r 8000 -c 1 -b 16 out.wav"
        raise BridgeError(f"cannot play {path}: {fault}", hint) from fault


class WavWriter:
    """A growing WAV file of 16-bit mono."""

    def __init__(self, path: Path, rate_hz: int = RATE_HZ) -> None:
        self.path = path
        self._rate_hz = rate_hz
        self._bytes = 0
        self._file: BinaryIO | None = path.open("wb")
        self._file.write(pcm16_header(0, rate_hz=rate_hz))

    def write(self, pcm: bytes) -> None:
        """Append samples; after a disk fault this does nothing."""
        if self._file is None:
            return
        try:
            self._file.write(pcm)
            self._bytes += len(pcm)
        except OSError:
            self._drop()

    def close(self) -> None:
        """Set the header right and close."""
        if self._file is None:
            return
        try:
            self._file.seek(0)
            self._file.write(pcm16_header(self._bytes, rate_hz=self._rate_hz))
            assert self._file.tell() == HEADER_BYTES
        except OSError:
            pass  # the samples that reached the disk are there
        self._drop()

    def _drop(self) -> None:
        if self._file is not None:
            try:
                self._file.close()
            except OSError:
                pass  # closing flushes: a full disk says so once more
            self._file = None


class RoomRecording:
    """Everything that is said in one room, as one track."""

    def __init__(self, path: Path) -> None:
        self._wav = WavWriter(path)
        self._mixer = Mixer()

    def write(self, frames: Sequence[Frame | None]) -> None:
        """One tick: the members' frames, summed."""
        heard = self._mixer.together(frames, RATE_HZ)
        self._wav.write(_SILENCE if heard is None else heard.linear(RATE_HZ))

    def close(self) -> None:
        """Finish the file."""
        self._wav.close()


def recorder_in(folder: Path, on_fault: Callable[[str], None]) -> Callable[[str], RoomRecording | None]:
    """A function that opens a new recording in `folder` for a room, named after it and the time."""

    def record(room: str) -> RoomRecording | None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        name = re.sub(r"[^A-Za-z0-9+_-]", "_", room)[:100]
        try:
            return RoomRecording(folder / f"{name}-{stamp}.wav")
        except OSError as fault:
            on_fault(f"room {room} is not recorded: {fault}")
            return None

    return record
