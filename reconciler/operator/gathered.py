"""CORE. All objects of a cluster that are known, kept up to date by events and by lists, in whatever order they come.

An event older than what is known of its object changes nothing, and neither does one about an object that is known to
be gone; a list takes away what it does not have, unless that was made after it. So doubled, late and lost events all
end in the same set, at the next list at the latest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from reconciler.model.sources import FileSources, Key
from reconciler.operator.objects import Seen, key_of, seen, version_of

GONE_REMEMBERED_MAX = 20_000
"""Deleted objects whose late events are still known to be late."""


class Gathered:
    """The objects by key. `touched` are those that may mean something else since it was emptied last.

    `departed` are those that were deleted since it was emptied, with their last documents.
    """

    def __init__(self) -> None:
        self._objects: dict[Key, Seen] = {}
        self._gone: dict[str, None] = {}
        self.touched: set[Key] = set()
        self.departed: dict[Key, FileSources] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Seen]:
        return iter(self._objects.values())

    def get(self, key: Key) -> Seen | None:
        """One object."""
        return self._objects.get(key)

    def put(self, body: Mapping[str, Any]) -> bool:
        """Take in an object as it is told; whether anything that counts has changed."""
        key, metadata = key_of(body), body.get("metadata", {})
        before = self._objects.get(key) if key is not None else None
        uid, version = str(metadata.get("uid", "")), version_of(metadata)
        if uid in self._gone or (before is not None and before.uid == uid and 0 < version <= before.version):
            return False
        now = seen(body, before)
        if now is None:
            return False
        self._objects[now.key] = now
        if before is not None and now.same_meaning(before):
            return False
        self.touched.add(now.key)
        if now.going and (before is None or not before.going):
            self.departed[now.key] = now.file
        return True

    def remove(self, body: Mapping[str, Any]) -> bool:
        """Take in that an object is gone; whether it was known."""
        key, uid = key_of(body), str(body.get("metadata", {}).get("uid", ""))
        return key is not None and self.lose(key, uid)

    def lose(self, key: Key, uid: str) -> bool:
        """The same, by key. Of another object of that name, which has come since, nothing is taken away."""
        self._gone[uid] = None
        while len(self._gone) > GONE_REMEMBERED_MAX:
            del self._gone[next(iter(self._gone))]
        known = self._objects.get(key)
        if known is None or known.uid != uid:
            return False
        del self._objects[key]
        self.touched.add(key)
        if not known.going:
            self.departed[key] = known.file
        return True

    def replace(self, bodies: Iterable[Mapping[str, Any]], version: int, within: Callable[[Key], bool]) -> bool:
        """Take in a whole list of the keys `within`, as it was at this version; whether anything has changed."""
        changed = False
        there: set[str] = set()
        for body in bodies:
            there.add(str(body.get("metadata", {}).get("uid", "")))
            changed |= self.put(body)
        lost = [
            known
            for known in self._objects.values()
            if known.uid not in there and known.version <= version and within(known.key)
        ]
        for known in lost:
            changed |= self.lose(known.key, known.uid)
        return changed

    def stand_by(self) -> None:
        """Keep no word of what is gone: somebody else acts on it, and whoever takes over looks at everything."""
        self.departed.clear()
        self.touched.intersection_update(self._objects)

    def files(self) -> dict[str, FileSources]:
        """What is declared, in the order of names; what is being deleted is not."""
        declared = {known.file.file: known.file for known in self._objects.values() if not known.going}
        return {name: declared[name] for name in sorted(declared)}


def list_version(body: Mapping[str, Any]) -> int:
    """The resourceVersion of a list."""
    return version_of(body.get("metadata") or {})
