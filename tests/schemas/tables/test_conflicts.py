"""Clashes: who clashes with whom, who is the newcomer, and that indexes find what comparing all pairs finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from itertools import combinations, product
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.tables import entries
from schemas.tables.conflicts import Clash, claim_of, find_clashes
from schemas.tables.rows import Delta, Direction, Kind, Row, Rows, kind_of
from schemas.tables.tables import Tables
from tests.schemas.tables import universe
from tests.schemas.tables.kit import N1, N2, N3, number, outbound_trunk, rule, tables_of, trunk


def clashes(*rows: Row) -> list[Clash]:
    return find_clashes(Tables(), Delta(put=rows))


def pairs(found: list[Clash]) -> set[tuple[str, str]]:
    return {(clash.newcomer[1][8:], clash.incumbent[1][8:]) for clash in found}


def clashing(*rows: Row) -> set[tuple[str, str]]:
    return pairs(clashes(*rows))


# Trunks


def test_two_trunks_for_any_number_clash_where_their_networks_overlap():
    assert clashing(trunk("a", ["10.0.0.0/8"], since=1), trunk("b", ["10.1.0.0/16"], since=2)) == {("b", "a")}
    assert clashing(trunk("a", ["10.0.0.0/8"], since=2), trunk("b", ["10.1.0.0/16"], since=1)) == {("a", "b")}


def test_trunks_with_disjoint_networks_do_not_clash():
    assert clashing(trunk("a", ["10.0.0.0/16"]), trunk("b", ["10.1.0.0/16", "2001:db8::/32"])) == set()


def test_trunks_of_disjoint_regions_do_not_clash_but_an_unpinned_one_meets_both():
    us, eu = trunk("us", regions=["us"], since=1), trunk("eu", regions=["eu"], since=1)
    assert clashing(us, eu) == set()
    assert clashing(us, eu, trunk("all", since=2)) == {("all", "eu")}
    assert clashing(us, eu, trunk("all", since=0)) == {("us", "all"), ("eu", "all")}


def test_trunks_for_different_callers_do_not_clash():
    assert clashing(trunk("a", callers=[N1]), trunk("b", callers=[N2]), trunk("c")) == set()
    assert clashing(trunk("a", callers=[N1, N2], since=1), trunk("b", callers=[N2, N3], since=2)) == {("b", "a")}


def test_a_trunk_by_address_and_one_by_password_do_not_clash():
    assert clashing(trunk("a"), trunk("b", [], auth="acme")) == set()


def test_two_trunks_by_password_clash():
    assert clashing(trunk("a", [], auth="acme", since=1), trunk("b", [], auth="other", since=2)) == {("b", "a")}


def test_outbound_trunks_and_trunks_for_declared_numbers_claim_nothing_themselves():
    assert (
        clashing(outbound_trunk("a"), outbound_trunk("b"), trunk("c", declared=True), trunk("d", declared=True))
        == set()
    )


# Numbers


def test_one_number_on_two_trunks_clashes_and_only_the_newer_number_is_blamed():
    rows = [trunk("a", declared=True), trunk("b", declared=True)]
    (clash,) = clashes(*rows, number("old", N2, trunk="a", since=1), number("new", N2, trunk="b", since=2))
    assert (clash.newcomer, clash.incumbent) == ((Kind.NUMBER, "default/new"), (Kind.NUMBER, "default/old"))
    assert clash.why == f"calls to {N2} from 1.1.1.0/24, caller any"
    assert (clash.kind, clash.both_new) == (Kind.NUMBER, False)


def test_one_number_on_two_carriers_with_disjoint_addresses_is_fine():
    rows = [trunk("a", ["1.0.0.0/8"]), trunk("b", ["2.0.0.0/8"])]
    assert clashing(*rows, number("x", N2, trunk="a"), number("y", N2, trunk="b")) == set()


def test_a_trunk_that_moves_onto_anothers_addresses_is_blamed_itself():
    rows = [trunk("a", declared=True, since=5), trunk("moved", declared=True, since=9)]
    (clash,) = clashes(*rows, number("x", N2, trunk="a", since=8), number("y", N2, trunk="moved", since=2))
    assert clash.newcomer == (Kind.TRUNK, "default/moved")
    assert clash.incumbent == (Kind.NUMBER, "default/x")


def test_one_number_twice_on_one_trunk_clashes():
    rows = [trunk("a"), number("x", N2, trunk="a", since=1), number("y", N2, trunk="a", since=2)]
    assert clashing(*rows) == {("y", "x")}


def test_one_number_of_the_servers_own_twice_clashes_but_not_with_a_trunks():
    own = [number("x", N2, since=1), number("y", N2, since=2)]
    assert clashing(*own) == {("y", "x")}
    assert clashing(own[0], trunk("a"), number("z", N2, trunk="a")) == set()


def test_outbound_numbers_do_not_clash():
    out = [number(name, N2, trunk="a", direction=Direction.OUTBOUND) for name in "xy"]
    assert clashing(trunk("a"), *out) == set()


def test_two_newcomers_in_one_change_are_both_new():
    (clash,) = clashes(trunk("a"), number("x", N2, trunk="a", since=4), number("y", N2, trunk="a", since=4))
    assert clash.both_new


# Rules


def test_rules_clash_on_pin_trunk_from_and_to():
    a = rule("a", trunks=["t", "u"], to=[N1, N2], from_=[N3], pin="1", since=1)
    (clash,) = clashes(a, rule("b", trunks=["u", "v"], to=[N2], from_=[N3], pin="1", since=2))
    assert clash.why == f"calls to {N2} on Trunk default/u, caller {N3}, PIN env:PIN_1"
    assert clashing(a, rule("b", trunks=["v"], to=[N2], from_=[N3], pin="1")) == set()
    assert clashing(a, rule("b", trunks=["u"], to=[N3], from_=[N3], pin="1")) == set()
    assert clashing(a, rule("b", trunks=["u"], to=[N2], from_=[N2], pin="1")) == set()
    assert clashing(a, rule("b", trunks=["u"], to=[N2], from_=[N3], pin="2")) == set()
    assert clashing(a, rule("b", trunks=["u"], to=[N2], from_=[N3])) == set()


def test_any_clashes_only_with_any():
    assert clashing(rule("a"), rule("b", to=[N2]), rule("c", from_=[N1]), rule("d", trunks=["t"])) == set()
    assert clashing(rule("a", since=1), rule("b", since=2)) == {("b", "a")}


def test_different_priorities_do_not_clash():
    assert clashing(rule("a", priority=1), rule("b", priority=2), rule("c")) == set()
    (clash,) = clashes(rule("a", priority=1, since=1), rule("b", priority=1, since=2))
    assert clash.why == "calls to any number on every trunk, caller any, priority 1"


def test_overlapping_prefixes_do_not_clash_but_equal_ones_do():
    assert clashing(rule("a", to=["+1*"]), rule("b", to=["+14*"]), rule("c", to=[N1])) == set()
    assert clashing(rule("a", to=["+1*"], since=1), rule("b", to=["+1*"], since=2)) == {("b", "a")}


def test_a_rule_whose_selector_finds_no_trunk_claims_nothing():
    assert clashing(rule("a", trunks=[]), rule("b", trunks=[]), rule("c")) == set()


def test_a_phone_number_that_points_at_a_second_rule_is_blamed_not_the_rule():
    rows = [rule("a", to=[N2], since=1), rule("b", to=[N3], since=1), number("n", N2, rule="b", since=2)]
    (clash,) = clashes(*rows)
    assert (clash.newcomer, clash.incumbent) == ((Kind.NUMBER, "default/n"), (Kind.RULE, "default/a"))
    assert clash.kind is Kind.RULE


def test_a_rule_that_widens_onto_anothers_numbers_is_blamed_itself():
    rows = [rule("a", to=[N2], since=1), rule("b", since=5), number("n", N2, rule="b", since=2)]
    assert [clash.newcomer for clash in clashes(*rows)] == [(Kind.RULE, "default/b")]


def test_rules_that_phone_numbers_point_at_do_not_clash_as_any():
    rows = [rule("a"), rule("b"), number("x", N1, rule="a"), number("y", N2, rule="b")]
    assert clashing(*rows) == set()


def test_a_rule_that_lists_a_number_which_also_points_at_it_does_not_clash_with_itself():
    assert clashing(rule("a", to=[N2]), number("n", N2, rule="a")) == set()


def test_a_rule_that_opens_as_its_last_number_goes_meets_other_open_rules():
    before = tables_of(rule("a", since=1), rule("b", since=2), number("n", N2, rule="b", since=2))
    found = find_clashes(before, Delta(delete=((Kind.NUMBER, "default/n"),)))
    assert pairs(found) == {("b", "a")}


def test_a_rule_too_wide_for_the_index_meets_listed_and_pointed_numbers_alike():
    others = [rule("listed", to=[N1], since=1), rule("q", since=1), number("n", N2, rule="q", since=1)]
    with patch.object(entries, "PLACES_MAX", 1):
        found = find_clashes(tables_of(*others), Delta(put=(rule("wide", to=[N1, N2, N3], since=2),)))
    assert pairs(found) == {("wide", "listed"), ("wide", "n")}


def test_a_trunk_or_rule_that_is_put_brings_the_numbers_that_stand_on_it():
    before = [trunk("a", ["1.0.0.0/8"], declared=True), trunk("b", ["2.0.0.0/8"], declared=True)]
    before += [number("x", N2, trunk="a"), number("y", N2, trunk="b")]
    assert clashing(*before) == set()
    moved = trunk("b", ["1.0.0.0/8"], declared=True, since=3)
    assert pairs(find_clashes(tables_of(*before), Delta(put=(moved,)))) == {("b", "x")}
    before = [rule("a", trunks=["t"]), rule("b", trunks=["u"]), number("x", N2, rule="a"), number("y", N2, rule="b")]
    assert clashing(*before) == {("y", "x")}  # one number twice among the server's own
    widened = rule("b", trunks=["t"], since=3)
    assert ("b", "x") in pairs(find_clashes(tables_of(*before), Delta(put=(widened,))))


# The age of a claim


def test_what_is_no_claim_keeps_its_age():
    for row in (trunk("t"), rule("r", to=[N1]), number("n", N2, trunk="t")):
        assert claim_of(row) == claim_of(replace(row, claimed_since=9))
    assert claim_of(rule("r", room="x")) == claim_of(rule("r", room="y"))
    assert claim_of(rule("r", to=[N1, N2])) == claim_of(rule("r", to=[N2, N1]))


def test_what_is_a_claim_makes_it_new():
    assert claim_of(trunk("t")) != claim_of(trunk("t", ["9.9.9.9/32"]))
    assert claim_of(trunk("t")) != claim_of(trunk("t", regions=["us"]))
    assert claim_of(rule("r")) != claim_of(rule("r", priority=1)) != claim_of(rule("r", trunks=[]))
    assert claim_of(number("n", N2)) != claim_of(number("n", N2, rule="r"))


# Against the comparison of all pairs

Verdicts = set[tuple[Kind, str]]


def newcomers_by_pairs(state: Rows) -> Verdicts:
    """Who is blamed, found by holding every claim against every other."""
    claims = [*_trunk_claims(state), *_number_claims(state), *_rule_claims(state)]
    blamed: Verdicts = set()
    for one, other in combinations(claims, 2):
        younger = max(one, other, key=lambda claim: (claim[2], claim[3]))
        if one[0] == other[0] and one[3] != other[3] and _overlap(one[1], other[1]):
            blamed.add(younger[4])
    return blamed


def _overlap(a, b) -> bool:
    return a == b == "" or any(x == y or _nets_overlap(x, y) for x, y in product(a, b))


def _nets_overlap(x: str, y: str) -> bool:
    if "password" in (x, y):
        return False
    one, other = ip_network(x), ip_network(y)
    return one.version == other.version and one.overlaps(other)


def _trunk_claims(state: Rows) -> Iterator[tuple]:
    for row in state.trunks.values():
        if row.inbound and not row.inbound.called_declared_only:
            yield from _source_claims("", row, row.claimed_since, row.id, (Kind.TRUNK, row.id))


def _number_claims(state: Rows) -> Iterator[tuple]:
    for row in state.numbers.values():
        if row.direction is Direction.OUTBOUND:
            continue
        own = (Kind.NUMBER, row.id)
        on = state.trunks.get(row.trunk)
        if on and on.inbound:
            since = max(row.claimed_since, on.claimed_since)
            blamed = (Kind.TRUNK, on.id) if on.claimed_since > row.claimed_since else own
            yield from _source_claims(row.number, on, since, row.id, blamed)
        elif not row.trunk:
            yield ("own", row.number), "", row.claimed_since, row.id, own


def _source_claims(called, row, since, holder, blamed) -> Iterator[tuple]:
    networks = row.inbound.networks or (("password",) if row.inbound.auth else ())
    for caller, region in product(row.inbound.allowed_numbers or ("",), row.regions or ("", *universe.REGIONS)):
        yield ("called", called, caller, region), frozenset(networks), since, holder, blamed


def _rule_claims(state: Rows) -> Iterator[tuple]:
    pointed = {row.rule for row in state.numbers.values()}
    for row in state.rules.values():
        own = (Kind.RULE, row.id)
        claims = [(to, row.claimed_since, own) for to in row.to or (() if row.id in pointed else ("",))]
        for one in state.numbers.values():
            if one.rule == row.id and one.direction is not Direction.OUTBOUND:
                late = row.claimed_since > one.claimed_since
                dated = max(row.claimed_since, one.claimed_since)
                claims.append((one.number, dated, own if late else (Kind.NUMBER, one.id)))
        scopes = ("every",) if row.trunks is None else row.trunks
        pin = row.pin.key if row.pin else ""
        for (to, since, blamed), scope, from_ in product(claims, scopes, row.from_ or ("",)):
            older = any(t == to and (s, b) < (since, blamed) for t, s, b in claims)
            if not older:
                yield ("rule", row.priority, pin, to, scope, from_), "", since, row.id, blamed


@settings(max_examples=800, deadline=None)
@given(universe.rows, st.sampled_from([4096, 2, 1]))
def test_the_indexes_find_whom_comparing_all_pairs_finds(rows, places_max):
    state = universe.rows_of(rows)
    every = (*state.trunks.values(), *state.rules.values(), *state.numbers.values())
    with patch.object(entries, "PLACES_MAX", places_max):
        found = find_clashes(Tables(), Delta(put=every))
    assert {clash.newcomer for clash in found} == newcomers_by_pairs(state)


@settings(max_examples=500, deadline=None)
@given(universe.open_trunks, universe.dispatched, st.sampled_from([4096, 8, 4, 2, 1]))
def test_they_do_where_nearly_everything_meets(trunks, rows, places_max):
    state = universe.rows_of([*trunks, *rows])
    every = (*state.trunks.values(), *state.rules.values(), *state.numbers.values())
    with patch.object(entries, "PLACES_MAX", places_max):
        found = find_clashes(Tables(), Delta(put=every))
    assert {clash.newcomer for clash in found} == newcomers_by_pairs(state)


@settings(max_examples=500, deadline=None)
@given(universe.rows | universe.dispatched, universe.rows | universe.dispatched, st.sampled_from([4096, 2, 1]))
def test_a_delta_finds_every_clash_in_which_it_has_a_part(rows, more, places_max):
    put = universe.rows_of(more)
    delta = Delta(put=(*put.trunks.values(), *put.rules.values(), *put.numbers.values()))
    with patch.object(entries, "PLACES_MAX", places_max):
        before = Tables.build(universe.rows_of(rows))
        state = before.applied(delta).rows
        every = Delta(put=(*state.trunks.values(), *state.rules.values(), *state.numbers.values()))
        whole, part = find_clashes(Tables(), every), find_clashes(before, delta)
    touched = {(kind_of(row), row.id) for row in delta.put}
    concerned = {pair for clash in whole if (pair := frozenset((clash.newcomer, clash.incumbent))) & touched}
    assert concerned <= {frozenset((clash.newcomer, clash.incumbent)) for clash in part}
