"""Prompt files: which are played, which are not, and what a slow disk does."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue

import pytest

from runtime.calls.pin_dialogue import Prompt
from runtime.limits import PROMPT_BYTES_MAX, PROMPT_READ_EVERY_S, PROMPT_S_MAX
from runtime.media.sound import Sound
from runtime.media.wav import SLICES_PER_S, Wav, pcm16_header, read_sound
from runtime.rooms import prompts as module
from runtime.rooms.booth import Fetch
from runtime.rooms.music import Music
from runtime.rooms.prompts import OWN_PROMPTS, Prompts, prompts_folder
from schemas.tables.rows import Inbound, PinPrompts, RoomKind, Rows, RuleRow, Secret, TrunkRow
from schemas.tables.tables import Tables


def wav(seconds: float, value: int = 1, rate: int = 8000) -> bytes:
    data = bytes([value]) * (int(seconds * rate) * 2)
    return pcm16_header(len(data), rate_hz=rate) + data


class Loop:
    """What the thread hands over, carried out here."""

    def __init__(self, folder: Path) -> None:
        self.log: list[str] = []
        self._handed: Queue[Callable[[], None]] = Queue()
        self.now = 0.0
        self.prompts = Prompts(folder, self._handed.put, self.log.append, lambda: self.now)
        self.prompts.start()

    def fetch(self, file: str, prompt: Prompt = Prompt.ASK) -> Fetch:
        """Ask, and let the thread answer."""
        fetch = self.prompts.fetch(prompt, file)
        while fetch.sound is None:
            self._handed.get(timeout=10)()
        return fetch

    def settle(self, wait_s: float = 0.3) -> None:
        try:
            while True:
                self._handed.get(timeout=wait_s)()
        except Empty:
            pass


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    folder = tmp_path / "prompts"
    folder.mkdir()
    made = Loop(folder)
    yield made
    made.prompts.stop()


def own(prompt: Prompt = Prompt.ASK) -> Sound:
    data = (OWN_PROMPTS / f"{prompt}.wav").read_bytes()
    return read_sound(data)


def test_the_bridges_own_prompts_are_there_at_once_small_and_short() -> None:
    made = Prompts(Path("nowhere"), lambda _: None, lambda _: None)
    for prompt in Prompt:
        sound = made.fetch(prompt, "").sound
        assert sound is not None
        assert sound.linear(8000) == own(prompt).linear(8000)
        assert 20 < len(sound) < 250
    assert sum(path.stat().st_size for path in OWN_PROMPTS.glob("*.wav")) < 60_000


def test_a_file_is_played_and_read_again_when_it_has_changed(loop: Loop, tmp_path: Path) -> None:
    path = tmp_path / "prompts" / "hello.wav"
    path.write_bytes(wav(1))
    first = loop.fetch("hello.wav").sound
    assert first is not None
    assert len(first) == 50
    assert loop.fetch("hello.wav").sound is first, "an unchanged file is not read again"
    path.write_bytes(wav(2))
    loop.now = PROMPT_READ_EVERY_S - 1
    assert loop.fetch("hello.wav").sound is first, "one that keeps changing is not read all the time"
    loop.now = PROMPT_READ_EVERY_S
    second = loop.fetch("hello.wav").sound
    assert second is not None
    assert len(second) == 100
    assert not loop.log


def no_file(_path: Path) -> None:
    pass


def folder_(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def link_out(path: Path) -> None:
    (path.parent.parent / "secret.wav").write_bytes(wav(1))
    path.symlink_to(path.parent.parent / "secret.wav")


def circle(path: Path) -> None:
    path.symlink_to(path)


def too_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(PROMPT_BYTES_MAX + 1)


def too_long(path: Path) -> None:
    path.write_bytes(wav(PROMPT_S_MAX + 1))


def no_wav(path: Path) -> None:
    path.write_bytes(b"ID3 this is no WAV")


def empty(path: Path) -> None:
    path.write_bytes(wav(0))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (no_file, "No such file"),
        (folder_, "no file"),
        (pipe, "no file"),
        (link_out, "leads out"),
        (circle, "circle"),
        (too_large, "larger than 6 MiB"),
        (too_long, "longer than 30 s"),
        (no_wav, "not a WAV"),
        (empty, "no sound"),
    ],
)
def test_what_cannot_be_played_is_told_once_and_the_own_prompt_is_heard(
    loop: Loop, tmp_path: Path, make: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / "prompts" / "hello.wav"
    make(path)
    assert loop.fetch("hello.wav", Prompt.WRONG).sound == own(Prompt.WRONG)
    assert loop.fetch("hello.wav").sound == own(Prompt.ASK), "of the prompt that was asked for"
    [told] = loop.log
    assert words in told or (make is circle and "Too many levels" in told)
    assert "hello.wav" in told
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    path.write_bytes(wav(1))
    sound = loop.fetch("hello.wav").sound
    assert sound is not None
    assert len(sound) == 50, "once it is put right it is played"


def test_what_is_too_long_is_not_decoded(loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding the largest file of one byte per sample held up every live call for 300 ms."""
    monkeypatch.setattr(Wav, "slices", lambda *_: pytest.fail("decoded"))
    (tmp_path / "prompts" / "hello.wav").write_bytes(wav(PROMPT_S_MAX + 0.1))
    assert loop.fetch("hello.wav").sound == loop.prompts.fetch(Prompt.ASK, "").sound
    assert "longer than" in loop.log[0]


def test_decoding_pauses_after_every_tenth_of_a_second(
    loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("runtime.rooms.prompts.time.sleep", pauses.append)
    (tmp_path / "prompts" / "hello.wav").write_bytes(wav(PROMPT_S_MAX, rate=48_000)[: PROMPT_BYTES_MAX - 1])
    sound = loop.fetch("hello.wav").sound
    assert sound is not None
    assert len(sound) == 50 * PROMPT_S_MAX
    assert len(pauses) >= PROMPT_S_MAX * SLICES_PER_S


def test_a_link_that_stays_in_the_folder_is_followed(loop: Loop, tmp_path: Path) -> None:
    data = tmp_path / "prompts" / "..2026"
    data.mkdir()
    (data / "hello.wav").write_bytes(wav(1))
    (tmp_path / "prompts" / "..data").symlink_to("..2026")
    (tmp_path / "prompts" / "hello.wav").symlink_to("..data/hello.wav")
    sound = loop.fetch("hello.wav").sound
    assert sound is not None
    assert len(sound) == 50


def test_a_disk_that_hangs_holds_up_nobody(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    hung = threading.Event()
    monkeypatch.setattr(module, "_read", lambda *_: hung.wait(20))
    began = time.monotonic()
    fetches = [loop.prompts.fetch(Prompt.ASK, "hello.wav") for _ in range(1000)]
    assert time.monotonic() - began < 0.5
    assert all(fetch.sound is None and fetch.instead == own() for fetch in fetches)
    loop.prompts.stop()
    hung.set()


def test_new_tables_have_their_files_read_and_missing_ones_told(loop: Loop, tmp_path: Path) -> None:
    (tmp_path / "prompts" / "there.wav").write_bytes(wav(1))
    asked = PinPrompts("there.wav", "missing.wav")
    rules = [
        RuleRow("default/a", RoomKind.DIRECT, "a", pin=Secret("env:P"), pin_prompts=asked),
        RuleRow("default/b", RoomKind.DIRECT, "b", pin=Secret("env:P"), pin_prompts=asked),
    ]
    loop.prompts.survey(Tables())
    loop.prompts.survey(Tables())
    loop.prompts.survey(Tables.build(Rows({}, {rule.id: rule for rule in rules})))
    loop.settle()
    [told] = loop.log
    assert "missing.wav of DispatchRule default/a and 1 more cannot be played" in told
    assert loop.prompts.fetch(Prompt.ASK, "there.wav").instead != own(), "it is known before anybody calls"


def test_the_folder_is_the_chosen_one_else_beside_the_manifests_else_in_the_state(tmp_path: Path) -> None:
    manifest = tmp_path / "one.yaml"
    manifest.touch()
    state = Path(".dialplane")
    assert prompts_folder(Path("p"), tmp_path, state) == Path("p")
    assert prompts_folder(None, tmp_path, state) == tmp_path / "prompts"
    assert prompts_folder(None, manifest, state) == tmp_path / "prompts"
    assert prompts_folder(None, None, state) == state / "prompts"


def test_music_is_the_bridges_own_or_a_file_and_begins_anew(loop: Loop, tmp_path: Path) -> None:
    own = loop.prompts.music("builtIn")
    assert own.sound is not None
    assert len(own.sound) == 16 * 50
    (tmp_path / "prompts" / "hold.wav").write_bytes(wav(0.04, 0x11))
    fetch = loop.prompts.music("hold.wav")
    player = Music(fetch)
    assert player.frame() is None, "it comes from a disk"
    loop.settle()
    heard = [player.frame() for _ in range(5)]
    assert all(frame is not None and frame.linear(8000) == b"\x11" * 320 for frame in heard), (
        "two frames, again and again"
    )


def test_music_that_is_named_by_trunks_and_rules_is_looked_for() -> None:
    trunk = TrunkRow("default/t", inbound=Inbound(networks=("192.0.2.0/24",)), hold_music="t.wav")
    rules = [
        RuleRow(f"default/{name}", RoomKind.DIRECT, name, hold_music=music)
        for name, music in (("a", "builtIn"), ("b", "r.wav"))
    ]
    tables = Tables.build(Rows({trunk.id: trunk}, {row.id: row for row in rules}))
    assert module.files_of(tables) == {"t.wav": "Trunk default/t", "r.wav": "DispatchRule default/b"}
