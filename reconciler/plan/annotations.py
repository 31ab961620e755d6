"""GitHub's workflow commands: what a job prints so that a place of a pull request shows it.

Pure. One line to an annotation, whatever its text holds: values come from manifests, and a line feed in one of them
would begin a command of its own. https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconciler.plan.changes import Action, Change, Plan
from reconciler.plan.danger import worst_first
from reconciler.plan.effects import Effects
from reconciler.plan.gates import Refusal
from reconciler.plan.render import SIGNS, Places, brief, counted_moves, effect_lines, titled
from schemas.problems import Problem, Where

CHANGES_TOLD_MAX = 7
"""GitHub shows ten notices of a step: these, the names of the others, what becomes of calls, and the counts."""
TEXT_CHARS_MAX = 4_000
NOWHERE = Where()


def annotation(level: str, text: str, where: Where = NOWHERE, title: str = "") -> str:
    """One command, without a line end. `level`: error, warning or notice."""
    fields = []
    if where.file:
        fields.append(f"file={_escaped(where.file, field=True)}")
    if where.line:
        fields.append(f"line={where.line}")
    if where.column:
        fields.append(f"col={where.column}")
    if title:
        fields.append(f"title={_escaped(title, field=True)}")
    said = text if len(text) <= TEXT_CHARS_MAX else f"{text[: TEXT_CHARS_MAX - 1]}…"
    return f"::{level}{' ' if fields else ''}{','.join(fields)}::{_escaped(said)}"


def of_problem(problem: Problem) -> str:
    """A problem at its place."""
    sentence = f"{problem.what}, {problem.hint}" if problem.hint else problem.what
    return annotation(problem.severity.value, sentence, problem.where, problem.code)


def of_plan(
    plan: Plan,
    refused: Iterable[Refusal] = (),
    places: Places | None = None,
    *,
    effects: Effects | None = None,
    problems: Sequence[Problem] = (),
    nothing: str,
) -> list[str]:
    """A plan: its problems, its refusals as errors, then as notices what becomes of calls, the changes, the counts."""
    lines = [of_problem(problem) for problem in problems]
    lines += [
        annotation("error", f"{refusal}\nto allow it: {refusal.flags}", title="Refused as unsafe")
        for refusal in refused
    ]
    if told := [line.text.strip() for line in effect_lines(effects or Effects()) if line.text]:
        title = f"{told[0]} {counted_moves(effects or Effects())}"
        lines.append(annotation("notice", "\n".join(told[1:]), title=title))
    changes = worst_first(plan.changes)
    lines += [_of_change(change, places or {}) for change in changes[:CHANGES_TOLD_MAX]]
    lines += _of_others(changes[CHANGES_TOLD_MAX:])
    return [*lines, annotation("notice", plan.summary if plan else nothing, title="plan")]


def _of_others(changes: Sequence[Change]) -> list[str]:
    """Those that have no line of their own, by name; a warning where that hides something."""
    named: list[str] = []
    room = TEXT_CHARS_MAX
    for change in changes:
        name = f"{SIGNS[change.action]} {titled(change)}"
        if (room := room - len(name) - 1) < 0:
            break
        named.append(name)
    lines = [annotation("notice", "\n".join(named), title="More changes")] if named else []
    left = len(changes) - len(named)
    by_name = sum(change.action is not Action.CREATE for change in changes[: len(named)])
    told = [f"{left:,} change{'' if left == 1 else 's'} {_are(left)} NOT shown"] if left else []
    told += [f"{by_name:,} {_are(by_name)} shown by name alone"] if by_name else []
    if told:
        lines.insert(0, annotation("warning", f"{', '.join(told)}: do not approve by these notes", title="plan"))
    return lines


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _of_change(change: Change, places: Places) -> str:
    return annotation("notice", brief(change, planned=True), places.get((change.kind, change.id), NOWHERE), "plan")


def _escaped(text: str, *, field: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if field else text
