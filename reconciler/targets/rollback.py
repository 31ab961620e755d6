"""EDGE. A rollback of the tables: one owner's rows as they were at an earlier revision, as a new one, and pinned.

Rows, the documents to keep objects alive by, and the pin change in one transaction, by compare-and-swap like every
other publish: whoever published meanwhile is looked at anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from reconciler.errors import ReconcileError
from reconciler.model.desired import Desired
from reconciler.model.past import returned
from reconciler.model.records import record_key
from reconciler.plan.changes import diff
from reconciler.plan.gates import Allowances, refusals
from reconciler.plan.turn import Turn
from reconciler.targets.tables import TRIES_MAX, live_of
from reconciler.targets.target import Planned
from schemas.seal import Unseal
from schemas.stores import Aim, Outdated, OwnerClash, Publish, Snapshot, Step, Store, StoreError
from schemas.tables.rows import Delta, Kind


@dataclass(frozen=True, slots=True)
class Rollback:
    """What is asked for: back to revision `to`. `unseal` tells whether a secret of then can still be used.

    `live_secrets`: those that are live now stay.
    """

    to: int
    allowed: Allowances
    unseal: Unseal
    live_secrets: bool = False
    note: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "note", f"rollback to {self.to}")


@dataclass(frozen=True, slots=True)
class _Way:
    planned: Planned
    goods: dict[str, bytes | None]


def plan_rollback(store: Store, owner: str, asked: Rollback) -> Planned:
    """What it would change; problems forbid it. Raises ReconcileError for a revision that is not known, StoreError."""
    return _way(store, store.load(), owner, asked).planned


def roll_back(store: Store, owner: str, asked: Rollback, wall: Callable[[], float] = time.time) -> Planned:
    """Publish it, unless it is refused or forbidden, and pin the tables to it. Raises ReconcileError, StoreError."""
    for _ in range(TRIES_MAX):
        aim, snapshot = store.aim(owner), store.load()
        way = _way(store, snapshot, owner, asked)
        planned = way.planned
        if planned.refused or planned.desired.problems or not planned.plan:
            return planned
        now = wall()
        try:
            revision = store.publish(
                Publish(
                    snapshot.digest,
                    planned.plan.delta,
                    owner=owner,
                    now=now,
                    goods=way.goods,
                    note=asked.note,
                    aim=Aim(aim.documents, asked.to, snapshot.revision + 1, now),
                    aim_was=aim,
                )
            )
        except (Outdated, OwnerClash):
            continue
        head = store.head()
        return replace(planned, revision=revision, published=head.digest if head.revision == revision else "")
    raise StoreError("the tables", f"they changed {TRIES_MAX} times while this was planned", "try again")


def release(store: Store, owner: str, wall: Callable[[], float] = time.time) -> Aim | None:
    """End the owner's pin; as it was, None = there was none. Raises StoreError."""
    for _ in range(TRIES_MAX):
        aim = store.aim(owner)
        if not aim.pinned_to:
            return None
        try:
            store.publish(
                Publish(store.head().digest, Delta(), owner=owner, now=wall(), aim=Aim(aim.documents), aim_was=aim)
            )
        except Outdated:
            continue
        return aim
    raise StoreError("the tables", f"they changed {TRIES_MAX} times meanwhile", "try again")


def steps_after(store: Store, revision: int, head: int) -> list[Step]:
    """What came after a revision, newest first. Raises ReconcileError where it is not known."""
    if revision > head:
        raise ReconcileError(f"there is no revision {revision}", f"the tables are at revision {head}")
    steps = store.steps_back(revision)
    if steps is None:
        kept = [entry.revision for entry in store.history(head) if entry.is_kept]
        oldest = f"the oldest that can be gone back to is {min(kept) - 1}" if kept else "none can be gone back to"
        raise ReconcileError(f"what changed after revision {revision} is not kept", oldest)
    return [step for step in steps if step.revision <= head]


def _way(store: Store, snapshot: Snapshot, owner: str, asked: Rollback) -> _Way:
    live = live_of(snapshot, owner, {})
    steps = [step for step in steps_after(store, asked.to, snapshot.revision) if step.owner == owner]
    back = returned(live, (step.rows for step in steps), asked.unseal, live_secrets=asked.live_secrets)
    goods: dict[str, bytes | None] = {}
    for step in steps:
        goods |= {record_key(key): None for key, before in step.rows.items() if before is None}
        goods |= step.goods
    desired = Desired(back.rows, back.problems, {}, {kind: {} for kind in Kind})
    turn = Turn(live.tables, diff(live.mine, back.rows))
    refused = () if back.problems else refusals(turn, live.mine, asked.allowed)
    made_on = snapshot.revision, snapshot.digest, snapshot.revision
    return _Way(Planned(turn, desired, refused, *made_on), goods)
