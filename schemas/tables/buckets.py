"""Indexes whose keys lead to several entries: sorted tuples in a `ShardedMap`, edited in bulk.

The source index and the rule index are made of these. Within a bucket the entries stand in their own static `order`,
so that a lookup may stop at the first one that fits. An edit collects all its changes first: a hundred thousand
entries in one bucket are sorted in once, not copied a hundred thousand times.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterable
from typing import Generic, Protocol, TypeVar

from schemas.tables.sharded import ShardedMap


class Ordered(Protocol):
    """What can stand in a bucket: its `order` is unique within it and never changes."""

    @property
    def order(self) -> tuple[int | str, ...]:
        """Smaller comes first."""


K = TypeVar("K", bound=Hashable)
E = TypeVar("E", bound=Ordered)

Buckets = ShardedMap[K, tuple[E, ...]]


class BucketEdit(Generic[K, E]):
    """One edit of an index: `add` and `remove` entries, then take the new index from `done`."""

    __slots__ = ("_base", "_open")

    def __init__(self, base: Buckets[K, E]) -> None:
        self._base = base
        self._open: dict[K, list[E]] = {}

    def add(self, key: K, entry: E) -> None:
        """Put an entry under a key, at its place."""
        bucket = self._bucket(key)
        bucket.insert(bisect_left(bucket, entry.order, key=_order), entry)

    def remove(self, key: K, entry: E) -> None:
        """Take out an entry that is there."""
        bucket = self._bucket(key)
        index = bisect_left(bucket, entry.order, key=_order)
        assert bucket[index] is entry
        del bucket[index]

    def done(self) -> Buckets[K, E]:
        """The index with all changes made; empty buckets are gone."""
        return self._base.updated({key: tuple(bucket) or None for key, bucket in self._open.items()})

    def _bucket(self, key: K) -> list[E]:
        bucket = self._open.get(key)
        if bucket is None:
            bucket = self._open[key] = list(self._base.get(key) or ())
        return bucket


def _order(entry: Ordered) -> tuple[int | str, ...]:
    return entry.order


def tallied(tally: dict[int, int], added: Iterable[int], removed: Iterable[int]) -> dict[int, int]:
    """A count of each length in use, after some came and went; a length that is no longer in use is no key."""
    counts = dict(tally)
    for length in added:
        counts[length] = counts.get(length, 0) + 1
    for length in removed:
        counts[length] -= 1
    return {length: count for length, count in counts.items() if count}
