from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.model.renames import ANNOTATION
from reconciler.plan.changes import Action
from reconciler.plan.effects import effects_of
from reconciler.plan.gates import Allowances
from reconciler.plan.render import as_json, brief, text
from reconciler.targets.tables import TablesTarget
from schemas.stores import SqliteStore
from schemas.tables.rows import Kind
from tests.reconciler.declaring import broken, codes, declared, number, ref, rule, trunk

FREELY = Allowances(100)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(str(tmp_path / "tables.db")) as made:
        yield made


def renamed(document, old: str):
    return {**document, "metadata": {**document["metadata"], "annotations": {ANNOTATION: old}}}


def house(trunk_name="carrier", rule_name="support", number_name="main", **more):
    return {
        "a.yaml": [
            trunk(trunk_name),
            rule(rule_name, trunkRefs=[ref(trunk_name)]),
            number(number_name, trunkRef=ref(trunk_name), dispatchRuleRef=ref(rule_name)),
        ],
        **more,
    }


def moved():
    documents = house("carrier-2", "helpdesk", "front")["a.yaml"]
    olds = ("carrier", "support", "main")
    return {"a.yaml": [renamed(one, old) for one, old in zip(documents, olds, strict=True)]}


def apply(store, folder, allowed=Allowances()):  # noqa: B008
    return TablesTarget(store, "default", wall=lambda: 1000.0).apply(declared(folder), allowed)


def ages(store) -> dict[str, int]:
    rows = store.load().rows
    return {
        row.id: row.claimed_since for kind in (rows.trunks, rows.rules, rows.numbers) for row in kind.values()
    }  # fmt: skip


def test_every_kind_moves_with_the_age_of_its_claim_and_calls_go_on(store):
    apply(store, house())
    apply(store, house(**{"b.yaml": [trunk("x", 9)]}))
    done = apply(store, moved() | {"b.yaml": [trunk("x", 9)]})
    assert [change.action for change in done.plan.changes] == [Action.MOVE] * 3
    assert not done.refused
    assert not effects_of(done.turn)
    assert ages(store) == {"default/carrier-2": 1, "default/helpdesk": 1, "default/front": 1, "default/x": 2}
    assert not apply(store, moved() | {"b.yaml": [trunk("x", 9)]}).plan, "the annotation means nothing more"


def test_what_names_a_renamed_object_keeps_its_age_too(store):
    apply(store, house())
    folder = house(rule_name="helpdesk")
    folder["a.yaml"][1] = renamed(folder["a.yaml"][1], "support")
    done = apply(store, folder)
    assert [(change.action, change.id) for change in done.plan.changes] == [
        (Action.MOVE, "default/helpdesk"),
        (Action.UPDATE, "default/main"),
    ]
    assert set(ages(store).values()) == {1}


def test_without_the_annotation_a_renaming_is_a_delete_and_a_create(store):
    apply(store, house())
    apply(store, house(rule_name="helpdesk"), FREELY)
    assert ages(store)["default/helpdesk"] == 2


def test_the_incumbent_of_a_clash_stays_it_under_its_new_name(store):
    apply(store, {"a.yaml": [trunk(), rule("support", match={"to": ["+1*"]})]})
    folder = {"a.yaml": [trunk(), renamed(rule("helpdesk", match={"to": ["+1*"]}), "support")]}
    folder["b.yaml"] = [rule("newcomer", match={"to": ["+1*"]})]
    done = apply(store, folder)
    assert codes(done.desired.problems) == ["conflict"]
    assert set(store.load().rows.rules) == {"default/helpdesk"}


def test_a_move_is_shown_in_every_form(store):
    apply(store, house())
    folder = house(rule_name="helpdesk")
    folder["a.yaml"][1] = renamed({**rule("helpdesk", "hall", trunkRefs=[ref("carrier")])}, "support")
    plan = TablesTarget(store, "default").plan(declared(folder), Allowances()).plan
    lines = [line.text for line in text(plan)]
    assert lines[:2] == ["> DispatchRule default/helpdesk (was default/support)", "    rule.direct.room: lobby -> hall"]
    assert lines[-1] == "Plan: 0 to create, 1 to change, 0 to delete, 1 to move"
    assert as_json(plan)["changes"][0]["movedFrom"] == "default/support"
    assert brief(plan.changes[0]) == (
        "DispatchRule default/helpdesk moved from default/support (room: lobby -> hall)"
    )  # fmt: skip


def test_both_names_at_once_and_two_heirs_are_errors_that_change_nothing(store):
    apply(store, house())
    both = house(**{"b.yaml": [renamed(trunk("carrier-2", 2), "carrier")]})
    done = apply(store, both)
    assert codes(done.desired.problems) == ["renamed-both"]
    assert not done.plan
    heirs = {"a.yaml": [trunk(), *(renamed(rule(name, priority=place), "support") for place, name in enumerate("ab"))]}
    done = apply(store, heirs, FREELY)
    assert codes(done.desired.problems) == ["renamed-twice"] * 2
    assert {change.kind for change in done.plan.changes} == {Kind.NUMBER}, "the rule that both want stays"


def test_a_name_that_is_none_is_an_error(store):
    done = apply(store, {"a.yaml": [renamed(trunk(), "other/carrier")]})
    assert codes(done.desired.problems) == ["bad-name"]


def test_a_renamed_object_that_is_held_back_stays_live_under_its_old_name(store):
    apply(store, house())
    folder = {"a.yaml": [trunk(), renamed(rule("helpdesk", trunkRefs=[ref("nowhere")]), "support"), number()]}
    done = apply(store, folder)
    assert "trunk-not-found" in codes(done.desired.problems)
    assert "default/support" in store.load().rows.rules


def test_the_number_of_a_renamed_phone_number_cannot_change_either(store):
    apply(store, house())
    folder = house(number_name="front")
    folder["a.yaml"][2] = renamed({**number("front", "+14155550111", trunkRef=ref("carrier"))}, "main")
    assert "immutable" in codes(apply(store, folder).desired.problems)
    assert set(store.load().rows.numbers) == {"default/main"}


def test_another_owners_object_is_not_moved(store):
    apply(store, house())
    mine = TablesTarget(store, "me", wall=lambda: 1.0)
    mine.apply(declared({"b.yaml": [renamed(trunk("mine", 2), "carrier")]}), FREELY)
    assert {"default/carrier", "default/mine"} <= set(store.load().rows.trunks)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["carrier", "carrier-2", "carrier-3"]), min_size=2, max_size=6))
def test_however_often_it_is_renamed_a_claim_is_as_old_as_the_first(names):
    with TemporaryDirectory() as place, SqliteStore(f"{place}/tables.db") as store:
        hand = TablesTarget(store, "default", wall=lambda: 1.0)
        before = names[0]
        for name in names:
            folder = house(name)
            folder["a.yaml"][0] = renamed(folder["a.yaml"][0], before) if name != before else folder["a.yaml"][0]
            assert not hand.apply(declared(folder), Allowances()).refused
            assert not hand.plan(declared(folder), Allowances()).plan
            before = name
        assert set(ages(store).values()) == {1}


def test_a_broken_document_says_nothing_of_its_old_name(store):
    apply(store, house())
    folder = house(**{"b.yaml": [renamed(broken(rule("helpdesk")), "support")]})
    assert not apply(store, folder).plan
