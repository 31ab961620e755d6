"""A source that is read again and again at little cost: only what changed is read, parsed and checked.

`refresh()` looks at every file's stamp (ten thousand in well under 100 ms); `refresh(paths)` looks only at
those. Sources of files, and of documents inside a changed file, that say the same as before stay the same
objects, so that the model behind can work on the difference alone. Called by the commands (once) and by the watch loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from reconciler.manifests.files import (
    STDIN,
    STDIN_NAME,
    Found,
    Look,
    Stamp,
    find_files,
    is_manifest,
    leaves,
    read_bytes_of,
    read_stdin,
)
from reconciler.manifests.masking import masked, names_a_secret
from reconciler.manifests.reading import FileReading, read_file, unreadable_file
from reconciler.model.sources import FileSources
from schemas.problems import Problem, Severity, Where

Note = Callable[[int, int], None]
"""Hears how many parts of a piece of work are done, and how many there are."""

FRESH_NS = 2_000_000_000
"""A file that changed so recently may change again within its time stamp's grain: it is read again next time."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Everything a source declares at one moment.

    `changed` are the files that were added, altered or removed since the last reading, or about which there is more
    or less to complain. `found` False: the source itself is missing, and `files` are still those of the last time it
    was there.
    """

    files: Mapping[str, FileReading] = field(default_factory=dict)
    found: bool = True
    changed: frozenset[str] = frozenset()
    problems_of_source: tuple[Problem, ...] = ()

    @property
    def sources(self) -> dict[str, FileSources]:
        """What the model works on, by file, in the order of their names."""
        return {name: file.sources for name, file in self.files.items()}

    @property
    def notes(self) -> list[Problem]:
        """What was passed over, and why."""
        return [note for file in self.files.values() for note in file.notes]

    @property
    def problems(self) -> list[Problem]:
        """What is wrong within each file, in order; the model adds what is wrong between documents."""
        return in_order([*self.problems_of_source, *(p for file in self.files.values() for p in file.problems)])

    def line(self, where: Where) -> str:
        """The line of a file that `where` points at, "" when it is not known or may be a secret."""
        file = self.files.get(where.file)
        if file is None or not where.line or names_a_secret(where.path):
            return ""
        written = file.line(where.line)
        shown, before = masked(written), where.column - 1
        return shown if shown[:before] == written[:before] else ""


def read_documents(sources: Sequence[str], note: Note | None = None) -> Reading:
    """Read folders, files and `-` once, for a command. `note` hears how many files of each are read, of how many."""
    readings = [Folder(source, note).refresh() for source in dict.fromkeys(sources)]
    files: dict[str, FileReading] = {}
    for reading in readings:
        files.update(reading.files)
    return Reading(
        files,
        found=all(reading.found for reading in readings),
        changed=frozenset(files),
        problems_of_source=tuple(problem for reading in readings for problem in reading.problems_of_source),
    )


def read_contents(contents: Mapping[str, bytes | Problem], problems: tuple[Problem, ...] = ()) -> Reading:
    """Read files whose bytes somebody else has fetched: those of a commit, or of a folder under other names."""
    files = {
        path: unreadable_file(data) if isinstance(data, Problem) else read_file(data, path)
        for path, data in sorted(contents.items())
    }
    return Reading(files, changed=frozenset(files), problems_of_source=problems)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Sorted by place; errors in front of warnings at the same place."""
    return sorted(problems, key=lambda p: (p.where.file, p.where.line, p.where.column, p.severity is Severity.WARNING))


@dataclass(slots=True)
class _Known:
    stamp: Stamp | None
    digest: bytes
    reading: FileReading


class Folder:
    """A folder, a file or standard input, and what is known of each of its files."""

    def __init__(self, source: str, note: Note | None = None) -> None:
        self.source = source
        self._note = note
        self.folders: frozenset[str] = frozenset()
        """Every folder that was looked into at the last full pass."""
        self._known: dict[str, _Known] = {}
        self._found = True
        self._refreshes = 0
        self._problems: tuple[Problem, ...] = ()

    def knows(self, path: str) -> bool:
        """Whether a file was there at the last look."""
        return path in self._known

    def look(self) -> Look:
        """What is on the disk now, for `refresh`. Changes nothing, and may be called on another thread."""
        refreshes = self._refreshes
        return Look(find_files(self.source), refreshes)

    def is_current(self, look: Look) -> bool:
        """Whether nothing was refreshed since this look began."""
        return look.refreshes == self._refreshes

    def refresh(self, paths: Collection[str] | None = None, look: Look | None = None) -> Reading:
        """Bring up to date, all of it or just the files at `paths`, and return the whole.

        `look` saves looking at the disk once more for all of it, unless something was refreshed since it began: what
        came meanwhile would seem to be gone again.
        """
        if look is not None and not self.is_current(look):
            look = None
        self._refreshes += 1
        if self.source == STDIN:
            changed = self._take(STDIN_NAME, None, read_stdin())
        elif paths is None:
            changed = self._full_pass(look.found if look is not None else find_files(self.source))
        else:
            changed = self._pass_over(paths)
        return Reading(
            {path: known.reading for path, known in self._known.items()},
            self._found,
            frozenset(changed),
            self._problems or self._nothing_here(),
        )

    def _nothing_here(self) -> tuple[Problem, ...]:
        if self._known or not self._found:
            return ()
        what, hint = "holds no manifests", "only *.yaml and *.yml are read, and nothing that begins with a dot"
        return (Problem(Where(self.source), what, hint, "no-manifests", Severity.WARNING),)

    def _full_pass(self, found: Found) -> set[str]:
        self._found = found.exists
        problems = tuple(found.problems)
        changed = {problem.where.file for problem in set(problems) ^ set(self._problems)}
        self._problems = problems
        if not found.exists:
            return changed
        for path in self._known.keys() - found.files.keys():
            del self._known[path]
            changed.add(path)
        fresh_since = time.time_ns() - FRESH_NS
        for done, (path, stamp) in enumerate(found.files.items()):
            known = self._known.get(path)
            if known is None or known.stamp != stamp:
                if self._note is not None:
                    self._note(done, len(found.files))
                changed |= self._take(path, stamp if stamp[0] < fresh_since else None, read_bytes_of(path))
        self.folders = frozenset(found.folders)
        self._sort()
        return changed

    def _pass_over(self, paths: Collection[str]) -> set[str]:
        changed: set[str] = set()
        for path in paths:
            below = path.removeprefix(self.source)
            if not below or (is_manifest(path.rpartition("/")[2]) and below.isprintable()):
                outside = leaves(self.source, path) if path != self.source else None
                changed |= self._take(path, None, outside or read_bytes_of(path))
        self._sort()
        return changed

    def _take(self, path: str, stamp: Stamp | None, data: bytes | Problem | None) -> set[str]:
        """Take in what a file holds now; whether that is something else than before."""
        known = self._known.get(path)
        if data is None:
            return {path} if self._known.pop(path, None) else set()
        content = str(data).encode() if isinstance(data, Problem) else data
        digest = blake2b(content, digest_size=16).digest()
        if known is not None and known.digest == digest:
            known.stamp = stamp
            return set()
        if isinstance(data, Problem):
            stamp, reading = None, unreadable_file(data)
        else:
            reading = read_file(data, path, known.reading if known else None)
        self._known[path] = _Known(stamp, digest, reading)
        return {path}

    def _sort(self) -> None:
        if sorted(self._known) != list(self._known):
            self._known = {path: self._known[path] for path in sorted(self._known)}
