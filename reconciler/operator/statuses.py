"""CORE. Which objects get another status after a pass or a heartbeat, and what it says.

A row that was just published is in use within milliseconds: a status that would only say so far that it is not yet
is not written before `GRACE_S`. So an object that goes well is written once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.model.conditions import Bridge
from reconciler.model.records import Verdict
from reconciler.model.sources import Key
from reconciler.operator.objects import FINALIZER, Seen
from reconciler.operator.told import told_now, unreached, waiting, with_remarks
from reconciler.operator.wishes import Wish
from schemas.resources.conditions import Condition, Reason

GRACE_S = 0.5
SOON_S = 10.0
"""For so long after a publish the bridges are asked often."""
OFTEN_S, SELDOM_S = 0.015, 1.0

Found = tuple[int, tuple[Condition, ...]]
"""The revision of an object's rows, and its conditions."""


@dataclass(slots=True)
class Pending:
    """The objects that wait for a bridge to take them over, each since when."""

    since: dict[Key, float] = field(default_factory=dict)
    said: set[Key] = field(default_factory=set)

    def pause_s(self, now: float) -> float:
        """When to ask the bridges again."""
        newest = max(self.since.values(), default=None)
        return OFTEN_S if newest is not None and now - newest < SOON_S else SELDOM_S

    def due(self, now: float) -> bool:
        """Whether something waits for so long now that its status is to say it."""
        return any(now - since >= GRACE_S for key, since in self.since.items() if key not in self.said)

    def note(self, key: Key, conditions: Sequence[Condition], now: float) -> bool:
        """Take in the conditions of an object; whether its status is to wait for better ones."""
        if conditions[2].reason is not Reason.PENDING:
            self.forget(key)
            return False
        since = self.since.setdefault(key, now)
        if now - since < GRACE_S:
            return True
        self.said.add(key)
        return False

    def again(self, keys: Collection[Key]) -> None:
        """These have just been published (anew)."""
        for key in keys:
            self.forget(key)

    def forget(self, key: Key) -> None:
        """It waits no more."""
        self.since.pop(key, None)
        self.said.discard(key)


def wish_of(seen: Seen, found: Found, verdict: Verdict | None, live: bool, now: str) -> Wish:
    """What an object is to have after a pass. `live`: something of it is in force, or may be; `verdict`: it waits."""
    if seen.going and not live:
        return Wish(seen.told, let_go=True)
    revision, conditions = found
    if verdict is not None:
        conditions = waiting(conditions, verdict)
    remarks = [str(problem) for problem in seen.source.problems if not problem.is_error]
    told = told_now(with_remarks(conditions, remarks), revision, seen.generation, seen.told, now)
    return Wish(told, keep=live)


def wish_unreached(seen: Seen, why: str, now: str) -> Wish:
    """The same where the target did not answer."""
    errors = [str(problem) for problem in seen.source.problems if problem.is_error]
    if seen.going:
        why = f"it is deleted as soon as what was made of it is gone: {why}"
    conditions = unreached(not errors, why, "; ".join(errors))
    return Wish(told_now(conditions, seen.told.revision, seen.generation, seen.told, now))


def is_held_by_us(seen: Seen) -> bool:
    """Whether a deleted object waits for us."""
    return seen.going and FINALIZER in seen.finalizers


def other_bridges(before: Iterable[Bridge], now: Iterable[Bridge]) -> bool:
    """Whether bridges came, went, or fell back: then any object may stand otherwise, not only one that waits."""
    was: Mapping[tuple[str, str], int] = {(one.name, one.region): one.revision for one in before}
    is_: Mapping[tuple[str, str], int] = {(one.name, one.region): one.revision for one in now}
    return was.keys() != is_.keys() or any(is_[name] < revision for name, revision in was.items())
