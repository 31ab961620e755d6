"""Problems as people and machines read them: text with the line in question, JSON, GitHub's annotations.

Pure: problems and a way to get a line of a file go in, text comes out. The commands print it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import click

from reconciler.plan.annotations import of_problem
from schemas.printable import printable
from schemas.problems import Problem, Severity, Where

FORMAT_VERSION = 1
LINE_CHARS_MAX = 140
WAITING_SHOWN_MAX = 5
STEPS_MAX = 3
"""A number waits for a rule, a rule for a trunk; no way from an object to its cause is longer."""

LineOf = Callable[[Where], str]
"""The line of a file that a place points at, without secrets; "" when it cannot be shown."""

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


def render_problems(problems: Sequence[Problem], form: str, line_of: LineOf, *, colour: bool = False) -> str:
    """All `problems` as `text`, `json` or `github`; ends with a line feed unless it is empty.

    Machines get them in the order given. People get what they have to mend first, and what only follows from it in one
    line below.
    """
    if form == "json":
        return render_json(problems)
    if form == "github":
        return "".join(of_problem(problem) + "\n" for problem in problems)
    return _for_people(problems, line_of, colour)


def render_json(problems: Sequence[Problem]) -> str:
    """One JSON object: `formatVersion`, `errors` and `warnings` (counts), `problems`."""
    errors = sum(problem.is_error for problem in problems)
    report = {
        "formatVersion": FORMAT_VERSION,
        "errors": errors,
        "warnings": len(problems) - errors,
        "problems": [as_json(problem) for problem in problems],
    }
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def as_json(problem: Problem) -> dict[str, Any]:
    """One problem; `line` and `column` are 0 where the whole file is meant."""
    return {
        "file": problem.where.file,
        "line": problem.where.line,
        "column": problem.where.column,
        "path": problem.where.path,
        "severity": problem.severity.value,
        "code": problem.code,
        "what": problem.what,
        "hint": problem.hint,
        "object": problem.object_id,
        "waitsFor": problem.waits_for,
    }


def counted(problems: Sequence[Problem]) -> str:
    """`2 errors, 1 warning`; `no problems`."""
    errors = sum(problem.is_error for problem in problems)
    counts = [(errors, "error"), (len(problems) - errors, "warning")]
    return ", ".join(f"{n} {word}{'s' if n > 1 else ''}" for n, word in counts if n) or "no problems"


def _for_people(problems: Sequence[Problem], line_of: LineOf, colour: bool) -> str:
    """Errors, each object's first with a line about who waits for it; then warnings."""
    waiting = _by_cause(problems)
    told = {id(problem) for found in waiting.values() for problem in found}
    out = []
    for problem in sorted((one for one in problems if id(one) not in told), key=lambda one: not one.is_error):
        out.append(_paragraph(problem, line_of, colour))
        if problem.is_error and (found := waiting.pop(problem.object_id, None)):
            out.append(_waiting_line(found))
    return "".join(out)


def _by_cause(problems: Sequence[Problem]) -> dict[str, list[Problem]]:
    """The problems that only follow from an error of another object, by that object, however many steps away it is."""
    wrong = {problem.object_id for problem in problems if problem.is_error and problem.object_id}
    next_of = {problem.object_id: problem.waits_for for problem in problems if problem.waits_for}
    out: dict[str, list[Problem]] = {}
    for problem in problems:
        cause = problem.waits_for
        for _ in range(STEPS_MAX):
            if cause in wrong or not cause:
                break
            cause = next_of.get(cause, "")
        if cause in wrong:
            out.setdefault(cause, []).append(problem)
    return out


def _waiting_line(waiting: Sequence[Problem]) -> str:
    named = dict.fromkeys(
        f"{one.object_id.replace('/', ' ', 1)} ({one.where.file}:{one.where.line})" for one in waiting
    )
    shown = ", ".join(list(named)[:WAITING_SHOWN_MAX])
    more = f" and {len(named) - WAITING_SHOWN_MAX} more" if len(named) > WAITING_SHOWN_MAX else ""
    many = "1 document waits" if len(named) == 1 else f"{len(named)} documents wait"
    return f"      {many} for it: {shown}{more}\n"


def _paragraph(problem: Problem, line_of: LineOf, colour: bool) -> str:
    sentence = f"{problem.what}, {problem.hint}" if problem.hint else problem.what
    word = "" if problem.is_error else f"{problem.severity.value}: "
    place = f"{problem.where}: " if str(problem.where) else ""
    if colour:
        place = click.style(place, bold=True)
        word = click.style(f"{problem.severity.value}: ", fg=_COLOURS[problem.severity])
    return f"{place}{word}{sentence}\n{_excerpt(problem, line_of, colour)}"


def _excerpt(problem: Problem, line_of: LineOf, colour: bool) -> str:
    """The line in question and a caret below the place; nothing where the line cannot be shown."""
    where = problem.where
    if not where.line or not (shown := line_of(where)).strip():
        return ""
    caret = where.column - 1
    start = max(0, caret - LINE_CHARS_MAX // 2)
    shown = "\t".join(map(printable, shown.split("\t")))
    shown, before = shown[start : start + LINE_CHARS_MAX], shown[start:caret]
    gap = "".join("\t" if c == "\t" else " " for c in before)
    margin = f"{where.line:5} | "
    arrow = click.style("^", fg=_COLOURS[problem.severity], bold=True) if colour else "^"
    return f"{margin}{shown}\n{' ' * (len(margin) - 2)}| {gap}{arrow}\n"
