"""What readers do: whole revisions out of hashes that others write to meanwhile, and the deltas behind them.

A whole revision is scanned piece by piece, so that nobody else waits for it. What was published during the scan is
replayed from the stream over what was scanned: then every row is as it was in the revision of the last entry. Where
the stream cannot tell, the scan is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from sys import intern
from typing import Any, TypeVar, cast

from schemas.stores import bounds
from schemas.stores.at_rest import collector_at_rest
from schemas.stores.door import Declared, Head, Key, Snapshot, StoreError
from schemas.stores.redis.errors import FRESH
from schemas.stores.redis.layout import ABSENT, Keys, State, beside_of, delta_of, key_of, state_of
from schemas.stores.redis.wire import Wire
from schemas.tables.codec import RowError, decode_row
from schemas.tables.rows import Delta, Kind, Row, Rows, kind_of

SCAN_ROWS = 2_000
"""How many fields are asked for at a time."""
TRIES_MAX = 8
"""How often something is read again because it was changed meanwhile."""

T = TypeVar("T")


def read_state(wire: Wire, keys: Keys) -> State:
    """What the head says now."""
    return state_of(wire.where, wire.do("GET", keys.head))


def steadily(wire: Wire, keys: Keys, read: Callable[[State], T]) -> T:
    """What `read` finds in one state: it is asked again when the state has changed meanwhile."""
    state = read_state(wire, keys)
    for _ in range(TRIES_MAX):
        found = read(state)
        now = read_state(wire, keys)
        if now.raw == state.raw:
            return found
        state = now
    raise StoreError(wire.where, "the tables change faster than they can be read", "try again")


def scanned(wire: Wire, key: str) -> Iterator[tuple[bytes, bytes]]:
    """The fields of a hash, some perhaps twice; those that come or go meanwhile may be among them or not."""
    cursor: Any = 0
    while True:
        cursor, page = wire.do("HSCAN", key, cursor, "COUNT", SCAN_ROWS)
        yield from page.items()
        if int(cursor) == 0:
            return


def layered(wire: Wire, keys: Keys, state: State, part: str) -> dict[bytes, bytes]:
    """What lies over one of the hashes; ABSENT = not there."""
    return dict(scanned(wire, keys.staged(state.layer, part))) if state.layer else {}


def one_field(wire: Wire, keys: Keys, part: str, name: str | bytes) -> bytes | None:
    """The value of one field, as the layer and what is below it have it."""

    def read(state: State) -> bytes | None:
        over = wire.do("HGET", keys.staged(state.layer, part), name) if state.layer else None
        found = cast("bytes | None", wire.do("HGET", keys.named(part), name) if over is None else over)
        return found or None

    return steadily(wire, keys, read)


def load(wire: Wire, keys: Keys, *, origins: bool) -> Snapshot:
    """The whole current revision."""
    state = read_state(wire, keys)
    for _ in range(TRIES_MAX):
        loaded = _Loaded()
        with collector_at_rest():
            if not loaded.scan(wire, keys, state, origins=origins):
                state = read_state(wire, keys)
                continue
        now, entries = _entries(wire, keys, state.revision)
        if now.raw != state.raw:
            changes = None if origins else _chain(wire.where, state.head, now.head, entries)
            if changes is None:
                state = now
                continue
            for _, delta in changes:
                loaded.replay(delta)
        loaded.check(wire.where, now)
        maps = (loaded.declared, loaded.owners, loaded.changed)
        return Snapshot(now.revision, now.digest, loaded.rows, *maps, epoch=now.epoch)
    raise StoreError(wire.where, "the tables change faster than they can be read", "try again")


def changes(wire: Wire, keys: Keys, since: Head) -> tuple[State, list[tuple[Head, Delta]] | None]:
    """Where the tables are, and every revision after `since`; None = not known, load."""
    state, entries = _entries(wire, keys, since.revision)
    if since.revision == 0:  # the empty state has no epoch yet: the first publish gives one
        since = replace(since, epoch=state.epoch)
    if state.head == since:
        return state, []
    return state, _chain(wire.where, since, state.head, entries)


def _entries(wire: Wire, keys: Keys, revision: int) -> tuple[State, Any]:
    """Where the tables are, and the stream's entries after a revision; both of one moment.

    Not by MULTI, in which a server without memory refuses to read.
    """
    after = ("XRANGE", keys.deltas, f"({revision}-0", "+", "COUNT", bounds.DELTA_REVISIONS_MAX)
    for _ in range(TRIES_MAX):
        raw, entries, again = wire.in_a_row([("GET", keys.head), after, ("GET", keys.head)])
        if raw == again:
            return state_of(wire.where, raw), entries
    raise StoreError(wire.where, "the tables change faster than they can be read", "try again")


def _chain(where: str, since: Head, now: Head, entries: Any) -> list[tuple[Head, Delta]] | None:
    """What leads from one state to the other, each entry onto the digest that the one before it made; None = nothing.

    After a loss of data revisions are counted again, so numbers alone tell nothing.
    """
    if now.epoch != since.epoch:
        return None
    at, out = since, []
    for _, entry in entries:
        try:
            data = entry[b"delta"]
            if entry[b"before"].decode() != at.digest:
                return None
            at = Head(at.revision + 1, entry[b"after"].decode(), now.epoch)
            out.append((at, delta_of(data)))
        except (KeyError, ValueError):
            return None  # too large to be kept, or a stranger's
    return out if at == now else None


@dataclass(slots=True)
class _Loaded:
    """What a scan has found so far."""

    rows: Rows = field(default_factory=Rows)
    declared: dict[Key, Declared] = field(default_factory=dict)
    owners: dict[Key, str] = field(default_factory=dict)
    changed: dict[Key, int] = field(default_factory=dict)

    def scan(self, wire: Wire, keys: Keys, state: State, *, origins: bool) -> bool:
        """Whether all of it was there. The layer comes first: what is taken into the rest meanwhile is there later."""
        over = layered(wire, keys, state, "rows")
        if len(over) != state.layer_rows:
            return False
        beside = layered(wire, keys, state, "beside") if origins else {}
        try:
            self._rows(scanned(wire, keys.named("rows")))
            self._rows(over.items())
            if origins:
                self._beside(scanned(wire, keys.named("beside")))
                self._beside(beside.items())
        except RowError:
            raise
        except ValueError:
            raise StoreError(wire.where, "the tables are damaged: what is no row is among them", FRESH) from None
        return True

    def replay(self, delta: Delta) -> None:
        """Bring the rows to the next revision."""
        homes = self._homes
        for kind, id_ in delta.delete:
            homes[kind].pop(id_, None)
        for row in delta.put:
            homes[kind_of(row)][row.id] = row

    def check(self, where: str, state: State) -> None:
        """Raises StoreError when rows are missing: a server that may throw keys away has done so."""
        if (len(self.rows.trunks), len(self.rows.rules), len(self.rows.numbers)) != (
            state.trunks,
            state.rules,
            state.numbers,
        ):
            hint = f"let it keep them (maxmemory-policy noeviction); {FRESH}"
            raise StoreError(where, "Redis has lost some of the rows", hint)

    @property
    def _homes(self) -> dict[Kind, dict[str, Row]]:
        rows = self.rows
        homes = {Kind.TRUNK: rows.trunks, Kind.RULE: rows.rules, Kind.NUMBER: rows.numbers}
        return cast("dict[Kind, dict[str, Row]]", homes)

    def _rows(self, found: Any) -> None:
        homes = self._homes
        for name, data in found:
            kind, id_ = key_of(name)
            if data == ABSENT:
                homes[kind].pop(id_, None)
            else:
                homes[kind][id_] = decode_row(kind, id_, data)

    def _beside(self, found: Any) -> None:
        for name, data in found:
            key = key_of(name)
            if data == ABSENT:
                for home in (self.declared, self.owners, self.changed):
                    cast("dict[Key, Any]", home).pop(key, None)
                continue
            beside = beside_of(data)
            place = beside.place
            self.declared[key] = Declared(intern(place.file), place.line, place.column, place.uid)
            self.owners[key] = intern(beside.owner)
            self.changed[key] = beside.changed
