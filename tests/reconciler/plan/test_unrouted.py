from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from reconciler.model.desired import desire
from reconciler.model.live import Live
from reconciler.plan.changes import diff
from reconciler.plan.effects import Move, effects_of
from reconciler.plan.gates import Allowances, refusals
from reconciler.plan.turn import Turn
from reconciler.plan.unrouted import unrouted
from schemas.tables.rows import Direction, Inbound, Media, NumberRow, RoomKind, Rows, RuleRow, TrunkRow
from schemas.tables.tables import Tables
from tests.reconciler.declaring import any_folder, declared

TRUNK = TrunkRow("default/t", Inbound(("10.0.0.0/8",)))
RULE = RuleRow("default/r", RoomKind.DIRECT, "lobby", to=("+44*",))
NUMBER = NumberRow("default/n", "+14155550100", trunk="default/t", rule="default/r")
SECOND = NumberRow("default/n2", "+14155550101", trunk="default/t", rule="default/r")
BEFORE = (TRUNK, RULE, NUMBER, SECOND)


def rows(*given):
    made = Rows()
    homes = {TrunkRow: made.trunks, RuleRow: made.rules, NumberRow: made.numbers}
    for row in given:
        homes[type(row)][row.id] = row
    return made


def refused(before, after, *names: str, deletes: int | None = 9):
    live = rows(*before)
    turn = Turn(Tables.build(live), diff(live, rows(*after)))
    return refusals(turn, live, Allowances(deletes, frozenset(), frozenset(names)))


LOSING = {
    "the rule goes": ((TRUNK, NUMBER, SECOND), "DispatchRule/default/r", 2),
    "the number points nowhere": ((TRUNK, RULE, replace(NUMBER, rule=""), SECOND), "PhoneNumber/default/n", 1),
    "the rule serves another trunk": ((TRUNK, replace(RULE, trunks=()), NUMBER, SECOND), "DispatchRule/default/r", 2),
    "the trunk asks for what is not in effect": (
        (replace(TRUNK, media=Media(codecs=("amr-wb",))), RULE, NUMBER, SECOND), "Trunk/default/t", 2,
    ),
    "the trunk takes no calls any more": (
        (replace(TRUNK, inbound=None), RULE, NUMBER, SECOND), "Trunk/default/t", 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSING)
def test_an_edit_that_leaves_a_number_to_nobody_is_refused_until_allowed(name):
    after, cause, count = LOSING[name]
    (refusal,) = refused(BEFORE, after)
    assert refusal.code == "unrouted"
    assert refusal.flags == f"--allow-unrouted {cause}"
    assert len(refusal.names) == count
    assert not refused(BEFORE, after, cause)
    assert not refused(BEFORE, after, "+14155550100", "+14155550101")


@pytest.mark.parametrize(
    "after",
    [
        (TRUNK, RULE, SECOND),
        (TRUNK, RULE, replace(NUMBER, direction=Direction.OUTBOUND), SECOND),
        (TRUNK, replace(RULE, room_name="hall"), NUMBER, SECOND),
        (replace(TRUNK, inbound=Inbound(("192.0.2.0/24",))), RULE, NUMBER, SECOND),
        (TRUNK, NUMBER, SECOND, RuleRow("default/other", RoomKind.DIRECT, "hall", to=("+1*",))),
    ],
)
def test_what_was_asked_for_or_is_still_answered_somehow_is_no_accident(after):
    assert not refused(BEFORE, after)


def test_a_number_that_nobody_answered_before_loses_nothing():
    assert not refused((TRUNK, RULE, replace(NUMBER, rule="")), (TRUNK, replace(NUMBER, rule="")))


def test_one_of_several_numbers_may_be_allowed_alone():
    (refusal,) = refused(BEFORE, (TRUNK, NUMBER, SECOND), "+14155550100")
    assert refusal.names == ("PhoneNumber default/n2",)
    assert refusal.what == "calls to +14155550101 would be answered by nobody any more"


@settings(max_examples=60, deadline=None)
@given(any_folder, any_folder)
def test_a_number_without_a_route_is_among_the_lost_calls(before, after):
    turn = Turn(
        *(
            (lambda live, new: (Tables.build(live), diff(live, new)))(
                *(desire(declared(folder), Live()).rows for folder in (before, after))
            )
        )
    )
    lost = {effect.called for effect in effects_of(turn).shown if effect.move is Move.LOST}
    assert {one.number for one in unrouted(turn)} <= lost
