"""One publish into the SQLite store: everything between BEGIN IMMEDIATE and COMMIT.

Called by `SqliteStore.publish` alone, which owns the connection and translates its errors. Promises: the whole
change or none of it, whatever kills the process and wherever; work in proportion to the change, not to the tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from schemas.stores import bounds
from schemas.stores.door import Declared, Head, Key, Outdated, OwnerClash, Publish
from schemas.stores.puts import Put
from schemas.stores.sqlite_past import aim_of, keep_past, write_aim
from schemas.stores.sqlite_schema import transaction
from schemas.tables.digest import EMPTY_DIGEST, Edit, update
from schemas.tables.rows import Kind

_KINDS = (Kind.TRUNK, Kind.RULE, Kind.NUMBER)
_UNKNOWN = Declared()


def head(db: sqlite3.Connection) -> Head:
    """The current revision and digest."""
    newest = db.execute("SELECT revision, digest FROM history ORDER BY revision DESC LIMIT 1").fetchone()
    return Head(*newest) if newest else Head(0, EMPTY_DIGEST)


def was_at(db: sqlite3.Connection, then: Head) -> bool:
    """Whether these tables are, or have been, in that state."""
    if then == Head(0, EMPTY_DIGEST):
        return True
    known = "SELECT 1 FROM history WHERE revision = ? AND digest = ?"
    return db.execute(known, (then.revision, then.digest)).fetchone() is not None


def publish(db: sqlite3.Connection, what: Publish, puts: Sequence[Put], revisions_kept: int) -> int:
    """The revision after the change. Raises Outdated and OwnerClash with nothing changed."""
    with transaction(db, "BEGIN IMMEDIATE"):
        current = head(db)
        if current.digest != what.expect or what.aim_was not in (None, aim_of(db, what.owner)):
            raise Outdated(current)
        edits = _edits(db, what, puts)
        revision = current.revision + 1 if edits else current.revision
        if edits:
            assert all(row.claimed_since <= revision for _, row, _ in puts), "a claim from the future"
            _write_rows(db, what, edits, revision)
            digest = update(_Nodes(db), edits)
            _write_history(db, what, edits, Head(revision, digest))
            _keep_deltas(db, edits, revision)
            keep_past(db, edits, what.owner, what.goods, revision, revisions_kept)
        _write_places(db, what)
        _write_goods(db, what)
        if what.aim is not None:
            write_aim(db, what.owner, what.aim)
        db.execute("DELETE FROM bridges WHERE seen < ?", (what.now - bounds.BRIDGE_FORGOTTEN_S,))
    return revision


def _edits(db: sqlite3.Connection, what: Publish, puts: Sequence[Put]) -> list[Edit]:
    """The rows that truly change, before and after. Raises OwnerClash."""
    edits, clashes = [], {}
    wanted: Iterable[tuple[Key, bytes | None]] = (
        *((key, data) for key, _, data in puts),
        *((key, None) for key in what.delta.delete),
    )
    for key, after in wanted:
        found = db.execute("SELECT data, owner FROM rows WHERE kind = ? AND id = ?", key).fetchone()
        before, owner = found or (None, what.owner)
        if owner != what.owner:
            clashes[key] = owner
        elif before != after:
            edits.append(Edit(*key, before, after))
    if clashes:
        raise OwnerClash(clashes)
    return edits


def _write_rows(db: sqlite3.Connection, what: Publish, edits: list[Edit], revision: int) -> None:
    places = what.declared
    db.executemany(
        "DELETE FROM rows WHERE kind = ? AND id = ?", ((edit.kind, edit.id) for edit in edits if edit.after is None)
    )
    db.executemany(
        "INSERT INTO rows (kind, id, data, owner, changed, file, line, col, uid) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET data = excluded.data, changed = excluded.changed",
        (
            (edit.kind, edit.id, edit.after, what.owner, revision, *_columns(places.get((edit.kind, edit.id))))
            for edit in edits
            if edit.after is not None
        ),
    )


def _write_places(db: sqlite3.Connection, what: Publish) -> None:
    """Also of rows that do not change otherwise: a line moves whenever another one is written above it."""
    db.executemany(
        "UPDATE rows SET file = ?1, line = ?2, col = ?3, uid = ?4 WHERE kind = ?5 AND id = ?6 AND owner = ?7 "
        "AND (file, line, col, uid) IS NOT (?1, ?2, ?3, ?4)",
        ((*_columns(place), *key, what.owner) for key, place in what.declared.items()),
    )


def _columns(place: Declared | None) -> tuple[str, int, int, str]:
    place = place or _UNKNOWN
    return place.file, place.line, place.column, place.uid


def _write_history(db: sqlite3.Connection, what: Publish, edits: list[Edit], after: Head) -> None:
    newest = "SELECT trunks, rules, numbers FROM history ORDER BY revision DESC LIMIT 1"
    counts = dict(zip(_KINDS, db.execute(newest).fetchone() or (0, 0, 0), strict=True))
    for edit in edits:
        counts[edit.kind] += (edit.after is not None) - (edit.before is not None)
    deleted = sum(edit.after is None for edit in edits)
    db.execute(
        "INSERT INTO history (revision, at, owner, note, put, deleted, trunks, rules, numbers, digest, kept) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
        (
            *(after.revision, what.now, what.owner, what.note, len(edits) - deleted, deleted),
            *(*(counts[kind] for kind in _KINDS), after.digest),
        ),
    )
    db.execute("DELETE FROM history WHERE revision <= ?", (after.revision - bounds.HISTORY_MAX,))


def _keep_deltas(db: sqlite3.Connection, edits: list[Edit], revision: int) -> None:
    """Record this revision's delta, and let go of the oldest ones beyond the bounds."""
    rows, oldest = 0, revision + 1
    sizes = "SELECT revision, put + deleted FROM history WHERE kept AND revision > ? ORDER BY revision DESC"
    for kept, size in db.execute(sizes, (revision - bounds.DELTA_REVISIONS_MAX,)):
        rows += size
        if rows > bounds.DELTA_ROWS_MAX:
            break
        oldest = kept
    db.execute("DELETE FROM deltas WHERE revision < ?", (oldest,))
    db.execute("UPDATE history SET kept = 0 WHERE kept AND revision < ?", (oldest,))
    if oldest <= revision:
        db.executemany(
            "INSERT INTO deltas (revision, kind, id, data) VALUES (?, ?, ?, ?)",
            ((revision, edit.kind, edit.id, edit.after) for edit in edits),
        )


def _write_goods(db: sqlite3.Connection, what: Publish) -> None:
    for key, document in what.goods.items():
        if document is None:
            db.execute("DELETE FROM goods WHERE owner = ? AND key = ?", (what.owner, key))
        else:
            db.execute("INSERT OR REPLACE INTO goods VALUES (?, ?, ?)", (what.owner, key, document))


@dataclass(frozen=True, slots=True)
class _Nodes:
    """The digest's tree, in the file."""

    db: sqlite3.Connection

    def read(self, level: int, slot: int) -> bytes:
        """The content of one node."""
        found = self.db.execute("SELECT content FROM tree WHERE level = ? AND slot = ?", (level, slot)).fetchone()
        return bytes(found[0]) if found else b""

    def write(self, level: int, slot: int, content: bytes) -> None:
        """Replace the content of one node; b"" removes it."""
        if content:
            self.db.execute("INSERT OR REPLACE INTO tree VALUES (?, ?, ?)", (level, slot, content))
        else:
            self.db.execute("DELETE FROM tree WHERE level = ? AND slot = ?", (level, slot))
