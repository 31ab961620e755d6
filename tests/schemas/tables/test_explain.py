"""The trail: what it says, in which order, how long it gets, and that it never disagrees with the decision."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings

from schemas.tables.entries import TrunkEntry
from schemas.tables.explain import EXAMINED_MAX, TRAIL_LINES_MAX, as_json, explain, render
from schemas.tables.lookup import NEAREST_EXAMINED_MAX, Challenged, PinNeeded, Refused, decide
from schemas.tables.predicates import TRUNK_PREDICATES, Call, passed
from schemas.tables.rows import Kind, RoomKind, RuleRow, Secret
from schemas.tables.tables import Tables
from schemas.tables.trail import NOT_INDEXED, TAKES
from tests.schemas.tables import universe
from tests.schemas.tables.kit import N1, N2, N3, call, number, opens_pin, outbound_trunk, rule, tables_of, trunk


def lines(*rows, **facts) -> list[str]:
    return [str(line) for line in explain(tables_of(*rows), call(**facts), opens_pin).trail]


@settings(max_examples=600, deadline=None)
@given(universe.rows, universe.calls)
def test_explain_and_decide_agree(rows, facts):
    tables = Tables.build(universe.rows_of(rows))
    decision = decide(tables, replace(facts, pin=None), opens_pin)
    if isinstance(decision, PinNeeded) and facts.pin is not None:
        decision = decide(tables, facts, opens_pin)
    explanation = explain(tables, facts, opens_pin)
    taking = {
        kind: [line.id for line in explanation.trail if (line.kind, line.predicate) == (kind, TAKES)] for kind in Kind
    }
    assert explanation.decision == decision
    if isinstance(decision, Refused):
        assert not taking[Kind.RULE]
        assert bool(taking[Kind.TRUNK]) == (decision.reason.value in ("no-rule", "pin-required", "wrong-pin"))
    else:
        assert taking[Kind.TRUNK][0] == decision.trunk.id
        assert isinstance(decision, Challenged) or taking[Kind.RULE][0] == decision.rule.id


@settings(max_examples=300, deadline=None)
@given(universe.rows, universe.calls)
def test_examining_only_what_the_indexes_yield_finds_the_same_rows_that_fit(rows, facts):
    tables = Tables.build(universe.rows_of(rows))
    full, near = explain(tables, facts, opens_pin), explain(tables, facts, opens_pin, examined_max=0)
    assert near.decision == full.decision
    for explanation in (full, near):
        shown = len(explanation.trail) + sum(omitted.count for omitted in explanation.omitted)
        trunk_only = isinstance(full.decision, Challenged) or not any(line.kind is Kind.RULE for line in full.trail)
        assert shown == len(tables.trunks) + (0 if trunk_only else len(tables.rules))


@settings(max_examples=300, deadline=None)
@given(universe.rows, universe.calls)
def test_every_explanation_renders_as_text_and_as_json(rows, facts):
    explanation = explain(Tables.build(universe.rows_of(rows)), facts, opens_pin)
    assert json.loads(json.dumps(as_json(explanation))) == as_json(explanation)
    assert all(line.isprintable() for line in render(explanation).splitlines())


def test_each_line_names_the_object_the_predicate_and_why():
    rows = [
        trunk("net", ["54.172.60.0/30"]),
        outbound_trunk("out"),
        trunk("region", regions=["us", "eu"]),
        trunk("caller", callers=["+44*", N3]),
        trunk("declared", declared=True),
        trunk("password", [], callers=[N3], auth="acme"),
        trunk("shut", []),
    ]
    trail = explain(tables_of(*rows), call(region="asia")).trail
    assert {(line.id[8:], line.predicate, line.words) for line in trail} == {
        ("net", "source", "source 1.1.1.1 is not in 54.172.60.0/30"),
        ("out", "inbound", "takes no inbound calls"),
        ("region", "region", "serves only us, eu, and this bridge is in asia"),
        ("caller", "caller", f"caller {N1} is not in +44*, {N3}"),
        ("declared", "called", f"serves only its PhoneNumbers, and called {N2} is none of them"),
        ("password", "caller", f"caller {N1} is not in {N3}"),
        ("shut", "source", "source 1.1.1.1 is not allowed: neither addresses nor auth are declared"),
    }
    assert str(trail[-1]) == "Trunk default/out: takes no inbound calls"


def test_rules_say_why_too():
    rows = [
        trunk("t"),
        rule("scope", trunks=["x", "y"]),
        rule("to", to=[N3]),
        rule("pointed"),
        number("n", N3, rule="pointed"),
        rule("from", from_=[N3]),
        rule("pin", pin="1"),
    ]
    assert lines(*rows, pin="9")[1:] == [
        "DispatchRule default/pin: has another PIN than the one entered",
        f"DispatchRule default/from: caller {N1} is not in {N3}",
        f"DispatchRule default/pointed: called {N2} is not among the PhoneNumbers that point here",
        f"DispatchRule default/to: called {N2} is not in {N3}, and no PhoneNumber with it points here",
        "DispatchRule default/scope: serves default/x, default/y, and the call is on default/t",
    ]


def test_rules_that_fit_come_in_their_order_and_say_by_what():
    rows = [
        trunk("t", declared=True),
        number("n", N2, trunk="t", rule="pointed"),
        rule("pointed", pin="1"),
        rule("prefix", to=["+1*", "+12*"], trunks=["t"]),
        rule("first", priority=3, from_=[N1]),
    ]
    assert lines(*rows) == [
        "Trunk default/t: takes the call, PhoneNumber default/n names it",
        f"DispatchRule default/first: matches the call: priority 3, every trunk, to any, from {N1}",
        "DispatchRule default/prefix: matches the call: names the trunk, to +12*, from any",
        "DispatchRule default/pointed: matches the call: every trunk, PhoneNumber default/n points here, from any, "
        "asks for a PIN",
    ]


def test_what_decided_comes_first_then_the_trunks_that_missed():
    rows = [trunk("a", ["9.9.9.9/32"]), trunk("t"), trunk("z", since=5), rule("r"), rule("other", to=[N3])]
    assert [line.id[8:] for line in explain(tables_of(*rows), call()).trail] == ["t", "r", "other", "z", "a"]


def test_the_nearest_misses_come_first_and_the_rest_is_counted():
    rows = [trunk(f"far{i}", ["9.9.9.9/32"]) for i in range(70)] + [
        trunk("near", callers=[N3]),
        trunk("nearer", declared=True),
    ]
    explanation = explain(tables_of(*rows), call(), examined_max=100)
    assert [line.id for line in explanation.trail[:2]] == ["default/nearer", "default/near"]
    assert len(explanation.trail) == TRAIL_LINES_MAX
    assert [str(omitted) for omitted in explanation.omitted] == ["22 more Trunks: stopped at source"]


def test_a_trunk_whose_phone_number_was_called_is_nearer_than_another_with_the_same_miss():
    rows = [trunk("a", ["9.9.9.9/32"]), trunk("z", ["9.9.9.9/32"]), number("n", N2, trunk="z")]
    assert lines(*rows)[0] == "Trunk default/z: source 1.1.1.1 is not in 9.9.9.9/32"


def test_of_large_tables_only_what_the_indexes_yield_is_examined():
    rows = [trunk(f"t{i}", [f"9.9.{i >> 8}.{i & 255}/32"]) for i in range(1200)] + [trunk("near", declared=True)]
    explanation = explain(tables_of(*rows), call())
    assert [line.id for line in explanation.trail] == ["default/near"]
    (omitted,) = explanation.omitted
    assert (omitted.predicate, omitted.count) == (NOT_INDEXED, 1200)
    assert str(omitted) == "1200 more Trunks: not examined, ruled out by the indexes or less near"


def test_of_many_trunks_that_share_a_network_only_so_many_are_examined(monkeypatch: pytest.MonkeyPatch):
    tables = tables_of(*(trunk(f"t{i}", declared=True, callers=[N3], since=i) for i in range(500)))
    examined: list[str] = []

    def count(predicates: object, entry: TrunkEntry, asked: Call) -> int:
        examined.append(entry.row.id)
        return passed(TRUNK_PREDICATES, entry, asked)

    for module in ("explain", "lookup"):
        monkeypatch.setattr(f"schemas.tables.{module}.passed", count)
    explanation = explain(tables, call())
    assert len(examined) <= EXAMINED_MAX + NEAREST_EXAMINED_MAX + 1
    assert explanation.decision.trunk.id == explanation.trail[0].id == "default/t0", "the oldest stands for them"
    assert [str(omitted) for omitted in explanation.omitted] == [
        "450 more Trunks: not examined, ruled out by the indexes or less near"
    ]


def test_a_long_list_is_cut():
    networks = [f"9.9.9.{i}/32" for i in range(10)]
    assert lines(trunk("t", networks)) == [
        "Trunk default/t: source 1.1.1.1 is not in 9.9.9.0/32, 9.9.9.1/32, 9.9.9.2/32, 9.9.9.3/32 and 6 more"
    ]


def test_an_admission_reads_well():
    support = rule("support", RoomKind.INDIVIDUAL, room="call", randomize=True)
    assert render(explain(tables_of(trunk("t"), support), call())) == (
        f"call from {N1} at 1.1.1.1 to {N2}\n"
        "  Trunk default/t: takes the call, as any called number\n"
        "  DispatchRule default/support: matches the call: every trunk, to any, from any\n"
        f"admitted: room call_{N1}_* by DispatchRule default/support on Trunk default/t"
    )


def test_a_refusal_reads_well():
    assert render(explain(tables_of(trunk("t", ["54.172.60.0/30"])), call(source="10.0.0.9"))) == (
        f"call from {N1} at 10.0.0.9 to {N2}\n"
        "  Trunk default/t: source 10.0.0.9 is not in 54.172.60.0/30\n"
        "refused: 403 source-not-allowed: no Trunk allows source 10.0.0.9; a stranger, who may be met with silence\n"
        "hint: add the source to spec.inbound.allowedAddresses of the Trunk that should take it"
    )


def test_a_challenge_and_a_pin_prompt_read_well():
    challenge = render(explain(tables_of(trunk("t", auth="acme")), call()))
    assert "takes the call, as any called number, and asks for a password" in challenge
    assert challenge.endswith("asks for a password: 401 by Trunk default/t")
    prompt = render(explain(tables_of(trunk("t"), rule("r", pin="1")), call()))
    assert prompt.endswith("asks for a PIN: DispatchRule default/r on Trunk default/t")


def test_a_pin_that_nobody_asks_for_does_not_count():
    told = render(explain(tables_of(trunk("t"), rule("lobby")), call(pin="12"), opens_pin))
    assert told.endswith(
        "admitted: room lobby by DispatchRule default/lobby on Trunk default/t\n"
        "note: no PIN is asked for here, so the one entered does not count"
    )
    explanation = explain(
        tables_of(trunk("t"), rule("first", priority=1), rule("r", pin="1")), call(pin="1"), opens_pin
    )
    assert as_json(explanation)["decision"]["rule"] == "default/first"
    assert as_json(explanation)["call"]["pin"] == "not-asked"
    assert as_json(explanation)["notes"]


def test_a_wrong_pin_ends_a_call_that_was_answered():
    told = render(explain(tables_of(trunk("t"), rule("r", pin="1")), call(pin="2"), opens_pin))
    assert "hung up on, after it was answered and asked for a PIN: wrong-pin: " in told
    assert "403" not in told


@pytest.mark.parametrize(
    ("auth", "note"),
    [
        ("acme", "\nnote: the user name of Trunk default/t is acme, not eve"),
        ("", "\nnote: Trunk default/t asks for no password, so the user name does not count"),
    ],
)
def test_a_user_name_that_makes_no_difference_is_told(auth: str, note: str):
    tables = tables_of(trunk("t", auth=auth), rule("lobby"))
    assert render(explain(tables, call(user="eve"))).endswith(note)
    assert not explain(tables, call()).notes
    assert not auth or not explain(tables, call(user=auth)).notes


def unknown_pin(row: RuleRow) -> str:
    return "env PIN is not set" if row.pin == Secret("env:PIN_unknown") else ""


def test_what_rests_on_a_pin_that_is_not_known_is_not_decided():
    rows = [trunk("t"), rule("r", pin="unknown"), rule("lobby")]
    explanation = explain(tables_of(*rows), call(pin="2"), opens_pin, unknown_pin=unknown_pin)
    told = render(explanation)
    assert "DispatchRule default/r: its PIN is not known here (env PIN is not set)\n" in told
    assert "cannot be decided: the PIN of DispatchRule default/r is not known here (env PIN is not set)" in told
    assert as_json(explanation)["decision"]["outcome"] == "undecided"


def test_an_unknown_pin_that_decides_nothing_is_in_nobodys_way():
    rows = [trunk("t"), rule("r", pin="unknown", priority=2), rule("first", pin="1", priority=1), rule("lobby")]
    for pin, outcome in (("1", "admitted"), ("", "admitted"), (None, "pin-needed"), ("2", "undecided")):
        explanation = explain(tables_of(*rows), call(pin=pin), opens_pin, unknown_pin=unknown_pin)
        assert as_json(explanation)["decision"]["outcome"] == outcome


def test_the_json_carries_a_version_and_the_outcome():
    rows = [trunk("t"), rule("r", pin="1"), number("n", N2, trunk="t")]
    outcomes = {
        pin: as_json(explain(tables_of(*rows), call(pin=pin), opens_pin))["decision"] for pin in (None, "1", "2", "")
    }
    assert as_json(explain(tables_of(*rows), call()))["version"] == 1
    assert outcomes[None] == {"outcome": "pin-needed", "trunk": "default/t", "rule": "default/r", "number": "default/n"}
    assert outcomes["1"] | {"outcome": "pin-needed"} == outcomes[None] | {"room": "r"}
    assert (outcomes["2"]["reason"], outcomes["2"]["sipStatus"]) == ("wrong-pin", 200)
    assert outcomes[""]["reason"] == "pin-required"


def test_a_pin_is_in_neither_form():
    explanation = explain(tables_of(trunk("t"), rule("r", pin="1")), call(pin="4711"), opens_pin)
    assert isinstance(explanation.decision, Refused)
    assert "4711" not in render(explanation) + json.dumps(as_json(explanation)) + repr(explanation)
    assert as_json(explanation)["call"]["pin"] == "entered"
