from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.desired import desire
from reconciler.model.live import Live
from reconciler.plan import effects as effects_module
from reconciler.plan.changes import diff
from reconciler.plan.effects import Move, effects_of
from reconciler.plan.outcomes import outcome_of
from reconciler.plan.render import as_json, text
from reconciler.plan.turn import Turn
from schemas.tables.decisions import Admitted, CallFacts, Challenged, PinNeeded
from schemas.tables.explain import explain
from schemas.tables.rows import (
    Agent,
    Auth,
    Direction,
    Inbound,
    NumberRow,
    Room,
    RoomKind,
    Rows,
    RuleRow,
    Secret,
    TrunkRow,
)
from schemas.tables.tables import Tables
from tests.reconciler.declaring import any_folder, declared

TRUNK = TrunkRow("default/t", Inbound(("10.0.0.0/8",)))
RULE = RuleRow("default/support", RoomKind.INDIVIDUAL, "call", randomize=True)
NUMBER = NumberRow("default/n", "+14155550100", trunk="default/t", rule="default/support")
OTHER = RuleRow("default/sales", RoomKind.DIRECT, "hall", to=("+44*",))


def rows(*given):
    made = Rows()
    homes = {TrunkRow: made.trunks, RuleRow: made.rules, NumberRow: made.numbers}
    for row in given:
        homes[type(row)][row.id] = row
    return made


def turn(before: Rows, after: Rows) -> Turn:
    return Turn(Tables.build(before), diff(before, after))


def told(before, after):
    return [str(effect) for effect in effects_of(turn(rows(*before), rows(*after))).shown]


def test_a_rule_that_goes_leaves_its_number_to_nobody():
    assert told([TRUNK, RULE, NUMBER], [TRUNK, replace(NUMBER, rule="")]) == [
        "+14155550100: support/call_* -> nobody answers"
    ]


def test_a_number_that_points_elsewhere_moves():
    hall = replace(OTHER, to=())
    assert told([TRUNK, RULE, OTHER, NUMBER], [TRUNK, RULE, hall, replace(NUMBER, rule=hall.id)])[0] == (
        "+14155550100: support/call_* -> sales/hall"
    )


def test_a_new_room_moves_the_calls_and_another_agent_does_not():
    assert told([TRUNK, RULE, NUMBER], [TRUNK, replace(RULE, room_name="desk"), NUMBER]) == [
        "+14155550100: support/call_* -> support/desk_*"
    ]
    assert not told([TRUNK, RULE, NUMBER], [TRUNK, replace(RULE, room=Room((Agent("a"),))), NUMBER])


def test_a_prefix_stands_for_the_numbers_that_nothing_else_names():
    assert told([TRUNK, OTHER], [TRUNK, replace(OTHER, to=("+44*", "+4420*"))]) == [], "one stays within the other"
    assert told([TRUNK], [TRUNK, OTHER]) == ["+44*: nobody answers -> sales/hall"]


def test_a_rule_for_any_number_is_told_as_that():
    assert told([TRUNK], [TRUNK, replace(OTHER, to=())]) == ["any other number: nobody answers -> sales/hall"]


def test_a_trunk_that_loses_an_address_loses_the_calls_from_there_alone():
    wide = replace(TRUNK, inbound=Inbound(("10.0.0.0/8", "192.0.2.0/24")))
    assert told([wide, RULE, NUMBER], [TRUNK, RULE, NUMBER]) == [
        "+14155550100 from 192.0.2.0/24: support/call_* -> nobody answers"
    ]


def test_a_number_on_two_trunks_is_told_by_the_one_that_changes():
    second = TrunkRow("default/u", Inbound(("172.16.0.0/12",), called_declared_only=True))
    also = replace(NUMBER, id="default/n2", trunk=second.id)
    before = [TRUNK, second, RULE, NUMBER, also]
    assert told(before, [TRUNK, second, RULE, NUMBER]) == [
        "+14155550100 on Trunk default/u: support/call_* -> nobody answers"
    ]


def test_a_rule_for_some_callers_is_told_by_them():
    vip = replace(OTHER, to=("+14155550100",), from_=("+1212*",))
    assert told([TRUNK, RULE, NUMBER], [TRUNK, RULE, vip, NUMBER]) == [
        "+14155550100 by +1212*: support/call_+1212* -> sales/hall"
    ]


def test_a_password_and_a_pin_are_part_of_it():
    locked = replace(TRUNK, inbound=replace(TRUNK.inbound, auth=Auth("acme", Secret("env:P"))))
    assert told([TRUNK, RULE, NUMBER], [locked, RULE, NUMBER])[0] == (
        "+14155550100: support/call_* -> support/call_* after a password"
    )
    assert told([TRUNK, RULE, NUMBER], [TRUNK, replace(RULE, pin=Secret("env:PIN")), NUMBER]) == [
        "+14155550100: support/call_* -> support/call_* after a PIN"
    ]


def test_a_room_for_each_called_number_is_named_by_it():
    callee = replace(RULE, kind=RoomKind.CALLEE, room_name="line", randomize=False)
    second = replace(NUMBER, id="default/n2", number="+14155550101")
    assert told([TRUNK, replace(callee, room_name="desk"), NUMBER, second], [TRUNK, callee, NUMBER, second]) == [
        "+14155550100: support/desk_+14155550100 -> support/line_+14155550100",
        "+14155550101: support/desk_+14155550101 -> support/line_+14155550101",
    ]


def test_lost_calls_come_first_and_all_are_counted():
    numbers = [NumberRow(f"default/n{i:03}", f"+1415555{i:04}", "default/t", RULE.id) for i in range(60)]
    before = rows(TRUNK, RULE, *numbers[:30])
    after = rows(TRUNK, RULE, replace(numbers[0], rule="", direction=Direction.OUTBOUND), *numbers[1:])
    found = effects_of(turn(before, after))
    assert found.counts == {Move.LOST: 1, Move.MOVED: 0, Move.GAINED: 30}
    assert found.shown[0].move is Move.LOST
    lines = [line.text for line in text(turn(before, after).plan, effects=found)]
    at = lines.index("What becomes of calls:")
    assert lines[at + 1] == "  +14155550000: support/call_* -> nobody answers"
    told = "  … and 11 more lines that are not shown; in all 1 number loses its answer, 30 numbers are answered now"
    assert lines[at + 21] == told


def test_numbers_beyond_the_bound_are_counted(monkeypatch):
    monkeypatch.setattr(effects_module, "NUMBERS_MAX", 3)
    numbers = [NumberRow(f"default/n{i}", f"+1415555{i:04}", "default/t", RULE.id) for i in range(5)]
    found = effects_of(turn(rows(TRUNK, RULE), rows(TRUNK, RULE, *numbers)))
    assert found.untried == 3, "the fifth and fourth, and any other number"


def test_the_json_has_both_sides_and_the_sentence():
    made = turn(rows(TRUNK, RULE, NUMBER), rows(TRUNK, NUMBER))
    report = as_json(made.plan, effects=effects_of(made))["effects"]
    assert report["numbers"] == {"lost": 1, "moved": 0, "gained": 0}
    (call,) = report["calls"]
    assert call["called"] == "+14155550100"
    assert (call["before"]["rule"], call["before"]["room"]) == ("default/support", "call_*")
    assert (call["after"]["answered"], call["after"]["reason"]) == (False, "no-rule")


def decided(tables: Tables, facts: CallFacts):
    """Which rule takes a call, as `explain` says it; a caller knows the password."""
    found = explain(tables, facts).decision
    if isinstance(found, Challenged):
        found = explain(tables, replace(facts, authenticated_as=found.trunk.inbound.auth.username)).decision
    return found.rule.id if isinstance(found, Admitted | PinNeeded) else ""


def live_after(folder) -> Rows:
    return desire(declared(folder), Live()).rows


@settings(max_examples=60, deadline=None)
@given(any_folder, any_folder)
def test_what_is_said_of_a_call_is_what_explain_says_of_it(before, after):
    made = turn(live_after(before), live_after(after))
    for effect in effects_of(made).shown:
        assert decided(made.before, effect.example) == effect.before.rule
        assert decided(made.after, effect.example) == effect.after.rule
        assert effect.before != effect.after


CALLED = ["+14155550100", "+14155550101", "+442071838750", "anonymous"]


@settings(max_examples=60, deadline=None)
@given(any_folder, any_folder, st.sampled_from(CALLED), st.sampled_from(["10.1.0.0", "10.2.3.4", "2001:db8::"]))
def test_no_call_by_a_caller_of_whom_nothing_is_known_moves_unsaid(before, after, called, source):
    made = turn(live_after(before), live_after(after))
    facts = CallFacts(source, called, "*")
    before_it, after_it = outcome_of(made.before, facts), outcome_of(made.after, facts)
    if before_it != after_it:
        told_of = {effect.called for effect in effects_of(made).shown}
        assert told_of & {called, f"{called[:5]}*", f"{called[:3]}*", "*"}


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_becomes_of_calls_where_nothing_changes(count):
    same = rows(TRUNK, RULE, *[NUMBER][:count])
    assert not effects_of(turn(same, same))
