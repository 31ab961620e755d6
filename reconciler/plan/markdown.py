"""A plan as the comment on a pull request: what moves first, each object folded up below it, never too long.

GitHub refuses a comment of more than 65,536 characters, so everything has a bound, and what does not fit is counted.
Values come from manifests, which whoever opens a pull request has written: none of them can mention, link, or leave
its place in a table. The first line is a mark by which a later run finds its own comment and replaces it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from reconciler.plan.changes import Action, Change, Plan
from reconciler.plan.effects import Effects, Move
from reconciler.plan.gates import Refusal
from reconciler.plan.render import NOTHING, SIGNS, Places, clip, counted_moves, titled
from reconciler.plan.words import show
from schemas.problems import Problem

MARK = "<!-- dialplane plan -->"
COMMENT_BYTES_MAX = 60_000
"""Of GitHub's 65,536 characters: the rest is for whoever puts a line of their own around it."""
EFFECTS_SHOWN_MAX = 50
REFUSALS_SHOWN_MAX = 10
PROBLEMS_SHOWN_MAX = 20
CLOSING_BYTES = 200
"""What the count of changes that were left out takes at most."""

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
    parts = [MARK, f"### {plan.summary if plan else _text(nothing)}", ""]
    parts += _refusals(refused)
    parts += _effects(effects or Effects())
    parts += _problems(problems)
    return _with_changes("\n".join(parts), plan, places or {})


def _refusals(refused: Sequence[Refusal]) -> list[str]:
    lines: list[str] = []
    for refusal in refused[:REFUSALS_SHOWN_MAX]:
        lines += [
            f"> **Refused as unsafe:** {_text(clip(str(refusal), 1000))}<br>",
            f"> to allow it: {_code(clip(refusal.flags, 500))}",
            "",
        ]
    return [*lines, *_more(len(refused) - REFUSALS_SHOWN_MAX, "refusal")]


def _effects(effects: Effects) -> list[str]:
    if not effects:
        return []
    lines = [f"**What becomes of calls:** {counted_moves(effects)}", "", "| call to | now | then |", "|---|---|---|"]
    for effect in effects.shown[:EFFECTS_SHOWN_MAX]:
        then = f"**{effect.after}**" if effect.move is Move.LOST else _code(str(effect.after))
        lines.append(f"| {_code(clip(effect.to))} | {_code(clip(str(effect.before)))} | {then} |")
    untried = f"{effects.untried:,} numbers were not tried" if effects.untried else ""
    return [*lines, "", *_more(len(effects.shown) - EFFECTS_SHOWN_MAX, "line"), *([untried, ""] if untried else [])]


def _problems(problems: Sequence[Problem]) -> list[str]:
    lines = []
    for problem in problems[:PROBLEMS_SHOWN_MAX]:
        sentence = f"{problem.what}, {problem.hint}" if problem.hint else problem.what
        lines.append(f"- {problem.severity.value} {_code(str(problem.where))} {_text(clip(sentence, 500))}")
    return [*lines, *([""] if lines else []), *_more(len(problems) - PROBLEMS_SHOWN_MAX, "problem")]


def _more(count: int, thing: str) -> list[str]:
    return [f"… and {count:,} more {thing}{'' if count == 1 else 's'}", ""] if count > 0 else []


def _with_changes(head: str, plan: Plan, places: Places) -> str:
    """The head, and behind it as many changes as there is room for: in full, else by name."""
    out, room = [head], COMMENT_BYTES_MAX - len(head.encode()) - CLOSING_BYTES
    told = 0
    for change in plan.changes:
        full = _change(change, places)
        line = full if len(full.encode()) < room else f"- {_title(change, places)}\n"
        if (room := room - len(line.encode()) - 1) < 0:
            break
        out.append(line)
        told += 1
    left = plan.changes[told:]
    if left:
        counts = ", ".join(
            f"{count:,} to {action}" for action in Action if (count := sum(one.action is action for one in left))
        )
        out.append(f"… and {len(left):,} more changes that do not fit here: {counts}\n")
    return "\n".join(out)


def _change(change: Change, places: Places) -> str:
    title = _title(change, places)
    if change.action is Action.DELETE or not change.fields:
        return f"- {title}\n"
    rows = [
        f"| {_code(field.field)} | {_value(show(field.old))} | {_value(show(field.new))} |" for field in change.fields
    ]
    table = "\n".join(["| field | old | new |", "|---|---|---|", *rows])
    return f"<details><summary>{title}</summary>\n\n{table}\n\n</details>\n"


def _title(change: Change, places: Places) -> str:
    place = places.get((change.kind, change.id))
    at = f" ({_text(str(place))})" if place is not None and str(place) else ""
    return f"<code>{SIGNS[change.action]}</code> {_text(titled(change))}{at}"


def _value(said: str) -> str:
    return _code(clip(said)) if said != show(None) else ""


def _code(text: str) -> str:
    """As code: GitHub looks for no names and no links in it."""
    return f"<code>{_text(text)}</code>"


def _text(text: str) -> str:
    """Text that means nothing but itself, on one line."""
    one_line = "".join(c if c.isprintable() else " " for c in text)
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", one_line)
