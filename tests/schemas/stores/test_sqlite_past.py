"""The SQLite store knows its past within its bounds, and files of the first version go on as they were."""

from __future__ import annotations

import dataclasses
import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.stores import Aim, Outdated, Publish, SqliteStore, Step
from schemas.stores import sqlite_past as limits
from schemas.tables.rows import Delta, Kind, NumberRow, kind_of
from tests.any_rows import any_row

N = (Kind.NUMBER, "default/n")
OTHER = (Kind.NUMBER, "default/other")


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "tables.db")


@pytest.fixture
def store(path):
    with SqliteStore(path) as opened:
        yield opened


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
def test_undoing_steps_leads_to_every_revision_there_was(tmp_path_factory, deltas):
    with SqliteStore(str(tmp_path_factory.mktemp("past") / "tables.db")) as store:
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


def test_the_past_is_bounded_in_revisions(path):
    with SqliteStore(path, revisions_kept=3) as store:
        for revision in range(1, 7):
            publish(store, numbered(f"+{revision}"))
        assert store.steps_back(2) is None
        assert [step.revision for step in store.steps_back(3)] == [6, 5, 4]
        assert [entry.is_kept for entry in store.history()] == [True] * 3 + [False] * 3


def test_the_past_is_bounded_in_bytes(store, monkeypatch):
    monkeypatch.setattr(limits, "PAST_BYTES_MAX", 400)
    for revision in range(1, 9):
        publish(store, numbered(f"+{revision}"))
    assert [step.revision for step in store.steps_back(5)] == [8, 7, 6]
    assert store.steps_back(0) is None
    held = store._db.execute("SELECT sum(length(id) + coalesce(length(data), 0) + 64) FROM past").fetchone()[0]
    assert held <= 400


def test_what_is_too_large_to_keep_cuts_the_past_off(store, monkeypatch):
    publish(store, numbered("+1"))
    monkeypatch.setattr(limits, "PAST_BYTES_MAX", 400)
    publish(store, *(NumberRow(f"default/bulk-{i}", "+1") for i in range(9)))
    assert store.steps_back(0) is None
    assert store.steps_back(1) is None
    publish(store, numbered("+2"))
    assert [step.revision for step in store.steps_back(2)] == [3]
    assert store.steps_back(1) is None


def test_none_is_kept_where_none_is_wanted(path):
    with SqliteStore(path, revisions_kept=0) as store:
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


# Files of the first version


def as_version_1(path) -> None:
    """What the first version would have written."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TABLE past")
        db.execute("DROP TABLE aims")
        db.execute("ALTER TABLE history DROP COLUMN past_end")
        db.execute("PRAGMA user_version = 1")


def test_a_file_of_the_first_version_opens_and_goes_on(path):
    with SqliteStore(path) as store:
        publish(store, numbered("+1"))
        publish(store, numbered("+2"), goods={"n": b"two"})
        before = store.load(), store.goods("default")
    as_version_1(path)
    with SqliteStore(path) as store:
        assert (store.load(), store.goods("default")) == before
        assert store.steps_back(1) is None
        assert store.steps_back(2) == []
        assert [entry.is_kept for entry in store.history()] == [False, False]
        assert publish(store, numbered("+3")) == 3
        assert store.steps_back(2) == [Step(3, "default", {N: numbered("+2")}, {})]
        assert store.steps_back(1) is None
    with SqliteStore(path) as store:
        assert [entry.is_kept for entry in store.history()] == [True, False, False]


def test_a_program_of_the_first_version_that_still_publishes_cuts_the_past_off(path):
    with SqliteStore(path) as store:
        publish(store, numbered("+1"))
        publish(store, numbered("+2"))
        store._db.execute("UPDATE history SET past_end = NULL WHERE revision = 2")
        store._db.execute("DELETE FROM past WHERE revision = 2")
        assert store.steps_back(1) is None
        assert store.steps_back(0) is None
        publish(store, numbered("+3"))
        assert [step.revision for step in store.steps_back(2)] == [3]
        assert store.steps_back(1) is None


def test_two_programs_share_a_file_that_one_of_them_brought_up_to_date(path):
    with SqliteStore(path) as first:
        as_version_1(path)
        with SqliteStore(path) as second:
            publish(first, numbered("+1"))
            assert second.steps_back(0) == first.steps_back(0) == [Step(1, "default", {N: None}, {})]
