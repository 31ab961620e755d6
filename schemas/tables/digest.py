"""The digest of the tables: 64 hex digits that are equal exactly when the rows are.

Stores keep it and compare it (compare-and-swap), people read its head. It is the root of a hash tree with a fixed
shape: 4096 buckets, 64 branches of 64 buckets, one root. A row's leaf, the hash of its kind, id and bytes, lies in
the bucket that the row's key picks; a bucket holds its leaves in sorted order. So the root depends on the rows
alone, not on the order or the history of edits, and one edit reads and re-hashes one path: a bucket (244 leaves at
1,000,000 rows), a branch and the root.

Why sorted leaves and not a sum of hashes: XOR of leaves falls to linear algebra, and sums to the generalised birthday
attack unless they are kept kilobytes wide. A hash over the sorted leaves is as collision-safe as BLAKE2b itself, and
so needs no argument; it costs 32 bytes per row. The bucket comes from CRC-32, which only spreads: whoever steers
names into one bucket makes that bucket slow to edit, not the digest wrong.

A row's bytes come from `codec`: claims (`claimed_since`) are in them, places (file and line) are not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Protocol
from zlib import crc32

from schemas.tables.codec import encode_row
from schemas.tables.rows import Kind, Row, Rows, kind_of

HASH_BYTES = 32
FANOUT = 64
BUCKETS = FANOUT * FANOUT

BUCKET, BRANCH, ROOT = 0, 1, 2
"""The levels of the tree. A bucket's content is its sorted leaves, the others' the hashes of their 64 children."""

_ABSENT = bytes(HASH_BYTES)
"""The hash of a node without content, so that an emptied tree is the tree that never held anything."""

EMPTY_DIGEST = _ABSENT.hex()
"""The digest of tables without rows."""


class Nodes(Protocol):
    """Where the tree's nodes are kept: the content of each, b"" for one that is not there."""

    def read(self, level: int, slot: int) -> bytes:
        """The content of one node."""
        ...

    def write(self, level: int, slot: int, content: bytes) -> None:
        """Replace the content of one node; b"" removes it."""
        ...


class TreeMismatchError(Exception):
    """A row to be taken out is not in the tree: what is kept is not what was put there."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One row's change: its bytes before and after; None = no such row."""

    kind: Kind
    id: str
    before: bytes | None
    after: bytes | None


@dataclass(slots=True)
class NodesInMemory:
    """Nodes in a dict, for digests of rows that are not in a store."""

    contents: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def read(self, level: int, slot: int) -> bytes:
        """The content of one node."""
        return self.contents.get((level, slot), b"")

    def write(self, level: int, slot: int, content: bytes) -> None:
        """Replace the content of one node; b"" removes it."""
        if content:
            self.contents[level, slot] = content
        else:
            self.contents.pop((level, slot), None)


def digest_of(rows: Rows) -> str:
    """The digest of whole tables, from nothing."""
    every: list[Row] = [*rows.trunks.values(), *rows.rules.values(), *rows.numbers.values()]
    return update(NodesInMemory(), (Edit(kind_of(row), row.id, None, encode_row(row)) for row in every))


def update(nodes: Nodes, edits: Iterable[Edit]) -> str:
    """Bring the tree up to date with `edits` (at most one per row) and return the new digest.

    Touches only the paths of the edited rows. Raises TreeMismatchError, perhaps with some nodes already written.
    """
    branches: dict[int, dict[int, bytes]] = {}
    for slot, (gone, come) in _by_bucket(edits).items():
        content = _with_leaves(nodes.read(BUCKET, slot), gone, come)
        nodes.write(BUCKET, slot, content)
        branches.setdefault(slot // FANOUT, {})[slot % FANOUT] = _hash(content, b"bucket")
    tops: dict[int, bytes] = {}
    for slot, children in branches.items():
        content = _with_children(nodes.read(BRANCH, slot), children)
        nodes.write(BRANCH, slot, content)
        tops[slot] = _hash(content, b"branch")
    root = _with_children(nodes.read(ROOT, 0), tops)
    nodes.write(ROOT, 0, root)
    return root_digest(root)


def paths(edits: Iterable[Edit]) -> list[tuple[int, int]]:
    """The nodes that `update` will read, as (level, slot), for who fetches them together."""
    buckets = sorted(_by_bucket(edits))
    branches = sorted({slot // FANOUT for slot in buckets})
    return [*((BUCKET, slot) for slot in buckets), *((BRANCH, slot) for slot in branches), (ROOT, 0)]


def root_digest(root: bytes) -> str:
    """The digest of tables whose tree has this content at its root."""
    return _hash(root, b"root").hex()


def _by_bucket(edits: Iterable[Edit]) -> dict[int, tuple[list[bytes], list[bytes]]]:
    """The leaves to take out and to put in, per bucket."""
    out: dict[int, tuple[list[bytes], list[bytes]]] = {}
    for edit in edits:
        key = f"{edit.kind}/{edit.id}".encode()
        gone, come = out.setdefault(crc32(key) % BUCKETS, ([], []))
        if edit.before is not None:
            gone.append(_leaf(key, edit.before))
        if edit.after is not None:
            come.append(_leaf(key, edit.after))
    return out


def _leaf(key: bytes, data: bytes) -> bytes:
    # A kind holds no "/" and a row's bytes no NUL, so no two rows share these bytes.
    return blake2b(key + b"\0" + data, digest_size=HASH_BYTES, person=b"row").digest()


def _with_leaves(content: bytes, gone: list[bytes], come: list[bytes]) -> bytes:
    leaves = {content[at : at + HASH_BYTES] for at in range(0, len(content), HASH_BYTES)}
    if not leaves.issuperset(gone):
        raise TreeMismatchError
    return b"".join(sorted(leaves.difference(gone).union(come)))


def _with_children(content: bytes, children: dict[int, bytes]) -> bytes:
    hashes = bytearray(content or bytes(FANOUT * HASH_BYTES))
    for slot, digest in children.items():
        hashes[slot * HASH_BYTES : (slot + 1) * HASH_BYTES] = digest
    return bytes(hashes) if any(hashes) else b""


def _hash(content: bytes, level: bytes) -> bytes:
    return blake2b(content, digest_size=HASH_BYTES, person=level).digest() if content else _ABSENT
