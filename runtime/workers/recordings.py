"""Recordings of calls: a thread that writes them, so that no disk holds up a tick. The edge to their folder.

A recording grows in a file of its own, `NAME.part`, that nobody else may read, and gets its name when it is whole. What
a bridge leaves behind that was killed is made whole by the next one that starts on the folder: a file that nobody has
locked belongs to nobody. What can go wrong with a disk ends a recording, never a call: `ended` is told why.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable
from functools import partial
from io import FileIO
from pathlib import Path
from queue import SimpleQueue

from runtime.limits import RECORDING_BACKLOG_MAX, RECORDING_BATCH_TICKS, RECORDING_FREE_BYTES_MIN
from runtime.media.codecs.codec import TICKS_PER_S
from runtime.media.frame import Frame
from runtime.media.recorded import WAV_BYTES_MAX, OpusFile, Side, Stereo, StereoFile, WavFile, repaired_wav
from runtime.media.wav import HEADER_BYTES
from schemas.tables.rows import Recording

PART = ".part"
MODE = 0o600
RATE_HZ_MAX = 16_000
"""What is recorded at most: more of a voice is not worth the disk."""
STOP_S_MAX = 5.0
"""How long a stopping bridge waits for its disk."""

Batch = list[tuple[Side, Side]]
Ended = Callable[[str, str, bool], None]


class CallRecorder:
    """One call's recording, as the tick sees it: used from the event loop's thread only."""

    def __init__(self, file: _GrowingFile, work: SimpleQueue[Callable[[], None]], ticks_max: int) -> None:
        self._file = file
        self._work = work
        self._left = ticks_max
        self._batch: Batch = []
        self._closed = False

    def take(self, said: Frame | None, heard: Frame | None) -> None:
        """One tick."""
        if self._closed:
            return
        self._batch.append((_side(said, self._file.rate_hz), _side(heard, self._file.rate_hz)))
        self._left -= 1
        if len(self._batch) >= RECORDING_BATCH_TICKS or self._left <= 0:
            self._hand_on()
        if self._left <= 0:
            self.close("it is as long as its rule allows")

    def close(self, why: str = "") -> None:
        """No more of it."""
        if not self._closed:
            self._closed = True
            self._hand_on()
            self._work.put(partial(self._file.finish, why))

    def _hand_on(self) -> None:
        batch, self._batch = self._batch, []
        if not batch:
            return
        self._file.waiting += 1
        if self._file.waiting > RECORDING_BACKLOG_MAX:
            self._closed = True
            self._work.put(partial(self._file.finish, "the disk is too slow"))
            return
        self._work.put(partial(self._file.write, batch))


class Recordings:
    """One bridge's. `hand_over(call)` has the event loop call something; `ended(call_id, words, kept)` is called there.

    `ended` hears of every recording that ended before its call did; `log(words)` of what was left behind.
    """

    def __init__(
        self,
        folder: Path,
        hand_over: Callable[[Callable[[], None]], object],
        ended: Ended,
        log: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._hand_over = hand_over
        self._ended = ended
        self._log = log
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin to write, and make whole what was left behind."""
        self._thread = threading.Thread(target=self._run, name="recordings", daemon=True)
        self._thread.start()
        self._work.put(self._recover)

    def stop(self) -> None:
        """Write what is still to be written, as long as the disk takes it."""
        if self._thread is not None:
            self._work.put(self._stop)
            self._thread.join(STOP_S_MAX)

    def begin(self, call_id: str, name: str, wanted: Recording, rate_hz: int) -> CallRecorder:
        """A new recording of this name, of a phone that speaks at this rate."""
        rate_hz = min(rate_hz, RATE_HZ_MAX)
        file = _GrowingFile(self._folder / name, wanted.format, rate_hz, partial(self._tell, call_id))
        self._work.put(file.open)
        return CallRecorder(file, self._work, wanted.max_duration_ms * TICKS_PER_S // 1000)

    def _tell(self, call_id: str, words: str, kept: bool) -> None:
        self._hand_over(partial(self._ended, call_id, words, kept))

    def _run(self) -> None:
        while not self._stopping:
            self._work.get()()

    def _stop(self) -> None:
        self._stopping = True

    def _recover(self) -> None:
        try:
            left = sorted(self._folder.glob(f"*{PART}")) if self._folder.is_dir() else []
        except OSError:
            return
        for part in left:
            try:
                words = _recovered(part)
            except OSError as fault:
                words = f"recording {part} is not whole, and cannot be made so: {fault.strerror}"
            if words:
                self._hand_over(partial(self._log, words))


class _GrowingFile:
    """The file of one recording: used from the writing thread only, but for `waiting`."""

    def __init__(self, path: Path, kind: str, rate_hz: int, tell: Callable[[str, bool], None]) -> None:
        self.rate_hz = rate_hz
        self.waiting = 0
        """Batches that are not written yet."""
        self._path = path
        self._kind = kind
        self._tell = tell
        self._stereo = Stereo(rate_hz)
        self._content: StereoFile | None = None
        self._file: FileIO | None = None
        self._bytes = 0

    def open(self) -> None:
        """Make the file; `tell` hears why not."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_space(self._path.parent)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = FileIO(os.open(_part(self._path), flags, MODE), "wb")
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            serial = int.from_bytes(os.urandom(4))
            self._content = WavFile(self.rate_hz) if self._kind == "wav" else OpusFile(self.rate_hz, serial)
            self._put(self._content.begin())
        except OSError as fault:
            self._drop(_words(fault), kept=False)

    def write(self, batch: Batch) -> None:
        """Some ticks."""
        self.waiting -= 1
        if self._content is None:
            return
        try:
            _check_space(self._path.parent)
            self._put(self._content.add(self._stereo.joined(batch)))
        except OSError as fault:
            self.finish(_words(fault))
            return
        if self._kind == "wav" and self._bytes > WAV_BYTES_MAX - (1 << 20):
            self.finish("a WAV file cannot be longer")

    def finish(self, why: str) -> None:
        """Give it its name; `why` it ends before its call, if it does."""
        if self._content is None or self._file is None:
            return
        try:
            rest, head = self._content.end()
            self._put(rest)
            if head:
                os.pwrite(self._file.fileno(), head, 0)
            os.fsync(self._file.fileno())
            os.rename(_part(self._path), self._path)
        except OSError as fault:
            self._drop(_words(fault), kept=True)
            return
        self._drop(why, kept=True)

    def _put(self, data: bytes) -> None:
        assert self._file is not None, "it is open"
        at = 0
        while at < len(data):
            at += self._file.write(data[at:])
        self._bytes += len(data)

    def _drop(self, words: str, *, kept: bool) -> None:
        self._content = None
        if self._file is not None:
            self._file.close()
            self._file = None
        if words:
            self._tell(words, kept)


def _part(path: Path) -> Path:
    return path.with_name(path.name + PART)


def _side(frame: Frame | None, rate_hz: int) -> Side:
    if frame is None:
        return None
    own = rate_hz if frame.can_give(rate_hz) else frame.rate_hz
    return frame.linear(own), own


def _check_space(folder: Path) -> None:
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if free < RECORDING_FREE_BYTES_MIN:
        raise OSError(0, f"{free >> 20} MiB are free in {folder}, and {RECORDING_FREE_BYTES_MIN >> 20} must stay free")


def _words(fault: OSError) -> str:
    return fault.strerror or str(fault)


def _recovered(part: Path) -> str:
    """Make a recording whole that nobody writes any more: what became of it, "" where somebody does."""
    whole = part.with_name(part.name.removesuffix(PART))
    with part.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return ""  # another bridge is at it
        if whole.suffix == ".wav":
            head = repaired_wav(file.read(HEADER_BYTES), os.fstat(file.fileno()).st_size)
            if head is None:
                part.unlink()
                return f"recording {part} held nothing"
            os.pwrite(file.fileno(), head, 0)
        os.rename(part, whole)
    return f"recording {whole} was left behind by a bridge that was killed, and holds what came until then"
