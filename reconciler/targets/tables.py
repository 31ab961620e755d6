"""EDGE. The target of our own bridge: plans against the tables in a store, and publishes by compare-and-swap.

One `TablesTarget` is one owner's hand on one store; the commands use it once, the watcher for as long as it lives. It
keeps what it knows of the live state between passes, and loads anew only when somebody else has published: then a
plan made against the old state is refused by the store, made again, and asked its safety questions again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconciler.model.conditions import Bridge, conditions
from reconciler.model.desired import desire
from reconciler.model.fingerprint import Fingerprint, is_certain
from reconciler.model.live import Live
from reconciler.model.memo import Memo
from reconciler.model.records import Record, Verdict
from reconciler.model.sources import Key
from reconciler.model.standing import Declared, declared_last
from reconciler.plan.changes import Plan, diff
from reconciler.plan.gates import Allowances, refusals
from reconciler.plan.pinned import Pin, pin_json
from reconciler.plan.render import NOTHING
from reconciler.plan.saved import TABLES
from reconciler.plan.turn import Turn
from reconciler.targets.remembered import Remembered
from reconciler.targets.status import Status, objects_of
from reconciler.targets.target import Manner, Planned, Reported
from reconciler.targets.target import blocked as blocked_by
from schemas.resources.conditions import Condition
from schemas.stores import Aim, Outdated, OwnerClash, Publish, Snapshot, Store, StoreError
from schemas.tables.digest import EMPTY_DIGEST
from schemas.tables.rows import Delta, Kind, Row, Rows, kind_of
from schemas.tables.tables import Tables

TRIES_MAX = 8
"""How often a plan is made again because somebody else published meanwhile."""


MANNER = Manner(
    TABLES,
    "the tables",
    NOTHING,
    "the tables stay as they are",
    "revision {revision}",
    "revision {revision}: {what}, published in {ms} ms",
)


class TablesTarget:
    """One owner's hand on the tables in `store`. `wall` gives Unix time.

    Without a store there are no tables yet: everything can be planned, nothing applied.
    """

    def __init__(self, store: Store | None, owner: str, wall: Callable[[], float] = time.time) -> None:
        self._store = store
        self._owner = owner
        self._wall = wall
        self._memo = Memo()
        self._live = Live()
        self._digest: str | None = None
        self._remembered = Remembered()
        self._aim = Aim()
        self._fingerprint = Fingerprint()
        self._changed: dict[Key, int] = {}
        self._verdicts: Mapping[Key, Verdict] = {}

    @property
    def manner(self) -> Manner:
        """How messages speak of the tables."""
        return MANNER

    def done(self, planned: Planned) -> str:
        """Which revision is live after an apply."""
        if planned.refused:
            return f"Nothing was changed: revision {planned.revision} stays."
        ends = f" It is no longer pinned to revision {planned.ends_pin}." if planned.ends_pin else ""
        if planned.plan:
            return f"Applied: revision {planned.revision} is published.{ends}"
        return f"Revision {planned.revision} stays.{ends}"

    def facts(self, planned: Planned) -> dict[str, Any]:
        """The revision, and the pin."""
        return {"revision": planned.revision, "pinned": pin_json(planned.pin, planned.waiting, planned.places)}

    def give_up(self) -> None:
        """A publish is over at once."""

    def status(self) -> Status:
        """Every object, the revision, and the bridges that answer by it. Raises StoreError."""
        store = self._there()
        snapshot, pin = store.load(), pin_of(store.aim(self._owner))
        bridges = [Bridge(ack.name, ack.region, ack.revision) for ack in store.bridges(self._wall())]

        def found(_: Key, row: Row | None, changed: int, record: Record) -> tuple[Condition, ...]:
            return conditions(row, changed, record.verdicts, snapshot.rows, bridges)

        objects = objects_of(snapshot, store.goods(self._owner), self._owner, found)
        lines = [f"revision {snapshot.revision}; {bridges_words(bridges)}", *([f"{pin}, {pin.until}"] if pin else [])]
        told = [{"name": bridge.name, "region": bridge.region, "revision": bridge.revision} for bridge in bridges]
        return Status(objects, lines, {"revision": snapshot.revision, "bridges": told, "pinned": pin_json(pin)})

    def reported(self) -> Reported:
        """Objects as they are since the last apply, by what the bridges say now. Raises StoreError."""
        bridges = tuple(Bridge(ack.name, ack.region, ack.revision) for ack in self._there().bridges(self._wall()))
        rows = self._live.tables.rows if self._live.others else self._live.mine

        def of(key: Key) -> tuple[int, tuple[Condition, ...]]:
            row, verdict = self._live.own(key[0]).get(key[1]), self._verdicts.get(key)
            changed = self._changed.get(key, 0) if row is not None else 0
            return changed, conditions(row, changed, (verdict,) if verdict is not None else (), rows, bridges)

        return Reported(of, bridges)

    def applied_last(self) -> Declared:
        """The documents that were published with the rows. Raises StoreError."""
        return declared_last(self._there().goods(self._owner))

    def _there(self) -> Store:
        assert self._store is not None, "who asks for what was applied opens tables that are there"
        return self._store

    def moved_by(self) -> str:
        """Who changed the tables since they were last looked at, in words; "" = nobody. Raises StoreError."""
        if self._store is None:
            return ""
        if self._digest is not None and self._store.head().digest == self._digest:
            return self._released()
        newest = self._store.history(1)
        if not newest or newest[0].revision < self._live.revision:
            return "the tables were removed or replaced"
        last = newest[0]
        return f"`{last.note or 'a publish'}` of the owner {last.owner} made revision {last.revision}"

    def plan(self, declared: Declared, allowed: Allowances) -> Planned:
        """What would change, against the tables as they are now. Raises StoreError."""
        self._catch_up()
        desired = desire(declared, self._live, self._memo)
        plan = diff(self._live.mine, desired.rows, desired.moves)
        if not plan:  # the same rows: the next pass finds the ones that the model made last
            self._live = replace(self._live, mine=desired.rows)
        documents, waiting = self._fingerprint.of(desired.sources), Plan()
        if not is_certain(desired):  # what cannot be read now may say what it said
            documents = self._aim.documents
        pin = pin_of(self._aim) if documents == self._aim.documents else None
        if pin is not None:
            plan, waiting = waiting, plan
        turn, revision = Turn(self._live.tables, plan), self._live.revision
        refused = refusals(turn, self._live.mine, allowed, desired.held_back)
        ends_pin = 0 if pin is not None or refused else self._aim.pinned_to
        made_on = revision, self._digest or EMPTY_DIGEST, revision
        return Planned(
            turn, desired, refused, *made_on, pin=pin, waiting=waiting, ends_pin=ends_pin, documents=documents
        )

    def apply(
        self,
        declared: Declared,
        allowed: Allowances,
        note: str = "",
        check: Callable[[Planned], None] | None = None,
    ) -> Planned:
        """Plan and publish; `revision` of the result is the one that now is live. Raises StoreError.

        A refused plan changes no row, but leaves word of what it held back. An empty one makes no revision. `check`
        sees each plan before anything is published, and may raise.
        """
        for _ in range(TRIES_MAX):
            planned = self.plan(declared, allowed)
            if check is not None:
                check(planned)
            try:
                return self._publish(planned, note)
            except (Outdated, OwnerClash):
                self._digest = None
        raise StoreError("the tables", f"they changed {TRIES_MAX} times while this was planned", "try again")

    def _released(self) -> str:
        """In words, that somebody has released the pin since the last look; "" = nobody has."""
        assert self._store is not None
        was, now = self._aim, self._store.aim(self._owner)
        if not was.pinned_to or now.pinned_to:
            return ""
        return f"the pin to revision {was.pinned_to} was released"

    def _aim_after(self, planned: Planned) -> Aim:
        """What is aimed at once this is published. A refused plan has not put other documents into force."""
        if planned.pin is not None or (planned.refused and self._aim.pinned_to):
            return self._aim
        return Aim(planned.documents)

    def _catch_up(self) -> None:
        """Load the live state, unless it is the one that is known."""
        if self._store is None:
            return
        self._aim = self._store.aim(self._owner)
        if self._digest is not None and self._store.head().digest == self._digest:
            return
        snapshot = self._store.load()
        records = self._store.goods(self._owner)
        self._remembered = Remembered(records, dict(snapshot.declared))
        self._live = live_of(snapshot, self._owner, records)
        self._digest = snapshot.digest
        self._changed = dict(snapshot.changed)

    def _publish(self, planned: Planned, note: str) -> Planned:
        blocked = blocked_by(planned)
        self._verdicts = {**blocked, **planned.desired.verdicts}
        unwritten = self._remembered.unwritten(planned.desired)
        records = self._remembered.records_to_write(planned.desired, unwritten, blocked)
        places = self._remembered.places_to_write(
            planned.desired, unwritten, self._live.mine if blocked else planned.desired.rows
        )
        delta = Delta() if blocked else planned.plan.delta
        aim = self._aim_after(planned)
        if not (delta or records or places or aim != self._aim):
            return planned
        assert self._store is not None
        assert self._digest is not None
        revision = self._store.publish(
            Publish(
                self._digest,
                delta,
                owner=self._owner,
                now=self._wall(),
                declared=places,
                goods=records,
                note=note,
                aim=aim if aim != self._aim else None,
                aim_was=self._aim,
            )
        )
        self._aim = aim
        self._remembered.note_written(planned.desired, records, places, set(blocked))
        published = self._advance(planned, revision) if delta else ""
        return replace(planned, revision=revision, published=published)

    def _advance(self, planned: Planned, revision: int) -> str:
        """Go over to the revision just published, without loading it; its digest, "" where others have published."""
        assert self._store is not None
        head = self._store.head()
        live = self._live
        for row in planned.plan.delta.put:
            self._changed[(kind_of(row), row.id)] = revision
        self._live = Live(revision, planned.turn.after, planned.desired.rows, live.others, self._remembered.records)
        self._digest = head.digest if head.revision == revision else None
        return self._digest or ""


def bridges_words(bridges: Sequence[Bridge]) -> str:
    """Which bridges answer calls, in words."""
    if not bridges:
        return "no bridge is running"
    told = (f"{b.name}{f' ({b.region})' if b.region else ''} at revision {b.revision}" for b in bridges)
    return f"bridges: {', '.join(told)}"


def pin_of(aim: Aim) -> Pin | None:
    """The pin in an owner's aim."""
    return Pin(aim.pinned_to, aim.pinned_by, aim.pinned_at) if aim.pinned_to else None


def live_of(snapshot: Snapshot, owner: str, records: Mapping[str, bytes]) -> Live:
    """A store's snapshot as one owner sees it."""
    others = {key: name for key, name in snapshot.owners.items() if name != owner}
    mine = snapshot.rows
    if others:
        mine = Rows(
            {id_: row for id_, row in mine.trunks.items() if (Kind.TRUNK, id_) not in others},
            {id_: row for id_, row in mine.rules.items() if (Kind.RULE, id_) not in others},
            {id_: row for id_, row in mine.numbers.items() if (Kind.NUMBER, id_) not in others},
        )
    return Live(snapshot.revision, Tables.build(snapshot.rows), mine, others, records)
