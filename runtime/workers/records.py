"""Call records as JSON lines in one file, which is set aside when it is full.

The full ones are `records.jsonl.1` and so on, the newest first. A line is never split over two files. The file is this
user's alone, and is never opened through a symbolic link: in a folder of others somebody could have planted one.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

from runtime.errors import BridgeError
from runtime.limits import RECORDS_BYTES_MAX, RECORDS_FILES_KEPT

TAIL_BYTES = 1 << 20


class RecordFile:
    """The open file. `write` raises OSError when a line cannot be written."""

    def __init__(self, path: Path, bytes_max: int = RECORDS_BYTES_MAX, kept: int = RECORDS_FILES_KEPT) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._kept = kept
        self._open()

    def write(self, line: str) -> None:
        """One record; the file before it is set aside where it would grow too large."""
        data = line.encode() + b"\n"
        if self._size and self._size + len(data) > self._bytes_max:
            self._set_aside()
        os.write(self._descriptor, data)
        self._size += len(data)

    def close(self) -> None:
        """Write no more."""
        os.close(self._descriptor)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def _set_aside(self) -> None:
        """Every older file gets the next number, the oldest goes. The new file is opened before the old is let go."""
        for number in range(self._kept, 0, -1):
            older = numbered(self._path, number - 1)
            if older.exists():
                older.replace(numbered(self._path, number))
        full = self._descriptor
        self._open()
        os.close(full)


def numbered(path: Path, number: int) -> Path:
    """The file of this age; 0 is the one that is written to."""
    return path.with_name(f"{path.name}.{number}") if number else path


def newest_records(path: Path, count: int) -> list[dict[str, Any]]:
    """The newest records, the oldest of them first, from this file and the one before it, without unreadable lines.

    At most `TAIL_BYTES` of each file are read.
    """
    found: list[dict[str, Any]] = []
    for number in (1, 0):
        try:
            with numbered(path, number).open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
                lines = file.read().splitlines()
        except OSError:
            continue
        found += [record for line in lines if (record := _parsed(line)) is not None]
    return found[-count:]


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "callId" in found else None


def open_records(path: Path) -> RecordFile:
    """The file of `--records`. BridgeError where it cannot be had."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return RecordFile(path)
    except OSError as fault:
        what = "it is a symbolic link" if fault.errno == errno.ELOOP else fault.strerror
        raise BridgeError(f"cannot write call records to {path}: {what}", "name another: --records FILE") from fault
