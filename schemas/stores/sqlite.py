"""EDGE. The embedded store: one SQLite file, for one machine or the containers of one Pod.

Opened by both programs through `open_tables`. Write-ahead logging lets readers read while a publisher writes;
`synchronous=FULL` makes a publish that was reported survive a power cut. Its promises are those of `door`.
"""

from __future__ import annotations

import os
import sqlite3
from sys import intern
from typing import Self, cast

from schemas.stores.at_rest import collector_at_rest
from schemas.stores.bounds import REVISIONS_KEPT
from schemas.stores.door import (
    LIVE_WITHIN_S,
    Aim,
    BridgeAck,
    Declared,
    Head,
    HistoryEntry,
    Key,
    Publish,
    Snapshot,
    Step,
)
from schemas.stores.folder_news import FolderNews
from schemas.stores.puts import encoded
from schemas.stores.sqlite_errors import BUSY_TIMEOUT_S, told_apart
from schemas.stores.sqlite_past import aim_of, kept_from, steps_back
from schemas.stores.sqlite_publish import head, publish, was_at
from schemas.stores.sqlite_schema import open_file, transaction
from schemas.tables.codec import decode_row
from schemas.tables.rows import Delta, Kind, Row, Rows

VISIBLE_WITHIN_S = 0.25
"""From when somebody began to write: it is visible only once the disk has it."""

_KINDS = {kind.value: kind for kind in Kind}


class SqliteStore:
    """The tables in the file at `path`, which is made if it is missing (its folder is not). Raises StoreError.

    Its publishes keep what the last `revisions_kept` revisions have changed.
    """

    def __init__(self, path: str, revisions_kept: int = REVISIONS_KEPT) -> None:
        self.path = os.path.abspath(path)
        self._revisions_kept = revisions_kept
        self._openings = 0
        self._news: FolderNews | None = None
        self._open()

    def close(self) -> None:
        """Let go of the file."""
        self._forget_news()
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What a reader asks.

    def data_version(self) -> int:
        """A number that changes when another connection wrote anything: some microseconds per call."""
        self._follow()
        with told_apart(self.path):
            version: int = self._db.execute("PRAGMA data_version").fetchone()[0]
        return self._openings << 32 | version

    def wait(self, within_s: float) -> bool:
        """Return when somebody began to write, or after so long: whether one may have begun."""
        if self._news is None:
            self._news = FolderNews(self.path)
        return self._news.wait(within_s) if self._news.works else True

    @property
    def visible_within_s(self) -> float:
        """For how long to look often after such news."""
        return VISIBLE_WITHIN_S

    def head(self) -> Head:
        """The current revision and digest."""
        self._follow()
        with told_apart(self.path):
            return head(self._db)

    def load(self, *, origins: bool = True) -> Snapshot:
        """The whole current revision; without origins it is faster and smaller."""
        self._follow()
        with told_apart(self.path), transaction(self._db, "BEGIN"):
            current = head(self._db)
            maps = self._origins() if origins else ({}, {}, {})
            return Snapshot(current.revision, current.digest, self._rows(), *maps)

    def declared(self, kind: Kind, row_id: str) -> Declared | None:
        """Where one row was declared; None = there is no such row."""
        self._follow()
        one = "SELECT file, line, col, uid FROM rows WHERE kind = ? AND id = ?"
        with told_apart(self.path):
            found = self._db.execute(one, (kind, row_id)).fetchone()
        return None if found is None else Declared(*found)

    def changes(self, since: Head) -> list[tuple[Head, Delta]] | None:
        """Every revision after `since` with what it changed, oldest first; None = not known (any more), load again."""
        with told_apart(self.path), transaction(self._db, "BEGIN"):
            if not was_at(self._db, since):
                return None
            current = head(self._db).revision
            kept = "SELECT revision, digest FROM history WHERE kept AND revision > ? ORDER BY revision"
            heads = [Head(*found) for found in self._db.execute(kept, (since.revision,))]
            if len(heads) != current - since.revision:
                return None
            return [(at, self._delta(at.revision)) for at in heads]

    def acknowledge(self, bridge: str, region: str, head: Head, now: float) -> bool:
        """A bridge's heartbeat. Never waits: False = a publisher is at work, the next heartbeat will do.

        It is not synced to the disk (a lost one is repeated in a moment), so that it costs a bridge no time.
        """
        with told_apart(self.path):
            self._db.execute("PRAGMA busy_timeout = 0")
            self._db.execute("PRAGMA synchronous = NORMAL")
            try:
                revision = head.revision if was_at(self._db, head) else 0
                self._db.execute("INSERT OR REPLACE INTO bridges VALUES (?, ?, ?, ?)", (bridge, region, revision, now))
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
                return False
            finally:
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000:.0f}")
        return True

    # What the publisher asks.

    def publish(self, what: Publish) -> int:
        """Change the tables in one step, if their digest still is as expected; the revision they are then at.

        See `door.Store.publish`. Raises Outdated, OwnerClash, StoreError; then nothing has changed.
        """
        self._follow(anew=True)
        with told_apart(self.path):
            return publish(self._db, what, encoded(what.delta), self._revisions_kept)

    def goods(self, owner: str) -> dict[str, bytes]:
        """The owner's last good documents, as they were published."""
        with told_apart(self.path):
            return dict(self._db.execute("SELECT key, document FROM goods WHERE owner = ?", (owner,)))

    def bridges(self, now: float, live_within_s: float = LIVE_WITHIN_S) -> list[BridgeAck]:
        """The bridges with a heartbeat within that time, by name."""
        live = "SELECT name, region, revision, seen FROM bridges WHERE abs(? - seen) <= ? ORDER BY name"
        with told_apart(self.path):
            return [BridgeAck(*found) for found in self._db.execute(live, (now, live_within_s))]

    def history(self, limit: int = 20) -> list[HistoryEntry]:
        """The newest publishes, newest first."""
        newest = (
            "SELECT revision, at, owner, note, put, deleted, trunks, rules, numbers, digest "
            "FROM history ORDER BY revision DESC LIMIT ?"
        )
        with told_apart(self.path), transaction(self._db, "BEGIN"):
            oldest = kept_from(self._db)
            found = self._db.execute(newest, (limit,)).fetchall()
        return [HistoryEntry(*(*entry, oldest is not None and entry[0] >= oldest)) for entry in found]

    def steps_back(self, to: int) -> list[Step] | None:
        """What each revision after `to` changed, newest first; None = that is not kept (any more), or never was."""
        with told_apart(self.path), transaction(self._db, "BEGIN"):
            return steps_back(self._db, to)

    def aim(self, owner: str) -> Aim:
        """What the owner aims at, as it was published."""
        self._follow()
        with told_apart(self.path):
            return aim_of(self._db, owner)

    # Inside.

    def _open(self) -> None:
        with told_apart(self.path):
            self._db = open_file(self.path)
        self._inode = os.stat(self.path).st_ino
        self._openings += 1
        self._forget_news()

    def _forget_news(self) -> None:
        """Those of the file that was: its folder may have been replaced with it."""
        if self._news is not None:
            self._news.close()
            self._news = None

    def _follow(self, *, anew: bool = False) -> None:
        """Go over to the file that is at the path now, if ours was replaced, or (`anew`) removed.

        Else a state folder removed under running programs would leave them talking through a file nobody else sees.
        """
        try:
            inode = os.stat(self.path).st_ino
        except OSError:
            inode = self._inode + 1 if anew else self._inode
        if inode != self._inode:
            before = self._db
            self._open()  # raises when it is no store; then ours stays open, for the next try
            before.close()

    def _rows(self) -> Rows:
        rows = Rows()
        homes = {Kind.TRUNK: rows.trunks, Kind.RULE: rows.rules, Kind.NUMBER: rows.numbers}
        with collector_at_rest():
            for kind, home in homes.items():
                self._fill(cast("dict[str, Row]", home), kind)
        return rows

    def _fill(self, home: dict[str, Row], kind: Kind) -> None:
        for id_, data in self._db.execute("SELECT id, data FROM rows WHERE kind = ?", (kind,)):
            home[id_] = decode_row(kind, id_, data)

    def _origins(self) -> tuple[dict[Key, Declared], dict[Key, str], dict[Key, int]]:
        """Where each row was declared, whose it is, and when it last changed."""
        declared: dict[Key, Declared] = {}
        owners: dict[Key, str] = {}
        changed: dict[Key, int] = {}
        beside = "SELECT kind, id, owner, changed, file, line, col, uid FROM rows"
        with collector_at_rest():
            for kind, id_, owner, revision, file, line, column, uid in self._db.execute(beside):
                key = (_KINDS[kind], id_)
                declared[key] = Declared(intern(file), line, column, uid)
                owners[key] = intern(owner)
                changed[key] = revision
        return declared, owners, changed

    def _delta(self, revision: int) -> Delta:
        put, delete = [], []
        of_revision = "SELECT kind, id, data FROM deltas WHERE revision = ? ORDER BY kind, id"
        for kind, id_, data in self._db.execute(of_revision, (revision,)):
            if data is None:
                delete.append((Kind(kind), id_))
            else:
                put.append(decode_row(Kind(kind), id_, data))
        return Delta(tuple(put), tuple(delete))
