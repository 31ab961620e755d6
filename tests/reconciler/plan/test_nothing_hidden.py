"""However long a plan is made, its dangerous part is shown, or the reader is told that it is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.plan.annotations import TEXT_CHARS_MAX, of_plan
from reconciler.plan.changes import diff
from reconciler.plan.difference import VALUE_CHARS_MAX, arrow, sides
from reconciler.plan.effects import effects_of
from reconciler.plan.markdown import COMMENT_BYTES_MAX, markdown
from reconciler.plan.render import NOTHING, text
from reconciler.plan.turn import Turn
from schemas.tables.rows import Inbound, NumberRow, Outbound, RoomKind, Rows, RuleRow, TrunkRow
from schemas.tables.tables import Tables
from tests.reconciler.plan.test_shown import rows

SINGLE = tuple(f"192.0.2.{i}/32" for i in range(200))
NETWORKS = tuple(f"198.51.{i}.0/24" for i in range(100, 116))
TRUNK = TrunkRow("default/carrier", Inbound(NETWORKS))
RULE = RuleRow("default/rule", RoomKind.DIRECT, "lobby", to=("+1*",))
OUT = TrunkRow("default/out", None, Outbound(("sip.example.com",)))


def forms(before: Rows, after: Rows) -> dict[str, str]:
    turn = Turn(Tables.build(before), diff(before, after))
    effects = effects_of(turn)
    return {
        "text": "\n".join(line.text for line in text(turn.plan, effects=effects)),
        "markdown": markdown(turn.plan, effects=effects),
        "github": "\n".join(of_plan(turn.plan, effects=effects, nothing=NOTHING)),
    }


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        (replace(TRUNK, inbound=Inbound((*NETWORKS, "0.0.0.0/0"))), "+ 0.0.0.0/0"),
        (replace(TRUNK, inbound=Inbound((*NETWORKS, *SINGLE, "0.0.0.0/0"))), "0.0.0.0/0"),
        (replace(TRUNK, inbound=Inbound(NETWORKS[1:])), "- 198.51.100.0/24"),
    ],
)  # fmt: skip
def test_a_network_more_or_less_is_shown_in_every_form(changed: TrunkRow, shown: str) -> None:
    for form, told in forms(rows(TRUNK), rows(changed)).items():
        assert shown in told, form


def test_the_end_of_a_long_text_is_shown() -> None:
    metadata = "x" * 300
    before, after = replace(RULE, metadata=metadata), replace(RULE, metadata=metadata + "EVIL")
    for form, told in forms(rows(before), rows(after)).items():
        assert "EVIL" in told, form
    assert all("EVIL" in told for form, told in forms(rows(), rows(after)).items() if form != "github")


values = st.recursive(st.text("ab*", max_size=400), lambda inner: st.lists(inner, max_size=30) | st.dictionaries(
    st.text("ab", max_size=150), inner, max_size=12), max_leaves=40)  # fmt: skip


@given(values, values)
def test_values_that_differ_never_look_alike_and_are_never_long(old: object, new: object) -> None:
    told = sides(old, new)  # type: ignore[arg-type]
    shown = [(), [], {}, ""]
    if old != new and not (old in shown and new in shown):
        assert told[0] != told[1]
    assert len(arrow(old, new)) <= 12 * VALUE_CHARS_MAX  # type: ignore[arg-type]


def test_what_is_created_does_not_push_out_what_is_changed() -> None:
    many = [replace(RULE, id=f"default/a{i:04}", to=(f"+44{i}*",), metadata="|" * 150) for i in range(1_200)]
    hosts = replace(OUT, outbound=Outbound(("evil.example",)))
    told = forms(rows(OUT), rows(hosts, *many))
    assert "evil.example" in told["markdown"]
    assert "evil.example" in told["github"]
    assert "changes are NOT shown: do not approve by this comment**" in told["markdown"].splitlines()[3]
    assert "changes are NOT shown: do not approve" in told["github"]
    assert len(told["markdown"].encode()) <= COMMENT_BYTES_MAX


def test_every_update_and_delete_is_named_as_long_as_there_is_room_for_names() -> None:
    old = [replace(RULE, id=f"default/r{i:03}", to=(f"+44{i}*",)) for i in range(400)]
    new = [replace(row, metadata="|" * 190) for row in old[:300]]
    shown = forms(rows(*old), rows(*new))
    told = shown["markdown"]
    assert "shown by name alone: do not approve by these notes" in shown["github"]
    assert all(row.id in told for row in old)
    assert "shown by name alone: do not approve by this comment**" in told
    assert "NOT shown" not in told.replace("of what becomes of calls are NOT shown", "")


def test_updates_that_have_no_room_even_by_name_are_told_of_on_top() -> None:
    old = [replace(RULE, id=f"default/{'r' * 50}{i:04}", to=(f"+44{i}*",)) for i in range(1_500)]
    told = forms(rows(*old), rows(*(replace(row, metadata="new") for row in old)))
    assert "changes are NOT shown" in told["markdown"].splitlines()[3]
    assert "changes are NOT shown" in told["github"]
    assert len(told["markdown"].encode()) <= COMMENT_BYTES_MAX


def test_the_head_leaves_half_of_the_comment_to_the_changes() -> None:
    old = [replace(RULE, id=f"default/r{i:02}", to=(f"+44{i}",), room_name="|" * 120) for i in range(55)]
    told = forms(rows(TRUNK, *old), rows(TRUNK, *(replace(row, room_name="[" * 120) for row in old)))["markdown"]
    assert len(told.encode()) <= COMMENT_BYTES_MAX
    assert all(row.id in told for row in old)
    assert "of what becomes of calls are NOT shown" in told


@pytest.mark.parametrize("form", ["text", "markdown", "github"])
def test_calls_that_go_to_another_room_come_before_those_that_only_change_their_rule(form: str) -> None:
    trunk = TrunkRow("default/t", Inbound(("10.0.0.0/8",)))
    same = replace(RULE, to=(), id="default/same")
    numbers = [NumberRow(f"default/n{i:03}", f"+1415555{i:04}", trunk.id, RULE.id) for i in range(80)]
    moved = [replace(number, rule=same.id) for number in numbers[:-1]]
    evil = replace(same, id="default/evil", room_name="evil")
    before = rows(trunk, RULE, same, evil, *numbers)
    told = forms(before, rows(trunk, RULE, same, evil, *moved, replace(numbers[-1], rule=evil.id)))[form]
    calls = told[told.index("What becomes of calls") :]
    assert calls.index("evil/evil") < calls.index("same/lobby")
    assert all(len(line) < TEXT_CHARS_MAX * 2 for line in told.splitlines())
