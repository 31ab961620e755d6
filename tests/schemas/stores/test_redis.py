"""What is the Redis store's own: staged publishes, layers, loads beside publishes, and data that is lost."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.stores import Aim, Declared, Outdated, Publish, SqliteStore, StoreError, open_tables
from schemas.stores.redis import publishing, reading, staging
from schemas.stores.redis.store import RedisStore
from schemas.tables.digest import EMPTY_DIGEST, digest_of
from schemas.tables.rows import Delta, Kind, NumberRow, kind_of
from tests.any_rows import any_row
from tests.redis_server import RedisServer
from tests.schemas.stores.states import at, changed
from tests.schemas.stores.test_contract import NUMBER, RULE, TRUNK, N, publish, renumbered

pytestmark = pytest.mark.peer("redis-server")


@pytest.fixture
def url(redis_server: RedisServer) -> str:
    return redis_server.url(uuid.uuid4().hex)


@pytest.fixture
def store(url: str) -> Iterator[RedisStore]:
    with open_tables(url) as opened:
        assert isinstance(opened, RedisStore)
        yield opened


@pytest.fixture
def reader(url: str, store: RedisStore) -> Iterator[RedisStore]:
    with open_tables(url) as opened:
        assert isinstance(opened, RedisStore)
        yield opened


def keys_of(store: RedisStore) -> list[str]:
    return sorted(key.decode() for key in store._wire.do("KEYS", store._keys.named("*")))


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is published is put down first, and taken in in small pieces."""
    monkeypatch.setattr(staging, "DIRECT_FIELDS_MAX", 0)
    monkeypatch.setattr(staging, "FIELDS_AT_ONCE", 2)
    monkeypatch.setattr(staging, "MERGED_AT_ONCE", 1)


def leave_the_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every publisher died right after its publish."""

    def dead(*_: object) -> None:
        raise StoreError("", "")

    monkeypatch.setattr(staging, "settled", dead)


STEP = st.tuples(
    st.sampled_from(["a", "b"]),
    st.lists(any_row(), max_size=4, unique_by=lambda row: (kind_of(row), row.id)),
    st.booleans(),
    st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from([b"", b"one", b"\x00", None]), max_size=2),
    st.booleans(),
)


@pytest.mark.parametrize("way", ["direct", "staged", "layered"])
@settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
@given(steps=st.lists(STEP, max_size=5))
def test_it_holds_what_sqlite_holds_however_it_was_put_there(way, steps, redis_server, tmp_path_factory) -> None:
    place = tmp_path_factory.mktemp("beside")
    with pytest.MonkeyPatch.context() as monkeypatch:
        if way != "direct":
            monkeypatch.setattr(staging, "DIRECT_FIELDS_MAX", 0)
            monkeypatch.setattr(staging, "FIELDS_AT_ONCE", 2)
        if way == "layered":
            leave_the_layer(monkeypatch)
        with SqliteStore(str(place / "t.db")) as one, open_tables(redis_server.url(uuid.uuid4().hex)) as other:
            for number, (owner, rows, clears, goods, moves) in enumerate(steps):
                mine = [dataclasses.replace(row, claimed_since=0, id=f"{owner}/{row.id}") for row in rows]
                held = [key for key, whose in one.load().owners.items() if whose == owner]
                gone = [key for key in held if clears and key not in {(kind_of(row), row.id) for row in mine}]
                moved = {key: Declared("f.yaml", number) for key in held} if moves else {}
                aim = Aim(str(number)) if moves else None
                what = Publish(
                    one.head().digest, Delta(tuple(mine), tuple(gone)), owner=owner, now=1.0, note=f"{number}",
                    declared=moved, goods=goods, aim=aim,
                )  # fmt: skip
                assert one.publish(what) == other.publish(what)
                assert dataclasses.replace(other.load(), epoch="") == one.load()
                assert other.load(origins=False).rows == one.load().rows
                for key in one.load().declared:
                    assert other.declared(*key) == one.declared(*key)
                assert [other.goods(each) for each in "ab"] == [one.goods(each) for each in "ab"]
            assert other.history(50) == one.history(50)
            assert [other.aim(each) for each in "ab"] == [one.aim(each) for each in "ab"]
            for revision in range(one.head().revision + 1):
                assert other.steps_back(revision) == one.steps_back(revision)
                deltas = [delta for _, delta in changed(other, at(other, revision))]
                assert deltas == [delta for _, delta in changed(one, at(one, revision))]


@pytest.mark.usefixtures("staged")
def test_a_staged_publish_leaves_the_same_keys_as_a_direct_one(store, reader) -> None:
    publish(store, NUMBER, TRUNK, goods={"a": b"one"})
    publish(store, renumbered("+2"), RULE, delete=[(Kind.TRUNK, TRUNK.id)], goods={"a": None, "b": b"two"})
    parts = {key.partition(":")[2] for key in keys_of(store)}
    assert parts == {"head", "rows", "beside", "tree", "deltas", "history", "goods:default", "past:1", "past:2"}
    assert store._wire.do("PTTL", store._keys.named("rows")) == -1
    assert reader.load().rows.numbers == {NUMBER.id: renumbered("+2")}
    assert store.goods("default") == {"b": b"two"}


@pytest.mark.usefixtures("staged")
def test_a_layer_is_read_and_the_next_publish_takes_it_in(store, reader, monkeypatch) -> None:
    publish(store, NUMBER, TRUNK)
    with monkeypatch.context() as dying:
        leave_the_layer(dying)
        publish(store, renumbered("+2"), RULE, delete=[(Kind.TRUNK, TRUNK.id)])
    assert any(":staged:" in key for key in keys_of(store))
    before = reader.load()
    assert digest_of(before.rows) == before.digest
    publish(store, renumbered("+3"))
    assert not any(":staged:" in key for key in keys_of(store))
    assert reader.load().rows.numbers == {NUMBER.id: renumbered("+3")}
    assert digest_of(reader.load().rows) == store.head().digest


def meanwhile(monkeypatch: pytest.MonkeyPatch, act) -> None:
    """Have `act()` called in the middle of each scan, once."""
    original, done = reading.scanned, []

    def interrupted(wire, key):
        yield from original(wire, key)
        if not done:
            done.append(key)
            act()

    monkeypatch.setattr(reading, "scanned", interrupted)


@pytest.mark.parametrize("origins", [True, False])
def test_a_load_during_which_others_publish_is_of_one_revision(store, reader, monkeypatch, origins) -> None:
    publish(store, NUMBER, TRUNK)

    def others() -> None:
        publish(store, renumbered("+2"), RULE)
        publish(store, NumberRow("default/m", "+9"), delete=[(Kind.TRUNK, TRUNK.id)])

    meanwhile(monkeypatch, others)
    loaded = reader.load(origins=origins)
    assert loaded.head == store.head()
    assert digest_of(loaded.rows) == loaded.digest


def test_a_load_during_which_a_large_publish_comes_is_made_again(store, reader, monkeypatch) -> None:
    publish(store, NUMBER, TRUNK)
    monkeypatch.setattr(publishing, "DELTA_BYTES_MAX", 0)
    meanwhile(monkeypatch, lambda: publish(store, renumbered("+2")))
    loaded = reader.load(origins=False)
    assert loaded.head == store.head()
    assert loaded.rows.numbers == {NUMBER.id: renumbered("+2")}


def test_tables_that_never_rest_are_told(store, reader, monkeypatch) -> None:
    publish(store, NUMBER)
    original = reading.scanned

    def never_at_rest(wire, key):
        yield from original(wire, key)
        publish(store, renumbered(f"+{store.head().revision}"))

    monkeypatch.setattr(reading, "scanned", never_at_rest)
    with pytest.raises(StoreError, match="change faster than they can be read"):
        reader.load()


def test_a_publish_that_is_put_into_force_twice_counts_once(store) -> None:
    """The answer to a commit is lost, and it is asked for again."""
    run, asked = store._wire.run, []

    def twice(script, keys, arguments):
        asked.append(run(script, keys, arguments))
        return run(script, keys, arguments)

    store._wire.run = twice
    assert publish(store, NUMBER) == 1
    assert asked == [[b"done"]]
    assert publish(store, renumbered("+2")) == 2
    assert [entry.revision for entry in store.history()] == [2, 1]


def test_a_reader_that_waits_is_told_at_once_and_no_sooner(store, reader) -> None:
    publish(store, NUMBER)
    reader.load()
    assert not reader.wait(0.01)
    assert not reader.wait(0)
    publish(store, RULE)
    assert reader.wait(5)
    assert reader.changes(at(store, 1)) is not None
    assert not reader.wait(0.01)


# Data that is lost


def test_an_emptied_server_begins_another_epoch(store, reader) -> None:
    publish(store, NUMBER)
    then = reader.load().head
    for key in keys_of(store):
        store._wire.do("DEL", key)
    assert reader.head().revision == 0
    assert reader.changes(then) is None
    with pytest.raises(Outdated):
        store.publish(Publish(then.digest, Delta((RULE,)), owner="default", now=2.0))
    assert publish(store, NUMBER) == 1
    assert reader.head().digest == then.digest
    assert reader.head() != then
    assert reader.changes(then) is None


def test_a_write_that_was_lost_and_replaced_is_noticed(store, reader, redis_server) -> None:
    """A replica takes over that the last write had not reached, and the revision is given to another publish."""
    publish(store, NUMBER)
    saved = {key: store._wire.do("DUMP", key) for key in keys_of(store)}
    publish(store, renumbered("+2"))
    lost = reader.load().head
    for key in keys_of(store):
        store._wire.do("DEL", key)
    for key, data in saved.items():
        store._wire.do("RESTORE", key, 0, data)
    assert reader.head().revision == 1
    assert reader.changes(lost) is None
    publish(store, renumbered("+3"))
    publish(store, renumbered("+4"))
    assert reader.changes(lost) is None, "its revision 2 is not the one that is known here"
    assert reader.load().rows.numbers[NUMBER.id] == renumbered("+4")


@pytest.mark.parametrize("part", ["rows", "beside", "tree", "head"])
def test_a_key_that_was_thrown_away_is_noticed_and_nothing_is_built_on_the_rest(store, reader, part) -> None:
    publish(store, NUMBER, RULE)
    store._wire.do("DEL", store._keys.named(part))
    if part in ("rows", "head"):
        with pytest.raises(StoreError, match=r"has lost some of the rows; .*noeviction"):
            reader.load()
    with pytest.raises(StoreError, match="the rows are not those that were published; delete the keys"):
        publish(store, renumbered("+2"))


def test_a_stream_that_was_cut_or_written_to_by_a_stranger_means_to_load_anew(store, reader) -> None:
    publish(store, NUMBER)
    then = reader.load().head
    store._wire.do("XADD", store._keys.deltas, "*", "delta", "nonsense")
    publish(store, renumbered("+2"))
    publish(store, renumbered("+3"))
    assert [head.revision for head, _ in changed(reader, then)] == [2, 3], "the publisher has begun it anew"
    now = store.head()
    store._wire.do("XADD", store._keys.deltas, "3-7", "delta", "nonsense")
    assert reader.changes(now) == []
    publish(store, renumbered("+4"))
    assert reader.changes(now) is None
    now = reader.load().head
    publish(store, renumbered("+5"))
    assert changed(reader, now) == [(store.head(), Delta((renumbered("+5"),)))]
    store._wire.do("DEL", store._keys.deltas)
    assert reader.changes(now) is None


# Strangers' keys


@pytest.mark.parametrize("part", ["rows", "beside", "tree", "deltas", "history", "aims"])
def test_a_key_of_another_kind_is_told_and_nothing_is_changed(store, part) -> None:
    publish(store, NUMBER)
    head = store.head()
    store._wire.do("DEL", store._keys.named(part))
    store._wire.do("SET", store._keys.named(part), "a song")
    with pytest.raises(StoreError, match=r"another program's; choose another .prefix=NAME, or delete the keys"):
        publish(store, renumbered("+2"))
    assert store.head() == head


@pytest.mark.parametrize("value", [b"a song", b"[1]", b'{"format":1,"songs":2}', b'{"format":"x"}', b"null", b"\xff"])
def test_a_head_that_is_none_is_told(store, value) -> None:
    store._wire.do("SET", store._keys.head, value)
    for ask in (store.head, store.load, lambda: store.changes(at(store, 0)), lambda: publish(store, NUMBER)):
        with pytest.raises(StoreError, match="another program's, or damaged"):
            ask()


def test_newer_tables_ask_for_a_newer_program(store) -> None:
    store._wire.do("SET", store._keys.head, b'{"format":2}')
    with pytest.raises(StoreError, match=r"newer dialplane wrote these tables \(format 2, this one knows 1\); upgrade"):
        store.head()


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        (f"PhoneNumber/{NUMBER.id}", b'{"colour":"red","number":"+1"}', r"PhoneNumber/default/n.*colour.*upgrade"),
        (f"PhoneNumber/{NUMBER.id}", b"\xff\x00", r"a row cannot be read"),
        ("Song/x", b"{}", "what is no row is among them"),
        (b"\xff", b"{}", "what is no row is among them"),
    ],
)
def test_a_row_that_is_none_is_told(store, field, value, what) -> None:
    publish(store, NUMBER)
    store._wire.do("HSET", store._keys.named("rows"), field, value)
    with pytest.raises(StoreError, match=what):
        store.load()


def test_garbage_beside_the_rows_is_told_or_passed_over(store) -> None:
    publish(store, NUMBER, goods={"a": b"one"})
    store._wire.do("HSET", store._keys.bridges, "b1", "nonsense")
    assert store.bridges(1.0) == []
    for part, ask in {
        "beside": lambda: store.declared(*N), "history": store.history, "past:1": lambda: store.steps_back(0)
    }.items():  # fmt: skip
        names = [b"1", f"PhoneNumber/{NUMBER.id}".encode(), b"Song"]
        store._wire.do("HSET", store._keys.named(part), *(word for name in names for word in (name, b"\xff{")))
        with pytest.raises(StoreError, match="damaged"):
            ask()
    store._wire.do("HSET", store._keys.aims, "default", "[1,2,3,4,5,6]")
    with pytest.raises(StoreError, match="damaged"):
        store.aim("default")


def test_tables_of_two_prefixes_do_not_know_of_each_other(redis_server: RedisServer) -> None:
    with open_tables(redis_server.url("one")) as one, open_tables(redis_server.url("two")) as two:
        publish(one, NUMBER)
        assert two.head().digest == EMPTY_DIGEST
        assert publish(two, RULE) == 1
        assert one.load().rows.rules == {}


def test_no_key_is_without_the_prefix(store, redis_server: RedisServer, tmp_path: Path) -> None:
    with RedisServer(tmp_path / "own") as own, open_tables(own.url()) as alone:
        publish(alone, NUMBER, goods={"a": b"one"}, aim=Aim("x"))
        alone.acknowledge("b", "", alone.head(), 1.0)
        assert all(key.startswith(b"{dialplane}:") for key in alone._wire.do("KEYS", "*"))
