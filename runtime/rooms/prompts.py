"""Prompts as sound: the bridge's own, and those that users put into its `--prompts` folder. The edge to their files.

A rule names a file of that folder and nothing else: no path, no link that leads out of it. A file is looked at again
when a prompt is asked for, and read again when it has changed, though not all the time; both on a thread of its own,
because a disk that hangs must hang nothing but prompts. It is decoded bit by bit, because what decodes holds up the
whole process. What cannot be played is told once, and the bridge's own prompt is played instead.
"""

from __future__ import annotations

import math
import os
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from runtime.calls.pin_dialogue import Prompt
from runtime.limits import PROMPT_BYTES_MAX, PROMPT_FILES_MAX, PROMPT_PAUSE_S, PROMPT_READ_EVERY_S, PROMPT_S_MAX
from runtime.media.sound import Sound, gathered
from runtime.media.wav import WavError, open_wav
from runtime.rooms.booth import Fetch
from schemas.tables.tables import Tables

OWN_PROMPTS = Path(__file__).resolve().parents[1] / "media" / "prompts"
OWN_MUSIC = OWN_PROMPTS.parent / "music" / "hold.wav"

Stamp = tuple[int, int, int]
"""Inode, size and time of change of a file: when one of them moves, it is read again."""


class PromptError(Exception):
    """The file cannot be played; the text says why, in words for a user."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a file: its sound or why there is none."""

    stamp: Stamp | None
    sound: Sound | None
    fault: str = ""
    read_at: float = -math.inf
    """When its sound was decoded, in monotonic seconds."""


BUILT_IN = "builtIn"
"""The bridge's own music, by its name in manifests."""


class Prompts:
    """One bridge's prompts. `hand_over(call)` has the event loop call something; `log(words)` is called there."""

    def __init__(
        self,
        folder: Path,
        hand_over: Callable[[Callable[[], None]], object],
        log: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._hand_over = hand_over
        self._log = log
        self._clock = clock
        self._own = {prompt: _sound((OWN_PROMPTS / f"{prompt}.wav").read_bytes(), lambda: None) for prompt in Prompt}
        self._own_music = _sound(OWN_MUSIC.read_bytes(), lambda: None)
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._awaited: dict[str, list[Fetch]] = {}
        self._told: dict[str, str] = {}
        self._rules: dict[str, str] = {}
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._tables: Tables | None = None
        self._surveying = False
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="prompts", daemon=True)

    def start(self) -> None:
        """Begin to read files."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more; a read under way is not waited for, and what comes of it is dropped."""
        self._stopped = True
        self._work.put(None)

    def fetch(self, prompt: Prompt, file: str) -> Fetch:
        """The prompt, or the promise of it. `file` "" = the bridge's own."""
        own = self._own[prompt]
        return self._fetch(file, own) if file else Fetch(own, own)

    def music(self, name: str) -> Fetch:
        """The same for what is heard on hold: `BUILT_IN`, or a file."""
        own = self._own_music
        return self._fetch(name, own) if name != BUILT_IN else Fetch(own, own)

    def _fetch(self, file: str, own: Sound) -> Fetch:
        known = self._known.get(file)
        fetch = Fetch(known.sound or own if known is not None else own)
        waiting = self._awaited.get(file)
        if waiting is not None:
            waiting.append(fetch)
        else:
            self._awaited[file] = [fetch]
            self._work.put(lambda: self._look(file, known))
        return fetch

    def survey(self, tables: Tables) -> None:
        """Read the files that the rules of new tables name, so that a missing one is told before somebody calls."""
        self._tables = tables
        if not self._surveying:
            self._begin_survey(tables)

    # -- on the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()

    def _survey(self, tables: Tables, known: frozenset[str]) -> None:
        files = files_of(tables)
        if not self._stopped:
            self._hand_over(lambda: self._name(files))
        for file in files:
            if file not in known:
                self._look(file, None)
        if not self._stopped:
            self._hand_over(lambda: self._surveyed(tables))

    def _look(self, file: str, known: _Known | None) -> None:
        try:
            found = _read(self._folder, file, known, self._clock())
        except PromptError as fault:
            found = _Known(None, None, str(fault))
        if not self._stopped:
            self._hand_over(lambda: self._take(file, found))

    # -- on the loop -----------------------------------------------------------------------------------------------

    def _name(self, rules: dict[str, str]) -> None:
        """Whose prompts the files are, for the words about those that cannot be played."""
        self._rules = rules

    def _begin_survey(self, tables: Tables) -> None:
        self._surveying = True
        known = frozenset(self._known)
        self._work.put(lambda: self._survey(tables, known))

    def _surveyed(self, tables: Tables) -> None:
        """One survey at a time: of the tables that came meanwhile only the last are looked at."""
        self._surveying = False
        if self._tables is not None and self._tables is not tables:
            self._begin_survey(self._tables)
        else:
            self._tables = None

    def _take(self, file: str, found: _Known) -> None:
        self._known[file] = found
        self._known.move_to_end(file)
        while len(self._known) > PROMPT_FILES_MAX:
            dropped, _ = self._known.popitem(last=False)
            self._told.pop(dropped, None)
        if found.fault and self._told.get(file) != found.fault:
            whose = f" of {self._rules[file]}" if file in self._rules else ""
            what = f"prompt {self._folder / file}{whose} cannot be played, callers hear the bridge's own"
            self._log(f"{what}: {found.fault}")
        self._told[file] = found.fault
        for fetch in self._awaited.pop(file, ()):
            fetch.sound = found.sound or fetch.instead


def files_of(tables: Tables) -> dict[str, str]:
    """The files that rules and trunks name, as many as are remembered, each with words for who names it."""
    named: dict[str, tuple[str, int]] = {}
    for rule in tables.rules.values():
        row, files = rule.row, {rule.row.hold_music}
        if row.pin is not None:
            files |= {row.pin_prompts.ask, row.pin_prompts.wrong, row.pin_prompts.goodbye}
        _name(f"DispatchRule {row.id}", files, named)
    for trunk in tables.trunks.values():
        _name(f"Trunk {trunk.row.id}", {trunk.row.hold_music}, named)
    return {file: _who(*named[file]) for file in sorted(named)[:PROMPT_FILES_MAX]}


def _name(who: str, files: set[str], named: dict[str, tuple[str, int]]) -> None:
    for file in files - {"", BUILT_IN}:
        first, count = named.get(file, (who, 0))
        named[file] = min(first, who), count + 1


def _who(first: str, count: int) -> str:
    return first if count == 1 else f"{first} and {count - 1} more"


def _read(folder: Path, file: str, known: _Known | None, now: float) -> _Known:
    """The file, read if it is not the one that is known. PromptError when it cannot be opened."""
    try:
        home, path = folder.resolve(), (folder / file).resolve(strict=True)
        if not path.is_relative_to(home):
            raise PromptError("it is a link that leads out of the folder")
        # Without O_NONBLOCK a named pipe would be waited for.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            return _read_open(handle, known, now)
        finally:
            os.close(handle)
    except OSError as fault:
        raise PromptError(fault.strerror or str(fault)) from fault
    except RuntimeError as fault:  # links in a circle, before Python 3.13
        raise PromptError("its links lead in a circle") from fault


def _read_open(handle: int, known: _Known | None, now: float) -> _Known:
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        raise PromptError("it is no file")
    stamp = status.st_ino, status.st_size, status.st_mtime_ns
    if known is not None and (known.stamp == stamp or now < known.read_at + PROMPT_READ_EVERY_S):
        return known
    with open(handle, "rb", closefd=False) as stream:
        data = stream.read(PROMPT_BYTES_MAX + 1)
    try:
        return _Known(stamp, _sound(data, _breathe), read_at=now)
    except PromptError as fault:
        return _Known(stamp, None, str(fault))


def _sound(data: bytes, pause: Callable[[], None]) -> Sound:
    """The sound, decoded bit by bit with pauses between; what is too long is refused before."""
    if len(data) > PROMPT_BYTES_MAX:
        raise PromptError(f"it is larger than {PROMPT_BYTES_MAX >> 20} MiB")
    pieces: list[dict[int, bytes]] = []
    try:
        wav = open_wav(data)
        if wav.length_s > PROMPT_S_MAX:
            raise PromptError(f"it is longer than {PROMPT_S_MAX} s")
        for piece in wav.slices():
            pieces.append(piece)
            pause()
    except WavError as fault:
        raise PromptError(str(fault)) from fault
    sound = gathered(pieces)
    if not sound:
        raise PromptError("it holds no sound")
    return sound


def _breathe() -> None:
    """Let the event loop, which ticks every call's media, go on: what decodes holds the interpreter's lock."""
    time.sleep(PROMPT_PAUSE_S)


def prompts_folder(chosen: Path | None, manifests: Path | None, state: Path) -> Path:
    """Where prompts are: the folder that was chosen, else `prompts` in the manifests' folder, else in the state's."""
    if chosen is not None:
        return chosen
    if manifests is None:
        return state / "prompts"
    return (manifests if manifests.is_dir() else manifests.parent) / "prompts"
