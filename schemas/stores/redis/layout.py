"""Which keys tables in Redis have, and what is in each.

    {PREFIX}:head      the head: one JSON text, `State`
    {PREFIX}:rows      hash: `Kind/namespace/name` -> the codec's bytes
    {PREFIX}:beside    hash: the same names -> whose the row is, when it changed, where it was declared
    {PREFIX}:tree      hash: `level:slot` -> a node of the digest's tree
    {PREFIX}:deltas    stream: a revision's number is the id; what it changed, and the digests before and after
    {PREFIX}:history   hash: revision -> who, when, how much
    {PREFIX}:past:N    hash: what revision N changed, as it was before
    {PREFIX}:goods:O   hash: the owner's last good documents
    {PREFIX}:aims      hash: owner -> what it aims at
    {PREFIX}:bridges   hash: bridge -> its last heartbeat
    {PREFIX}:staged:T:…  what a large publish has put down, and the layer that it becomes

Where the head names a layer, its hashes lie over those of the same name: theirs count, and an empty value means "not
there". A publish takes a layer into the rest before it does anything else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from schemas.stores.door import Aim, BridgeAck, Declared, Head, HistoryEntry, Key, StoreError
from schemas.stores.redis.errors import FRESH
from schemas.tables.codec import decode_row
from schemas.tables.digest import EMPTY_DIGEST
from schemas.tables.rows import Delta, Kind

FORMAT = 1
ABSENT = b""
"""In a layer, and in what is to be written: there is none. No row and no document has these bytes."""

_KINDS = {kind.value: kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of the keys with one prefix."""

    prefix: str

    def named(self, part: str) -> str:
        """One of the keys that there is one of."""
        return f"{{{self.prefix}}}:{part}"

    @property
    def head(self) -> str:
        """The head's."""
        return self.named("head")

    @property
    def deltas(self) -> str:
        """The stream's."""
        return self.named("deltas")

    @property
    def history(self) -> str:
        """The history's."""
        return self.named("history")

    @property
    def aims(self) -> str:
        """The aims'."""
        return self.named("aims")

    @property
    def bridges(self) -> str:
        """The heartbeats'."""
        return self.named("bridges")

    def goods(self, owner: str) -> str:
        """Those of one owner's documents."""
        return self.named(f"goods:{owner}")

    def past(self, revision: int) -> str:
        """What one revision replaced."""
        return self.named(f"past:{revision}")

    def staged(self, token: str, part: str) -> str:
        """A part of what one large publish puts down."""
        return self.named(f"staged:{token}:{part}")


@dataclass(frozen=True, slots=True)
class State:
    """The head's value. `turn` grows with each publish, those that make no revision among them.

    `layer` is the token of the layer, of `layer_rows` rows and the documents of `layer_owner`. The deltas of
    `delta_from` and later are in the stream, `delta_rows` rows in all; what revisions changed from `past_from` on is
    kept, `past_bytes` in all; 0 = of none.
    """

    format: int = FORMAT
    epoch: str = ""
    revision: int = 0
    digest: str = EMPTY_DIGEST
    turn: int = 0
    token: str = ""
    trunks: int = 0
    rules: int = 0
    numbers: int = 0
    layer: str = ""
    layer_rows: int = 0
    layer_owner: str = ""
    delta_from: int = 0
    delta_rows: int = 0
    past_from: int = 0
    past_bytes: int = 0
    raw: bytes = field(default=b"", compare=False)
    """The bytes that it was read from."""

    @property
    def head(self) -> Head:
        """As the door has it."""
        return Head(self.revision, self.digest, self.epoch)

    def written(self) -> State:
        """The same with the bytes that are to be written."""
        told = {name: value for name, value in asdict(self).items() if name != "raw"}
        return replace(self, raw=_json(told))


def state_of(where: str, raw: bytes | None) -> State:
    """The state in a head; without one there are no tables. Raises StoreError."""
    if not raw:
        return State()
    try:
        told = json.loads(raw)
        version = int(told["format"])
        if version == FORMAT:
            return State(**told, raw=raw)
    except (ValueError, TypeError, KeyError):
        what = "what is under this prefix is another program's, or damaged"
        raise StoreError(where, what, f"choose another ?prefix=NAME, or {FRESH}") from None
    what = f"a newer dialplane wrote these tables (format {version}, this one knows {FORMAT})"
    raise StoreError(where, what, "upgrade this dialplane, or choose another ?prefix=NAME")


def field_of(key: Key) -> str:
    """A row's name in the hashes."""
    return f"{key[0]}/{key[1]}"


def key_of(name: bytes) -> Key:
    """The row that has this name. Raises ValueError for what is none."""
    kind, slash, id_ = name.decode().partition("/")
    if not slash or kind not in _KINDS:
        raise ValueError("this is no name of a row")
    return _KINDS[kind], id_


@dataclass(frozen=True, slots=True)
class Beside:
    """What is kept of a row beside it."""

    owner: str
    changed: int
    place: Declared

    def encoded(self) -> bytes:
        """Its bytes."""
        place = self.place
        return _json([self.owner, self.changed, place.file, place.line, place.column, place.uid])


def beside_of(data: bytes) -> Beside:
    """What `encoded` made. Raises ValueError."""
    try:
        owner, changed, *place = json.loads(data)
        return Beside(str(owner), int(changed), Declared(*place))
    except TypeError as error:
        raise ValueError(str(error)) from None


Change = tuple[str, bytes | None]
"""A row's name, and the bytes that it has then; None = it is gone."""


def delta_encoded(changes: Iterable[Change]) -> bytes:
    """What a revision changed, for the stream."""
    return _json([[name, None if data is None else data.decode()] for name, data in changes])


def delta_of(data: bytes) -> Delta:
    """What `delta_encoded` made. Raises ValueError and RowError."""
    put, delete = [], []
    try:
        for name, text in json.loads(data):
            kind, id_ = key_of(name.encode())
            if text is None:
                delete.append((kind, id_))
            else:
                put.append(decode_row(kind, id_, text.encode()))
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from None
    return Delta(tuple(put), tuple(delete))


@dataclass(frozen=True, slots=True)
class Chapter:
    """One entry of the history. `past` is how many bytes what it replaced takes."""

    at: float
    owner: str
    note: str
    put: int
    deleted: int
    trunks: int
    rules: int
    numbers: int
    digest: str
    past: int

    def encoded(self) -> bytes:
        """Its bytes."""
        return _json(asdict(self))

    def told(self, revision: int, *, is_kept: bool) -> HistoryEntry:
        """As the door has it."""
        who = (revision, self.at, self.owner, self.note, self.put, self.deleted)
        return HistoryEntry(*who, self.trunks, self.rules, self.numbers, self.digest, is_kept)


def chapter_of(data: bytes) -> Chapter:
    """What `encoded` made. Raises ValueError."""
    try:
        return Chapter(**json.loads(data))
    except TypeError as error:
        raise ValueError(str(error)) from None


def aim_encoded(aim: Aim) -> bytes:
    """An aim's bytes."""
    return _json([aim.documents, aim.pinned_to, aim.pinned_by, aim.pinned_at])


def aim_of(data: bytes | None) -> Aim:
    """What `aim_encoded` made; without, there is none. Raises ValueError."""
    try:
        return Aim() if data is None else Aim(*json.loads(data))
    except TypeError as error:
        raise ValueError(str(error)) from None


def beat_encoded(region: str, head: Head, now: float) -> bytes:
    """A heartbeat's bytes."""
    return _json([region, head.revision, head.digest, head.epoch, now])


def beat_of(name: bytes, data: bytes) -> tuple[BridgeAck, Head] | None:
    """A heartbeat, and the state that it is about; None for what is none."""
    try:
        region, revision, digest, epoch, seen = json.loads(data)
        head = Head(int(revision), str(digest), str(epoch))
        return BridgeAck(name.decode(), str(region), head.revision, float(seen)), head
    except (ValueError, TypeError):
        return None


def good_encoded(document: bytes) -> bytes:
    """A document's bytes: never those of ABSENT."""
    return b"=" + document


def good_of(data: bytes) -> bytes:
    """What `good_encoded` made."""
    return data[1:]


def was_encoded(row: bytes | None) -> bytes:
    """A row as it was before; None = there was none."""
    return b"-" if row is None else b"=" + row


def was_of(data: bytes) -> bytes | None:
    """What `was_encoded` made."""
    return data[1:] if data[:1] == b"=" else None


def portions(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    """In order, so many at a time."""
    return (items[at : at + size] for at in range(0, len(items), size))


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
