"""Every store keeps the door's promises: compare-and-swap, owners, deltas, heartbeats, and what lasts."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.stores import BridgeAck, Declared, Head, Outdated, OwnerClash, Publish, bounds, open_tables
from schemas.tables.digest import EMPTY_DIGEST, digest_of
from schemas.tables.rows import Delta, Kind, NumberRow, RoomKind, Rows, RuleRow, TrunkRow, kind_of
from tests.any_rows import any_row
from tests.schemas.stores.states import at, changed

TRUNK = TrunkRow("default/us", regions=("us-east",))
RULE = RuleRow("default/support", RoomKind.DIRECT, "lobby")
NUMBER = NumberRow("default/n", "+14155550100", trunk=TRUNK.id, rule=RULE.id)
N = (Kind.NUMBER, NUMBER.id)


def publish(store, *put, delete=(), owner="default", now=1.0, **more) -> int:
    return store.publish(Publish(store.head().digest, Delta(put, tuple(delete)), owner=owner, now=now, **more))


def renumbered(number: str) -> NumberRow:
    return dataclasses.replace(NUMBER, number=number)


# Publishing


def test_a_fresh_store_is_at_revision_0_and_empty(store):
    snapshot = store.load()
    assert (snapshot.revision, snapshot.digest, snapshot.rows) == (0, EMPTY_DIGEST, Rows())
    assert store.head() == Head(0, EMPTY_DIGEST)


def test_what_is_published_is_loaded_by_another_connection(store, reader):
    assert publish(store, TRUNK, RULE, NUMBER) == 1
    at = reader.load()
    assert at.rows == Rows({TRUNK.id: TRUNK}, {RULE.id: RULE}, {NUMBER.id: NUMBER})
    assert at.digest == digest_of(at.rows) == reader.head().digest


def test_a_publish_onto_another_digest_is_outdated_and_changes_nothing(store):
    publish(store, NUMBER)
    before = store.load()
    with pytest.raises(Outdated) as outdated:
        store.publish(Publish(EMPTY_DIGEST, Delta((TRUNK,)), owner="default", now=2.0, goods={"a.yaml": b"x"}))
    assert outdated.value.current == before.head
    assert store.load() == before
    assert store.goods("default") == {}


def test_of_two_plans_against_one_digest_the_second_is_outdated(store, reader):
    plan_1, plan_2 = store.head().digest, reader.head().digest
    store.publish(Publish(plan_1, Delta((TRUNK,)), owner="default", now=1.0))
    with pytest.raises(Outdated):
        reader.publish(Publish(plan_2, Delta((RULE,)), owner="default", now=1.0))


def test_rows_that_are_what_they_were_make_no_revision(store):
    publish(store, NUMBER)
    assert publish(store, NUMBER, delete=[(Kind.TRUNK, "default/never-there")]) == 1
    assert len(store.history()) == 1


def test_a_claim_from_a_later_revision_is_our_bug(store):
    with pytest.raises(AssertionError, match="claim"):
        publish(store, dataclasses.replace(NUMBER, claimed_since=2))
    assert publish(store, dataclasses.replace(NUMBER, claimed_since=1)) == 1


def test_a_row_named_twice_in_one_delta_is_our_bug(store):
    with pytest.raises(AssertionError, match="twice"):
        publish(store, NUMBER, delete=[N])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(deltas=st.lists(st.lists(any_row(), max_size=4, unique_by=lambda row: (kind_of(row), row.id)), max_size=4))
def test_any_rows_come_back_and_the_stored_digest_is_theirs(place, deltas):
    url = place()
    with open_tables(url) as store, open_tables(url) as reader:
        followed = {}
        for rows in deltas:
            rows = [dataclasses.replace(row, claimed_since=0) for row in rows]
            gone = [key for key in followed if key[1] < "8" and key not in {(kind_of(row), row.id) for row in rows}]
            publish(store, *rows, delete=gone)
            for key in gone:
                del followed[key]
            followed |= {(kind_of(row), row.id): row for row in rows}
        at = reader.load()
        loaded = [*at.rows.trunks.values(), *at.rows.rules.values(), *at.rows.numbers.values()]
        assert {(kind_of(row), row.id): row for row in loaded} == followed
        assert digest_of(at.rows) == at.digest


# Origins and owners


def test_where_a_row_was_declared_is_beside_the_digest(store):
    publish(store, NUMBER, declared={N: Declared("a.yaml", 3, 1, "uid-1")})
    before = store.head()
    assert publish(store, declared={N: Declared("a.yaml", 4, 1, "uid-1")}, now=2.0) == 1
    assert store.head() == before
    assert store.load().declared == {N: Declared("a.yaml", 4, 1, "uid-1")}
    assert store.declared(*N) == Declared("a.yaml", 4, 1, "uid-1")
    assert store.declared(N[0], "default/absent") is None


def test_a_changed_row_keeps_its_place_until_told_another(store):
    publish(store, NUMBER, declared={N: Declared("a.yaml", 3)})
    publish(store, renumbered("+2"))
    assert store.load().declared[N] == Declared("a.yaml", 3)
    publish(store, renumbered("+3"), declared={N: Declared("b.yaml", 9)})
    assert store.load().declared[N] == Declared("b.yaml", 9)


def test_each_row_knows_its_owner_and_the_revision_of_its_last_change(store):
    publish(store, TRUNK, NUMBER)
    publish(store, RULE, renumbered("+2"), owner="default")
    at = store.load()
    assert at.changed == {(Kind.TRUNK, TRUNK.id): 1, (Kind.RULE, RULE.id): 2, N: 2}
    assert set(at.owners.values()) == {"default"}


def test_a_load_without_origins_has_the_same_rows_and_no_maps(store):
    publish(store, NUMBER, declared={N: Declared("a.yaml", 3)})
    bare = store.load(origins=False)
    assert bare.rows == store.load().rows
    assert not bare.declared
    assert not bare.owners
    assert not bare.changed


@pytest.mark.parametrize("change", [{"put": (renumbered("+2"),)}, {"delete": (N,)}, {"put": (NUMBER,)}])
def test_rows_of_another_owner_are_not_overwritten_deleted_or_claimed(store, change):
    publish(store, NUMBER, owner="voice-team")
    before = store.load()
    with pytest.raises(OwnerClash, match="PhoneNumber/default/n of owner voice-team") as clash:
        store.publish(
            Publish(before.digest, Delta((*change.get("put", ()), RULE), change.get("delete", ())), owner="x", now=2.0)
        )
    assert clash.value.owners == {N: "voice-team"}
    assert store.load() == before


def test_a_place_of_another_owners_row_is_passed_over(store):
    publish(store, NUMBER, owner="voice-team", declared={N: Declared("a.yaml", 3)})
    publish(store, RULE, owner="x", declared={N: Declared("mine.yaml", 1)})
    assert store.load().declared[N] == Declared("a.yaml", 3)


def test_last_good_documents_are_kept_per_owner_and_replaced_with_the_rows(store):
    publish(store, NUMBER, goods={"a.yaml": b"one", "b.yaml": b"two"})
    publish(store, owner="x", goods={"a.yaml": b"theirs"})
    publish(store, renumbered("+2"), goods={"a.yaml": b"new", "b.yaml": None, "c.yaml": None})
    assert store.goods("default") == {"a.yaml": b"new"}
    assert store.goods("x") == {"a.yaml": b"theirs"}
    assert store.head().revision == 2


def test_everything_survives_a_restart(url):
    with open_tables(url) as store:
        publish(store, NUMBER, declared={N: Declared("a.yaml", 3)}, goods={"a.yaml": b"one"}, note="first")
        before = store.load(), store.goods("default"), store.history()
    with open_tables(url) as store:
        assert (store.load(), store.goods("default"), store.history()) == before


# Following


def test_a_reader_follows_by_deltas(store, reader):
    publish(store, TRUNK, NUMBER)
    publish(store, renumbered("+2"), delete=[(Kind.TRUNK, TRUNK.id)])
    publish(store, RULE)
    assert changed(reader, at(store, 0)) == [
        (at(store, 1), Delta((NUMBER, TRUNK))),
        (at(store, 2), Delta((renumbered("+2"),), ((Kind.TRUNK, TRUNK.id),))),
        (at(store, 3), Delta((RULE,))),
    ]
    assert reader.changes(at(store, 2)) == [(at(store, 3), Delta((RULE,)))]
    assert reader.changes(at(store, 3)) == []
    assert reader.changes(dataclasses.replace(at(store, 3), revision=4)) is None


def test_deltas_are_only_told_to_who_has_what_they_build_on(store, reader):
    publish(store, NUMBER)
    there = reader.load().head
    publish(store, RULE)
    assert reader.changes(there) == [(store.head(), Delta((RULE,)))]
    assert reader.changes(dataclasses.replace(there, digest=EMPTY_DIGEST)) is None
    assert reader.changes(dataclasses.replace(store.head(), digest=there.digest)) is None


def test_deltas_beyond_the_count_of_revisions_are_forgotten(store, monkeypatch):
    monkeypatch.setattr(bounds, "DELTA_REVISIONS_MAX", 3)
    for revision in range(1, 7):
        publish(store, renumbered(f"+{revision}"))
    assert store.changes(at(store, 2)) is None
    assert [head.revision for head, _ in store.changes(at(store, 3))] == [4, 5, 6]


def test_deltas_beyond_the_count_of_rows_are_forgotten(store, monkeypatch):
    monkeypatch.setattr(bounds, "DELTA_ROWS_MAX", 3)
    publish(store, renumbered("+1"))
    publish(store, renumbered("+2"), RULE)
    publish(store, renumbered("+3"))
    assert store.changes(at(store, 0)) is None
    assert len(store.changes(at(store, 1))) == 2
    publish(store, *(NumberRow(f"default/bulk-{i}", "+1") for i in range(4)))
    assert store.changes(at(store, 3)) is None
    publish(store, renumbered("+5"))
    assert store.changes(at(store, 3)) is None
    assert len(store.changes(at(store, 4))) == 1


def test_history_remembers_who_when_and_how_much(store, monkeypatch):
    monkeypatch.setattr(bounds, "HISTORY_MAX", 2)
    publish(store, TRUNK, now=1.0)
    publish(store, RULE, NUMBER, now=2.0, note="numbers")
    publish(store, delete=[(Kind.TRUNK, TRUNK.id)], now=3.0, owner="default")
    newest, older = store.history()
    assert (newest.revision, newest.at, newest.put, newest.deleted) == (3, 3.0, 0, 1)
    assert (newest.trunks, newest.rules, newest.numbers, newest.digest) == (0, 1, 1, store.head().digest)
    assert (older.owner, older.note, older.put, older.trunks) == ("default", "numbers", 2, 1)


# Bridges


def test_bridges_are_live_for_ten_seconds_after_their_heartbeat(store, reader):
    for number in "123":
        publish(store, renumbered(f"+{number}"))
    reader.acknowledge("b1", "us-east", at(store, 3), 100.0)
    reader.acknowledge("b2", "", at(store, 2), 105.0)
    assert store.bridges(110.0) == [BridgeAck("b1", "us-east", 3, 100.0), BridgeAck("b2", "", 2, 105.0)]
    assert [ack.name for ack in store.bridges(110.5)] == ["b2"]
    assert [ack.name for ack in store.bridges(110.5, live_within_s=60.0)] == ["b1", "b2"]
    assert store.bridges(50.0) == []  # a clock that was set back makes nobody live forever


def test_a_later_heartbeat_replaces_the_earlier(store, reader):
    publish(store, NUMBER)
    reader.acknowledge("b1", "us-east", at(store, 0), 100.0)
    reader.acknowledge("b1", "us-west", at(store, 1), 101.0)
    assert store.bridges(101.0) == [BridgeAck("b1", "us-west", 1, 101.0)]


def test_a_bridge_on_tables_that_never_were_here_is_at_no_revision(store, reader):
    publish(store, NUMBER)
    elsewhere = dataclasses.replace(store.head(), digest=EMPTY_DIGEST)
    reader.acknowledge("b1", "", elsewhere, 100.0)
    assert store.bridges(100.0) == [BridgeAck("b1", "", 0, 100.0)]


def test_a_bridge_silent_for_a_day_is_forgotten_at_the_next_publish(store, reader):
    reader.acknowledge("b1", "", store.head(), 0.0)
    assert len(store.bridges(0.0)) == 1
    publish(store, NUMBER, now=bounds.BRIDGE_FORGOTTEN_S + 1)
    assert store.bridges(0.0) == []
