"""What the parser stumbles over, and the sentence a person gets: goldens, because the reader is a person."""

from __future__ import annotations

import pytest

from reconciler.manifests.located import read_bytes

GOLDENS = {
    "a: b: c": "1:5: a `key: value` does not fit here, quote a value that holds `: `, or check the indentation",
    "a:1\nb: 2": "1:2: a `:` has no space behind it, write `key: value`",
    "x:\n  a: 1\n b: 1": "3:2: the indentation does not fit the lines above it, "
    "line it up with the other keys of its map, or with the other items of its list",
    'a: "b" c': "1:8: text goes on behind the closing quote, put the whole value in one pair of quotes",
    "a: [1, 2\nb: 3": "1:4: the list that opens here is not closed, add the missing `,` or `]`",
    "a: {b: 1\nc: 2": "1:4: the map that opens here is not closed, add the missing `,` or `}`",
    "a: 'x\nb: 1": "1:4: the quote that opens here is never closed, add the closing quote",
    "a:\n  b: [1,\n\n": "2:8: a value is missing, the brackets may not be closed",
    "to: [*]": '1:7: a value begins with `*` or `&`, which YAML keeps for aliases, quote it: "*"',
    "x: @foo": "1:4: a value cannot begin with `@`, put it in quotes",
    "- \ta: 1": "1:3: a tab stands where YAML allows only spaces, indent with spaces",
    "x: %foo": "1:4: a value cannot begin with `%`, put it in quotes",
    'a: "\\d"': "1:5: a backslash in double quotes begins an escape that YAML does not know, "
    "write `\\\\`, or use single quotes",
    'a: "\\ud83d\\ude00"': "1:7: an escape in double quotes is no character, write the character itself",
    "a:\n\tb: 1": "2:1: a tab in the indentation, indent with spaces: YAML does not allow tabs",
    "a: 1\n=======\nb: 2": "2:1: a merge conflict is left in the file, keep one of the two sides",
    "%YAML 2.0\n---\na: 1": "1:1: the %YAML line asks for another YAML, leave it out",
    "a: |x\n  y": "1:5: text stands behind `|` or `>`, begin the block on the next line, or quote the value",
    "a: - b": "1:4: a list item does not fit here, put `- ` on a line of its own under the key",
    "a: !x!y b": "1:4: a value begins with `!`, quote it if it is text",
}


@pytest.mark.parametrize(("text", "sentence"), GOLDENS.items())
def test_a_syntax_error_is_explained(text, sentence):
    (document,) = read_bytes(text.encode(), "f").documents
    assert [str(problem) for problem in document.problems] == [f"f:{sentence}"]
