"""What the YAML parser says, in words a person can act on.

libyaml reports the state of its grammar ("did not find expected key"); what a person did is usually one of a dozen
things. Called by `build` for the one syntax error of a document.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from yaml.error import Mark, MarkedYAMLError

from reconciler.manifests.text import position, source_line

_CONFLICT = re.compile(r"^(?:<{7} |={7}$|>{7} )", re.MULTILINE)
_GLUED = re.compile(r"([ ]*(?:- )?[A-Za-z][A-Za-z0-9_]*):[^\s:/]")
_TAB_INDENT = re.compile(r"[ ]*\t")

_INDENTATION = "the indentation does not fit the lines above it"
_TOO_DEEP = "exceeded maximum nesting depth"
"""What newer libyaml says before our own count is reached."""
_HINTS: tuple[tuple[str, str, str], ...] = (
    (_TOO_DEEP, "nested deeper than can be read", "no manifest needs this"),
    # what libyaml says, what it means, what to do
    (
        "mapping values are not allowed",
        "a `key: value` does not fit here",
        "quote a value that holds `: `, or check the indentation",
    ),
    (
        "did not find expected key",
        _INDENTATION,
        "line it up with the other keys of its map, or with the other items of its list",
    ),
    ("did not find expected '-' indicator", _INDENTATION, "line the `-` up with the others of its list"),
    (
        "block sequence entries are not allowed",
        "a list item does not fit here",
        "put `- ` on a line of its own under the key",
    ),
    ("could not find expected ':'", "a key has no `:` behind it", "write `key: value`, with a space behind the colon"),
    ("did not find expected ',' or ']'", "the list that opens here is not closed", "add the missing `,` or `]`"),
    ("did not find expected ',' or '}'", "the map that opens here is not closed", "add the missing `,` or `}`"),
    ("did not find expected node content", "a value is missing", "the brackets may not be closed"),
    (
        "found unknown escape character",
        "a backslash in double quotes begins an escape that YAML does not know",
        "write `\\\\`, or use single quotes",
    ),
    (
        "found invalid Unicode character escape",
        "an escape in double quotes is no character",
        "write the character itself",
    ),
    (
        "did not find expected hexdecimal number",
        "an escape in double quotes needs hexadecimal digits",
        "write `\\\\`, or use single quotes",
    ),
    ("found unexpected document indicator", "the quotes are not closed before the `---`", "add the closing quote"),
    ("found undefined tag handle", "a value begins with `!`", "quote it if it is text"),
    (
        "did not find expected <document start>",
        "text goes on behind the end of the value",
        "quote the whole value, or give it a key",
    ),
    (
        "did not find expected alphabetic or numeric character",
        "a value begins with `*` or `&`, which YAML keeps for aliases",
        'quote it: "*"',
    ),
    ("found incompatible YAML document", "the %YAML line asks for another YAML", "leave it out"),
    ("found a tab character", "a tab stands where YAML allows only spaces", "indent with spaces"),
    ("did not find expected digit or", "`|` or `>` begins a block of lines here", "quote the value if it is text"),
    (
        "did not find expected comment or line break",
        "text stands behind `|` or `>`",
        "begin the block on the next line, or quote the value",
    ),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A syntax error: line and column from 1, sentence, hint, stable code."""

    line: int
    column: int
    what: str
    hint: str
    code: str = "syntax"


def explain_syntax(text: str, error: MarkedYAMLError | None) -> Fault:
    """What is wrong with `text`, at the place where a person would look."""
    if conflict := _CONFLICT.search(text):
        line = text.count("\n", 0, conflict.start()) + 1
        return Fault(line, 1, "a merge conflict is left in the file", "keep one of the two sides", "merge-conflict")
    if error is None or error.problem_mark is None:
        return Fault(1, 1, "this is not YAML", "")
    said = error.problem or "this is not YAML"
    line, column = _place(text, error.problem_mark, error.context_mark if "expected ','" in said else None)
    if _TAB_INDENT.match(source_line(text, line)) and "quoted scalar" not in (error.context or ""):
        tab = source_line(text, line).index("\t") + 1
        return Fault(line, tab, "a tab in the indentation", "indent with spaces: YAML does not allow tabs", "tab")
    if "unexpected end of stream" in said and error.context_mark:
        start = error.context_mark
        return Fault(
            start.line + 1, start.column + 1, "the quote that opens here is never closed", "add the closing quote"
        )
    if "cannot start any token" in said:
        return _strange_sign(source_line(text, line)[column - 1 : column], line, column)
    if "mapping values" in said or "expected ':'" in said:
        for number in (line, line - 1):
            if glued := _GLUED.match(source_line(text, number)):
                return Fault(number, glued.end(1) + 1, "a `:` has no space behind it", "write `key: value`")
    if "expected key" in said and source_line(text, line)[: column - 1].rstrip().endswith(("'", '"')):
        return Fault(line, column, "text goes on behind the closing quote", "put the whole value in one pair of quotes")
    for phrase, what, hint in _HINTS:
        if phrase in said:
            return Fault(line, column, what, hint, "too-deep" if phrase == _TOO_DEEP else "syntax")
    return Fault(line, column, f"this is not YAML: {said}", "")


def _strange_sign(sign: str, line: int, column: int) -> Fault:
    if sign == "\t":
        return Fault(line, column, "a tab stands where YAML allows only spaces", "indent with spaces", "tab")
    return Fault(line, column, f"a value cannot begin with `{sign}`", "put it in quotes")


def _place(text: str, problem: Mark, opening: Mark | None) -> tuple[int, int]:
    """Where to look: at the bracket that is not closed, else at the problem, but never behind the last character."""
    mark = opening or problem
    line, column = position(text.rstrip())
    return min((mark.line + 1, mark.column + 1), (line, max(column - 1, 1)))
