from __future__ import annotations

from reconciler.model.conditions import Bridge, conditions
from reconciler.model.records import Record, Verdict, decode_record, encode_record
from schemas.resources.conditions import ConditionType, Reason
from schemas.tables.rows import Inbound, NumberRow, RoomKind, Rows, RuleRow, TrunkRow

US = TrunkRow("default/us", Inbound(("10.0.0.0/8",)), regions=("us",))
RULE = RuleRow("default/r", RoomKind.DIRECT, "lobby", trunks=("default/us",))
NUMBER = NumberRow("default/n", "+1", trunk="default/us")
ROWS = Rows({US.id: US}, {RULE.id: RULE}, {NUMBER.id: NUMBER})


def told(row, changed=3, verdicts=(), bridges=()):
    found = conditions(row, changed, verdicts, ROWS, bridges)
    assert [condition.type for condition in found] == list(ConditionType)
    return {condition.type.value: (condition.status, condition.reason) for condition in found}


def test_an_object_is_ready_when_every_bridge_of_its_regions_has_its_revision():
    bridges = [Bridge("one", "us", 3), Bridge("two", "eu", 1)]
    for row in (US, RULE, NUMBER):
        assert told(row, bridges=bridges)["Ready"] == ("True", Reason.READY)


def test_a_bridge_that_is_behind_is_waited_for():
    found = told(US, bridges=[Bridge("one", "us", 2)])
    assert found["Programmed"] == found["Ready"] == ("False", Reason.PENDING)


def test_a_bridge_without_a_region_serves_no_pinned_trunk():
    assert told(US, bridges=[Bridge("one", "", 3)])["Programmed"] == ("False", Reason.NO_BRIDGE)


def test_a_broken_object_says_that_its_last_good_version_is_in_use():
    verdict = Verdict(ConditionType.ACCEPTED, Reason.INVALID, "a.yaml:3:1: unknown field")
    found = conditions(US, 3, [verdict], ROWS, [Bridge("one", "us", 3)])
    assert [condition.status for condition in found] == ["False", "Unknown", "True", "False"]
    assert found[2].message == "its last good version"
    assert found[3].message == verdict.message


def test_an_object_that_never_was_good_is_programmed_nowhere():
    verdict = Verdict(ConditionType.RESOLVED_REFS, Reason.TRUNK_NOT_FOUND, "there is no Trunk default/x")
    found = told(None, 0, [verdict], [Bridge("one", "us", 3)])
    assert found["Programmed"] == ("False", Reason.PENDING)
    assert found["Ready"] == ("False", Reason.TRUNK_NOT_FOUND)


def test_a_record_survives_the_store():
    record = Record(
        "a.yaml", {"kind": "Trunk", "é": [1, None]}, (Verdict(ConditionType.ACCEPTED, Reason.INVALID, "x"),)
    )
    assert decode_record(encode_record(record)) == record


def test_a_record_of_another_format_tells_nothing():
    assert decode_record(b'{"format": 99, "file": "a.yaml"}') == Record("", None)
