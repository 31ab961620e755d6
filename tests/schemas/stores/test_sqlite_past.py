"""SQLite's past: bytes that are really let go of, and files of the first version that go on as they were."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from schemas.stores import SqliteStore, Step, bounds
from tests.schemas.stores.test_contract_past import N, numbered, publish


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "tables.db")


@pytest.fixture
def store(path):
    with SqliteStore(path) as opened:
        yield opened


def test_no_more_bytes_are_held_than_the_bound(store, monkeypatch):
    monkeypatch.setattr(bounds, "PAST_BYTES_MAX", 400)
    for revision in range(1, 9):
        publish(store, numbered(f"+{revision}"))
    held = store._db.execute("SELECT sum(length(id) + coalesce(length(data), 0) + 64) FROM past").fetchone()[0]
    assert held <= 400


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
