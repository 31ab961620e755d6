"""The file of the SQLite store: its tables, how it is made, and how a stranger's file is told from ours.

Called once per opening. A file that is not ours is refused before anything in it is changed. A fresh one appears in
its place complete, so that programs that start together, or one that is killed, see either no file or all of it. It
is for its owner's eyes alone (mode 0600): tables name customers' numbers and carry sealed secrets.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager

from schemas.stores.door import StoreError
from schemas.stores.sqlite_errors import BUSY_TIMEOUT_S

APPLICATION_ID = 0x6469_616C  # "dial"
FILE_VERSION = 2
"""1: without `past` and `aims`."""
SQLITE_MIN = (3, 37, 0)
"""The first with STRICT tables."""

WAL_BYTES_KEPT = 64 << 20
"""The write-ahead log is cut back to this after a large publish."""

_ELSEWHERE = "give this user write access, or choose another with --state or --tables"

_PAST = (
    # What each kept revision changed, as it was before: a row (`data` NULL = there was none), or under the kind "" one
    # of the owner's last good documents by its key.
    """CREATE TABLE past (
        revision INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, data BLOB,
        PRIMARY KEY (revision, kind, id)) STRICT, WITHOUT ROWID""",
    "CREATE TABLE aims (owner TEXT PRIMARY KEY, documents TEXT NOT NULL, pinned_to INTEGER NOT NULL, "
    "pinned_by INTEGER NOT NULL, pinned_at REAL NOT NULL) STRICT, WITHOUT ROWID",
)

_DDL = (
    # The tables themselves. `data` is the codec's bytes; the columns behind it are outside the digest.
    """CREATE TABLE rows (
        kind TEXT NOT NULL, id TEXT NOT NULL, data BLOB NOT NULL,
        owner TEXT NOT NULL, changed INTEGER NOT NULL,
        file TEXT NOT NULL, line INTEGER NOT NULL, col INTEGER NOT NULL, uid TEXT NOT NULL,
        PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID""",
    "CREATE TABLE tree (level INTEGER NOT NULL, slot INTEGER NOT NULL, content BLOB NOT NULL, "
    "PRIMARY KEY (level, slot)) STRICT",
    # The newest entry is the current state. `kept` says whether its deltas still are, `past_end` how many bytes of past
    # all revisions up to this one have made; NULL: a program of version 1 wrote it.
    """CREATE TABLE history (
        revision INTEGER PRIMARY KEY, at REAL NOT NULL, owner TEXT NOT NULL, note TEXT NOT NULL,
        put INTEGER NOT NULL, deleted INTEGER NOT NULL,
        trunks INTEGER NOT NULL, rules INTEGER NOT NULL, numbers INTEGER NOT NULL,
        digest TEXT NOT NULL, kept INTEGER NOT NULL, past_end INTEGER) STRICT""",
    # What each kept revision changed; `data` NULL = deleted.
    """CREATE TABLE deltas (
        revision INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, data BLOB,
        PRIMARY KEY (revision, kind, id)) STRICT, WITHOUT ROWID""",
    "CREATE TABLE goods (owner TEXT NOT NULL, key TEXT NOT NULL, document BLOB NOT NULL, "
    "PRIMARY KEY (owner, key)) STRICT",
    "CREATE TABLE bridges (name TEXT PRIMARY KEY, region TEXT NOT NULL, revision INTEGER NOT NULL, "
    "seen REAL NOT NULL) STRICT, WITHOUT ROWID",
    *_PAST,
)

_TO_VERSION_2 = (*_PAST, "ALTER TABLE history ADD COLUMN past_end INTEGER")

_TABLES = frozenset({"rows", "tree", "history", "deltas", "goods", "bridges", "past", "aims"})


def open_file(path: str) -> sqlite3.Connection:
    """A connection to the tables in the file at `path`, made if missing. Raises StoreError and sqlite3.Error."""
    if sqlite3.sqlite_version_info < SQLITE_MIN:
        what = f"SQLite {sqlite3.sqlite_version} is too old, {'.'.join(map(str, SQLITE_MIN))} is needed"
        raise StoreError(path, what, "use a Python that brings a newer one")
    if not os.path.exists(path):
        _make(path)
    elif os.path.isdir(path) or not os.access(path, os.R_OK | os.W_OK):
        raise StoreError(path, "this is no file that can be read and written", _ELSEWHERE)
    db = _connect(path)
    try:
        _check_version(db, path)
        _bring_up_to_date(db)
        _check_tables(db, path)
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_KEPT}")
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def transaction(db: sqlite3.Connection, begin: str) -> Iterator[None]:
    """All that happens inside is committed together, or rolled back with the exception."""
    db.execute(begin)
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _connect(path: str) -> sqlite3.Connection:
    # Used from one thread at a time, but not always from the one that opened it: hence no thread check.
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)


def _make(path: str) -> None:
    """Make the file complete under another name, and then put it in its place, unless somebody else was faster."""
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        raise StoreError(path, f"there is no folder {folder}", "make it, or choose another with --state or --tables")
    try:
        _clear_leftovers(path)
        handle, draft = tempfile.mkstemp(prefix=f".{name}.", dir=folder)  # mode 0600; -wal and -shm inherit it
        os.close(handle)
        try:
            _fill(draft)
            os.link(draft, path)
        finally:
            os.unlink(draft)
    except FileExistsError:
        pass  # another program made it meanwhile: as good as ours
    except OSError as error:
        raise StoreError(path, f"the file cannot be made: {error.strerror}", _ELSEWHERE) from error


def _fill(draft: str) -> None:
    with closing(_connect(draft)) as db:
        db.execute("PRAGMA journal_mode = WAL")  # stays with the file
        for statement in _DDL:
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {FILE_VERSION}")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _clear_leftovers(path: str) -> None:
    """Remove the log and the index of a file that somebody removed without them; a fresh file must not find them.

    They are looked for before the file itself: a program that makes it at this moment makes them after it.
    """
    leftovers = [path + suffix for suffix in ("-wal", "-shm") if os.path.exists(path + suffix)]
    if leftovers and not os.path.exists(path):
        for leftover in leftovers:
            os.unlink(leftover)


def _check_version(db: sqlite3.Connection, path: str) -> None:
    """Refuse a file that is not ours, or of another version, before anything in it is changed."""
    if _pragma(db, "application_id") != APPLICATION_ID:
        what = "this is another program's file, or an empty one"
        raise StoreError(path, what, "choose another with --tables, or move this one away")
    version = _pragma(db, "user_version")
    if version > FILE_VERSION:
        what = f"a newer dialplane wrote this file (version {version}, this one knows {FILE_VERSION})"
        raise StoreError(path, what, "upgrade this dialplane, or choose another file with --tables")
    if version < 1:
        what = f"this file is of version {version}, which no dialplane has written"
        raise StoreError(path, what, "move it away, or choose another with --tables")


def _bring_up_to_date(db: sqlite3.Connection) -> None:
    """Give a file of version 1 what is new, in one step. A bridge that has it open goes on with it as it did."""
    if _pragma(db, "user_version") == FILE_VERSION:
        return
    with transaction(db, "BEGIN IMMEDIATE"):
        if _pragma(db, "user_version") != FILE_VERSION:  # nobody else was faster
            for statement in _TO_VERSION_2:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {FILE_VERSION}")


def _check_tables(db: sqlite3.Connection, path: str) -> None:
    """Refuse a file that is damaged, or another program's after all."""
    found = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if missing := sorted(_TABLES - found):
        what = f"this file has no table {missing[0]}: it is damaged, or another program's"
        raise StoreError(path, what, "move it away, and apply the manifests again")


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])
