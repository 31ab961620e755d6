"""The four conditions of an object: Accepted, ResolvedRefs, Programmed, Ready.

Worked out from what a store holds (row, record, heartbeats of bridges), so that `reconcile status` needs no folder and
an operator can write the same into a cluster. Programmed is about every live bridge that may carry the object's
calls: it has acknowledged the revision in which the object's row last changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from reconciler.model.records import Verdict
from schemas.resources.conditions import REASONS, Condition, ConditionType, Reason
from schemas.tables.rows import NumberRow, Row, Rows, RuleRow, TrunkRow


@dataclass(frozen=True, slots=True)
class Bridge:
    """A live bridge: the region that it serves ("" = only trunks without regions), the revision it answers from."""

    name: str
    region: str
    revision: int


def conditions(
    row: Row | None, changed: int, verdicts: Sequence[Verdict], rows: Rows, bridges: Sequence[Bridge]
) -> tuple[Condition, ...]:
    """The conditions of one object. `row` is live since revision `changed`; None: nothing of it is live."""
    return _four(verdicts, lambda kept: _programmed(row, changed, rows, bridges, kept=kept))


def conditions_elsewhere(
    row: Row | None, verdicts: Sequence[Verdict], place: str, drifted: str, away: str
) -> tuple[Condition, ...]:
    """The conditions of one object at another target, called `place`.

    `drifted` says what somebody has changed of it since it was applied, `away` why nobody can tell.
    """

    def programmed(kept: bool) -> Condition:
        if away:
            return _condition(ConditionType.PROGRAMMED, "Unknown", Reason.REMOTE_ERROR, away)
        if drifted:
            return _not_programmed(Reason.PENDING, f"not at {place} as it was applied: {drifted}")
        if row is None:
            return _not_programmed(Reason.PENDING, f"nothing of it is at {place}")
        message = "its last good version" if kept else ""
        return _condition(ConditionType.PROGRAMMED, "True", Reason.PROGRAMMED, message)

    return _four(verdicts, programmed)


@lru_cache(1_024)
def _condition(
    type_: ConditionType, status: Literal["True", "False", "Unknown"], reason: Reason, message: str = ""
) -> Condition:
    """One condition; most of ten thousand objects say the same, and making one is what costs."""
    return Condition(type=type_, status=status, reason=reason, message=message)


def _four(verdicts: Sequence[Verdict], programmed_now: Callable[[bool], Condition]) -> tuple[Condition, ...]:
    found = {verdict.type: verdict for verdict in verdicts}
    accepted = _answer(ConditionType.ACCEPTED, found)
    resolved = _answer(ConditionType.RESOLVED_REFS, found)
    if accepted.status == "False" and resolved.status == "True":
        resolved = _condition(resolved.type, "Unknown", resolved.reason, "not looked at")
    programmed = _answer(ConditionType.PROGRAMMED, found)
    if programmed.status == "True":
        programmed = programmed_now(bool(found))
    return accepted, resolved, programmed, _ready((accepted, resolved, programmed))


def regions_of(row: Row, rows: Rows) -> tuple[str, ...]:
    """The regions whose bridges may carry calls of this row; empty = every bridge."""
    if isinstance(row, TrunkRow):
        return row.regions
    if isinstance(row, NumberRow):
        trunk = rows.trunks.get(row.trunk)
        return trunk.regions if trunk is not None else ()
    return _regions_of_rule(row, rows)


def _regions_of_rule(row: RuleRow, rows: Rows) -> tuple[str, ...]:
    trunks = [rows.trunks[id_] for id_ in row.trunks or () if id_ in rows.trunks]
    if not trunks or any(not trunk.regions for trunk in trunks):
        return ()
    return tuple(sorted({region for trunk in trunks for region in trunk.regions}))


def _answer(type_: ConditionType, found: dict[ConditionType, Verdict]) -> Condition:
    verdict = found.get(type_)
    if verdict is None:
        return _condition(type_, "True", REASONS[type_][0])
    return _condition(type_, "False", verdict.reason, verdict.message)


def _programmed(row: Row | None, changed: int, rows: Rows, bridges: Sequence[Bridge], *, kept: bool) -> Condition:
    if row is None:
        return _not_programmed(Reason.PENDING, "nothing of it is live")
    regions = regions_of(row, rows)
    concerned = [bridge for bridge in bridges if not regions or bridge.region in regions]
    if not concerned:
        where = f" of the regions {', '.join(regions)}" if regions else ""
        return _not_programmed(Reason.NO_BRIDGE, f"no bridge{where} is running")
    behind = [bridge.name for bridge in concerned if bridge.revision < changed]
    if behind:
        return _not_programmed(Reason.PENDING, f"revision {changed} is not yet in use by {', '.join(behind)}")
    message = "its last good version" if kept else ""
    return _condition(ConditionType.PROGRAMMED, "True", Reason.PROGRAMMED, message)


def _not_programmed(reason: Reason, message: str) -> Condition:
    return _condition(ConditionType.PROGRAMMED, "False", reason, message)


def _ready(others: Sequence[Condition]) -> Condition:
    for condition in others:
        if condition.status == "False":
            return _condition(ConditionType.READY, "False", condition.reason, condition.message)
    for condition in others:
        if condition.type is ConditionType.PROGRAMMED and condition.status == "Unknown":
            return _condition(ConditionType.READY, "Unknown", condition.reason, condition.message)
    return _condition(ConditionType.READY, "True", Reason.READY)
