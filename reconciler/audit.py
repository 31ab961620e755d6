"""EDGE. The audit log: `audit.jsonl` in the state folder, one JSON line for each thing done or refused.

Commands and the watch loop append to it once a thing is done; several processes may. Promises: lines are only ever
added, whole and on the disk when `append` returns; the file is its owner's alone, and is never reached through a
link. A full one is set aside as `audit.jsonl.1` and so on, the newest first. A line that a crash has cut off stays
alone on its line.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pwd
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from reconciler.plan.entry import Entry, as_line
from schemas.environment import make_state_folder

FILE = "audit.jsonl"
FILE_BYTES_MAX = 16 << 20
FILES_KEPT = 8
"""Full files beside the one that is written to; the oldest goes when there would be more."""
LOCK_PATIENCE_S = 2.0
_LOCK_PAUSE_S = 0.01


class AuditError(Exception):
    """The line is not written. Reads as one sentence."""


class AuditLog:
    """The log in the state folder `state`, which is made when it is missing. `wall` gives Unix time."""

    def __init__(
        self,
        state: str,
        *,
        wall: Callable[[], float] = time.time,
        bytes_max: int = FILE_BYTES_MAX,
        kept: int = FILES_KEPT,
    ) -> None:
        self.path = os.path.join(state, FILE)
        self._state = state
        self._wall = wall
        self._bytes_max = bytes_max
        self._kept = kept

    def append(self, entry: Entry) -> None:
        """Add one line. Raises AuditError; what the entry tells of has happened all the same."""
        line = json.dumps(as_line(entry, self._wall(), _user()), ensure_ascii=False, separators=(",", ":"))
        data = line.encode(errors="backslashreplace") + b"\n"
        try:
            make_state_folder(self._state)
            with self._opened(len(data)) as handle:
                _write(handle, data)
        except OSError as error:
            reason = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
            raise AuditError(f"the audit log {self.path} lacks a line, it cannot be written: {reason}") from error

    @contextmanager
    def _opened(self, coming: int) -> Iterator[int]:
        """The file that takes so many more bytes, locked."""
        handle = self._locked()
        try:
            size = os.fstat(handle).st_size
            if size and size + coming > self._bytes_max:
                self._set_aside()
                os.close(handle)
                handle = self._locked()
            yield handle
        finally:
            os.close(handle)

    def _locked(self) -> int:
        """The file at the path, once nobody else writes to it."""
        until = time.monotonic() + LOCK_PATIENCE_S
        while True:
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(handle), os.stat(self.path, follow_symlinks=False)):
                    return handle
            except FileNotFoundError:
                pass  # set aside by another process since it was opened: look again
            except BlockingIOError:
                if time.monotonic() > until:
                    os.close(handle)
                    raise
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)
            time.sleep(_LOCK_PAUSE_S)

    def _set_aside(self) -> None:
        """Every older file gets the next number, the oldest goes."""
        for number in range(self._kept, 0, -1):
            older = f"{self.path}.{number - 1}" if number > 1 else self.path
            if os.path.lexists(older):
                os.replace(older, f"{self.path}.{number}")


def _write(handle: int, data: bytes) -> None:
    """Put the line behind a whole line, and on the disk."""
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != b"\n":
        data = b"\n" + data
    while data:
        data = data[os.write(handle, data) :]
    os.fsync(handle)


def _user() -> str:
    """Whoever runs this, by name where the system knows one."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
