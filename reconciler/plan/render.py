"""A plan for eyes and for machines: the text of a terminal, line by line with its style, and JSON with a version.

Callers are the command line and the watcher; neither formats a change itself. The JSON form only ever grows within
one `formatVersion`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.model.desired import Desired
from reconciler.plan.changes import Action, Change, Plan
from reconciler.plan.danger import fields_worst_first
from reconciler.plan.difference import arrow, clip, sides
from reconciler.plan.effects import Effect, Effects, Move
from reconciler.plan.gates import Refusal
from reconciler.plan.outcomes import Outcome
from reconciler.plan.visible import visible
from schemas.problems import Where
from schemas.tables.rows import Kind

FORMAT_VERSION = 1
NOTHING = "No changes: the tables are as declared."
BRIEF_FIELDS_MAX = 3
EFFECTS_SHOWN_MAX = 20

SIGNS = {Action.CREATE: "+", Action.UPDATE: "~", Action.DELETE: "-", Action.MOVE: ">"}
_EFFECT_STYLES = {Move.LOST: "delete", Move.MOVED: "update", Move.GAINED: "create"}
_MOVES = {
    Move.LOST: ("loses its answer", "lose their answer"),
    Move.MOVED: ("moves", "move"),
    Move.GAINED: ("is answered now", "are answered now"),
}
_PAST = {Action.CREATE: "created", Action.UPDATE: "changed", Action.DELETE: "deleted", Action.MOVE: "moved"}
Places = Mapping[tuple[Kind, str], Where]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text and its style: create, update, delete, refusal, or "" for plain."""

    text: str
    style: str = ""


def text(
    plan: Plan,
    refused: Iterable[Refusal] = (),
    places: Places | None = None,
    *,
    nothing: str = NOTHING,
    effects: Effects | None = None,
) -> list[Line]:
    """What `reconcile plan` prints: each change with its fields, what it does to calls, the counts, the refusals.

    `nothing` is said of a plan without changes.
    """
    lines: list[Line] = []
    for change in plan.changes:
        lines += change_lines(change, places or {})
    if not plan:
        lines.append(Line(nothing))
    else:
        lines += [Line(""), *effect_lines(effects or Effects()), Line(plan.summary)]
    for refusal in refused:
        lines += [Line(f"Refused as unsafe: {refusal}", "refusal"), Line(f"  to allow it: {refusal.flags}")]
    return lines


def nothing_changes(desired: Desired, *, applied: bool, nothing: str = NOTHING) -> str:
    """The sentence about a plan without changes: the tables are as declared only if nothing is held back."""
    held, unread = desired.held_back, desired.unread
    if held:
        plural = "" if desired.declared == 1 else "s"
        why = f"{held:,} of {desired.declared:,} document{plural} {'is' if held == 1 else 'are'} held back"
    elif unread:
        why = f"{unread:,} file{'' if unread == 1 else 's'} could not be read"
    else:
        return nothing
    return f"Nothing {'was' if applied else 'would be'} changed: {why}."


def effect_lines(effects: Effects) -> list[Line]:
    """What the plan does to calls, an effect to a line, the worst first; "" ends them where there are any."""
    if not effects:
        return []
    lines = [Line("What becomes of calls:")]
    shown = effects.shown[:EFFECTS_SHOWN_MAX]
    lines += [Line(f"  {_effect_said(effect)}", _EFFECT_STYLES[effect.move]) for effect in shown]
    if left := len(effects.shown) - len(shown):
        lines.append(Line(f"  … and {left:,} more lines that are not shown; in all {counted_moves(effects)}"))
    if effects.untried:
        lines.append(Line(f"  and {effects.untried:,} more numbers, which were not tried"))
    return [*lines, Line("")]


def _effect_said(effect: Effect) -> str:
    return f"{clip(visible(effect.to))}: {arrow(str(effect.before), str(effect.after))}"


def counted_moves(effects: Effects) -> str:
    """`1 number loses its answer, 2 numbers move, 10,000 numbers are answered now`."""
    told = []
    for move, (one, many) in _MOVES.items():
        if count := effects.counts.get(move, 0):
            told.append(f"{count:,} number{'' if count == 1 else 's'} {one if count == 1 else many}")
    return ", ".join(told)


def as_json(
    plan: Plan,
    refused: Iterable[Refusal] = (),
    places: Places | None = None,
    effects: Effects | None = None,
) -> dict[str, Any]:
    """The plan for machines."""
    return {
        "formatVersion": FORMAT_VERSION,
        "summary": {action.value: plan.count(action) for action in Action},
        "changes": [change_json(change, places or {}) for change in plan.changes],
        "effects": _effects_json(effects or Effects()),
        "refusals": [refusal_json(refusal) for refusal in refused],
    }


def refusal_json(refusal: Refusal) -> dict[str, Any]:
    """One refusal for machines."""
    return {"code": refusal.code, "what": refusal.what, "names": list(refusal.names), "flags": refusal.flags}


def brief(change: Change, *, planned: bool = False) -> str:
    """One change on one line: `DispatchRule default/support changed (room: lobby -> hall)`; `is changed` if planned."""
    head = f"{change.name} {'is ' if planned else ''}{_PAST[change.action]}"
    if change.moved_from:
        head = f"{head} from {change.moved_from}"
    fields = fields_worst_first(change) if change.action in (Action.UPDATE, Action.MOVE) else []
    if not fields:
        return head
    told = ", ".join(f"{_short(field.field)}: {arrow(field.old, field.new)}" for field in fields[:BRIEF_FIELDS_MAX])
    more = len(fields) - BRIEF_FIELDS_MAX
    return f"{head} ({told}{f', {more} more' if more > 0 else ''})"


def titled(change: Change) -> str:
    """`DispatchRule default/support`, and what a moved object was called."""
    return f"{change.name} (was {change.moved_from})" if change.moved_from else change.name


def change_lines(change: Change, places: Places) -> list[Line]:
    """One change: its object, and its fields."""
    style = Action.UPDATE.value if change.moved_from else change.action.value
    place = places.get((change.kind, change.id))
    at = f"  ({place})" if place is not None and str(place) else ""
    lines = [Line(f"{SIGNS[change.action]} {titled(change)}{_objects(change)}{at}", style)]
    if change.action is Action.DELETE:
        return lines
    for field in change.fields:
        said = arrow(field.old, field.new) if change.old is not None else sides(None, field.new)[1]
        lines.append(Line(f"    {field.field}: {said}"))
    return lines


def _objects(change: Change) -> str:
    return f" [{', '.join(change.objects)}]" if change.objects else ""


def change_json(change: Change, places: Places) -> dict[str, Any]:
    """One change for machines."""
    namespace, _, name = change.id.partition("/")
    place = places.get((change.kind, change.id))
    return {
        "action": change.action.value,
        "kind": change.kind.value,
        "namespace": namespace,
        "name": name,
        "movedFrom": change.moved_from,
        "file": place.file if place else "",
        "line": place.line if place else 0,
        "objects": [*change.objects],
        "fields": [{"field": field.field, "old": field.old, "new": field.new} for field in change.fields],
    }


def _effects_json(effects: Effects) -> dict[str, Any]:
    """`numbers` counts each by the worst that happens to it; `calls` are the first thousand of each kind."""
    return {
        "numbers": {move.value: effects.counts.get(move, 0) for move in Move},
        "untried": effects.untried,
        "calls": [_effect_json(effect) for effect in effects.shown],
    }


def _effect_json(effect: Effect) -> dict[str, Any]:
    return {
        "called": effect.called,
        "effect": effect.move.value,
        "trunk": effect.trunk,
        "network": effect.network,
        "caller": effect.caller,
        "before": _outcome_json(effect.before),
        "after": _outcome_json(effect.after),
        "text": str(effect),
    }


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "answered": outcome.is_answered,
        "rule": outcome.rule,
        "room": outcome.room,
        "asksPassword": outcome.asks_password,
        "asksPin": outcome.asks_pin,
        "reason": outcome.reason,
    }


def _short(path: str) -> str:
    """`room` for `rule.direct.room`: on one line the last word is enough."""
    return path.rpartition(".")[2]
