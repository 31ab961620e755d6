"""One plan in each form, word for word, and what no form may do.

`GOLDEN=write pytest tests/reconciler/plan/test_shown.py` writes the files anew; read the difference before you commit.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.plan.annotations import CHANGES_TOLD_MAX, annotation, of_plan
from reconciler.plan.changes import diff
from reconciler.plan.effects import effects_of
from reconciler.plan.gates import refusals
from reconciler.plan.markdown import COMMENT_BYTES_MAX, MARK, markdown
from reconciler.plan.render import NOTHING, as_json, text
from reconciler.plan.turn import Turn
from schemas.problems import Problem, Where
from schemas.tables.rows import Auth, Inbound, Kind, NumberRow, RoomKind, Rows, RuleRow, Secret, TrunkRow
from schemas.tables.tables import Tables
from tests.any_rows import any_row

GOLDEN = Path(__file__).parent / "golden"

TRUNK = TrunkRow("default/carrier", Inbound(("10.0.0.0/8",), auth=Auth("acme", Secret("env:PASSWORD", b"old"))))
RULE = RuleRow("default/support", RoomKind.INDIVIDUAL, "call", randomize=True, from_=("+1*",))
DESK = RuleRow("default/desk", RoomKind.DIRECT, "desk|@team <b>", to=("+44*",))
MAIN = NumberRow("default/main", "+14155550100", TRUNK.id, RULE.id)
SIDE = NumberRow("default/side", "+14155550101", TRUNK.id, RULE.id)
AUTH = replace(TRUNK.inbound.auth, password=Secret("env:PASSWORD", b"new"))
OLD = NumberRow("default/old", "+14155550102", TRUNK.id, RULE.id)
BEFORE = (TRUNK, RULE, MAIN, SIDE, OLD)
AFTER = (
    replace(TRUNK, inbound=replace(TRUNK.inbound, auth=AUTH, ringing_timeout_ms=30_000)),
    replace(RULE, from_=()), DESK, replace(MAIN, rule=""), SIDE,
)  # fmt: skip
PROBLEM = Problem(Where("m/b.yaml", 3, 5), "`nubmer` is no field", "did you mean number?", "unknown-field")


def rows(*given):
    made = Rows()
    homes = {TrunkRow: made.trunks, RuleRow: made.rules, NumberRow: made.numbers}
    for row in given:
        homes[type(row)][row.id] = row
    return made


def shown(form: str, before: Rows, after: Rows) -> str:
    turn = Turn(Tables.build(before), diff(before, after))
    refused, effects = refusals(turn, before), effects_of(turn)
    places = {(Kind.RULE, RULE.id): Where("m/a.yaml", 12, 1)}
    if form == "txt":
        return "".join(f"{line.text}\n" for line in text(turn.plan, refused, places, effects=effects))
    if form == "json":
        return json.dumps(as_json(turn.plan, refused, places, effects), indent=2, ensure_ascii=False) + "\n"
    if form == "github":
        lines = of_plan(turn.plan, refused, places, effects=effects, problems=[PROBLEM], nothing=NOTHING)
        return "".join(f"{line}\n" for line in lines)
    return markdown(turn.plan, refused, places, effects=effects, problems=[PROBLEM])


@pytest.mark.parametrize("form", ["txt", "json", "md", "github"])
def test_a_plan_reads_as_it_should(form):
    told, golden = shown(form, rows(*BEFORE), rows(*AFTER)), GOLDEN / f"plan.{form}"
    if os.environ.get("GOLDEN") == "write":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")


def test_a_plan_without_changes_says_so_in_markdown():
    assert markdown(diff(rows(), rows())).splitlines()[:2] == [MARK, "### No changes&#58; the tables are as declared."]


@given(st.lists(any_row(), max_size=4), st.lists(any_row(), max_size=4))
@settings(max_examples=40, deadline=None)
def test_the_json_of_a_plan_is_json_and_holds_no_sealed_value(before, after):
    report = as_json(diff(rows(*before), rows(*after)))
    assert json.loads(json.dumps(report)) == report


NASTY = ["</details>", "| a | b |", "@everyone", "https://evil.example", "[x](y)", "`", "<!-- ", "\n# x", "&lt;"]


@pytest.mark.parametrize("nasty", NASTY)
def test_nothing_that_was_declared_can_leave_its_place_in_a_comment(nasty):
    plain = shown("md", rows(), rows(TRUNK, replace(RULE, metadata="plain", room_name="plain")))
    told = shown("md", rows(), rows(TRUNK, replace(RULE, metadata=nasty, room_name=nasty)))
    for mark in "<>|@[`\n":
        assert told.count(mark) == plain.count(mark)


@pytest.mark.parametrize("size", [1, 2_000, 60_000])
def test_a_comment_is_never_longer_than_github_takes(size):
    long = [replace(DESK, id=f"default/{i:05}", metadata="é|" * size) for i in range(3_000 if size == 1 else 40)]
    told = shown("md", rows(), rows(TRUNK, *long))
    assert len(told.encode()) <= COMMENT_BYTES_MAX
    assert size != 1 or "more changes that do not fit here" in told
    assert told.startswith(MARK)


@given(st.text(), st.text(), st.text())
def test_whatever_an_annotation_says_it_is_one_command(said, file, title):
    line = annotation("error", said, Where(file, 3, 1), title)
    head, _, told = line.removeprefix("::error ").partition("::")
    assert not {"\n", "\r"} & set(line)
    assert head.count(",") == 1 + bool(file) + bool(title)
    back = told.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
    assert back == said


def test_a_plan_of_many_changes_leaves_room_for_what_matters():
    long = [replace(DESK, id=f"default/{i:05}", to=(f"+44{i}*",)) for i in range(50)]
    lines = shown("github", rows(), rows(TRUNK, *long)).splitlines()
    assert sum("title=plan" in line and "file=" not in line for line in lines) == CHANGES_TOLD_MAX + 1
    assert lines[-1].endswith("::Plan: 51 to create, 0 to change, 0 to delete")
