"""Which trunk, which rule, which refusal: the rules of matching that are our own, and `decide` against no index."""

from __future__ import annotations

import time
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.tables import entries
from schemas.tables.lookup import Admitted, Challenged, PinNeeded, Reason, Refused, decide
from schemas.tables.networks import network_text, parse_address, parse_network
from schemas.tables.patterns import received_number
from schemas.tables.rows import Direction, RoomKind
from schemas.tables.tables import Tables
from tests.schemas.tables import universe
from tests.schemas.tables.kit import N1, N2, N3, call, number, opens_pin, outbound_trunk, rule, tables_of, trunk

T = trunk("t")


def rule_for(*rows, **facts) -> str:
    decision = decide(tables_of(T, *rows), call(**facts), opens_pin)
    assert isinstance(decision, Admitted | PinNeeded), decision
    return decision.rule.id.removeprefix("default/")


def trunk_for(*rows, **facts) -> str:
    decision = decide(tables_of(rule("r"), *rows), call(**facts))
    assert isinstance(decision, Admitted | Challenged), decision
    return decision.trunk.id.removeprefix("default/")


def refusal(*rows, **facts) -> Refused:
    decision = decide(tables_of(*rows), call(**facts), opens_pin)
    assert isinstance(decision, Refused), decision
    return decision


# The one law that holds everything together


@settings(max_examples=1500, deadline=None)
@given(universe.rows, universe.calls, st.sampled_from([4096, 2, 1]))
def test_decide_agrees_with_the_predicates_run_on_every_row(rows, facts, places_max):
    state = universe.rows_of(rows)
    with patch.object(entries, "PLACES_MAX", places_max):
        tables = Tables.build(state)
        assert decide(tables, facts, opens_pin) == universe.decide_by_hand(state, facts)


@settings(max_examples=1500, deadline=None)
@given(universe.open_trunks, universe.dispatched, universe.dispatched_calls, st.sampled_from([4096, 8, 4, 2, 1]))
def test_decide_agrees_where_nearly_every_rule_concerns_the_call(trunks, rows, facts, places_max):
    state = universe.rows_of([*trunks, *rows])
    with patch.object(entries, "PLACES_MAX", places_max):
        assert decide(Tables.build(state), facts, opens_pin) == universe.decide_by_hand(state, facts)


# Trunks


def test_two_trunks_with_disjoint_addresses_serve_one_number():
    rows = [
        trunk("x", ["1.1.1.0/24"], declared=True),
        trunk("y", ["2.2.2.0/24"], declared=True),
        number("nx", N2, trunk="x"),
        number("ny", N2, trunk="y"),
    ]
    assert trunk_for(*rows, source="1.1.1.1") == "x"
    assert trunk_for(*rows, source="2.2.2.2") == "y"


def test_a_phone_number_neither_narrows_nor_widens_an_any_trunk():
    rows = [trunk("x"), number("n", N2, trunk="x")]
    assert trunk_for(*rows, called=N2) == trunk_for(*rows, called=N3) == "x"


def test_a_phone_number_of_a_trunk_beats_an_older_any_trunk():
    assert trunk_for(trunk("old"), trunk("new", declared=True, since=9), number("n", N2, trunk="new", since=9)) == "new"


def test_the_claim_on_a_number_is_as_old_as_the_younger_of_number_and_trunk():
    rows = [
        trunk("early", declared=True, since=1),
        number("late-number", N2, trunk="early", since=9),
        trunk("late", declared=True, since=5),
        number("early-number", N2, trunk="late", since=2),
    ]
    assert trunk_for(*rows) == "late"


def test_of_two_phone_numbers_with_one_number_on_one_trunk_the_incumbent_stays():
    for old, new in (("a", "b"), ("b", "a")):
        pair = [number(old, N2, trunk="t", since=1), number(new, N2, trunk="t", since=2)]
        for rows in (pair, pair[::-1]):
            decision = decide(tables_of(T, rule("r", to=[N2]), *rows), call())
            assert isinstance(decision, Admitted)
            assert decision.number is not None
            assert decision.number.id == f"default/{old}"


def test_an_outbound_number_serves_no_call():
    rows = [trunk("x", declared=True), number("n", N2, trunk="x", direction=Direction.OUTBOUND)]
    assert refusal(*rows).reason is Reason.CALLED_NOT_SERVED


def test_a_pinned_trunk_is_served_only_in_its_regions():
    rows = [trunk("us", regions=["us"]), trunk("eu", regions=["eu"]), rule("r")]
    assert trunk_for(*rows, region="us") == "us"
    assert trunk_for(*rows, region="eu") == "eu"
    assert refusal(*rows, region="asia").reason is Reason.WRONG_REGION


def test_a_bridge_without_region_serves_only_unpinned_trunks():
    assert refusal(trunk("us", regions=["us"])).reason is Reason.WRONG_REGION
    assert trunk_for(trunk("us", regions=["us"]), trunk("all", since=5)) == "all"


def test_caller_prefixes_are_allowed():
    assert trunk_for(trunk("t", callers=["+1*"]), caller=N1) == "t"
    assert refusal(trunk("t", callers=["+44*"]), caller=N1).reason is Reason.CALLER_NOT_ALLOWED


def test_a_trunk_with_auth_challenges_until_its_user_is_verified():
    rows = [trunk("t", auth="acme"), rule("r")]
    assert isinstance(decide(tables_of(*rows), call()), Challenged)
    assert isinstance(decide(tables_of(*rows), call(user="eve")), Challenged)
    assert isinstance(decide(tables_of(*rows), call(user="acme")), Admitted)


def test_where_networks_are_declared_too_the_source_is_checked_before_the_password():
    assert refusal(trunk("t", auth="acme"), source="9.9.9.9").reason is Reason.SOURCE_NOT_ALLOWED


def test_a_trunk_that_asks_any_source_names_nobody():
    home = parse_address(call().source)
    assert not tables_of(trunk("t", [], auth="acme")).source_index.names(home)
    named = tables_of(trunk("t", auth="acme"), trunk("u", [], auth="acme")).source_index
    assert [named.names(address) for address in (home, parse_address("9.9.9.9"), None)] == [True, False, False]


def test_a_trunk_that_names_the_source_goes_before_an_older_one_that_asks_any_source():
    assert trunk_for(trunk("password", [], auth="acme", since=0), trunk("named", since=5)) == "named"


def test_a_trunk_with_neither_networks_nor_auth_lets_nobody_in():
    assert refusal(trunk("t", [])).reason is Reason.SOURCE_NOT_ALLOWED


def test_an_outbound_trunk_takes_no_call_even_to_its_number():
    rows = [outbound_trunk("out"), number("n", N2, trunk="out")]
    assert refusal(*rows).stranger


# Refusals


def test_a_stranger_is_told_nothing_but_403():
    assert (refusal().sip_status, refusal().stranger) == (403, True)
    assert refusal(T, source="9.9.9.9").stranger
    # only a password trunk could have taken it, and what that one serves is not a stranger's business
    unserved = refusal(trunk("p", [], auth="acme", declared=True))
    assert (unserved.reason, unserved.sip_status, unserved.stranger) == (Reason.CALLED_NOT_SERVED, 403, True)


def test_a_known_trunk_gets_the_status_of_its_reason():
    expected = {
        Reason.WRONG_REGION: (480, [trunk("t", regions=["us"])], {}),
        Reason.CALLER_NOT_ALLOWED: (403, [trunk("t", callers=[N3])], {}),
        Reason.CALLED_NOT_SERVED: (404, [trunk("t", declared=True)], {}),
        Reason.NO_RULE: (404, [T], {}),
        Reason.PIN_REQUIRED: (200, [T, rule("r", pin="1")], {"pin": ""}),
        Reason.WRONG_PIN: (200, [T, rule("r", pin="1")], {"pin": "2"}),
    }
    for reason, (status, rows, facts) in expected.items():
        refused = refusal(*rows, **facts)
        assert (refused.reason, refused.sip_status, refused.stranger) == (reason, status, False)
        assert refused.trunk is not None
        assert refused.sentence
        assert refused.hint


def test_the_refusal_names_the_trunk_that_came_nearest():
    rows = [trunk("a", regions=["eu"]), trunk("b", callers=[N3]), trunk("c", declared=True, since=4)]
    refused = refusal(*rows)
    assert refused.trunk is not None
    assert refused.trunk.id == "default/c"
    assert refused.sentence == f"Trunk default/c: serves only its PhoneNumbers, and called {N2} is none of them"
    assert "spec.inbound.calledNumbers" in refused.hint


def test_a_pin_is_in_no_repr_and_no_sentence():
    facts = call(pin="4711")
    decision = decide(tables_of(T, rule("r", pin="1")), facts, opens_pin)
    assert "4711" not in repr(facts) + repr(decision)


def test_a_strangers_text_is_cut_and_escaped():
    sentence = refusal(T, source="\x1b[31m" + "x" * 500).sentence
    assert sentence.isprintable()
    assert len(sentence) < 150


# Rules


def test_a_smaller_priority_wins_over_everything_else():
    assert rule_for(rule("a", trunks=["t"], to=[N2], from_=[N1]), rule("b", priority=9)) == "b"
    assert rule_for(rule("a", priority=2, to=[N2]), rule("b", priority=1)) == "b"


def test_an_exact_number_goes_before_the_longest_prefix_before_a_shorter_one_before_any():
    rules = [rule("d"), rule("c", to=["+1*"]), rule("b", to=["+1222*"]), rule("a", to=[N2])]
    for best in ("a", "b", "c", "d"):
        assert rule_for(*rules) == best
        rules.pop()


def test_the_same_holds_for_callers():
    rules = [rule("d"), rule("c", from_=["+1*"]), rule("b", from_=["+1111*"]), rule("a", from_=[N1])]
    for best in ("a", "b", "c", "d"):
        assert rule_for(*rules) == best
        rules.pop()


def test_an_exact_open_rule_beats_a_pin_rule_for_a_prefix():
    """The "personal room": open for my number, a PIN for the rest, and the rest may be a prefix."""
    assert rule_for(rule("rest", to=["+1*"], pin="1"), rule("mine", to=[N2])) == "mine"


def test_only_any_adds_livekits_thousand():
    assert rule_for(rule("prefixes", to=["+1*"], from_=["+1*"]), rule("half", to=[N2], pin="1")) == "prefixes"


def test_a_prefix_of_nothing_is_still_better_than_any():
    assert rule_for(rule("any"), rule("star", to=["*"])) == "star"


def test_equal_rules_go_by_name():
    assert rule_for(rule("b", to=[N2]), rule("a", from_=[N1])) == "a"


def test_a_phone_number_adds_itself_to_the_rule_it_points_at():
    assert (
        rule_for(rule("prefix", to=["+1222*"]), rule("pointed", to=[N3]), number("n", N2, rule="pointed")) == "pointed"
    )


def test_a_rule_that_a_phone_number_points_at_is_no_longer_for_any_number():
    rows = [rule("r"), number("n", N2, rule="r")]
    assert rule_for(*rows, called=N2) == "r"
    assert refusal(T, *rows, called=N3).reason is Reason.NO_RULE


def test_not_even_when_the_phone_number_is_outbound():
    rows = [rule("r"), number("n", N2, rule="r", direction=Direction.OUTBOUND)]
    assert refusal(T, *rows).reason is Reason.NO_RULE


@pytest.mark.parametrize("places_max", [4096, 4, 1])
def test_of_rules_too_wide_for_the_index_the_best_is_found_not_the_first(places_max):
    """By PIN, kind and name `first` stands before `best`; that its caller fits less well shows only in the lists."""
    first = rule("first", to=[N2, N3], from_=["+1*", "+2*", "+3*"], pin="1")
    best = rule("second", RoomKind.CALLEE, to=[N2, N3], from_=[N1, "+2*", "+3*"])
    with patch.object(entries, "PLACES_MAX", places_max):
        assert rule_for(first, best) == "second"


def test_a_rule_that_is_pointed_at_must_still_serve_the_trunk_and_the_caller():
    pointing = number("n", N2, trunk="t", rule="r")
    assert refusal(T, rule("r", trunks=["other"]), pointing).reason is Reason.NO_RULE
    assert refusal(T, rule("r", from_=[N3]), pointing).reason is Reason.NO_RULE


def test_a_rule_whose_selector_finds_no_trunk_serves_none():
    assert refusal(T, rule("r", trunks=[])).reason is Reason.NO_RULE


def test_the_decision_names_the_phone_number():
    pointing = number("own", N2, rule="r")
    decision = decide(tables_of(T, rule("r"), pointing), call())
    assert isinstance(decision, Admitted)
    assert decision.number == pointing
    mine = number("n", N2, trunk="t")
    decision = decide(tables_of(T, rule("r"), pointing, mine), call())
    assert isinstance(decision, Admitted)
    assert decision.number == mine


def test_without_a_way_to_open_pins_no_pin_opens():
    decision = decide(tables_of(T, rule("r", pin="1")), call(pin="1"))
    assert isinstance(decision, Refused)
    assert decision.reason is Reason.WRONG_PIN


def test_pins_are_tried_only_on_rules_that_match_and_could_win():
    tried = []

    def opens(row, pin):
        tried.append(row.id)
        return opens_pin(row, pin)

    rules = [rule(f"r{i}", RoomKind.DIRECT, pin=str(i), priority=i) for i in range(5)]
    other = rule("elsewhere", pin="9", to=[N3], priority=0)
    decide(tables_of(T, *rules, other), call(pin="2"), opens)
    assert tried == ["default/r0", "default/r1", "default/r2"]


# Addresses and numbers from the wire


@pytest.mark.parametrize("source", ["::ffff:1.1.1.1", "::FFFF:101:101", "1.1.1.1%eth0"])
def test_a_mapped_or_zoned_address_is_the_address(source):
    assert parse_address(source) == parse_address("1.1.1.1")


@pytest.mark.parametrize("source", ["", "1.1.1", "01.1.1.1", "1.1.1.256", "1.1.1.1/32", "host", "[::1]", "1" * 5000])
def test_text_that_is_no_address_is_nowhere(source):
    assert parse_address(source) is None
    assert refusal(trunk("t", ["0.0.0.0/0", "::/0"]), source=source).reason is Reason.SOURCE_NOT_ALLOWED


@pytest.mark.parametrize("text", ["10.0.0.0/8", "0.0.0.0/0", "1.2.3.4/32", "2001:db8::/32", "::/0"])
def test_networks_read_back_as_written(text):
    assert network_text(parse_network(text)) == text


def test_a_network_of_mapped_addresses_is_the_ipv4_network():
    assert parse_network("::ffff:10.0.0.0/104") == parse_network("10.0.0.0/8")


@pytest.mark.parametrize("text", ["10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/x", "example.com"])
def test_a_malformed_network_is_an_error(text):
    with pytest.raises(ValueError, match=r"."):
        parse_network(text)


def test_a_hostile_user_part_costs_no_time():
    hostile = "1" * 60_000 + "x"
    began = time.perf_counter()
    assert received_number(hostile) == hostile
    assert time.perf_counter() - began < 0.1
