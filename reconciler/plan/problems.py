"""Problems as people and machines read them: text with the line in question, JSON, GitHub's annotations.

Pure: problems and a way to get a line of a file go in, text comes out. The commands print it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import click

from schemas.problems import Problem, Severity, Where

FORMAT_VERSION = 1
LINE_CHARS_MAX = 140

LineOf = Callable[[Where], str]
"""The line of a file that a place points at, without secrets; "" when it cannot be shown."""

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


def render_problems(problems: Sequence[Problem], form: str, line_of: LineOf, *, colour: bool = False) -> str:
    """All `problems` as `text`, `json` or `github`, in the order given; ends with a line feed unless it is empty."""
    if form == "json":
        return render_json(problems)
    if form == "github":
        return "".join(_annotation(problem) + "\n" for problem in problems)
    return "".join(_paragraph(problem, line_of, colour) for problem in problems)


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
    }


def counted(problems: Sequence[Problem]) -> str:
    """`2 errors, 1 warning`; `no problems`."""
    errors = sum(problem.is_error for problem in problems)
    counts = [(errors, "error"), (len(problems) - errors, "warning")]
    return ", ".join(f"{n} {word}{'s' if n > 1 else ''}" for n, word in counts if n) or "no problems"


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
    shown = "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in shown)
    shown, before = shown[start : start + LINE_CHARS_MAX], shown[start:caret]
    gap = "".join("\t" if c == "\t" else " " for c in before)
    margin = f"{where.line:5} | "
    arrow = click.style("^", fg=_COLOURS[problem.severity], bold=True) if colour else "^"
    return f"{margin}{shown}\n{' ' * (len(margin) - 2)}| {gap}{arrow}\n"


def _annotation(problem: Problem) -> str:
    """GitHub's workflow command; https://docs.github.com/actions, "Setting an error message"."""
    where, fields = problem.where, []
    if where.file:
        fields.append(f"file={_escaped(where.file, field=True)}")
    if where.line:
        fields += [f"line={where.line}", f"col={where.column}"]
    fields.append(f"title={_escaped(problem.code, field=True)}")
    sentence = f"{problem.what}, {problem.hint}" if problem.hint else problem.what
    return f"::{problem.severity.value} {','.join(fields)}::{_escaped(sentence)}"


def _escaped(text: str, *, field: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if field else text
