"""LiveKit's own matching cases, restated; where dialplane differs on purpose, the test says how.

A trunk's `numbers` in LiveKit are PhoneNumbers here, a wildcard trunk is one with `calledNumbers: any`.
"""

from __future__ import annotations

import pytest

from schemas.ids import normalise_number
from schemas.tables.conflicts import find_clashes
from schemas.tables.lookup import Admitted, Decision, PinNeeded, Reason, Refused, decide
from schemas.tables.rows import Delta, RoomKind, Row
from schemas.tables.tables import Tables
from tests.schemas.tables.kit import N1, N2, N3, call, number, opens_pin, rule, tables_of, trunk

ANY_RULE = rule("any")


def trunk_for(*rows: Row) -> str:
    decision = decide(tables_of(*rows, ANY_RULE), call())
    assert isinstance(decision, Admitted)
    return decision.trunk.id.removeprefix("default/")


def refusal_for(*rows: Row) -> Refused:
    decision = decide(tables_of(*rows, ANY_RULE), call())
    assert isinstance(decision, Refused)
    return decision


def clashes(*rows: Row) -> set[tuple[str, str]]:
    found = find_clashes(Tables(), Delta(put=rows))
    return {(clash.newcomer[1][8:], clash.incumbent[1][8:]) for clash in found}


# Trunks


def test_no_trunks_differs_the_call_is_refused():
    """LiveKit: no trunk is no error, and wildcard rules still apply. Here: closed by default."""
    assert refusal_for().reason is Reason.NO_TRUNK


def test_one_wildcard_trunk_matches():
    assert trunk_for(trunk("any")) == "any"


def test_a_trunk_with_the_called_number_matches():
    assert trunk_for(trunk("t", declared=True), number("n", N2, trunk="t")) == "t"


def test_a_trunk_with_another_number_does_not_match():
    assert refusal_for(trunk("t", declared=True), number("n", N3, trunk="t")).reason is Reason.CALLED_NOT_SERVED


def test_allowed_numbers_without_the_caller_do_not_match():
    assert refusal_for(trunk("t", callers=[N3])).reason is Reason.CALLER_NOT_ALLOWED


def test_a_trunk_for_other_callers_does_not_clash_with_another_one_on_the_number():
    rows = (
        trunk("mine", declared=True),
        number("a", N2, trunk="mine"),
        trunk("others", declared=True, callers=[N3]),
        number("b", N2, trunk="others"),
    )
    assert trunk_for(*rows) == "mine"
    assert clashes(*rows) == set()


def test_two_trunks_with_the_called_number_differ_the_incumbent_takes_the_call():
    """LiveKit: the call fails. Here: a clash is found when declared, and never fails a call."""
    rows = (
        trunk("young", declared=True, since=1),
        number("a", N2, trunk="young", since=7),
        trunk("old", declared=True, since=1),
        number("b", N2, trunk="old", since=3),
    )
    assert trunk_for(*rows) == "old"
    assert clashes(*rows) == {("a", "b")}


def test_the_trunk_with_the_number_beats_two_wildcards_which_still_clash():
    rows = (trunk("w1", since=1), trunk("w2", since=2), trunk("t", declared=True), number("n", N2, trunk="t"))
    assert trunk_for(*rows) == "t"
    assert clashes(*rows) == {("w2", "w1")}


def test_two_wildcards_differ_the_incumbent_takes_the_call():
    """LiveKit: the call fails."""
    rows = (trunk("a", since=2), trunk("b", since=1))
    assert trunk_for(*rows) == "b"
    assert clashes(*rows) == {("a", "b")}


@pytest.mark.parametrize("networks", [["1.1.1.1/32"], ["1.1.1.0/24"], ["9.9.9.9/32", "1.1.1.1/32"]])
def test_an_address_or_network_that_holds_the_source_matches(networks):
    assert trunk_for(trunk("t", networks)) == "t"


@pytest.mark.parametrize("networks", [["1.1.1.2/32"], ["1.1.2.0/24"]])
def test_an_address_or_network_without_the_source_does_not(networks):
    assert refusal_for(trunk("t", networks)).reason is Reason.SOURCE_NOT_ALLOWED


def test_the_from_host_differs_it_is_no_part_of_the_match():
    """LiveKit compares entries with the From host, which the caller writes. Here only the packet's source counts."""
    with pytest.raises(ValueError, match=r"sip\.example\.com"):
        tables_of(trunk("t", ["sip.example.com"]))


def test_a_malformed_address_differs_it_is_an_error_and_never_allows_all():
    """LiveKit drops `some.domain,192.168.0.10/24`, and lets everybody in when nothing is left."""
    with pytest.raises(ValueError, match="some"):
        tables_of(trunk("t", ["some.domain,192.168.0.10/24"]))


@pytest.mark.parametrize("declared", [N2, N2[1:]])
@pytest.mark.parametrize("dialled", [N2, N2[1:]])
def test_a_number_matches_with_and_without_plus(declared, dialled):
    tables = tables_of(
        trunk("t", declared=True), number("n", normalise_number(declared), trunk="t"), rule("r", to=[N2])
    )
    assert isinstance(decide(tables, call(called=dialled)), Admitted)


def test_a_caller_list_with_both_spellings_does_not_clash_with_itself():
    both = [normalise_number(N1), normalise_number(N1[1:])]
    assert clashes(trunk("t", callers=both)) == set()


# Dispatch rules

T1, T2 = trunk("T1", ["1.1.1.1/32"]), trunk("T2", ["2.2.2.2/32"])


def dispatch(*rows: Row, pin: str | None = None, **facts: str) -> Decision:
    return decide(tables_of(T1, T2, *rows), call(pin=pin, **facts), opens_pin)


def chosen(decision: Decision) -> str:
    assert isinstance(decision, Admitted | PinNeeded), decision
    return decision.rule.id.removeprefix("default/")


def test_no_rules_refuse_even_on_a_trunk():
    decision = dispatch()
    assert isinstance(decision, Refused)
    assert (decision.reason, decision.sip_status, decision.trunk) == (Reason.NO_RULE, 404, T1)


def test_a_wildcard_rule_without_any_trunk_differs_the_call_is_refused():
    """LiveKit lets it in."""
    decision = decide(tables_of(rule("any")), call())
    assert isinstance(decision, Refused)
    assert decision.stranger


def test_a_rule_for_another_trunk_does_not_match():
    decision = dispatch(rule("r", trunks=["T2"]))
    assert isinstance(decision, Refused)
    assert decision.reason is Reason.NO_RULE


PINS_PER_TRUNK = (rule("one", trunks=["T1"], pin="123"), rule("two", trunks=["T2"], pin="456"))


def test_the_pin_selects_the_rule_of_the_trunk():
    decision = dispatch(*PINS_PER_TRUNK, pin="123")
    assert isinstance(decision, Admitted)
    assert chosen(decision) == "one"


@pytest.mark.parametrize("pin", ["zzz", "456"])
def test_a_wrong_pin_refuses(pin):
    decision = dispatch(*PINS_PER_TRUNK, pin=pin)
    assert isinstance(decision, Refused)
    assert (decision.reason, decision.sip_status) == (Reason.WRONG_PIN, 200)


def test_without_a_pin_the_rule_is_chosen_so_that_it_can_be_asked():
    decision = dispatch(*PINS_PER_TRUNK)
    assert isinstance(decision, PinNeeded)
    assert chosen(decision) == "one"


def test_the_same_pin_on_overlapping_trunks_differs_it_clashes_but_the_call_is_decided():
    """LiveKit: the call fails."""
    rows = (rule("a", trunks=["T1"], pin="123", since=1), rule("b", trunks=["T1", "T2"], pin="123", since=2))
    assert chosen(dispatch(*rows, pin="123")) == "a"
    assert clashes(T1, T2, *rows) == {("b", "a")}


def test_the_same_pin_on_different_trunks_is_fine():
    rows = (rule("a", trunks=["T1"], pin="123"), rule("b", trunks=["T2"], pin="123"))
    assert chosen(dispatch(*rows, pin="123")) == "a"
    assert clashes(T1, T2, *rows) == set()


@pytest.mark.parametrize("specific_pin", ["", "123"])
@pytest.mark.parametrize("wildcard_pin", ["", "456"])
def test_a_rule_that_names_the_trunk_beats_a_wildcard_with_or_without_pins(specific_pin, wildcard_pin):
    rows = (rule("a-wildcard", pin=wildcard_pin), rule("specific", trunks=["T1"], pin=specific_pin))
    assert chosen(dispatch(*rows)) == "specific"


def test_two_open_wildcards_differ_they_clash_but_the_call_is_decided():
    """LiveKit: the call fails."""
    rows = (rule("a", since=1), rule("b", since=2))
    assert chosen(dispatch(*rows)) == "a"
    assert clashes(*rows) == {("b", "a")}


def test_of_two_wildcards_with_one_pin_that_for_the_caller_wins():
    rows = (rule("generic", pin="123"), rule("mine", pin="123", from_=[N1]))
    assert chosen(dispatch(*rows, pin="123")) == "mine"
    assert clashes(*rows) == set()


@pytest.mark.parametrize("lists", [{"from_": [N1]}, {"to": [N2]}, {"from_": [N1], "to": [N2]}])
def test_an_open_rule_for_these_numbers_beats_a_generic_pin_rule(lists):
    decision = dispatch(rule("generic", pin="123"), rule("mine", **lists))
    assert isinstance(decision, Admitted)
    assert chosen(decision) == "mine"


def test_direct_and_individual_of_equal_scope_clash():
    assert clashes(rule("a", since=1), rule("b", RoomKind.INDIVIDUAL, since=2)) == {("b", "a")}


def test_of_direct_and_individual_with_different_pins_the_pin_decides():
    rows = (rule("a", pin="123"), rule("b", RoomKind.INDIVIDUAL, pin="456"))
    assert chosen(dispatch(*rows, pin="456")) == "b"
    assert clashes(*rows) == set()


def test_rule_numbers_differ_they_are_normalised_as_on_trunks():
    """LiveKit compares rule numbers as raw strings."""
    assert chosen(dispatch(rule("r", to=[N2], from_=[N1]), called=N2[1:], caller="1 (111) 111-1111")) == "r"


def test_a_bare_hash_reaches_only_open_rules():
    rows = (rule("open"), rule("locked", pin="123", to=[N2]))
    assert isinstance(dispatch(*rows), PinNeeded)
    assert chosen(dispatch(*rows, pin="")) == "open"


def test_a_pin_never_falls_back_to_open_rules():
    decision = dispatch(rule("open"), rule("locked", pin="123"), pin="9")
    assert isinstance(decision, Refused)
    assert decision.reason is Reason.WRONG_PIN


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ((RoomKind.DIRECT, "1"), (RoomKind.INDIVIDUAL, "2")),
        ((RoomKind.INDIVIDUAL, "1"), (RoomKind.CALLEE, "2")),
        ((RoomKind.CALLEE, "1"), (RoomKind.DIRECT, "")),
        ((RoomKind.DIRECT, ""), (RoomKind.INDIVIDUAL, "")),
        ((RoomKind.INDIVIDUAL, ""), (RoomKind.CALLEE, "")),
    ],
)
def test_livekits_number_orders_pins_before_open_and_direct_individual_callee(better, worse):
    rows = (rule("z", better[0], pin=better[1]), rule("a", worse[0], pin=worse[1]))
    assert chosen(dispatch(*rows)) == "z"


def test_to_and_from_weigh_the_same_so_that_the_pin_decides():
    assert chosen(dispatch(rule("a", to=[N2]), rule("b", from_=[N1], pin="1"))) == "b"
    assert chosen(dispatch(rule("a", from_=[N1]), rule("b", to=[N2], pin="1"))) == "b"
