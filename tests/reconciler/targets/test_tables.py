from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.desired import desire
from reconciler.model.memo import Memo
from reconciler.model.records import decode_record
from reconciler.plan.gates import Allowances
from reconciler.targets.tables import TablesTarget, live_of
from schemas.resources.conditions import Reason
from schemas.stores import Outdated, SqliteStore
from schemas.tables.rows import Kind
from tests.reconciler.declaring import (
    any_folder,
    any_torn_folder,
    broken,
    codes,
    declared,
    number,
    ref,
    rule,
    trunk,
)

EVERYTHING = frozenset(f"{kind}/default/{name}" for kind in Kind for name in "abc")
FREELY = Allowances(10_000, frozenset(f"{kind}/default/{name}" for kind in Kind for name in "abc"), EVERYTHING)


@contextmanager
def fresh_store() -> Iterator[SqliteStore]:
    with TemporaryDirectory() as place, SqliteStore(f"{place}/tables.db") as store:
        yield store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(str(tmp_path / "tables.db")) as made:
        yield made


def target(store: SqliteStore, owner: str = "default") -> TablesTarget:
    return TablesTarget(store, owner, wall=lambda: 1000.0)


@settings(max_examples=80, deadline=None)
@given(any_folder)
def test_a_plan_after_an_apply_is_empty_for_every_field(folder):
    with fresh_store() as store:
        target(store).apply(declared(folder), FREELY)
        again = target(store).plan(declared(folder), Allowances())
        assert not again.plan
        assert not again.refused


@settings(max_examples=25, deadline=None)
@given(st.lists(any_torn_folder, min_size=2, max_size=5))
def test_whatever_happened_before_a_plan_after_an_apply_is_empty(folders):
    with fresh_store() as store:
        for folder in folders:
            target(store).apply(declared(folder), FREELY)
        assert not target(store).plan(declared(folders[-1]), Allowances()).plan


@settings(max_examples=25, deadline=None)
@given(st.lists(any_torn_folder, min_size=2, max_size=6))
def test_a_pass_with_a_memory_of_the_last_one_gives_what_a_pass_without_gives(folders):
    with fresh_store() as store:
        watcher = target(store)
        for folder in folders:
            now = declared(folder)
            live = live_of(store.load(), "default", store.goods("default"))
            afresh = desire(now, live, Memo())
            planned = watcher.apply(now, FREELY)
            assert planned.desired.rows == afresh.rows
            assert planned.desired.verdicts == afresh.verdicts
            assert sorted(map(str, planned.desired.problems)) == sorted(map(str, afresh.problems))


US, EU = {"region": "us"}, {"region": "eu"}
VARIANTS = {
    "t1.yaml": [[trunk("a", 1, labels=US)], [trunk("a", 1, labels=EU)], [trunk("a", 1, metadata="x")], []],
    "t2.yaml": [[trunk("b", 2, labels=US)], [trunk("b", 1, labels=US)], []],
    "r1.yaml": [[rule("a", priority=1, trunkRefs=[ref("a")])], [rule("a", room="hall", priority=2)], []],
    "r2.yaml": [[rule("b", priority=3, trunkSelector={"matchLabels": US})], [broken(rule("b"))], []],
    "n1.yaml": [[number("a", trunkRef=ref("a"), dispatchRuleRef=ref("a"))], [number("a", direction="inbound")], []],
    "n2.yaml": [[number("b", "+442071838750", trunkRef=ref("b"))], [number("a")], "kind: [unclosed", []],
}
"""Small edits, most of which leave nothing to complain about."""
any_edit = st.sampled_from(sorted(VARIANTS)).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(VARIANTS[name]))
)


@settings(max_examples=100, deadline=None)
@given(st.lists(any_edit, min_size=1, max_size=8))
def test_a_small_edit_gives_what_a_pass_over_everything_gives(edits):
    with fresh_store() as store:
        watcher = target(store)
        folder = {name: variants[0] for name, variants in VARIANTS.items()}
        watcher.apply(declared(folder), FREELY)
        for name, documents in edits:
            folder[name] = documents
            live = live_of(store.load(), "default", store.goods("default"))
            afresh = desire(declared(folder), live, Memo())
            planned = watcher.apply(declared(folder), FREELY)
            assert planned.desired.rows == afresh.rows
            assert planned.desired.verdicts == afresh.verdicts
            assert sorted(map(str, planned.desired.problems)) == sorted(map(str, afresh.problems))
            assert not target(store).plan(declared(folder), FREELY).plan


@settings(max_examples=15, deadline=None)
@given(st.lists(any_torn_folder, min_size=1, max_size=4))
def test_the_same_inputs_in_the_same_order_make_the_same_tables(folders):
    digests = []
    for _ in range(2):
        with fresh_store() as store:
            for folder in folders:
                target(store).apply(declared(folder), FREELY)
            digests.append(store.head())
    assert digests[0] == digests[1]


def test_an_apply_publishes_one_revision_and_a_second_one_none(store):
    folder = {"a.yaml": [trunk(), rule(), number(trunkRef=ref("carrier"))]}
    assert target(store).apply(declared(folder), Allowances()).revision == 1
    assert target(store).apply(declared(folder), Allowances()).revision == 1
    assert store.load().declared[(Kind.TRUNK, "default/carrier")].file == "a.yaml"


def test_a_line_that_moves_changes_the_place_and_no_revision(store):
    target(store).apply(declared({"a.yaml": [trunk()]}), Allowances())
    target(store).apply(declared({"a.yaml": [trunk("carrier"), rule(trunkRefs=[ref("nowhere")])]}), Allowances())
    moved = declared({"a.yaml": [rule(trunkRefs=[ref("nowhere")]), trunk("carrier")]})
    target(store).apply(moved, Allowances())
    snapshot = store.load()
    assert snapshot.revision == 1
    assert snapshot.declared[(Kind.TRUNK, "default/carrier")].line == 3


def test_a_broken_document_keeps_its_last_good_version_and_the_rest_goes_on(store):
    target(store).apply(declared({"a.yaml": [trunk(), rule(room="lobby")]}), Allowances())
    bad = declared({"a.yaml": [trunk(metadata="new"), broken(rule(room="hall"))]})
    planned = target(store).apply(bad, Allowances())
    rows = store.load().rows
    assert rows.rules["default/support"].room_name == "lobby"
    assert rows.trunks["default/carrier"].metadata == "new"
    assert planned.desired.verdicts[(Kind.RULE, "default/support")].reason is Reason.INVALID


def test_the_labels_of_a_broken_trunk_still_select_it(store):
    selecting = rule(trunkSelector={"matchLabels": {"region": "us"}})
    good = trunk(labels={"region": "us"})
    target(store).apply(declared({"a.yaml": [good]}), Allowances())
    target(store).apply(declared({"a.yaml": [broken(good)], "b.yaml": [selecting]}), Allowances())
    assert store.load().rows.rules["default/support"].trunks == ("default/carrier",)


@pytest.mark.parametrize("torn", ["kind: [unclosed", "metadata: {name: x}\nkind: DispatchRul\n", "\ufffe"])
def test_a_file_that_cannot_be_read_keeps_all_that_it_last_contributed(store, torn):
    target(store).apply(declared({"a.yaml": [trunk()], "b.yaml": [rule(), rule("second", priority=1)]}), Allowances())
    planned = target(store).apply(declared({"a.yaml": [trunk()], "b.yaml": torn}), Allowances())
    assert not planned.plan
    assert not planned.refused
    assert len(store.load().rows.rules) == 2


def test_an_object_that_moves_out_of_an_unreadable_file_is_taken_from_its_new_place(store):
    target(store).apply(declared({"a.yaml": [rule(room="lobby")]}), Allowances())
    target(store).apply(declared({"a.yaml": "kind: [unclosed", "b.yaml": [rule(room="hall")]}), Allowances())
    assert store.load().rows.rules["default/support"].room_name == "hall"


def test_a_document_that_is_gone_deletes_its_object_and_its_record(store):
    target(store).apply(declared({"a.yaml": [trunk(), number()]}), Allowances())
    target(store).apply(declared({"a.yaml": [trunk()]}), Allowances())
    assert not store.load().rows.numbers
    assert list(store.goods("default")) == ["Trunk/default/carrier"]


def test_a_mended_object_has_no_verdict_left(store):
    good = {"a.yaml": [trunk()]}
    target(store).apply(declared(good), Allowances())
    target(store).apply(declared({"a.yaml": [broken(trunk())]}), Allowances())
    assert decode_record(store.goods("default")["Trunk/default/carrier"]).verdicts
    target(store).apply(declared(good), Allowances())
    assert not decode_record(store.goods("default")["Trunk/default/carrier"]).verdicts


def test_an_unsafe_plan_changes_no_row_and_leaves_word_of_it(store):
    target(store).apply(declared({"a.yaml": [trunk(), rule()]}), Allowances())
    planned = target(store).apply(declared({}), Allowances())
    assert [refusal.code for refusal in planned.refused] == ["empty-desired-state"]
    assert store.load().revision == 1
    verdicts = decode_record(store.goods("default")["DispatchRule/default/support"]).verdicts
    assert [verdict.reason for verdict in verdicts] == [Reason.BLOCKED_BY_SAFETY]
    assert target(store).apply(declared({}), Allowances(deletes=2)).revision == 2
    assert not store.goods("default")


def test_somebody_who_published_meanwhile_is_planned_against_again(store):
    slow, quick = target(store), target(store, "team-b")
    slow.plan(declared({"a.yaml": [trunk()]}), Allowances())
    original = store.publish
    published: list[int] = []

    def overtaken(*args, **kwargs):
        if not published:
            published.append(1)
            quick.apply(declared({"b.yaml": [trunk("other", net=2)]}), Allowances())
        return original(*args, **kwargs)

    store.publish = overtaken
    assert slow.apply(declared({"a.yaml": [trunk()]}), Allowances()).revision == 2
    assert sorted(store.load().rows.trunks) == ["default/carrier", "default/other"]


def test_a_store_that_always_moves_is_given_up_on(store):
    def always(*_args, **_kwargs):
        raise Outdated(store.head())

    store.publish = always
    with pytest.raises(Exception, match="changed 8 times"):
        target(store).apply(declared({"a.yaml": [trunk()]}), Allowances())


def test_an_owner_prunes_only_its_own_and_meets_others_as_a_conflict(store):
    target(store, "team-a").apply(declared({"a.yaml": [trunk("one", 1)]}), Allowances())
    planned = target(store, "team-b").apply(declared({"b.yaml": [trunk("one", 2), trunk("two", 1)]}), Allowances())
    assert sorted(codes(planned.desired.problems)) == ["conflict", "other-owner"]
    assert "of the owner team-a" in " ".join(str(problem) for problem in planned.desired.problems)
    assert list(store.load().rows.trunks) == ["default/one"]
    target(store, "team-b").apply(declared({}), Allowances())
    assert list(store.load().rows.trunks) == ["default/one"]


def test_a_rule_may_name_the_trunk_of_another_owner_in_its_namespace(store):
    target(store, "carrier-team").apply(declared({"a.yaml": [trunk()]}), Allowances())
    target(store, "app-team").apply(declared({"b.yaml": [rule(trunkRefs=[ref("carrier")])]}), Allowances())
    assert store.load().rows.rules["default/support"].trunks == ("default/carrier",)


def test_a_claim_keeps_its_age_until_it_claims_something_else(store):
    one = target(store)
    one.apply(declared({"a.yaml": [trunk(), rule(match={"to": ["+1*"]})]}), Allowances())
    one.apply(declared({"a.yaml": [trunk(), rule(room="hall", match={"to": ["+1*"]})]}), Allowances())
    assert store.load().rows.rules["default/support"].claimed_since == 1
    one.apply(declared({"a.yaml": [trunk(), rule(room="hall", match={"to": ["+44*"]})]}), Allowances())
    assert store.load().rows.rules["default/support"].claimed_since == 3


def test_without_a_store_everything_is_planned_as_new():
    planned = TablesTarget(None, "default").plan(declared({"a.yaml": [trunk(), rule()]}), Allowances())
    assert planned.plan.summary == "Plan: 2 to create, 0 to change, 0 to delete"


@pytest.mark.parametrize("wrong", [broken(rule()), rule(trunkRefs=[ref("nowhere")])])
def test_an_object_that_becomes_live_where_it_was_held_back_has_its_place(store, wrong):
    hand = target(store)
    hand.apply(declared({"a.yaml": [trunk(), wrong]}), Allowances())
    hand.apply(declared({"a.yaml": [trunk(), rule()]}), Allowances())
    assert store.load().declared[(Kind.RULE, "default/support")].line == 3


def test_an_object_that_was_deleted_and_declared_again_has_its_place(store):
    mine = target(store)
    both = {"a.yaml": [trunk(), rule()], "b.yaml": [trunk("other", 2)]}
    for folder in (both, {"a.yaml": [trunk(), rule()], "b.yaml": ""}, both):
        mine.apply(declared(folder), Allowances())
    place = store.load().declared[(Kind.TRUNK, "default/other")]
    assert (place.file, place.line, place.column) == ("b.yaml", 1, 1)
