"""Revisions: the next one is right and the last one stays, whatever the order in which rows came."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.tables import entries, sharded
from schemas.tables.lookup import Admitted, Reason, Refused, decide
from schemas.tables.rows import Delta, Direction, Kind, Rows, kind_of
from schemas.tables.sharded import ShardedMap
from schemas.tables.tables import Tables
from tests.schemas.tables import universe
from tests.schemas.tables.kit import N2, N3, call, number, opens_pin, rule, tables_of, trunk

deletions = st.tuples(st.sampled_from(list(Kind)), st.sampled_from([f"default/{n}" for n in "abcdef"]))
deltas = st.lists(st.tuples(universe.rows, st.lists(deletions, max_size=4)), max_size=5)


def applied_by_hand(state: Rows, delta: Delta) -> Rows:
    held = {Kind.TRUNK: dict(state.trunks), Kind.RULE: dict(state.rules), Kind.NUMBER: dict(state.numbers)}
    for kind, row_id in delta.delete:
        held[kind].pop(row_id, None)
    for row in delta.put:
        held[kind_of(row)][row.id] = row
    return Rows(*held.values())


@settings(max_examples=400, deadline=None)
@given(deltas, st.lists(universe.calls, min_size=1, max_size=4), st.sampled_from([4096, 2]))
def test_tables_after_deltas_decide_like_tables_built_at_once(steps, calls, places_max):
    with patch.object(entries, "PLACES_MAX", places_max):
        tables, state = Tables(), Rows()
        for put, delete in steps:
            delta = Delta(tuple(put), tuple(delete))
            tables, state = tables.applied(delta), applied_by_hand(state, delta)
        built = Tables.build(state)
        assert tables.rows == built.rows == state
        for facts in calls:
            assert decide(tables, facts, opens_pin) == decide(built, facts, opens_pin)


@settings(max_examples=200, deadline=None)
@given(deltas)
def test_what_is_taken_out_leaves_nothing_behind(steps):
    tables = Tables()
    for put, delete in steps:
        tables = tables.applied(Delta(tuple(put), tuple(delete)))
    ids = [(kind, f"default/{name}") for kind in Kind for name in "abcdef"]
    empty = tables.applied(Delta(delete=tuple(ids)))
    sources, rules, numbers = empty.source_index, empty.rule_index, empty.numbers
    maps = [empty.trunks, empty.rules, numbers.by_id, numbers.by_number, numbers.pointing]
    maps += [sources.any_called, sources.declared_called, rules.places, rules.to, rules.from_]
    assert [len(one) for one in maps] == [0] * len(maps)
    assert [sources.lengths4, sources.lengths6, rules.to_lengths, rules.from_lengths] == [{}] * 4
    assert rules.unindexed == 0


def test_a_revision_stays_as_it_was():
    before = tables_of(trunk("t"), rule("r"))
    after = before.applied(Delta(put=(rule("r", room="other"),), delete=((Kind.TRUNK, "default/t"),)))
    assert isinstance(decide(before, call()), Admitted)
    assert before.rule("default/r") == rule("r")
    assert isinstance(decide(after, call()), Refused)


def test_a_rule_narrows_with_its_first_phone_number_and_opens_with_its_last():
    tables = tables_of(trunk("t"), rule("r"))
    assert isinstance(decide(tables, call(called=N3)), Admitted)
    tables = tables.applied(Delta(put=(number("n", N2, rule="r"),)))
    assert isinstance(decide(tables, call(called=N3)), Refused)
    tables = tables.applied(Delta(put=(number("n", N2, rule="r", direction=Direction.OUTBOUND),)))
    assert isinstance(decide(tables, call(called=N3)), Refused)
    tables = tables.applied(Delta(delete=((Kind.NUMBER, "default/n"),)))
    assert isinstance(decide(tables, call(called=N3)), Admitted)


def test_a_phone_number_may_come_before_the_rule_it_points_at():
    tables = tables_of(trunk("t"), number("n", N2, rule="r")).applied(Delta(put=(rule("r"),)))
    assert isinstance(decide(tables, call(called=N2)), Admitted)
    assert isinstance(decide(tables, call(called=N3)), Refused)


def test_a_number_may_change_its_trunk_and_its_digits():
    tables = tables_of(trunk("t", declared=True), rule("r"), number("n", N2, trunk="t"))
    tables = tables.applied(Delta(put=(number("n", N3, trunk="t"),)))
    assert isinstance(decide(tables, call(called=N3)), Admitted)
    gone = decide(tables, call(called=N2))
    assert isinstance(gone, Refused)
    assert gone.reason is Reason.CALLED_NOT_SERVED


def test_rows_are_found_by_id():
    tables = tables_of(trunk("t"), rule("r"), number("n", N2))
    assert (tables.trunk("default/t"), tables.rule("default/r")) == (trunk("t"), rule("r"))
    assert tables.number("default/n") == number("n", N2)
    assert (tables.trunk("x"), tables.rule("x"), tables.number("x")) == (None, None, None)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=3), st.none() | st.integers()), max_size=6))
def test_a_sharded_map_is_a_map(edits):
    with patch.object(sharded, "SHARD_ENTRIES", 2):
        held: ShardedMap[str, int] = ShardedMap()
        plain: dict[str, int] = {}
        for edit in edits:
            before, before_plain = held, dict(plain)
            held = held.updated(edit)
            plain = {key: value for key, value in {**plain, **edit}.items() if value is not None}
            assert dict(before.items()) == before_plain
            assert dict(held.items()) == plain
            assert (len(held), set(held), sorted(held.values())) == (len(plain), set(plain), sorted(plain.values()))
            assert all(held.get(key) == plain.get(key) for key in edit)


def test_one_change_copies_one_shard():
    big = ShardedMap[str, int]().updated({str(i): i for i in range(100_000)})
    changed = big.updated({"7": 8})
    same = sum(a is b for a, b in zip(big._shards, changed._shards, strict=True))
    assert same == len(big._shards) - 1
    assert max(map(len, big._shards)) < 2 * sharded.SHARD_ENTRIES
