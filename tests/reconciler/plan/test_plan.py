from __future__ import annotations

import json
from dataclasses import replace

import pytest

from reconciler.plan.changes import Action, diff
from reconciler.plan.gates import Allowances, refusals
from reconciler.plan.render import FORMAT_VERSION, NOTHING, as_json, brief, text
from reconciler.plan.turn import Turn
from schemas.problems import Where
from schemas.tables.rows import Inbound, Kind, NumberRow, Outbound, RoomKind, Rows, RuleRow, TrunkRow
from schemas.tables.tables import Tables

TRUNK = TrunkRow("default/t", Inbound(("10.0.0.0/8",)))
RULE = RuleRow("default/r", RoomKind.DIRECT, "lobby", to=("+1*",))
NUMBER = NumberRow("default/n", "+14155550100", trunk="default/t", rule="default/r")


def rows(*given):
    made = Rows()
    homes = {TrunkRow: made.trunks, RuleRow: made.rules, NumberRow: made.numbers}
    for row in given:
        homes[type(row)][row.id] = row
    return made


def numbers(count, start=0):
    return [NumberRow(f"default/n{index}", f"+1415555{index:04}") for index in range(start, start + count)]


def refused(live, wanted, allowed=None):
    return refusals(Turn(Tables.build(live), diff(live, wanted)), live, allowed or Allowances())


def test_a_plan_holds_what_to_create_change_and_delete_in_a_fixed_order():
    plan = diff(rows(RULE, NUMBER), rows(replace(RULE, room_name="hall"), TRUNK))
    assert [(change.action, change.name) for change in plan.changes] == [
        (Action.CREATE, "Trunk default/t"),
        (Action.UPDATE, "DispatchRule default/r"),
        (Action.DELETE, "PhoneNumber default/n"),
    ]
    assert plan.summary == "Plan: 1 to create, 1 to change, 1 to delete"
    assert plan.delta.put == (TRUNK, replace(RULE, room_name="hall"))
    assert plan.delta.delete == ((Kind.NUMBER, "default/n"),)


def test_equal_rows_make_an_empty_plan_whichever_objects_they_are():
    assert not diff(rows(RULE), rows(replace(RULE)))
    assert text(diff(rows(), rows()))[0].text == NOTHING


def test_the_text_shows_signs_places_and_old_and_new_values():
    plan = diff(rows(RULE, NUMBER), rows(replace(RULE, room_name="hall"), TRUNK))
    lines = text(plan, places={(Kind.RULE, "default/r"): Where("a.yaml", 3, 1)})
    assert [line.text for line in lines] == [
        "+ Trunk default/t",
        "    inbound.allowedAddresses: [10.0.0.0/8]",
        "~ DispatchRule default/r  (a.yaml:3:1)",
        "    rule.direct.room: lobby -> hall",
        "- PhoneNumber default/n",
        "",
        "Plan: 1 to create, 1 to change, 1 to delete",
    ]
    assert [line.style for line in lines[:5:2]] == ["create", "update", "delete"]


def test_the_json_has_a_format_version_and_every_field():
    plan = diff(rows(RULE), rows(replace(RULE, room_name="hall")))
    report = json.loads(json.dumps(as_json(plan, refused(rows(RULE), rows()))))
    assert report["formatVersion"] == FORMAT_VERSION == 1
    assert report["summary"] == {"create": 0, "update": 1, "delete": 0, "move": 0}
    assert report["changes"][0]["fields"] == [{"field": "rule.direct.room", "old": "lobby", "new": "hall"}]
    assert report["refusals"][0]["flags"] == "--allow-deletes 1"


def test_a_change_fits_on_one_line_for_the_watcher():
    (change,) = diff(rows(RULE), rows(replace(RULE, room_name="hall"))).changes
    assert brief(change) == "DispatchRule default/r changed (room: lobby -> hall)"
    (created,) = diff(rows(), rows(RULE)).changes
    assert brief(created) == "DispatchRule default/r created"


def test_many_fields_on_one_line_are_counted():
    new = replace(RULE, room_name="hall", metadata="m", priority=1, hide_phone_number=True, answer="immediately")
    (change,) = diff(rows(RULE), rows(new)).changes
    assert brief(change).endswith(", 2 more)")


def test_nothing_declared_any_more_is_refused_with_the_names_and_the_flag():
    (refusal,) = refused(rows(TRUNK, RULE), rows())
    assert refusal.code == "empty-desired-state"
    assert refusal.flags == "--allow-deletes 2"
    assert str(refusal).endswith("Trunk default/t, DispatchRule default/r")
    (refusal,) = refusals(Turn(Tables.build(rows(TRUNK)), diff(rows(TRUNK), rows())), rows(TRUNK), held_back=3)
    assert "while all 3 documents are held back: mend what is wrong first" in str(refusal)
    assert not refused(rows(TRUNK, RULE), rows(), Allowances(deletes=2))
    assert refused(rows(TRUNK, RULE), rows(), Allowances(deletes=1))


@pytest.mark.parametrize(
    ("live", "gone", "is_refused"), [(9, 8, False), (10, 3, False), (10, 4, True), (100, 31, True)]
)
def test_more_than_thirty_percent_of_a_kind_from_ten_on_is_refused(live, gone, is_refused):
    before, after = rows(TRUNK, *numbers(live)), rows(TRUNK, *numbers(live - gone, gone))
    found = refused(before, after)
    assert [refusal.code for refusal in found] == (["many-deletions"] if is_refused else [])
    assert not refused(before, after, Allowances(deletes=gone))


def test_more_deletions_than_were_allowed_are_refused_even_when_they_are_few():
    (refusal,) = refused(rows(TRUNK, RULE, NUMBER), rows(TRUNK), Allowances(deletes=1))
    assert refusal.code == "more-deletions-than-allowed"


def test_many_names_are_counted():
    (refusal,) = refused(rows(*numbers(12)), rows())
    assert str(refusal).endswith("and 2 more")


OPENINGS = [
    (TRUNK, replace(TRUNK, inbound=Inbound()), "inbound.allowedAddresses"),
    (
        replace(TRUNK, inbound=Inbound(("10.0.0.0/8",), ("+1*",))),
        TRUNK,
        "inbound.allowedNumbers",
    ),
    (replace(TRUNK, inbound=Inbound(("10.0.0.0/8",), (), True)), TRUNK, "inbound.calledNumbers"),
    (
        replace(TRUNK, outbound=Outbound(("a",), allowed_destinations=("+1*",))),
        replace(TRUNK, outbound=Outbound(("a",))),
        "outbound.allowedDestinations",
    ),
    (replace(TRUNK, media_networks=("10.0.0.0/8",)), TRUNK, "mediaAddresses"),
    (replace(RULE, from_=("+1*",)), RULE, "match.from"),
    (RULE, replace(RULE, to=()), "match.to"),
    (replace(RULE, trunks=("default/t",)), RULE, "trunkRefs"),
]


@pytest.mark.parametrize(("old", "new", "field"), OPENINGS)
def test_a_list_that_is_emptied_and_so_means_any_is_refused(old, new, field):
    (refusal,) = refused(rows(old), rows(new))
    assert refusal.code == "becomes-any"
    assert field in refusal.what
    name = refusal.flags.removeprefix("--allow-any ")
    assert not refused(rows(old), rows(new), Allowances(any=frozenset({name})))
    assert not refused(rows(old), rows(new), Allowances(any=frozenset({old.id})))
    assert not refused(rows(new), rows(old)), "closing is always safe"


def test_a_rule_that_loses_its_last_number_is_refused():
    rule = replace(RULE, to=())
    (refusal,) = refused(rows(TRUNK, rule, NUMBER), rows(TRUNK, rule))
    assert refusal.names == ("DispatchRule default/r",)
    assert not refused(rows(TRUNK, RULE, NUMBER), rows(TRUNK, RULE)), "its own list still restricts it"


def test_a_number_that_points_elsewhere_opens_the_rule_it_leaves():
    rule = replace(RULE, to=())
    assert refused(rows(rule, NUMBER), rows(rule, replace(NUMBER, rule="")))


def test_a_rule_may_trade_its_list_for_a_number_that_points_at_it():
    assert not refused(rows(RULE), rows(replace(RULE, to=()), NUMBER))


def test_a_rule_that_goes_with_its_number_opens_nothing():
    assert not refused(rows(TRUNK, replace(RULE, to=()), NUMBER), rows(TRUNK))


def test_a_folder_that_replaces_everything_is_refused_until_allowed():
    live, other = rows(TRUNK, RULE, NUMBER), rows(replace(TRUNK, id="x/t"), replace(RULE, id="x/r"))
    [found] = refused(live, other)
    assert (found.code, found.flags) == ("everything-replaced", "--allow-deletes 3")
    assert "is this the right folder?" in str(found)
    assert not refused(live, other, Allowances(deletes=3))
    assert not refused(live, rows(replace(TRUNK, id="x/t"), RULE, replace(NUMBER, trunk="x/t")))


def test_renaming_the_only_object_is_no_accident():
    assert not refused(rows(TRUNK), rows(replace(TRUNK, id="default/other")))


@pytest.mark.parametrize(
    ("left", "needs"),
    [
        (replace(RULE, trunks=("default/t",)), "DispatchRule default/r"),
        (RULE, "DispatchRule default/r"),
        (replace(NUMBER, rule=""), "PhoneNumber default/n"),
    ],
)
def test_deleting_the_last_trunk_of_something_is_refused_until_allowed(left, needs):
    live, wanted = rows(TRUNK, left), rows(left)
    [found] = refused(live, wanted)
    assert (found.code, found.flags) == ("trunk-in-use", "--allow-deletes 1")
    assert str(found) == f"would be deleted, though {needs} would take no call without it: Trunk default/t"
    assert not refused(live, wanted, Allowances(deletes=1))


def test_deleting_a_trunk_that_nothing_needs_is_fine():
    other = replace(TRUNK, id="default/other")
    shared = replace(RULE, trunks=("default/t", "default/other"))
    assert not refused(rows(TRUNK, other, shared), rows(other, shared))
    assert not refused(rows(TRUNK, other, RULE), rows(other, RULE))
