"""What the SQLite store keeps of the past: each revision's changes as they were before, and what owners aim at.

Called within a publish to keep, and by `SqliteStore` to tell. A revision is undone by putting back what was before it,
so that going back to one reads what came after it alone, and what a publish costs grows with its change only. Bounded
in revisions and in bytes; whatever is older than something that was let go is let go as well.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from schemas.stores import bounds
from schemas.stores.door import Aim, Key, Step
from schemas.tables.codec import decode_row
from schemas.tables.digest import Edit
from schemas.tables.rows import Kind, Row

_GOOD = ""
"""The kind of an entry that is a document."""

Entry = tuple[int, str, str, bytes | None]


def keep_past(
    db: sqlite3.Connection,
    edits: Iterable[Edit],
    owner: str,
    goods: Mapping[str, bytes | None],
    revision: int,
    revisions_kept: int,
) -> None:
    """Keep what a revision has changed of rows, and is about to change of documents; let go of the oldest."""
    entries: list[Entry] = [(revision, edit.kind, edit.id, edit.before) for edit in edits]
    entries += [(revision, _GOOD, key, document) for key, document in _goods_before(db, owner, goods)]
    size = sum(len(id_.encode()) + len(data or b"") + bounds.PAST_ENTRY_BYTES for _, _, id_, data in entries)
    before = db.execute("SELECT past_end FROM history WHERE revision = ?", (revision - 1,)).fetchone()
    if before is None or before[0] is None:  # the first of all, or behind a revision of which nothing was kept
        db.execute("DELETE FROM past")
    end = ((before[0] if before else 0) or 0) + size
    db.execute("UPDATE history SET past_end = ? WHERE revision = ?", (end, revision))
    if size <= bounds.PAST_BYTES_MAX:
        db.executemany("INSERT INTO past VALUES (?, ?, ?, ?)", entries)
    _let_go(db, revision, end, revisions_kept if size <= bounds.PAST_BYTES_MAX else 0)


def kept_from(db: sqlite3.Connection) -> int | None:
    """The oldest revision whose changes are known, and those of all after it; None = there is none."""
    oldest = _oldest(db)
    gap = db.execute("SELECT max(revision) FROM history WHERE past_end IS NULL").fetchone()[0] or 0
    newest = db.execute("SELECT max(revision) FROM history").fetchone()[0] or 0
    return None if oldest is None or gap == newest else max(oldest, gap + 1)


def steps_back(db: sqlite3.Connection, to: int) -> list[Step] | None:
    """What each revision after `to` changed, newest first."""
    newest = db.execute("SELECT max(revision) FROM history").fetchone()[0] or 0
    if to == newest:
        return []
    oldest = kept_from(db)
    if not 0 <= to < newest or oldest is None or to + 1 < oldest:
        return None
    owners = dict(db.execute("SELECT revision, owner FROM history WHERE revision > ?", (to,)))
    rows: dict[int, dict[Key, Row | None]] = {revision: {} for revision in owners}
    goods: dict[int, dict[str, bytes]] = {revision: {} for revision in owners}
    for revision, kind, id_, data in db.execute("SELECT * FROM past WHERE revision > ?", (to,)):
        if kind == _GOOD:
            goods[revision][id_] = data
        else:
            rows[revision][Kind(kind), id_] = None if data is None else decode_row(Kind(kind), id_, data)
    return [Step(revision, owners[revision], rows[revision], goods[revision]) for revision in sorted(owners)[::-1]]


def aim_of(db: sqlite3.Connection, owner: str) -> Aim:
    """What an owner aims at."""
    known = "SELECT documents, pinned_to, pinned_by, pinned_at FROM aims WHERE owner = ?"
    found = db.execute(known, (owner,)).fetchone()
    return Aim(*found) if found else Aim()


def write_aim(db: sqlite3.Connection, owner: str, aim: Aim) -> None:
    """Replace what an owner aims at."""
    pinned = aim.pinned_to, aim.pinned_by, aim.pinned_at
    db.execute("INSERT OR REPLACE INTO aims VALUES (?, ?, ?, ?, ?)", (owner, aim.documents, *pinned))


def _goods_before(db: sqlite3.Connection, owner: str, goods: Mapping[str, bytes | None]) -> Iterable[tuple[str, bytes]]:
    """The documents that are about to be replaced or removed."""
    if db.execute("SELECT 1 FROM goods WHERE owner = ? LIMIT 1", (owner,)).fetchone() is None:
        return
    for key in goods:
        found = db.execute("SELECT document FROM goods WHERE owner = ? AND key = ?", (owner, key)).fetchone()
        if found is not None:
            yield key, found[0]


def _let_go(db: sqlite3.Connection, revision: int, end: int, revisions_kept: int) -> None:
    """Remove the oldest revisions beyond the bounds."""
    while (oldest := _oldest(db)) is not None:
        begins = db.execute("SELECT past_end FROM history WHERE revision = ?", (oldest - 1,)).fetchone()
        size = end - ((begins[0] if begins else 0) or 0)
        if oldest > revision - revisions_kept and size <= bounds.PAST_BYTES_MAX:
            return
        db.execute("DELETE FROM past WHERE revision = ?", (oldest,))


def _oldest(db: sqlite3.Connection) -> int | None:
    oldest: int | None = db.execute("SELECT min(revision) FROM past").fetchone()[0]
    return oldest
