"""One publish into Redis: what there is is read, what follows from it worked out, and all of it put there in one step.

The step is taken only if the head is still the one that was read first (`scripts.COMMIT`); else it begins anew. So
nobody is kept waiting while a publish is worked out, and whoever dies leaves nothing behind that counts.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from schemas.stores import bounds
from schemas.stores.door import Declared, Key, Outdated, OwnerClash, Publish, StoreError
from schemas.stores.redis.errors import FRESH
from schemas.stores.redis.layout import (
    ABSENT,
    Beside,
    Chapter,
    Keys,
    State,
    aim_encoded,
    aim_of,
    beat_of,
    beside_of,
    chapter_of,
    delta_encoded,
    field_of,
    good_encoded,
    portions,
    was_encoded,
)
from schemas.stores.redis.reading import read_state
from schemas.stores.redis.staging import Writes, commit, settled
from schemas.stores.redis.wire import Command, Wire
from schemas.tables.digest import ROOT, Edit, TreeMismatchError, paths, root_digest, update
from schemas.tables.rows import Kind, Row

TRIES_MAX = 16
"""How often a publish is worked out anew because others were faster."""
FIELDS_AT_ONCE = 1_000
QUESTIONS_AT_ONCE = 8
DELTA_BYTES_MAX = 4 << 20
"""A revision whose delta takes more is loaded whole by readers."""
EPOCH_BYTES = 8

_COUNTED = {Kind.TRUNK: "trunks", Kind.RULE: "rules", Kind.NUMBER: "numbers"}

Put = tuple[Key, Row, bytes]


def publish(wire: Wire, keys: Keys, what: Publish, puts: Sequence[Put], revisions_kept: int) -> int:
    """The revision after the change. Raises Outdated, OwnerClash and StoreError."""
    for _ in range(TRIES_MAX):
        state = settled(wire, keys)
        was, beats = wire.in_a_row([("HGET", keys.aims, what.owner), ("HGETALL", keys.bridges)])
        aim = aim_of(was)
        if state.digest != what.expect or what.aim_was not in (None, aim):
            raise Outdated(state.head)
        publishing = _Publishing(wire, keys, what, state, revisions_kept, beats)
        try:
            publishing.work_out(puts)
            fault = None
        except (TreeMismatchError, OwnerClash, StoreError) as error:
            fault = error
        if fault is not None or not publishing.writes:
            if read_state(wire, keys).raw != state.raw:
                continue  # what was read belongs to two states
            if fault is not None:
                raise fault
            return state.revision
        if commit(wire, keys, state, publishing.after, publishing.writes):
            return publishing.after.revision
    raise StoreError(wire.where, "others have published all the time", "try again")


@dataclass(slots=True)
class _Publishing:
    wire: Wire
    keys: Keys
    what: Publish
    state: State
    revisions_kept: int
    beats: dict[bytes, bytes]
    after: State = field(init=False)
    writes: Writes = field(init=False)

    def work_out(self, puts: Sequence[Put]) -> None:
        """Find out what is to be written, and the state after it."""
        self.writes, self.after = Writes(self.what.owner), self.state
        edits, were, goods_were = self._edits(puts)
        revision = self.state.revision + bool(edits)
        if edits:
            assert all(row.claimed_since <= revision for _, row, _ in puts), "a claim from the future"
            self._make_revision(edits, goods_were)
        self._write_beside(edits, were, revision)
        if self.what.aim is not None:
            self.writes.put(self.keys.aims, self.what.owner, aim_encoded(self.what.aim))
        if self.writes:
            self._forget_bridges()
            self.after = replace(
                self.after,
                epoch=self.after.epoch or os.urandom(EPOCH_BYTES).hex(),
                turn=self.state.turn + 1,
                token=os.urandom(EPOCH_BYTES).hex(),
            )

    def _edits(self, puts: Sequence[Put]) -> tuple[list[Edit], dict[Key, Beside], dict[str, bytes]]:
        """The rows that truly change; what is beside all that are named; the documents that there were of those given.

        Raises OwnerClash.
        """
        wanted: list[tuple[Key, bytes | None]] = [(key, data) for key, _, data in puts]
        wanted += [(key, None) for key in self.what.delta.delete]
        named = list(dict.fromkeys([*(key for key, _ in wanted), *self.what.declared]))
        found, beside, documents = self._fetch(
            (self.keys.named("rows"), [field_of(key) for key, _ in wanted]),
            (self.keys.named("beside"), [field_of(key) for key in named]),
            (self.keys.goods(self.what.owner), list(self.what.goods)),
        )
        try:
            were = {key: beside_of(data) for key, data in zip(named, beside, strict=True) if data is not None}
        except ValueError:
            raise TreeMismatchError from None
        edits, clashes = [], {}
        for (key, after), before in zip(wanted, found, strict=True):
            if (before is None) is not (key not in were):
                raise TreeMismatchError
            owner = were[key].owner if before is not None else self.what.owner
            if owner != self.what.owner:
                clashes[key] = owner
            elif before != after:
                edits.append(Edit(*key, before, after))
        if clashes:
            raise OwnerClash(clashes)
        return edits, were, self._goods(documents)

    def _make_revision(self, edits: list[Edit], goods_were: dict[str, bytes]) -> None:
        """The rows, their digest, the delta, the history and the past."""
        state, revision = self.state, self.state.revision + 1
        counts = {name: getattr(state, name) for name in _COUNTED.values()}
        for edit in edits:
            self.writes.rows[field_of((edit.kind, edit.id))] = edit.after or ABSENT
            counts[_COUNTED[edit.kind]] += (edit.after is not None) - (edit.before is not None)
        digest = self._digest(edits)
        self.after = replace(self.after, revision=revision, digest=digest, **counts)
        past = self._keep_past(edits, goods_were)
        deleted = sum(edit.after is None for edit in edits)
        what = self.what
        put_and_deleted = len(edits) - deleted, deleted
        who = what.now, what.owner, what.note
        chapter = Chapter(*who, *put_and_deleted, digest=digest, past=past, **counts)
        self.writes.put(self.keys.history, str(revision), chapter.encoded())
        self.writes.do("hash", "HDEL", self.keys.history, str(revision - bounds.HISTORY_MAX))
        self._keep_delta(edits)

    def _digest(self, edits: list[Edit]) -> str:
        places = [f"{level}:{slot}" for level, slot in paths(edits)]
        (found,) = self._fetch((self.keys.named("tree"), places))
        nodes = _Nodes(dict(zip(places, found, strict=True)))
        if root_digest(nodes.read(ROOT, 0)) != self.state.digest:
            raise TreeMismatchError
        digest = update(nodes, edits)
        self.writes.tree = nodes.written
        return digest

    def _write_beside(self, edits: list[Edit], were: dict[Key, Beside], revision: int) -> None:
        """Also of rows that do not change otherwise: a line moves whenever another one is written above it."""
        now = {key: beside for key, beside in were.items() if beside.owner == self.what.owner}
        for edit in edits:
            key = (edit.kind, edit.id)
            if edit.after is None:
                self.writes.beside[field_of(key)] = ABSENT
                del now[key]
            else:
                now[key] = replace(now.get(key, Beside(self.what.owner, 0, Declared())), changed=revision)
        for key, place in self.what.declared.items():
            if key in now:
                now[key] = replace(now[key], place=place)
        for key, beside in now.items():
            if beside != were.get(key):
                self.writes.beside[field_of(key)] = beside.encoded()

    def _goods(self, found: list[bytes | None]) -> dict[str, bytes]:
        """Replace the documents; those that there were of them."""
        goods = self.what.goods
        were = {name: data for name, data in zip(goods, found, strict=True) if data is not None}
        for name, document in goods.items():
            data = ABSENT if document is None else good_encoded(document)
            if data != were.get(name, ABSENT):
                self.writes.goods[name] = data
        return were

    def _keep_delta(self, edits: list[Edit]) -> None:
        """Tell the readers, and let go of the oldest deltas beyond the bounds."""
        after, size = self.after, len(edits)
        changes = sorted((field_of((edit.kind, edit.id)), edit.after) for edit in edits)
        delta = delta_encoded(changes) if size <= bounds.DELTA_ROWS_MAX else b""
        kept_from, rows = after.delta_from or after.revision, after.delta_rows + size
        if not delta or len(delta) > DELTA_BYTES_MAX:
            kept_from, rows, delta = after.revision + 1, 0, b""
        while kept_from <= after.revision - bounds.DELTA_REVISIONS_MAX or rows > bounds.DELTA_ROWS_MAX:
            oldest = self._chapter(kept_from)
            kept_from, rows = kept_from + 1, rows - oldest.put - oldest.deleted
        entry: list[str | bytes] = ["before", self.state.digest, "after", after.digest]
        entry += ["delta", delta] if delta else []
        self.after = replace(after, delta_from=kept_from, delta_rows=rows)
        self.writes.do("stream", "XADD", self.keys.deltas, f"{after.revision}-0", *entry)
        oldest_id = f"{min(kept_from, after.revision)}-0"
        self.writes.do("stream", "XTRIM", self.keys.deltas, "MINID", "=", oldest_id)

    def _keep_past(self, edits: list[Edit], goods_were: dict[str, bytes]) -> int:
        """Keep what is replaced, let go of the oldest; how many bytes this one takes."""
        after = self.after
        entries = {field_of((edit.kind, edit.id)): was_encoded(edit.before) for edit in edits}
        entries |= {f"/{name}": goods_were[name] for name in self.what.goods if name in goods_were}
        size = sum(len(name.encode()) + len(data) + bounds.PAST_ENTRY_BYTES for name, data in entries.items())
        fits = size <= bounds.PAST_BYTES_MAX and self.revisions_kept > 0
        kept_from, total = after.past_from or after.revision, after.past_bytes + size
        newest_gone = after.revision - self.revisions_kept if fits else after.revision
        if fits:
            self.writes.past = entries
            self.writes.do("hash", "UNLINK", self.keys.past(after.revision))
        while kept_from <= newest_gone or (kept_from < after.revision and total > bounds.PAST_BYTES_MAX):
            if kept_from < after.revision:
                self.writes.do("hash", "UNLINK", self.keys.past(kept_from))
                total -= self._chapter(kept_from).past if fits else 0
            kept_from += 1
        self.after = replace(after, past_from=kept_from if fits else 0, past_bytes=total if fits else 0)
        return size

    def _chapter(self, revision: int) -> Chapter:
        data = self.wire.do("HGET", self.keys.history, str(revision))
        try:
            return chapter_of(data or b"null")
        except ValueError:
            raise StoreError(self.wire.where, "the history is damaged", FRESH) from None

    def _forget_bridges(self) -> None:
        oldest = self.what.now - bounds.BRIDGE_FORGOTTEN_S
        for name, data in self.beats.items():
            beat = beat_of(name, data)
            if beat is None or beat[0].seen < oldest:
                self.writes.do("hash", "HDEL", self.keys.bridges, name)

    def _fetch(self, *wanted: tuple[str, Sequence[str]]) -> list[list[bytes | None]]:
        """The values of fields of several hashes."""
        asked: list[Command] = []
        homes = []
        for home, (key, names) in enumerate(wanted):
            for some in portions(names, FIELDS_AT_ONCE):
                asked.append(("HMGET", key, *some))
                homes.append(home)
        out: list[list[bytes | None]] = [[] for _ in wanted]
        answers = [answer for some in portions(asked, QUESTIONS_AT_ONCE) for answer in self.wire.in_a_row(some)]
        for home, answer in zip(homes, answers, strict=True):
            out[home] += answer
        return out


@dataclass(slots=True)
class _Nodes:
    """The digest's tree: what was read of it beforehand, and what is to be written."""

    found: dict[str, bytes | None]
    written: dict[str, bytes] = field(default_factory=dict)

    def read(self, level: int, slot: int) -> bytes:
        """The content of one node."""
        return self.found[f"{level}:{slot}"] or b""

    def write(self, level: int, slot: int, content: bytes) -> None:
        """Replace the content of one node; b"" removes it."""
        self.written[f"{level}:{slot}"] = content or ABSENT
