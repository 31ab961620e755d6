"""The last good tables on this machine's disk: a bridge that starts while its store is away answers by them.

Only for stores that are reached through a network; an SQLite file is on the disk itself. The file begins with all rows
and goes on with what each later revision has changed, so that an edit costs what it changes; now and then all rows are
written anew, whole. Each part tells its own length and checksum: a torn end is cut off, and the state before it counts.
Secrets in it are sealed, as in the store.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast
from zlib import crc32

from schemas.stores import Head
from schemas.tables.codec import RowError, decode_row, encode_row
from schemas.tables.rows import Delta, Kind, Row, Rows, kind_of
from schemas.whole_file import OWNER_ALONE, write_whole

FILE = "last-good.tables"
FORMAT = 1
LEAST_GROWTH_BYTES = 1 << 20
"""All rows are written anew when what came after them takes more than they do, and more than this."""
HEADER_BYTES_MAX = 4096


class KeptTablesError(Exception):
    """The file is there and cannot be used. Reads as one sentence."""


@dataclass(frozen=True, slots=True)
class _Part:
    """The line before a part: of which store and state it is, and how the part's bytes can be told."""

    store: str
    head: Head
    is_whole: bool
    size: int
    checksum: int

    def line(self) -> bytes:
        head = self.head
        told = [FORMAT, self.store, head.revision, head.digest, head.epoch, self.is_whole, self.size, self.checksum]
        return json.dumps(told).encode() + b"\n"


class KeptTables:
    """The file in the folder `state`, of the store that is called `store` in messages. One bridge has it.

    `say` hears when it cannot be written, once; the bridge goes on without.
    """

    def __init__(self, state: Path, store: str, say: Callable[[str], object]) -> None:
        self._path = state / FILE
        self._store = store
        self._say = say
        self._head: Head | None = None
        self._whole_bytes = self._grown_bytes = 0
        self._is_told = False

    @property
    def is_there(self) -> bool:
        """Whether there may be tables to begin with."""
        return self._path.exists()

    def read(self) -> tuple[Head, Rows] | None:
        """The last good tables; None = there are none of this store. Raises KeptTablesError."""
        try:
            with self._path.open("rb") as file:
                return self._read(file)
        except FileNotFoundError:
            return None
        except OSError as fault:
            raise KeptTablesError(f"{self._path} cannot be read: {fault.strerror}") from fault
        except (ValueError, RecursionError) as fault:  # RowError is one
            raise KeptTablesError(f"{self._path} is damaged, or of another version: {fault}") from fault

    def keep(self, head: Head, rows: Callable[[], Rows], before: Head | None, deltas: Sequence[Delta] | None) -> None:
        """Put down that the tables are now at `head`: by what has changed since `before`, if that is known.

        `rows` gives all of them.
        """
        try:
            if deltas is not None and self._head is not None and before == self._head and not self._is_overgrown:
                self._append(head, deltas)
            else:
                self._write(head, rows())
            self._head, self._is_told = head, False
        except (OSError, RowError) as fault:
            reason = fault.strerror if isinstance(fault, OSError) else str(fault)
            if not self._is_told:
                self._say(f"the last good tables cannot be kept in {self._path}: {reason}")
            self._head, self._is_told = None, True

    @property
    def _is_overgrown(self) -> bool:
        return self._grown_bytes > max(self._whole_bytes, LEAST_GROWTH_BYTES)

    def _write(self, head: Head, rows: Rows) -> None:
        every: list[Row] = [*rows.trunks.values(), *rows.rules.values(), *rows.numbers.values()]
        part = self._part(head, (Delta(tuple(every)),), is_whole=True)
        write_whole(self._path, part, replace=True, alone=True)
        self._whole_bytes, self._grown_bytes = len(part), 0

    def _append(self, head: Head, deltas: Sequence[Delta]) -> None:
        part = self._part(head, deltas, is_whole=False)
        # Not forced to the disk: what a power cut takes off the end is one edit, and the store has it.
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, OWNER_ALONE)
        with os.fdopen(handle, "ab") as file:
            file.write(part)
        self._grown_bytes += len(part)

    def _part(self, head: Head, deltas: Iterable[Delta], *, is_whole: bool) -> bytes:
        body = b"".join(line for delta in deltas for line in _lines(delta))
        return _Part(self._store, head, is_whole, len(body), crc32(body)).line() + body

    def _read(self, file: BinaryIO) -> tuple[Head, Rows] | None:
        head, rows, whole, end = None, Rows(), 0, 0
        while (part := _part_at(file)) is not None:
            about, body = part
            if about.store != self._store:
                return None
            if about.is_whole is not (head is None):
                raise ValueError("its parts are not in order")
            _take(rows, body)
            head, end = about.head, file.tell()
            whole = whole or end
        if head is None:
            return None
        # Behind a torn end nothing may be added.
        is_torn = bool(file.read(1)) or file.tell() != end
        self._head, self._whole_bytes, self._grown_bytes = None if is_torn else head, whole, end - whole
        return head, rows


def _part_at(file: BinaryIO) -> tuple[_Part, bytes] | None:
    """The next part; None = no whole one comes any more. Raises ValueError for another version's."""
    at = file.tell()
    line = file.readline(HEADER_BYTES_MAX)
    if not line.endswith(b"\n"):
        file.seek(at)
        return None
    try:
        version, store, revision, digest, epoch, is_whole, size, checksum = json.loads(line)
    except (ValueError, TypeError):
        raise ValueError("what stands before a part is not that of this version") from None
    if version != FORMAT:
        raise ValueError(f"it is of version {version}")
    body = file.read(size)
    if len(body) != size or crc32(body) != checksum:
        file.seek(at)
        return None
    return _Part(store, Head(revision, digest, epoch), is_whole, size, checksum), body


def _lines(delta: Delta) -> Iterable[bytes]:
    """A line for each row: what it is called, and its bytes; what is gone has none."""
    for kind, id_ in delta.delete:
        yield json.dumps([kind, id_]).encode() + b"\n"
    for row in delta.put:
        yield json.dumps([kind_of(row), row.id]).encode() + b"\t" + encode_row(row) + b"\n"


def _take(rows: Rows, body: bytes) -> None:
    homes = cast(
        "dict[Kind, dict[str, Row]]",
        {Kind.TRUNK: rows.trunks, Kind.RULE: rows.rules, Kind.NUMBER: rows.numbers},
    )
    for line in body.splitlines():
        name, tab, data = line.partition(b"\t")
        word, id_ = json.loads(name)
        kind = Kind(word)
        if tab:
            homes[kind][id_] = decode_row(kind, id_, data)
        else:
            homes[kind].pop(id_, None)
