"""What is live beside what it is meant to be: a plan read backwards, so that each line says what somebody did.

`reconcile drift` shows it. Old values are those that were applied or declared, new ones those that are live.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from reconciler.plan.changes import Action, Change, Plan
from reconciler.plan.render import Line, as_json, change_lines

_BACKWARDS = {
    Action.CREATE: Action.DELETE,
    Action.DELETE: Action.CREATE,
    Action.UPDATE: Action.UPDATE,
    Action.MOVE: Action.UPDATE,
}
_WORDS = {Action.CREATE: "came from elsewhere", Action.UPDATE: "is not the same", Action.DELETE: "is gone"}


def drift_of(plan: Plan) -> Plan:
    """The drift that a plan would mend."""
    return Plan(tuple(_backwards(change) for change in plan.changes))


def _backwards(change: Change) -> Change:
    beside = tuple(replace(field, old=field.new, new=field.old) for field in change.beside)
    return replace(change, action=_BACKWARDS[change.action], old=change.new, new=change.old, beside=beside)


def drift_lines(drift: Plan, what: str) -> list[Line]:
    """The drift for people; `what` it was compared with is named where there is none."""
    if not drift:
        return [Line(f"No drift: {what}.")]
    lines: list[Line] = []
    for change in drift.changes:
        head, *fields = change_lines(change, {})
        lines += [Line(f"{head.text}: {_WORDS[change.action]}", head.style), *fields]
    return [*lines, Line(""), Line(f"Drift: {_counted(drift.changes)}")]


def _counted(changes: Iterable[Change]) -> str:
    counts = dict.fromkeys(_WORDS, 0)
    for change in changes:
        counts[change.action] += 1
    told = ((Action.DELETE, "gone"), (Action.UPDATE, "not the same"), (Action.CREATE, "from elsewhere"))
    return ", ".join(f"{counts[action]:,} {word}" for action, word in told)


def drift_json(drift: Plan, facts: dict[str, Any]) -> dict[str, Any]:
    """The drift for machines: changes as a plan has them, from what is meant to what is live."""
    report = as_json(drift)
    return {"formatVersion": report["formatVersion"], "drifted": bool(drift), "changes": report["changes"], **facts}
