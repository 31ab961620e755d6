"""EDGE. What is remembered of one LiveKit server on this machine: rows as they were left there, and their documents.

It makes plans kinder (last good documents, names of numbers that are no longer declared), tells what has drifted since,
and holds the verdicts that `status` shows. None of it is needed to apply.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from reconciler.model.desired import Desired
from reconciler.model.records import Verdict
from reconciler.model.sources import Key
from reconciler.plan.changes import diff
from reconciler.targets.livekit.planning import Recorded
from reconciler.targets.remembered import Remembered
from reconciler.targets.tables import live_of
from schemas.stores import Outdated, OwnerClash, Publish, Snapshot, Store, StoreError
from schemas.tables.rows import Kind, Rows

TRIES_MAX = 8
"""How often a note is made again because another reconciler has made one meanwhile."""


class Memory:
    """One owner's memory in `store`; None: there is none yet. `wall` gives Unix time."""

    def __init__(self, store: Store | None, owner: str, wall: Callable[[], float]) -> None:
        self._store = store
        self._owner = owner
        self._wall = wall

    @property
    def is_there(self) -> bool:
        """Whether anything can be remembered."""
        return self._store is not None

    def recorded(self) -> Recorded:
        """What was left there. Raises StoreError."""
        return self._recorded(self._store)[0] if self._store is not None else Recorded()

    def snapshot(self) -> tuple[Snapshot, Mapping[str, bytes]]:
        """All that is remembered, of all owners, and the records of this one. Raises StoreError."""
        assert self._store is not None
        return self._store.load(), self._store.goods(self._owner)

    def keep(self, there: Rows | None, desired: Desired, undone: Mapping[Key, Verdict], note: str) -> int:
        """Remember what is there now (None: as before), and from which documents; the revision of the memory.

        Raises StoreError.
        """
        if self._store is None:
            return 0
        foreign: Collection[Key] = ()
        for _ in range(TRIES_MAX):
            try:
                return self._keep(self._store, there, desired, undone, note, foreign)
            except OwnerClash as clash:
                foreign = clash.owners  # remembered as another owner's, who may have lost it at LiveKit since
            except Outdated:
                continue
        raise StoreError("what is remembered of LiveKit", f"it changed {TRIES_MAX} times meanwhile", "apply again")

    def _keep(
        self,
        store: Store,
        there: Rows | None,
        desired: Desired,
        undone: Mapping[Key, Verdict],
        note: str,
        foreign: Collection[Key],
    ) -> int:
        recorded, snapshot = self._recorded(store)
        rows = _without(there, foreign, desired) if there is not None else recorded.rows
        remembered = Remembered(dict(recorded.records), dict(snapshot.declared))
        unwritten = remembered.unwritten(desired)
        records = remembered.records_to_write(desired, unwritten, undone)
        places = remembered.places_to_write(desired, unwritten, rows)
        delta = diff(recorded.rows, rows).delta
        if not (delta or records or places):
            return snapshot.revision
        return store.publish(
            Publish(
                snapshot.digest, delta, owner=self._owner, now=self._wall(), declared=places, goods=records, note=note
            )
        )

    def _recorded(self, store: Store) -> tuple[Recorded, Snapshot]:
        snapshot, records = store.load(), store.goods(self._owner)
        mine = live_of(snapshot, self._owner, records).mine
        return Recorded(mine, records, snapshot.revision), snapshot


def _without(there: Rows, foreign: Collection[Key], desired: Desired) -> Rows:
    """The rows to remember. A number that left no trace there lives in this memory alone, and ends here."""
    return replace(
        there,
        trunks={id_: row for id_, row in there.trunks.items() if (Kind.TRUNK, id_) not in foreign},
        rules={id_: row for id_, row in there.rules.items() if (Kind.RULE, id_) not in foreign},
        numbers={
            id_: row
            for id_, row in there.numbers.items()
            if id_ in desired.rows.numbers and (Kind.NUMBER, id_) not in foreign
        },
    )
