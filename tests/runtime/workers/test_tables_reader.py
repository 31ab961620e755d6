"""The thread that follows the tables: new revisions arrive, faults leave the last good ones."""

from __future__ import annotations

import queue
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.workers.kept_tables import KeptTables
from runtime.workers.tables_reader import TablesReader
from schemas.stores import Publish, SqliteStore, folder_news, open_tables, shown
from schemas.stores.door import Store
from schemas.tables.rows import Delta, RoomKind, RuleRow
from schemas.tables.tables import Tables
from tests.peers import wait_for
from tests.redis_server import RedisServer


class Followed:
    """A reader on a store in a folder, or at `url`, and what it told."""

    def __init__(self, folder: Path, url: str = "", *, keeps: bool = False, publishes: bool = True) -> None:
        self.url = url or f"sqlite:///{folder}/tables.db"
        if publishes:
            self.store: Store = open_tables(self.url)
        self.tables: queue.Queue[tuple[Tables, int]] = queue.Queue()
        self.faults: queue.Queue[str] = queue.Queue()
        self.reader = TablesReader(
            lambda: open_tables(self.url),
            lambda tables, revision: self.tables.put((tables, revision)),
            self.faults.put,
            "bridge-1",
            "eu",
            lambda: None,
            KeptTables(folder, shown(self.url), self.faults.put) if keeps else None,
        )
        self.reader.start()

    def publish(self, name: str) -> int:
        """One more rule."""
        delta = Delta(put=(RuleRow(f"default/{name}", RoomKind.DIRECT, name),))
        return self.store.publish(Publish(self.store.head().digest, delta, owner="t", now=time.time()))

    def stop(self) -> None:
        self.reader.stop()
        self.store.close()

    def next(self) -> tuple[Tables, int]:
        return self.tables.get(timeout=10)


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[Followed]:
    made = Followed(tmp_path)
    yield made
    made.stop()


@pytest.fixture(params=["told", "looking"])
def either(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Followed]:
    """With news of the file, and where there are none."""
    if request.param == "looking":
        monkeypatch.setattr(folder_news, "_watch", lambda _folder: -1)
    made = Followed(tmp_path)
    yield made
    made.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing tells of changes")
def test_nobody_is_woken_while_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    look = SqliteStore.data_version

    def counted(store: SqliteStore) -> int:
        looks.append(time.monotonic())
        return look(store)

    monkeypatch.setattr(SqliteStore, "data_version", counted)
    quiet = Followed(tmp_path)
    quiet.next()
    time.sleep(1.5)  # two times `visible_within_s` after the first heartbeat at most, and then rest
    quiet.stop()
    since = looks[-1] - 0.5
    assert sum(at > since for at in looks) <= 5


def test_each_revision_arrives_and_is_acknowledged(either: Followed) -> None:
    followed = either
    assert followed.next()[1] == 0
    for name in ("a", "b"):
        revision = followed.publish(name)
        tables, seen = followed.next()
        assert seen == revision
        assert tables.rule(f"default/{name}") is not None
        wait_for(
            lambda revision=revision: [b.revision for b in followed.store.bridges(time.time())] == [revision], "the ack"
        )
    [bridge] = followed.store.bridges(time.time())
    assert (bridge.name, bridge.region) == ("bridge-1", "eu")


def test_a_store_that_breaks_is_told_once_and_the_last_tables_stay(followed: Followed, tmp_path: Path) -> None:
    followed.next()
    followed.publish("a")
    followed.next()
    for file in tmp_path.glob("tables.db*"):
        file.unlink()
    (tmp_path / "tables.db").write_bytes(b"this is no database, whatever its name says" * 100)
    assert "calls go on with revision 1" in followed.faults.get(timeout=10)
    assert followed.tables.empty()


def test_removed_tables_are_not_taken_for_empty_ones(followed: Followed, tmp_path: Path) -> None:
    followed.next()
    followed.publish("a")
    followed.next()
    for file in tmp_path.glob("tables.db*"):
        file.unlink()
    with_fresh_file = open_tables(followed.url)
    time.sleep(0.1)  # several polls: nothing may arrive
    assert followed.tables.empty()
    with_fresh_file.publish(
        Publish(
            with_fresh_file.head().digest,
            Delta(put=(RuleRow("default/z", RoomKind.DIRECT, "z"),)),
            owner="t",
            now=time.time(),
        )
    )
    tables, revision = followed.next()
    assert revision == 1
    assert tables.rule("default/z") is not None
    assert tables.rule("default/a") is None
    with_fresh_file.close()


# Over Redis


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis", "--appendonly", "yes", "--appendfsync", "always") as running:
        yield running


@pytest.mark.peer("redis-server")
def test_over_redis_each_revision_arrives_is_acknowledged_and_begun_with_next_time(
    tmp_path: Path, server: RedisServer
) -> None:
    first = Followed(tmp_path, server.url(), keeps=True)
    assert first.next()[1] == 0
    for name in ("a", "b"):
        revision = first.publish(name)
        assert first.next()[1] == revision
        wait_for(lambda revision=revision: [b.revision for b in first.store.bridges(time.time())] == [revision], "ack")
    first.stop()
    server.kill()
    second = Followed(tmp_path, server.url(), keeps=True, publishes=False)
    tables, revision = second.next()
    assert revision == 2
    assert tables.rule("default/a") is not None
    assert "the tables cannot be read, calls go on with revision 2: redis://" in second.faults.get(timeout=20)
    server.start()
    assert "the tables are read again, at revision 2" in second.faults.get(timeout=20)
    assert second.tables.empty(), "nothing has changed, and nothing is handed over"
    second.store = open_tables(server.url())
    second.publish("c")
    assert second.next()[1] == 3
    second.stop()


@pytest.mark.peer("redis-server")
def test_a_redis_that_came_back_empty_is_not_followed_until_somebody_publishes(
    tmp_path: Path, server: RedisServer
) -> None:
    followed = Followed(tmp_path, server.url())
    followed.next()
    followed.publish("a")
    followed.next()
    followed.store.close()
    server.restart(empty=True)
    said = ""
    while "the store is empty" not in said:
        said = followed.faults.get(timeout=20)
    assert "the tables were lost, calls go on with revision 1" in said
    assert followed.tables.empty()
    followed.store = open_tables(server.url())
    assert [ack.revision for ack in followed.store.bridges(time.time())] in ([], [0]), "it answers by other tables"
    followed.publish("z")
    tables, revision = followed.next()
    assert revision == 1
    assert tables.rule("default/z") is not None
    assert tables.rule("default/a") is None
    followed.stop()
