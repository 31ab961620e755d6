"""What SQLite's errors mean to a person, and what to do about each: the one place that translates them.

Called by the SQLite store around everything that touches the file, so that no `sqlite3` exception leaves it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.stores.door import StoreError
from schemas.tables.codec import RowError
from schemas.tables.digest import TreeMismatchError

BUSY_TIMEOUT_S = 5.0
"""How long a publisher waits for another one to finish."""

_PRIMARY = 0xFF
"""The low byte of an extended result code is its family."""

_FRESH = "move the file away (with its -wal and -shm) and apply again: the manifests hold everything that it held"
_SAYINGS: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: ("the disk is full, nothing was changed", "free some space and try again"),
    sqlite3.SQLITE_READONLY: ("the file or its folder is read-only", "give this user write access, or choose --state"),
    sqlite3.SQLITE_PERM: ("access is denied", "give this user write access, or choose another --state"),
    sqlite3.SQLITE_CANTOPEN: ("the file cannot be opened", "check that its folder exists and that you may write to it"),
    sqlite3.SQLITE_BUSY: (
        f"another publisher has held the tables for {BUSY_TIMEOUT_S:g} s",
        "wait for it to finish and try again",
    ),
    sqlite3.SQLITE_NOTADB: ("this file is no database", "choose another file, or move this one away"),
    sqlite3.SQLITE_CORRUPT: ("the file is damaged", _FRESH),
    sqlite3.SQLITE_IOERR: ("reading or writing the disk failed", "check the disk and the system's log"),
}


@contextmanager
def told_apart(path: str) -> Iterator[None]:
    """Whatever goes wrong inside with the file at `path` leaves as a StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        raise store_error(path, error) from error
    except TreeMismatchError as error:
        raise StoreError(path, "the rows are not those that were published", _FRESH) from error
    except RowError as error:
        hint = "a newer dialplane wrote it: upgrade this one, or " + _FRESH
        raise StoreError(path, f"a row cannot be read ({error})", hint) from error


def store_error(path: str, error: sqlite3.Error) -> StoreError:
    """The sentence for one of SQLite's errors."""
    code = getattr(error, "sqlite_errorcode", None)  # absent where the module itself complains
    what, hint = _SAYINGS.get((code or 0) & _PRIMARY, (f"the store failed: {error}", ""))
    return StoreError(path, what, hint)
