"""What is the SQLite store's own: who waits for whom, durability, and files that go away."""

from __future__ import annotations

import os
import sqlite3

import pytest

from schemas.stores import Head, Outdated, Publish, SqliteStore, StoreError
from schemas.tables.digest import EMPTY_DIGEST
from schemas.tables.rows import Delta
from tests.schemas.stores.states import at
from tests.schemas.stores.test_contract import NUMBER, RULE, TRUNK, publish, renumbered


@pytest.fixture
def store(tmp_path):
    with SqliteStore(str(tmp_path / "tables.db")) as opened:
        yield opened


@pytest.fixture
def reader(store):
    with SqliteStore(store.path) as opened:
        yield opened


def test_the_data_version_changes_with_others_commits_only(store, reader):
    seen = reader.data_version()
    assert reader.data_version() == seen
    publish(store, NUMBER)
    assert reader.data_version() != seen
    own = store.data_version()
    publish(store, RULE)
    assert store.data_version() == own


def test_a_reader_reads_on_while_a_publisher_writes(store, reader):
    publish(store, NUMBER)
    before = reader.load()
    store._db.execute("BEGIN IMMEDIATE")
    store._db.execute("DELETE FROM rows")
    assert reader.load() == before
    assert reader.changes(at(store, 0)) == [(before.head, Delta((NUMBER,)))]
    assert reader.acknowledge("b1", "", before.head, 1.0) is False
    store._db.execute("ROLLBACK")
    assert reader.acknowledge("b1", "", before.head, 1.0) is True


def test_a_load_holds_one_revision_though_another_is_published_meanwhile(store, reader, monkeypatch):
    publish(store, NUMBER)
    before = reader.load()

    def rows_after_a_publish(self, original=SqliteStore._rows):
        publish(store, renumbered("+2"))
        return original(self)

    monkeypatch.setattr(SqliteStore, "_rows", rows_after_a_publish)
    assert reader.load() == before
    monkeypatch.undo()
    assert reader.load().rows.numbers[NUMBER.id].number == "+2"


def test_a_second_publisher_gives_up_with_advice_after_its_patience(store, reader):
    reader._db.execute("PRAGMA busy_timeout = 1")
    store._db.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another publisher"):
        publish(reader, NUMBER)
    store._db.execute("ROLLBACK")
    assert publish(reader, NUMBER) == 1


def test_a_heartbeat_leaves_publishes_as_durable_as_before(store):
    store.acknowledge("b1", "", store.head(), 0.0)
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._db.execute("PRAGMA busy_timeout").fetchone() == (5000,)


# Files that go away


def test_a_file_that_was_replaced_is_followed_and_its_revisions_start_anew(store, reader):
    publish(store, NUMBER)
    then = reader.load().head
    seen = reader.data_version()
    os.remove(store.path)
    with SqliteStore(store.path) as other:
        assert reader.data_version() != seen
        assert reader.load().revision == 0
        publish(other, TRUNK)
        publish(other, RULE)
        assert reader.changes(then) is None
        now = reader.load()
        assert now.rows == other.load().rows
        publish(other, NUMBER)
        assert reader.changes(now.head) == [(other.head(), Delta((NUMBER,)))]


def test_readers_read_on_when_the_file_is_gone(store, reader):
    publish(store, NUMBER)
    before, seen = reader.load(), reader.data_version()
    os.remove(store.path)
    assert reader.data_version() == seen
    assert reader.load() == before


def test_a_publisher_whose_file_is_gone_starts_a_new_one_and_says_so(store):
    publish(store, NUMBER)
    digest = store.head().digest
    os.remove(store.path)
    with pytest.raises(Outdated) as outdated:
        store.publish(Publish(digest, Delta((RULE,)), owner="default", now=2.0))
    assert outdated.value.current == Head(0, EMPTY_DIGEST)
    assert publish(store, RULE) == 1
    with sqlite3.connect(store.path) as raw:
        assert raw.execute("SELECT count(*) FROM rows").fetchone() == (1,)
    raw.close()


def test_a_reader_keeps_what_it_has_when_a_stranger_takes_the_files_place(store, reader):
    publish(store, NUMBER)
    before = reader.load()
    for suffix in ("", "-wal", "-shm"):
        os.remove(store.path + suffix)
    with open(store.path, "w") as file:
        file.write("not a database" * 100)
    for ask in (reader.data_version, reader.head, reader.load):
        with pytest.raises(StoreError, match="no database"):
            ask()
    os.remove(store.path)
    assert reader.load() == before
