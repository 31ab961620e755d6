"""A plan as the comment on a pull request: what moves first, each object folded up below it, never too long.

GitHub refuses a comment of more than 65,536 characters, so everything has a bound, and what does not fit is counted.
Values come from manifests, which whoever opens a pull request has written: none of them can mention, link, or leave
its place in a table. The first line is a mark by which a later run finds its own comment and replaces it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from reconciler.plan.changes import Action, Change, FieldChange, Plan
from reconciler.plan.danger import fields_worst_first, worst_first
from reconciler.plan.difference import clip, sides
from reconciler.plan.effects import Effect, Effects, Move
from reconciler.plan.gates import Refusal
from reconciler.plan.render import NOTHING, SIGNS, Places, counted_moves, titled
from reconciler.plan.visible import visible
from reconciler.plan.words import show
from schemas.problems import Problem

MARK = "<!-- dialplane plan -->"
COMMENT_BYTES_MAX = 60_000
"""Of GitHub's 65,536 characters: the rest is for whoever puts a line of their own around it."""
SECTION_BYTES_MAX = COMMENT_BYTES_MAX // 6
"""Refusals, effects and problems, each: half of the comment is for the changes. Bytes as they are escaped."""
EFFECTS_SHOWN_MAX = 50
REFUSALS_SHOWN_MAX = 10
PROBLEMS_SHOWN_MAX = 20
CLOSING_BYTES = 600
"""What the warning on top and the count of changes that were left out take at most."""

_MARKUP = re.compile(r"[&<>|*_`~\[\]@\\#:]")
"""What means something in Markdown, in a table or to GitHub (a colon ends a scheme)."""


def markdown(
    plan: Plan,
    refused: Sequence[Refusal] = (),
    places: Places | None = None,
    *,
    effects: Effects | None = None,
    problems: Sequence[Problem] = (),
    nothing: str = NOTHING,
) -> str:
    """The whole comment, with a line feed at its end."""
    told = effects or Effects()
    calls, hidden = _effects(told)
    head = "\n".join([*_refusals(refused), *calls, *_problems(problems)])
    changes, unnamed, undetailed = _changes(plan, places or {}, COMMENT_BYTES_MAX - len(head.encode()) - CLOSING_BYTES)
    title = f"### {plan.summary if plan else _text(nothing)}"
    return "\n".join([MARK, title, "", *_warning(unnamed, undetailed, hidden), head, changes])


def _warning(unnamed: int, undetailed: int, hidden: int) -> list[str]:
    """What a reader must know first: that there is more than can be read here."""
    told = [f"{unnamed:,} change{_s(unnamed)} {_are(unnamed)} NOT shown"] if unnamed else []
    told += [f"{undetailed:,} {_are(undetailed)} shown by name alone"] if undetailed else []
    told += [f"{hidden:,} line{_s(hidden)} of what becomes of calls {_are(hidden)} NOT shown"] if hidden else []
    return [f"**{', '.join(told)}: do not approve by this comment**", ""] if told else []


def _refusals(refused: Sequence[Refusal]) -> list[str]:
    told = [
        f"> **Refused as unsafe:** {_text(clip(str(refusal), 1000))}<br>\n"
        f"> to allow it: {_code(clip(refusal.flags, 500))}\n"
        for refusal in refused[:REFUSALS_SHOWN_MAX]
    ]
    lines = _fitting(told)
    return [*lines, *_more(len(refused) - len(lines), "refusal")]


def _effects(effects: Effects) -> tuple[list[str], int]:
    """The table, and how many of its lines have no place in it."""
    if not effects:
        return [], 0
    head = [f"**What becomes of calls:** {counted_moves(effects)}", "", "| call to | now | then |", "|---|---|---|"]
    rows = _fitting([_effect(effect) for effect in effects.shown[:EFFECTS_SHOWN_MAX]])
    left = len(effects.shown) - len(rows)
    untried = f"{effects.untried:,} numbers were not tried" if effects.untried else ""
    return [*head, *rows, "", *_more(left, "line"), *([untried, ""] if untried else [])], left


def _effect(effect: Effect) -> str:
    before, after = sides(str(effect.before), str(effect.after))
    then = f"**{after}**" if effect.move is Move.LOST else _code(after)
    return f"| {_code(clip(effect.to))} | {_code(before)} | {then} |"


def _problems(problems: Sequence[Problem]) -> list[str]:
    told = []
    for problem in problems[:PROBLEMS_SHOWN_MAX]:
        sentence = f"{problem.what}, {problem.hint}" if problem.hint else problem.what
        told.append(f"- {problem.severity.value} {_code(clip(str(problem.where)))} {_text(clip(sentence, 500))}")
    lines = _fitting(told)
    return [*lines, *([""] if lines else []), *_more(len(problems) - len(lines), "problem")]


def _fitting(lines: Sequence[str]) -> list[str]:
    """The first of these lines, as many as a section has room for."""
    room, out = SECTION_BYTES_MAX, []
    for line in lines:
        if (room := room - len(line.encode()) - 1) < 0:
            break
        out.append(line)
    return out


def _more(count: int, thing: str) -> list[str]:
    return [f"… and {count:,} more {thing}{_s(count)}", ""] if count > 0 else []


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _changes(plan: Plan, places: Places, room: int) -> tuple[str, int, int]:
    """As many changes as there is room for, the worst first; how many are not named, and how many only named.

    Whatever is not only added is named before anything is told in full, and told before what is added is named.
    """
    changes = worst_first(plan.changes)
    lines: list[str] = []
    touching = sum(1 for change in changes if change.action is not Action.CREATE)
    room = _name(changes[:touching], lines, places, room)
    undetailed = 0
    for place, change in enumerate(changes[: len(lines)]):
        full = _change(change, places)
        if (cost := len(full.encode()) - len(lines[place].encode())) > room:
            undetailed += 1
            continue
        lines[place], room = full, room - cost
    if len(lines) == touching:
        _add(changes[touching:], lines, places, room)
    if left := changes[len(lines) :]:
        lines.append(f"… and {len(left):,} more changes that do not fit here: {_counted(left)}\n")
    return "\n".join(lines), len(left), undetailed


def _name(changes: Sequence[Change], lines: list[str], places: Places, room: int) -> int:
    """Add the names of changes while there is room; the room that is left."""
    for change in changes:
        line = f"- {_title(change, places)}\n"
        if len(line.encode()) + 1 > room:
            break
        lines.append(line)
        room -= len(line.encode()) + 1
    return room


def _add(changes: Sequence[Change], lines: list[str], places: Places, room: int) -> None:
    """Add what is created, in full where there is room, else by name."""
    for change in changes:
        full = _change(change, places)
        line = full if len(full.encode()) < room else f"- {_title(change, places)}\n"
        if (room := room - len(line.encode()) - 1) < 0:
            break
        lines.append(line)


def _counted(changes: Sequence[Change]) -> str:
    counts = ((action, sum(one.action is action for one in changes)) for action in Action)
    return ", ".join(f"{count:,} to {action}" for action, count in counts if count)


def _change(change: Change, places: Places) -> str:
    title = _title(change, places)
    if change.action is Action.DELETE or not change.fields:
        return f"- {title}\n"
    rows = [_row(field) for field in fields_worst_first(change)]
    table = "\n".join(["| field | old | new |", "|---|---|---|", *rows])
    return f"<details><summary>{title}</summary>\n\n{table}\n\n</details>\n"


def _title(change: Change, places: Places) -> str:
    place = places.get((change.kind, change.id))
    at = f" ({_text(str(place))})" if place is not None and str(place) else ""
    return f"<code>{SIGNS[change.action]}</code> {_text(titled(change))}{at}"


def _row(field: FieldChange) -> str:
    old, new = sides(field.old, field.new)
    return f"| {_code(field.field)} | {_value(old)} | {_value(new)} |"


def _value(said: str) -> str:
    return _code(said) if said != show(None) else ""


def _code(text: str) -> str:
    """As code: GitHub looks for no names and no links in it."""
    return f"<code>{_text(text)}</code>"


def _text(text: str) -> str:
    """Text that means nothing but itself, on one line."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", visible(text))
