"""Every store knows its past within its bounds, and what owners aim at."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.stores import Aim, Outdated, Publish, Step, bounds, open_tables
from schemas.tables.rows import Delta, Kind, NumberRow, kind_of
from tests.any_rows import any_row

N = (Kind.NUMBER, "default/n")
OTHER = (Kind.NUMBER, "default/other")


def publish(store, *put, delete=(), owner="default", **more) -> int:
    return store.publish(Publish(store.head().digest, Delta(put, tuple(delete)), owner=owner, now=1.0, **more))


def numbered(digits: str, key=N) -> NumberRow:
    return NumberRow(key[1], digits)


def test_each_revision_knows_what_was_before_it(store):
    publish(store, numbered("+1"), goods={"n": b"one"})
    publish(store, numbered("+2"), numbered("+9", OTHER), goods={"n": b"two", "other": b"nine"})
    publish(store, delete=[N], goods={"n": None})
    assert store.steps_back(0) == [
        Step(3, "default", {N: numbered("+2")}, {"n": b"two"}),
        Step(2, "default", {N: numbered("+1"), OTHER: None}, {"n": b"one"}),
        Step(1, "default", {N: None}, {}),
    ]
    assert store.steps_back(3) == []
    assert store.steps_back(4) is None
    assert store.steps_back(-1) is None


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    deltas=st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.lists(any_row(), max_size=4, unique_by=lambda row: (kind_of(row), row.id)),
            st.booleans(),
        ),
        max_size=6,
    )
)
def test_undoing_steps_leads_to_every_revision_there_was(place, deltas):
    with open_tables(place()) as store:
        were = {0: {}}
        for owner, rows, clears in deltas:
            mine = [dataclasses.replace(row, claimed_since=0, id=f"{owner}/{row.id.partition('/')[2]}") for row in rows]
            mine = list({(kind_of(row), row.id): row for row in mine}.values())
            gone = [key for key in were[store.head().revision] if clears and key[1].startswith(f"{owner}/")]
            gone = [key for key in gone if key not in {(kind_of(row), row.id) for row in mine}]
            publish(store, *mine, delete=gone, owner=owner)
            at = store.load().rows
            every = [*at.trunks.values(), *at.rules.values(), *at.numbers.values()]
            were[store.head().revision] = {(kind_of(row), row.id): row for row in every}
        for to, then in were.items():
            rows = dict(were[store.head().revision])
            for step in store.steps_back(to):
                for key, before in step.rows.items():
                    rows.pop(key, None) if before is None else rows.update({key: before})
            assert rows == then


def test_the_past_is_bounded_in_revisions(url):
    with open_tables(url, revisions_kept=3) as store:
        for revision in range(1, 7):
            publish(store, numbered(f"+{revision}"))
        assert store.steps_back(2) is None
        assert [step.revision for step in store.steps_back(3)] == [6, 5, 4]
        assert [entry.is_kept for entry in store.history()] == [True] * 3 + [False] * 3


def test_the_past_is_bounded_in_bytes(store, monkeypatch):
    monkeypatch.setattr(bounds, "PAST_BYTES_MAX", 400)
    for revision in range(1, 9):
        publish(store, numbered(f"+{revision}"))
    assert [step.revision for step in store.steps_back(5)] == [8, 7, 6]
    assert store.steps_back(0) is None


def test_what_is_too_large_to_keep_cuts_the_past_off(store, monkeypatch):
    publish(store, numbered("+1"))
    monkeypatch.setattr(bounds, "PAST_BYTES_MAX", 400)
    publish(store, *(NumberRow(f"default/bulk-{i}", "+1") for i in range(9)))
    assert store.steps_back(0) is None
    assert store.steps_back(1) is None
    publish(store, numbered("+2"))
    assert [step.revision for step in store.steps_back(2)] == [3]
    assert store.steps_back(1) is None


def test_none_is_kept_where_none_is_wanted(url):
    with open_tables(url, revisions_kept=0) as store:
        publish(store, numbered("+1"))
        assert store.steps_back(0) is None
        assert store.steps_back(1) == []


# Aims


def test_an_aim_is_each_owners_own_and_makes_no_revision(store):
    aim = Aim("abc", 3, 5, 7.0)
    assert publish(store, aim=aim) == 0
    assert store.aim("default") == aim
    assert store.aim("other") == Aim()


def test_a_plan_made_under_another_aim_is_outdated_and_changes_nothing(store):
    publish(store, aim=Aim("abc", 3))
    with pytest.raises(Outdated):
        publish(store, numbered("+1"), aim=Aim("def"), aim_was=Aim("abc"))
    assert store.aim("default") == Aim("abc", 3)
    assert store.head().revision == 0
    assert publish(store, numbered("+1"), aim=Aim("def"), aim_was=Aim("abc", 3)) == 1
