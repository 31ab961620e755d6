from __future__ import annotations

import json

import pytest

from reconciler.plan.problems import counted, render_problems
from schemas.problems import Problem, Severity, Where

ERROR = Problem(Where("a.yaml", 5, 11, "spec.number"), "it is wrong", "mend it", "bad", object_id="Trunk/default/t")
WARNING = Problem(Where("b.yaml", 1, 1), "it is odd", "", "odd", Severity.WARNING)
WHOLE = Problem(Where("dir"), "cannot be read", "", "unreadable")


def line_of(where: Where) -> str:
    return {5: "  number: +14155550100", 1: "kind: X"}.get(where.line, "")


def test_text_is_the_sentence_with_the_line_and_a_caret():
    assert render_problems([ERROR, WARNING, WHOLE], "text", line_of) == (
        "a.yaml:5:11: it is wrong, mend it\n"
        "    5 |   number: +14155550100\n"
        "      |           ^\n"
        "dir: cannot be read\n"
        "b.yaml:1:1: warning: it is odd\n"
        "    1 | kind: X\n"
        "      | ^\n"
    )


def test_colour_only_adds_colour():
    plain = render_problems([ERROR], "text", line_of)
    coloured = render_problems([ERROR], "text", line_of, colour=True)
    assert "\x1b[" in coloured
    assert "\x1b[" not in plain


def test_a_caret_stands_below_its_column_behind_tabs_and_in_long_lines():
    deep = Problem(Where("f", 1, 3), "x")
    assert "| \t ^" in render_problems([deep], "text", lambda _: "\t x")
    far = Problem(Where("f", 1, 5001), "x")
    excerpt = render_problems([far], "text", lambda _: "y" * 5000 + "Z" + "y" * 5000).splitlines()
    assert len(excerpt[1]) < 200
    assert excerpt[1][excerpt[2].index("^")] == "Z"


def test_what_cannot_be_printed_is_replaced():
    assert "\x1b" not in render_problems([ERROR], "text", lambda _: "\x1b[31mred")


def test_json_counts_and_names_every_part():
    report = json.loads(render_problems([ERROR, WARNING], "json", line_of))
    assert (report["formatVersion"], report["errors"], report["warnings"]) == (1, 1, 1)
    assert report["problems"][0] == {
        "file": "a.yaml", "line": 5, "column": 11, "path": "spec.number", "severity": "error", "code": "bad",
        "what": "it is wrong", "hint": "mend it", "object": "Trunk/default/t",
            "waitsFor": "",
    }  # fmt: skip


def test_github_gets_one_annotation_per_line_whatever_the_text_holds():
    nasty = Problem(Where("a,b:c.yaml", 1, 2), "50 % of\r\nlines::error::x", "", "bad")
    assert render_problems([nasty, WARNING, WHOLE], "github", line_of) == (
        "::error file=a%2Cb%3Ac.yaml,line=1,col=2,title=bad::50 %25 of%0D%0Alines::error::x\n"
        "::warning file=b.yaml,line=1,col=1,title=odd::it is odd\n"
        "::error file=dir,title=unreadable::cannot be read\n"
    )


@pytest.mark.parametrize(
    ("problems", "words"),
    [([], "no problems"), ([ERROR], "1 error"), ([ERROR, ERROR, WARNING], "2 errors, 1 warning")],
)
def test_problems_are_counted_in_words(problems, words):
    assert counted(problems) == words


def waits(kind: str, name: str, cause: str, line: int = 9) -> Problem:
    where = Where("c.yaml", line, 1)
    return Problem(where, "waits", "", "waits", Severity.WARNING, f"{kind}/default/{name}", cause)


def test_people_read_causes_first_and_who_waits_for_each_in_one_line():
    rule = waits("DispatchRule", "r", "Trunk/default/t")
    number = waits("PhoneNumber", "n", "DispatchRule/default/r", 20)
    twice = waits("PhoneNumber", "n", "Trunk/default/t", 20)
    assert render_problems([WARNING, rule, number, twice, ERROR], "text", lambda _: "") == (
        "a.yaml:5:11: it is wrong, mend it\n"
        "      2 documents wait for it: DispatchRule default/r (c.yaml:9), PhoneNumber default/n (c.yaml:20)\n"
        "b.yaml:1:1: warning: it is odd\n"
    )


def test_who_waits_for_something_that_has_no_error_of_its_own_is_told_in_full():
    assert render_problems([waits("DispatchRule", "r", "Trunk/default/hidden")], "text", lambda _: "") == (
        "c.yaml:9:1: warning: waits\n"
    )


def test_very_many_that_wait_are_counted():
    many = [waits("DispatchRule", f"r{index}", "Trunk/default/t") for index in range(8)]
    told = render_problems([ERROR, *many], "text", lambda _: "")
    assert "8 documents wait for it: DispatchRule default/r0 (c.yaml:9), " in told
    assert told.endswith(" and 3 more\n")
