"""What the lessons say of their calls, against the matcher that the bridge uses."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from reconciler.manifests.folder import read_documents
from reconciler.model.desired import desire
from reconciler.model.live import Live
from reconciler.model.standing import Declared
from runtime.routing.dial import Destination, DialRequest
from runtime.routing.place import Placement, caller_ids, place
from schemas.tables.lookup import Admitted, CallFacts, Challenged, PinNeeded, Refused, decide
from schemas.tables.naming import room_pattern
from schemas.tables.tables import Tables

MANIFESTS = Path(__file__).parents[2] / "examples/manifests"
HERE, ELSEWHERE = "127.0.0.1", "203.0.113.7"


@cache
def tables(lesson):
    reading = read_documents([str(MANIFESTS / lesson)])
    desired = desire(Declared(reading.sources), Live())
    assert not [problem for problem in (*reading.problems, *desired.problems) if problem.is_error]
    return Tables.build(desired.rows)


def room(lesson, called, caller, source=HERE):
    decision = decide(tables(lesson), CallFacts(source, called, caller))
    if isinstance(decision, Refused):
        return decision.reason.value
    assert isinstance(decision, Admitted)
    return room_pattern(decision.rule, caller, called)


@pytest.mark.parametrize(
    ("lesson", "called", "caller", "expected"),
    [
        ("01-one-number", "+15550100000", "+15550101234", "lobby"),
        ("01-one-number", "15550100000", "anonymous", "lobby"),
        ("01-one-number", "+16660000001", "+15551001", "line_+16660000001"),
        ("02-two-rooms", "+15550100001", "+15550101234", "meeting"),
        ("02-two-rooms", "+15550100002", "+15550101234", "help_+15550101234_*"),
        ("02-two-rooms", "+15550100003", "+15550101234", "no-rule"),
        ("03-callers-and-priorities", "+15550100001", "+15559990000", "visitor_+15559990000_*"),
        ("03-callers-and-priorities", "+15550100001", "+15550102222", "family"),
        ("03-callers-and-priorities", "+15550100001", "+15550101111", "sunday-table"),
        ("03-callers-and-priorities", "+15550100112", "+15550101111", "alarm"),
        ("03-callers-and-priorities", "+15550100001", "+14155550100", "caller-not-allowed"),
        ("04-numbers-and-prefixes", "+15550100200", "+15550101234", "reception"),
        ("04-numbers-and-prefixes", "+15550100217", "+15550101234", "desk_+15550100217"),
        ("04-numbers-and-prefixes", "+15550100218", "+15550101234", "called-not-served"),
        ("08-calling-out", "+15550100000", "+15550199999", "lobby"),
    ],
)
def test_a_call_ends_where_the_lesson_says(lesson, called, caller, expected):
    assert room(lesson, called, caller) == expected


def test_the_lesson_on_pins_asks_and_goes_where_it_says():
    lesson, facts = tables("06-pins"), CallFacts(HERE, "+15550100000", "+15550101234")
    asked = decide(lesson, facts)
    assert isinstance(asked, PinNeeded)
    assert asked.rule.id == "default/board-room"
    rooms = {
        pin: decision.rule.room_name
        for pin in ("", "1234", "9999")
        if isinstance(
            decision := decide(lesson, replace(facts, pin=pin), lambda _, entered: entered == "1234"), Admitted
        )
    }
    assert rooms == {"": "lobby", "1234": "board-room"}


@pytest.mark.parametrize(("number", "may"), [("+15550109999", True), ("+442071234567", False)])
def test_the_lesson_on_calling_out_dials_what_it_allows(number, may):
    lesson = tables("08-calling-out")
    request = DialRequest(call_to=number, room="lobby", trunk="default/carrier")
    placed = place(lesson, 1, request, "", "SCL_1", caller_ids(lesson, "default/carrier"), 0, lambda *_: b"")
    assert isinstance(placed, Placement) == may
    if isinstance(placed, Placement):
        assert (placed.caller, placed.destinations) == ("+15550100000", (Destination("", "127.0.0.1", 5090),))
    else:
        assert "allowedDestinations" in placed.words


@pytest.mark.parametrize("lesson", sorted(path.name for path in MANIFESTS.iterdir() if path.is_dir()))
def test_no_lesson_answers_a_stranger(lesson):
    assert isinstance(decide(tables(lesson), CallFacts(ELSEWHERE, "+15550100000", "+15550101234")), Refused)


def test_the_lesson_on_secrets_opens_nothing_without_them():
    lesson = tables("05-secrets")
    for called, known in (("+15550100000", Admitted), ("+15550100001", PinNeeded)):
        facts = CallFacts(HERE, called, "+15550101234")
        assert isinstance(decide(lesson, facts), Challenged)
        assert isinstance(decide(lesson, replace(facts, authenticated_as="partner")), known)
