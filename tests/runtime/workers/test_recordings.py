"""Recordings on a disk: whole or aside, for their owner alone, and what a disk that fails does to a call."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue

import pytest

from runtime.media.recorded import WavFile
from runtime.media.voice import Voice
from runtime.workers import recordings as module
from runtime.workers.recordings import CallRecorder, Recordings
from schemas.tables.rows import Recording

WAV, OPUS = Recording("wav"), Recording("opus")


class Desk:
    """What the thread hands over, carried out here."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ended: list[tuple[str, str, bool]] = []
        self.log: list[str] = []
        self._handed: Queue[Callable[[], None]] = Queue()
        self.recordings = Recordings(folder, self._handed.put, lambda *told: self.ended.append(told), self.log.append)

    def settle(self, wait_s: float = 0.2) -> None:
        try:
            while True:
                self._handed.get(timeout=wait_s)()
        except Empty:
            pass

    def begin(self, name: str, wanted: Recording = WAV, rate_hz: int = 8000) -> CallRecorder:
        return self.recordings.begin("SCL_a", name, wanted, rate_hz)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made, ready = Desk(tmp_path / "recordings"), threading.Event()
    made.recordings.start()
    made.recordings._work.put(ready.set)
    assert ready.wait(10), "it has looked at what was left behind"
    yield made
    made.recordings.stop()


def speak(recorder: CallRecorder, ticks: int, rate_hz: int = 8000) -> None:
    voice = Voice()
    for _ in range(ticks):
        recorder.take(voice.speak(b"\x10\x20" * (rate_hz // 50), rate_hz), None)


def appears(path: Path) -> Path:
    for _ in range(500):
        if path.exists():
            return path
        time.sleep(0.01)
    raise AssertionError(f"{path} did not appear: {list(path.parent.iterdir())}")


def test_a_recording_grows_aside_and_gets_its_name_when_it_is_whole(desk: Desk) -> None:
    recorder = desk.begin("a.wav")
    speak(recorder, 120)
    part = appears(desk.folder / "a.wav.part")
    assert stat.S_IMODE(part.stat().st_mode) == 0o600
    assert stat.S_IMODE(desk.folder.stat().st_mode) == 0o700
    assert not (desk.folder / "a.wav").exists()
    recorder.close()
    with wave.open(str(appears(desk.folder / "a.wav"))) as file:
        assert (file.getnchannels(), file.getnframes()) == (2, 120 * 160)
        assert file.readframes(1) == b"\x10\x20\0\0", "the phone is left, and what it hears right"
    assert not part.exists()
    desk.settle()
    assert desk.ended == [], "its call has ended, and nobody has to be told"


def test_it_ends_after_as_long_as_the_rule_allows(desk: Desk) -> None:
    recorder = desk.begin("a.wav", Recording("wav", 1000))
    speak(recorder, 80)
    with wave.open(str(appears(desk.folder / "a.wav"))) as file:
        assert file.getnframes() == 8000
    desk.settle()
    assert desk.ended == [("SCL_a", "it is as long as its rule allows", True)]


def test_a_voice_of_more_than_a_phones_is_recorded_at_16_khz(desk: Desk) -> None:
    recorder = desk.begin("a.wav", rate_hz=48_000)
    speak(recorder, 50, 48_000)
    recorder.close()
    with wave.open(str(appears(desk.folder / "a.wav"))) as file:
        assert (file.getframerate(), file.getnframes()) == (16_000, 16_000)


def test_no_other_file_is_written_over(desk: Desk) -> None:
    desk.folder.mkdir()
    (desk.folder / "a.wav.part").write_bytes(b"somebody's")
    speak(desk.begin("a.wav"), 60)
    desk.settle()
    assert (desk.folder / "a.wav.part").read_bytes() == b"somebody's"
    assert [(call, kept) for call, _, kept in desk.ended] == [("SCL_a", False)]


def test_a_disk_that_is_full_ends_recordings_and_keeps_what_there_is(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = desk.begin("a.wav")
    speak(recorder, 50)
    appears(desk.folder / "a.wav.part")
    desk.settle()
    monkeypatch.setattr(module, "RECORDING_FREE_BYTES_MIN", 1 << 60)
    speak(recorder, 50)
    appears(desk.folder / "a.wav")
    desk.begin("b.wav")
    desk.settle()
    assert [kept for _, _, kept in desk.ended] == [True, False]
    assert all("must stay free" in words for _, words, _ in desk.ended)
    assert not (desk.folder / "b.wav.part").exists()


def test_a_disk_that_hangs_holds_up_nobody_and_fills_no_memory(tmp_path: Path) -> None:
    hangs = Desk(tmp_path / "recordings")  # its thread never runs
    recorder = hangs.begin("a.wav")
    began = time.monotonic()
    speak(recorder, 50 * (module.RECORDING_BACKLOG_MAX + 20))
    assert time.monotonic() - began < 5
    assert hangs.recordings._work.qsize() <= module.RECORDING_BACKLOG_MAX + 2
    hangs.recordings.start()
    hangs.recordings.stop()
    hangs.settle()
    assert hangs.ended == [("SCL_a", "the disk is too slow", True)]


def test_what_was_left_behind_is_made_whole_unless_somebody_is_at_it(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    file = WavFile(8000)
    (folder / "left.wav.part").write_bytes(file.begin() + bytes(64_001))
    (folder / "empty.wav.part").write_bytes(file.begin())
    (folder / "left.opus.part").write_bytes(b"OggS")
    with (folder / "live.wav.part").open("wb") as live:
        fcntl.flock(live, fcntl.LOCK_EX)
        desk = Desk(folder)
        desk.recordings.start()
        desk.recordings.stop()
        desk.settle()
        assert (folder / "live.wav.part").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["left.opus", "left.wav", "live.wav.part"]
    with wave.open(str(folder / "left.wav")) as read:
        assert read.getnframes() == 16_000
    assert len(desk.log) == 3


def test_a_link_is_not_followed(desk: Desk, tmp_path: Path) -> None:
    desk.folder.mkdir()
    os.symlink(tmp_path / "elsewhere", desk.folder / "a.wav.part")
    speak(desk.begin("a.wav"), 50)
    desk.settle()
    assert not (tmp_path / "elsewhere").exists()
    assert desk.ended
