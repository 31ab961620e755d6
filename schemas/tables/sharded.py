"""An immutable map of up to millions of entries whose copies are cheap: the ground that `Tables` stands on.

A publish of one row must not copy a million, and a call must be answered from exactly one revision. So the entries
are spread over plain dicts of about `SHARD_ENTRIES` each, and `updated` copies only the dicts that change; the rest
is shared between the revisions. `Tables` is its only caller. What it promises: `get` costs one dict lookup and a
shift, whatever the count; `updated` costs O(changes * SHARD_ENTRIES) and never alters the map it is called on.

A key's shard is taken from the *high* bits of its hash: a dict places its keys by the low bits, and keys that agree
in those would all collide. String hashes differ between processes, so no caller may rely on the order of iteration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

SHARD_ENTRIES = 256
"""How many entries a shard is meant to hold; at four times as many on average the map is spread anew."""

_HASH_SHIFT = 40


class ShardedMap(Generic[K, V]):
    """An immutable mapping; `ShardedMap()` is empty and every other one comes from `updated`."""

    __slots__ = ("_count", "_mask", "_shards")

    def __init__(self) -> None:
        self._shards: list[dict[K, V]] = [{}]
        self._mask = 0
        self._count = 0

    @classmethod
    def of(cls, entries: Mapping[K, V]) -> ShardedMap[K, V]:
        """A map of these entries."""
        shards: list[dict[K, V]] = [{} for _ in range(_shards_wanted(len(entries)))]
        mask = len(shards) - 1
        for key, value in entries.items():
            shards[hash(key) >> _HASH_SHIFT & mask][key] = value
        return _made(shards, len(entries))

    def get(self, key: K) -> V | None:
        """The value under `key`, or None."""
        return self._shards[hash(key) >> _HASH_SHIFT & self._mask].get(key)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[K]:
        return chain.from_iterable(self._shards)

    def values(self) -> Iterator[V]:
        """Every value, in no order that means anything."""
        return chain.from_iterable(shard.values() for shard in self._shards)

    def items(self) -> Iterator[tuple[K, V]]:
        """Every key and value, in no order that means anything."""
        return chain.from_iterable(shard.items() for shard in self._shards)

    def updated(self, changes: Mapping[K, V | None]) -> ShardedMap[K, V]:
        """A map with `changes` made: a value is put, None takes the key out. This one stays as it was."""
        if not changes:
            return self
        shards = _shards_wanted(self._count + len(changes))
        if shards > 4 * len(self._shards):
            return self._respread(shards, changes)
        return self._edited(changes)

    def _edited(self, changes: Mapping[K, V | None]) -> ShardedMap[K, V]:
        shards = self._shards.copy()
        mask = self._mask
        own: set[int] = set()
        count = self._count
        for key, value in changes.items():
            index = hash(key) >> _HASH_SHIFT & mask
            if index not in own:
                own.add(index)
                shards[index] = shards[index].copy()
            shard = shards[index]
            count -= len(shard)
            if value is None:
                shard.pop(key, None)
            else:
                shard[key] = value
            count += len(shard)
        return _made(shards, count)

    def _respread(self, wanted: int, changes: Mapping[K, V | None]) -> ShardedMap[K, V]:
        shards: list[dict[K, V]] = [{} for _ in range(wanted)]
        mask = wanted - 1
        for key, value in chain(self.items(), changes.items()):
            shard = shards[hash(key) >> _HASH_SHIFT & mask]
            if value is None:
                shard.pop(key, None)
            else:
                shard[key] = value
        return _made(shards, sum(map(len, shards)))


def _made(shards: list[dict[K, V]], count: int) -> ShardedMap[K, V]:
    made: ShardedMap[K, V] = ShardedMap()
    made._shards = shards  # noqa: SLF001 - the only other constructor of this very class
    made._mask = len(shards) - 1  # noqa: SLF001 - likewise
    made._count = count  # noqa: SLF001 - likewise
    return made


def _shards_wanted(entries: int) -> int:
    """The power of two at which a shard holds at most `SHARD_ENTRIES` on average."""
    return 1 << max(0, (entries - 1) // SHARD_ENTRIES).bit_length()
