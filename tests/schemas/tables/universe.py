"""Small random universes of rows and calls, dense enough that nearly everything meets, and a matcher without indexes.

`decide_by_hand` runs the predicates on every row, as a reader of the documentation would: what `decide` is held to.
"""

from __future__ import annotations

from hypothesis import strategies as st

from schemas.tables.decisions import CallFacts, Challenged, Decision
from schemas.tables.entries import compile_rule, compile_trunk
from schemas.tables.lookup import rule_decision, trunk_refusal
from schemas.tables.networks import parse_address
from schemas.tables.patterns import received_number
from schemas.tables.predicates import (
    KNOWN_AFTER,
    MATCH_PREDICATES,
    RULE_PREDICATES,
    TRUNK_PREDICATES,
    Call,
    Dispatch,
    passed,
    rule_order,
    trunk_order,
)
from schemas.tables.rows import Direction, RoomKind, Row, Rows
from tests.schemas.tables.kit import number, opens_pin, outbound_trunk, rule, trunk

NAMES = ["a", "b", "c", "d"]
NUMBERS = ["+1415", "+14155", "+14156", "+4930", "alice"]
PATTERNS = [*NUMBERS, "+14*", "+141*", "+1415*", "+*", "*", "al*"]
NETWORKS = [
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.0/24",
    "10.1.2.3/32",
    "10.9.0.0/16",
    "2001:db8::/32",
    "2001:db8::1/128",
]
SOURCES = ["10.1.2.3", "10.1.2.4", "10.9.9.9", "::ffff:10.1.2.3", "2001:db8::1", "192.0.2.1", "nonsense"]
REGIONS = ["us", "eu"]


def some(values):
    return st.lists(st.sampled_from(values), max_size=2, unique=True)


names = st.sampled_from(NAMES)
ages = st.integers(0, 2)
inbound_trunks = st.builds(
    trunk,
    names,
    some(NETWORKS),
    callers=some(PATTERNS),
    declared=st.booleans(),
    auth=st.sampled_from(["", "", "acme"]),
    regions=some(REGIONS),
    since=ages,
)
trunks = inbound_trunks | inbound_trunks | inbound_trunks | st.builds(outbound_trunk, names)
numbers = st.builds(
    number,
    st.sampled_from([*NAMES, "e", "f"]),
    st.sampled_from(NUMBERS),
    trunk=st.sampled_from(["", *NAMES]),
    rule=st.sampled_from(["", *NAMES]),
    direction=st.sampled_from(list(Direction)),
    since=ages,
)
rules = st.builds(
    rule,
    st.sampled_from([*NAMES, "e", "f"]),
    st.sampled_from(list(RoomKind)),
    trunks=st.none() | some(NAMES),
    to=some(PATTERNS),
    from_=some(PATTERNS),
    priority=st.sampled_from([None, None, 0, 1]),
    pin=st.sampled_from(["", "", "1", "2"]),
    since=ages,
)
rows = st.lists(trunks | trunks | numbers | rules | rules, max_size=14)
calls = st.builds(
    CallFacts,
    st.sampled_from(SOURCES),
    st.sampled_from([*NUMBERS, "1415", "+1 4155", "+1415*", "", "bob"]),
    st.sampled_from([*NUMBERS, "14156", "*", "", "bob"]),
    pin=st.sampled_from([None, None, "", "1", "9"]),
    region=st.sampled_from(["", *REGIONS]),
    authenticated_as=st.sampled_from([None, "acme", "eve"]),
)


lists = st.lists(st.sampled_from(["+1415", "+14155", "+14*", "+1415*", "+*"]), max_size=3, unique=True)
meeting_rules = st.builds(
    rule,
    st.sampled_from(["a", "b", "c", "d", "e", "f"]),
    st.sampled_from(list(RoomKind)),
    trunks=st.sampled_from([None, ["a"], ["a", "b"]]),
    to=lists,
    from_=lists,
    priority=st.sampled_from([None, None, 1]),
    pin=st.sampled_from(["", "1", "2"]),
    since=ages,
)
meeting_numbers = st.builds(
    number,
    st.sampled_from(NAMES),
    st.sampled_from(["+1415", "+14155"]),
    trunk=st.sampled_from(["", "a", "b"]),
    rule=st.sampled_from(["", *NAMES]),
    since=ages,
)
dispatched = st.lists(meeting_rules | meeting_rules | meeting_numbers, min_size=2, max_size=14)
"""Rows that nearly all concern one call, on trunks that let everything in: what reaches the rules, and reaches deep."""
open_trunks = st.builds(
    lambda a, b: [trunk("a", ["10.0.0.0/8"], since=a), trunk("b", ["10.0.0.0/8"], declared=True, since=b)], ages, ages
)
dispatched_calls = st.builds(
    CallFacts,
    st.just("10.1.2.3"),
    st.sampled_from(["+1415", "+14155", "+141550"]),
    st.sampled_from(["+1415", "+14155", "+141550"]),
    pin=st.sampled_from([None, "", "1", "2"]),
)


def rows_of(listed: list[Row]) -> Rows:
    """The rows by id; of two with one id the later stays."""
    made = Rows()
    for row in listed:
        held = {"Trunk": made.trunks, "Rule": made.rules, "Number": made.numbers}[
            type(row).__name__.removesuffix("Row")
        ]
        held[row.id] = row
    return made


def by_hand(state: Rows, facts: CallFacts) -> Call:
    called = received_number(facts.called)
    serving, pointing = {}, {}
    for row in sorted(state.numbers.values(), key=lambda row: (row.claimed_since, row.id)):
        if row.number == called and row.direction is not Direction.OUTBOUND:
            serving.setdefault(row.trunk, row)
            pointing.setdefault(row.rule, row)
    return Call(facts, parse_address(facts.source), called, received_number(facts.caller), serving, pointing)


def decide_by_hand(state: Rows, facts: CallFacts) -> Decision:
    call = by_hand(state, facts)
    entries = [compile_trunk(row) for row in state.trunks.values()]
    taking = [entry for entry in entries if passed(TRUNK_PREDICATES, entry, call) == len(TRUNK_PREDICATES)]
    if not taking:
        counts = {entry: passed(TRUNK_PREDICATES, entry, call) for entry in entries}
        near = [entry for entry in entries if counts[entry] >= KNOWN_AFTER]
        nearest = min(near, key=lambda entry: (-counts[entry], entry.order), default=None)
        known = any(not entry.any_source for entry in near)
        return trunk_refusal(call, nearest, known=known, declared=bool(entries))
    entry = min(taking, key=lambda entry: trunk_order(entry, call))
    auth = entry.row.inbound.auth
    if auth and auth.username != facts.authenticated_as:
        return Challenged(entry.row)
    dispatch = Dispatch(call, entry.row.id, opens_pin)
    pointed = {row.rule for row in state.numbers.values()}
    every = [compile_rule(row, pointed_at=row.id in pointed) for row in state.rules.values()]
    matching = [one for one in every if passed(MATCH_PREDICATES, one, dispatch) == len(MATCH_PREDICATES)]
    open_ = [one for one in every if passed(RULE_PREDICATES, one, dispatch) == len(RULE_PREDICATES)]
    best = min(open_, key=lambda one: rule_order(one, dispatch), default=None)
    return rule_decision(dispatch, entry, best, matched=bool(matching))
