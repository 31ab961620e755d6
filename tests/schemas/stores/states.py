"""States that a store has been in, and what has changed since, checked on the way."""

from __future__ import annotations

from schemas.stores import Head
from schemas.stores.door import Reader, Store
from schemas.tables.digest import EMPTY_DIGEST
from schemas.tables.rows import Delta


def at(store: Store, revision: int) -> Head:
    """The state at a revision that the store remembers."""
    if not revision:
        return Head(0, EMPTY_DIGEST)
    newest = store.head()
    digests = {entry.revision: entry.digest for entry in store.history(newest.revision)}
    return Head(revision, digests.get(revision, "forgotten"), newest.epoch)


def changed(reader: Reader, since: Head) -> list[tuple[Head, Delta]]:
    """What has changed; the store must know it."""
    found = reader.changes(since)
    assert found is not None
    return found
