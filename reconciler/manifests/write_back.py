"""EDGE. Writes a number that was bought into the document that asked for it, and touches nothing else of the file.

The text is not written anew: one line (in flow style a few characters) goes in before `purchase`, so that comments,
quotes, order and the other documents stay byte for byte. What comes of it is read back before it replaces the file, and
has to be the same documents, one of them with its number; else the person is told what to write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

from reconciler.manifests.files import STDIN_NAME
from reconciler.manifests.reading import Entry, FileReading, read_file
from reconciler.manifests.text import FILE_BYTES_MAX
from reconciler.model.sources import Source, object_id, object_name
from schemas.problems import Problem, Severity
from schemas.whole_file import write_whole

_BOM = b"\xef\xbb\xbf"
_PATH = ("spec", "purchase")


def write_all(numbers: Sequence[tuple[Source, str]], root: str) -> list[Problem]:
    """Write each number into its document; what could not be written, and what to write by hand."""
    return [problem for source, number in numbers if (problem := write_number(source, number, root))]


def write_number(source: Source, number: str, root: str) -> Problem | None:
    """Write `number` into the file of `source`; the complaint where that cannot be, and what to write by hand.

    `root` is what was read, a folder or a file: a link that leads out of it by now is not followed, as in reading.
    """
    path = source.place.file
    if path == STDIN_NAME:
        return _complaint(source, number, "standing in standard input, it cannot be written back")
    real, home = os.path.realpath(path), os.path.realpath(root)
    if real != home and not real.startswith(home.rstrip("/") + "/"):
        return _complaint(source, number, f"a link leads its file out of {root} meanwhile")
    try:
        with open(os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            stamp, data = _stamp(os.fstat(file.fileno())), file.read(FILE_BYTES_MAX + 1)
        before = read_file(data, path)
        entry = _entry(before, source)
        if entry is None:
            return _complaint(source, number, "its document has changed meanwhile")
        new = next((text for text in _candidates(data, entry, number) if _is_right(text, before, entry, number)), None)
        if new is None:
            return _complaint(source, number, "its document is written in a way that it cannot be put into")
        if not _replace(real, new, stamp):
            return _complaint(source, number, "the file has changed meanwhile")
    except OSError as error:
        return _complaint(source, number, f"the file cannot be written: {(error.strerror or str(error)).lower()}")
    return None


def _complaint(source: Source, number: str, why: str) -> Problem:
    assert source.key is not None
    what = f"{object_name(source.key)} has the number {number}; {why}"
    hint = f'write `number: "{number}"` beside `purchase`'
    where = source.where(_PATH)
    return Problem(where, what, hint, "not-written-back", Severity.WARNING, object_id=object_id(source.key))


def _entry(reading: FileReading, source: Source) -> Entry | None:
    """The document as it stands in the file now, if it is the one that was read."""
    found = [entry for entry in reading.entries if entry.source is not None and entry.source.key == source.key]
    if len(found) != 1 or found[0].source is None or found[0].source.document is None:
        return None
    written = found[0].source.data
    return found[0] if written == source.data and "number" not in written["spec"] else None


def _candidates(data: bytes, entry: Entry, number: str) -> Iterator[bytes]:
    """The file with the number in front of `purchase`: on a line of its own, or within a flow mapping."""
    place = entry.located.where(_PATH, key=True)
    bom = _BOM if data.startswith(_BOM) else b""
    lines = data.removeprefix(_BOM).decode().split("\n")
    if not 0 < place.line <= len(lines):
        return
    at, column = place.line - 1, place.column - 1
    line = lines[at]
    indent, rest = line[:column], line[column:]
    quoted = rest.startswith('"')
    field = f'{"number" if not quoted else chr(34) + "number" + chr(34)}: "{number}"'
    if not indent.strip():
        end = "\r" if line.endswith("\r") else ""
        above = at
        while above and lines[above - 1].startswith(f"{indent}#"):  # comments on `purchase` stay with it
            above -= 1
        yield bom + "\n".join([*lines[:above], f"{indent}{field}{end}", *lines[above:]]).encode()
    yield bom + "\n".join([*lines[:at], f"{indent}{field}, {rest}", *lines[at + 1 :]]).encode()


def _is_right(data: bytes, before: FileReading, entry: Entry, number: str) -> bool:
    after = read_file(data, entry.located.file)
    wanted = [_data(other, number if other is entry else "") for other in before.entries]
    if [other.located.data for other in after.entries] != wanted or after.sources.problems != before.sources.problems:
        return False
    changed = after.entries[before.entries.index(entry)].source
    return changed is not None and changed.document is not None


def _data(entry: Entry, number: str) -> Any:
    data = entry.located.data
    if number:
        data = deepcopy(data)
        data["spec"]["number"] = number
    return data


def _stamp(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev


def _replace(path: str, data: bytes, stamp: tuple[int, int, int, int]) -> bool:
    """Put `data` in the place of the file, whole or not at all; False: it is not the one that was read."""
    status = os.stat(path)
    return write_whole(
        path,
        data,
        status.st_mode & 0o7777,
        replace=True,
        alone=True,
        owner=(status.st_uid, status.st_gid),
        check=lambda: _stamp(os.stat(path)) == stamp,
    )
