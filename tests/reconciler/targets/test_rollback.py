"""A rollback brings back one owner's rows whole or not at all, and keeps them until the documents change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import ReconcileError
from reconciler.model.live import rows_of
from reconciler.model.records import decode_record
from reconciler.plan.gates import Allowances
from reconciler.targets.rollback import Rollback, plan_rollback, release, roll_back
from reconciler.targets.tables import TablesTarget
from schemas.resources.conditions import Reason
from schemas.seal import Place, Sealer, unseals_nothing
from schemas.stores import Publish, SqliteStore
from schemas.tables.rows import Auth, Delta, Inbound, Kind, Secret, TrunkRow
from tests.reconciler.declaring import any_folder, broken, codes, declared, number, ref, rule, trunk

EVERYTHING = frozenset(f"{kind}/default/{name}" for kind in Kind for name in "abc")
FREELY = Allowances(10_000, EVERYTHING, EVERYTHING)
ONE = {"a.yaml": [trunk()], "b.yaml": [rule()]}
TWO = {"a.yaml": [trunk()], "b.yaml": [rule(room="hall")]}


@contextmanager
def fresh_store() -> Iterator[SqliteStore]:
    with TemporaryDirectory() as place, SqliteStore(f"{place}/tables.db") as store:
        yield store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(str(tmp_path / "tables.db")) as made:
        yield made


def apply(store: SqliteStore, folder, owner: str = "default", allowed: Allowances = FREELY):
    return TablesTarget(store, owner, wall=lambda: 1000.0).apply(declared(folder), allowed, "apply m")


def back(store: SqliteStore, to: int, owner: str = "default", allowed: Allowances = FREELY, **more):
    asked = Rollback(to, allowed, more.pop("unseal", unseals_nothing), **more)
    return roll_back(store, owner, asked, wall=lambda: 2000.0)


def room(store: SqliteStore) -> str:
    return store.load().rows.rules["default/support"].room_name


def mine(store: SqliteStore, owner: str) -> dict:
    """The owner's rows without the ages of their claims."""
    at = store.load()
    return {
        (kind, id_): replace(row, claimed_since=0)
        for kind in Kind
        for id_, row in rows_of(at.rows, kind).items()
        if at.owners[kind, id_] == owner
    }


def test_rows_come_back_as_a_new_revision(store):
    apply(store, ONE)
    apply(store, {**TWO, "c.yaml": [number()]})
    planned = back(store, 1)
    assert (planned.made_on, planned.revision) == (2, 3)
    assert room(store) == "lobby"
    assert not store.load().rows.numbers
    assert store.head().digest == planned.published
    assert store.history(1)[0].note == "rollback to 1"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["one", "two"]), any_folder), min_size=1, max_size=5), st.data())
def test_each_revision_can_be_gone_back_to_and_others_rows_stay(folders, data):
    with fresh_store() as store:
        were: dict[int, dict] = {0: {}}
        for owner, folder in folders:
            apply(store, folder, owner)
            were[store.head().revision] = mine(store, "one")
        others, head = mine(store, "two"), store.head()
        for revision in range(head.revision):
            were.setdefault(revision, {})
        to = data.draw(st.sampled_from(sorted(were)))
        planned = back(store, to, "one")
        assert mine(store, "two") == others
        if planned.desired.problems:
            assert store.head() == head
        else:
            assert mine(store, "one") == were[to]
            assert not back(store, to, "one").plan


def test_what_others_changed_meanwhile_is_none_of_it(store):
    apply(store, ONE)
    theirs = {"c.yaml": [rule("theirs", "one", match={"to": ["+442071838750"]})]}
    apply(store, theirs, "other")
    apply(store, TWO)
    apply(store, {"c.yaml": [rule("theirs", "two", match={"to": ["+442071838750"]})]}, "other")
    planned = back(store, 2)
    assert not planned.desired.problems
    assert [change.name for change in planned.plan.changes] == ["DispatchRule default/support"]
    assert store.load().rows.rules["default/theirs"].room_name == "two"
    assert store.aim("other").pinned_to == 0


def test_the_same_documents_do_not_put_it_forward_again_and_say_what_waits(store):
    apply(store, ONE)
    apply(store, TWO)
    back(store, 1)
    planned = apply(store, TWO)
    assert (planned.pin.to, planned.pin.by) == (1, 3)
    assert [change.name for change in planned.waiting.changes] == ["DispatchRule default/support"]
    assert not planned.plan
    assert (room(store), store.head().revision) == ("lobby", 3)
    verdicts = decode_record(store.goods("default")["DispatchRule/default/support"]).verdicts
    assert [verdict.reason for verdict in verdicts] == [Reason.PENDING]


def test_the_same_documents_in_other_files_are_the_same(store):
    apply(store, ONE)
    apply(store, TWO)
    back(store, 1)
    assert apply(store, {"all.yaml": [rule(room="hall"), trunk()]}).pin


def test_other_documents_end_it_for_good(store):
    apply(store, ONE)
    apply(store, TWO)
    back(store, 1)
    planned = apply(store, {**TWO, "b.yaml": [rule(room="third")]})
    assert (planned.pin, planned.ends_pin, room(store)) == (None, 1, "third")
    assert not apply(store, TWO).pin
    assert room(store) == "hall"


def test_a_document_that_cannot_be_read_does_not_end_it(store):
    apply(store, ONE)
    apply(store, TWO)
    back(store, 1)
    for torn in ({**TWO, "b.yaml": "kind: [unclosed"}, {**TWO, "a.yaml": [broken(trunk())]}, {**TWO, "b.yaml": ""}):
        assert apply(store, torn).pin
        assert room(store) == "lobby"
    assert apply(store, TWO).pin


def test_a_file_that_was_torn_at_the_rollback_and_heals_does_not_end_it(store):
    apply(store, ONE)
    apply(store, TWO)
    apply(store, {**TWO, "b.yaml": "kind: [unclosed"})
    back(store, 1)
    assert apply(store, TWO).pin


def test_a_refused_change_does_not_end_it_and_can_be_allowed(store):
    apply(store, ONE)
    apply(store, TWO)
    back(store, 1)
    assert apply(store, {"c.yaml": [rule("other")]}, allowed=Allowances()).refused
    assert apply(store, TWO).pin
    planned = apply(store, {"c.yaml": [rule("other")]})
    assert (planned.pin, planned.refused) == (None, ())


def test_a_release_lets_the_documents_count_again(store):
    apply(store, ONE)
    apply(store, TWO)
    back(store, 1)
    assert release(store, "default").pinned_to == 1
    assert release(store, "default") is None
    assert not apply(store, TWO).pin
    assert room(store) == "hall"


def test_a_plan_made_before_the_rollback_is_made_again(store):
    apply(store, ONE)
    apply(store, TWO)
    watcher = TablesTarget(store, "default", wall=lambda: 1000.0)
    watcher.plan(declared(TWO), FREELY)
    back(store, 1)
    assert watcher.apply(declared(TWO), FREELY).pin
    assert room(store) == "lobby"


def test_a_broken_document_keeps_what_was_brought_back_and_not_what_came_after(store):
    apply(store, ONE)
    apply(store, TWO)
    back(store, 1)
    release(store, "default")
    apply(store, {**TWO, "b.yaml": [broken(rule(room="hall"))]})
    assert room(store) == "lobby"


def test_what_would_be_unsafe_to_apply_is_unsafe_to_bring_back(store):
    apply(store, {"a.yaml": [trunk()]})
    apply(store, ONE)
    planned = back(store, 0, allowed=Allowances())
    assert codes(planned.refused) == ["empty-desired-state"]
    assert store.head().revision == 2
    assert store.aim("default").pinned_to == 0
    assert not back(store, 0, allowed=Allowances(2)).refused


def test_a_claim_that_somebody_else_has_taken_is_told_and_nothing_comes_back(store):
    apply(store, {"a.yaml": [rule("mine", "lobby", match={"to": ["+14155550100"]}), trunk()]})
    apply(store, {"a.yaml": [rule("mine", "lobby", match={"to": ["+14155550111"]}), trunk(metadata="x")]})
    apply(store, {"b.yaml": [rule("theirs", match={"to": ["+14155550100"]})]}, "other")
    planned = back(store, 1)
    (problem,) = planned.desired.problems
    assert "DispatchRule default/mine claims the same calls as DispatchRule default/theirs of the owner other" in str(
        problem
    )
    assert store.head().revision == 3
    assert store.load().rows.trunks["default/carrier"].metadata == "x"


def test_a_name_that_somebody_else_has_taken_is_told(store):
    apply(store, {"a.yaml": [trunk(), rule()]})
    apply(store, {"a.yaml": [trunk()]})
    apply(store, {"b.yaml": [rule(room="theirs")]}, "other")
    planned = back(store, 1)
    assert codes(planned.desired.problems) == ["other-owner"]
    assert room(store) == "theirs"


def test_an_old_claim_that_comes_back_is_as_new_as_any(store):
    apply(store, ONE)
    apply(store, {"a.yaml": [trunk()]})
    back(store, 1)
    assert store.load().rows.rules["default/support"].claimed_since == 3
    assert store.load().rows.trunks["default/carrier"].claimed_since == 1


def test_a_revision_that_is_not_known_is_named(store):
    apply(store, ONE)
    with pytest.raises(ReconcileError, match="there is no revision 7, the tables are at revision 1"):
        back(store, 7)
    store._db.execute("DELETE FROM past")
    with pytest.raises(ReconcileError, match="what changed after revision 0 is not kept, none can be gone back to"):
        back(store, 0)


def test_nothing_to_bring_back_pins_nothing(store):
    apply(store, ONE)
    apply(store, TWO, "other")
    assert not back(store, 1).plan
    assert store.aim("default").pinned_to == 0


# Secrets

OLD, NEW = Sealer(b"o" * 64), Sealer(b"n" * 64)
PLACE = Place(Kind.TRUNK, "default/carrier", "inbound.auth.passwordFrom")


def sealed(sealer: Sealer, secret: bytes, key: str = "env:PW", metadata: str = "") -> TrunkRow:
    auth = Auth("acme", Secret(key, sealer.seal(PLACE, secret)))
    return TrunkRow("default/carrier", Inbound(("10.1.0.0/16",), auth=auth), metadata=metadata)


def put(store: SqliteStore, row: TrunkRow) -> None:
    store.publish(Publish(store.head().digest, Delta((row,)), owner="default", now=1.0))


def secret_in(store: SqliteStore) -> bytes:
    return store.load().rows.trunks["default/carrier"].inbound.auth.password.sealed


def test_a_secret_comes_back_sealed_as_it_was(store):
    put(store, sealed(OLD, b"one"))
    put(store, sealed(OLD, b"two"))
    back(store, 1, unseal=OLD.unseal)
    assert OLD.unseal(PLACE, secret_in(store)) == b"one"


def test_one_that_another_key_sealed_is_told_and_nothing_comes_back(store):
    put(store, sealed(OLD, b"one"))
    put(store, sealed(NEW, b"one"))
    planned = back(store, 1, unseal=NEW.unseal)
    assert codes(planned.desired.problems) == ["seal"]
    assert "--live-secrets" in planned.desired.problems[0].hint
    assert store.head().revision == 2


def test_live_secrets_stay_where_their_place_is_the_same(store):
    put(store, sealed(OLD, b"one", metadata="then"))
    put(store, sealed(NEW, b"two", metadata="now"))
    assert not back(store, 1, unseal=NEW.unseal, live_secrets=True).desired.problems
    assert store.load().rows.trunks["default/carrier"].metadata == "then"
    assert NEW.unseal(PLACE, secret_in(store)) == b"two"


def test_a_secret_of_another_place_is_not_taken_for_that_one(store):
    put(store, sealed(OLD, b"one", key="env:OLD"))
    put(store, sealed(OLD, b"two", key="env:NEW"))
    back(store, 1, unseal=OLD.unseal, live_secrets=True)
    assert OLD.unseal(PLACE, secret_in(store)) == b"one"


def test_a_look_changes_nothing(store):
    apply(store, ONE)
    apply(store, TWO)
    planned = plan_rollback(store, "default", Rollback(1, FREELY, unseals_nothing))
    assert [change.name for change in planned.plan.changes] == ["DispatchRule default/support"]
    assert (store.head().revision, store.aim("default").pinned_to) == (2, 0)


def test_a_number_that_was_pointed_elsewhere_comes_back_with_its_rule(store):
    first = {"a.yaml": [trunk(), rule(), number(dispatchRuleRef=ref("support"))]}
    second = {"a.yaml": [trunk(), rule("other"), number(dispatchRuleRef=ref("other"))]}
    apply(store, first)
    apply(store, second)
    back(store, 1)
    assert store.load().rows.numbers["default/main"].rule == "default/support"
    assert [*store.load().rows.rules] == ["default/support"]
