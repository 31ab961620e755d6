from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.plan.words import changed_words, set_words, show, words
from schemas.tables.rows import Headers, Inbound, Kind, RoomKind, RuleRow, Secret, TrunkRow
from tests.any_rows import any_row

TRUNK = TrunkRow("default/t", Inbound(("10.0.0.0/8",)))
RULE = RuleRow("default/r", RoomKind.DIRECT, "lobby")
pairs = st.sampled_from(list(Kind)).flatmap(lambda kind: st.tuples(any_row(kind), any_row(kind)))


def plain(row):
    """The row without what no person declares."""
    row = replace(row, id="x/x", claimed_since=0)
    if isinstance(row, TrunkRow) and row.inbound is None and row.outbound is None:
        row = replace(row, inbound=Inbound(("10.0.0.0/8",)))
    if isinstance(row, TrunkRow) and row.inbound == Inbound():
        row = replace(row, inbound=Inbound(("10.0.0.0/8",)))
    return replace(row, randomize=False) if isinstance(row, RuleRow) and row.kind is RoomKind.DIRECT else row


@given(pairs)
def test_rows_that_differ_in_anything_differ_in_some_word(pair):
    old, new = map(plain, pair)
    assert bool(changed_words(old, new)) is (old != new)


@given(any_row())
def test_the_words_of_a_row_hold_all_that_a_person_would_have_to_write(row):
    assert set_words(row).items() <= words(row).items()


def test_fields_are_called_as_in_the_manifest():
    new = replace(RULE, kind=RoomKind.CALLEE, room_name="line", to=("+1*",), fallback_sip_code=486)
    assert changed_words(RULE, new) == [
        ("rule.direct.room", "lobby", None),
        ("match.to", [], ["+1*"]),
        ("fallback.sipCode", 480, 486),
        ("rule.callee.roomPrefix", None, "line"),
        ("rule.callee.randomize", None, False),
    ]


def test_durations_are_told_as_people_write_them():
    inbound = replace(TRUNK.inbound, ringing_timeout_ms=90_000)
    assert changed_words(TRUNK, replace(TRUNK, inbound=inbound)) == [("inbound.ringingTimeout", "3m", "1m30s")]


def test_a_secret_is_told_by_its_place_and_a_new_value_as_changed():
    old, new = (replace(RULE, pin=Secret("env:PIN", sealed)) for sealed in (b"one", b"two"))
    assert changed_words(old, new) == [("pinFrom", "(secret env:PIN)", "(secret env:PIN), changed")]


def test_a_half_that_is_new_is_told_by_what_it_sets():
    assert changed_words(replace(TRUNK, inbound=None), TRUNK) == [("inbound.allowedAddresses", None, ["10.0.0.0/8"])]


def test_a_created_object_is_told_without_its_defaults():
    assert set_words(TRUNK) == {"inbound.allowedAddresses": ["10.0.0.0/8"]}


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "(none)"), ([], "(none)"), (True, "true"), ([1, "a"], "[1, a]"), ({"a": "b"}, "{a: b}"), (0, "0")],
)
def test_values_are_shown_on_one_line(value, said):
    assert show(value) == said


def test_a_text_that_would_break_the_line_or_steer_a_terminal_is_shown_escaped():
    assert show("two\nlines\n- Trunk default/carrier") == r"two\nlines\n- Trunk default/carrier"
    assert show("\x1b[2Jgone\u202eback") == r"\x1b[2Jgone\u202eback"
    assert show({"a\nb": ["c\td"]}) == r"{a\nb: [c\td]}"
    assert show("Grüße, 電話 ☎") == "Grüße, 電話 ☎"


def test_the_value_of_a_header_that_may_be_a_credential_is_in_no_word():
    def trunk(*fixed):
        return replace(TRUNK, inbound=replace(TRUNK.inbound, headers=Headers(fixed)))

    old, new = trunk(("Authorization", "a"), ("X-A", "1")), trunk(("Authorization", "b"), ("X-A", "2"))
    assert set_words(old)["inbound.headers"] == {"Authorization": "****", "X-A": "1"}
    assert changed_words(old, new) == [
        ("inbound.headers", {"Authorization": "****", "X-A": "1"}, {"Authorization": "****, changed", "X-A": "2"})
    ]
