"""A pass: what is unsafe waits alone and counts as it was, what its owner allows goes on, and all else does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.operator.gathered import Gathered
from reconciler.operator.objects import ALLOW
from reconciler.operator.passing import Passed, Passing
from reconciler.operator.safety import allowances, concerned
from reconciler.plan.gates import Refusal
from reconciler.targets.tables import TablesTarget
from schemas.resources.conditions import ConditionType, Reason
from schemas.stores import open_tables
from schemas.tables.rows import Kind
from tests.reconciler.declaring import number, rule, trunk
from tests.reconciler.operator.test_gathered import body, of_cluster

GONE = "2026-01-02T00:00:00Z"


class Scene:
    """A target on tables of its own, and the cluster that it follows."""

    def __init__(self, path: Path) -> None:
        self.store = open_tables(f"sqlite:///{path}/tables.db")
        self.target = TablesTarget(self.store, "default")
        self.passing = Passing(self.target, "operator")
        self.cluster = Gathered()
        self.version = 0

    def put(self, *documents: dict[str, Any], **metadata: Any) -> None:
        for one in documents:
            self.version += 1
            self.cluster.put(body(one, self.version, **metadata))

    def go(self, deletes: int | None = None) -> Passed:
        return self.passing.apply(of_cluster(self.cluster), allowances(self.cluster, deletes))

    def live(self) -> set[str]:
        rows = self.store.load().rows
        return {id_.partition("/")[2] for id_ in (*rows.trunks, *rows.rules, *rows.numbers)}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.store.close()


@pytest.mark.parametrize(("deletes", "gone"), [(None, "ab"), (0, "a"), (1, "ab")])
def test_those_may_go_that_say_so_themselves_and_as_many_more_as_the_operator_was_told(
    scene: Scene, deletes: int | None, gone: str
) -> None:
    names = ("a", "b", "c")
    scene.put(*(trunk(name, net=net) for net, name in enumerate(names)))
    scene.go()
    for name in names[:2]:
        scene.put(trunk(name), deletionTimestamp=GONE, annotations={ALLOW: "delete"} if name == "a" else {})
    allowed = allowances(scene.cluster, deletes)
    assert (allowed.deletes, allowed.gone) == (deletes, frozenset({"Trunk/default/a"}))
    scene.go(deletes)
    assert scene.live() == {*names} - {*gone}


def test_a_trunk_in_use_stays_and_others_go_on(scene: Scene) -> None:
    scene.put(trunk(), rule(trunkRefs=[{"name": "carrier"}]))
    assert scene.go().kept == {}
    scene.put(trunk(), deletionTimestamp=GONE)
    scene.put(rule("other", room="beside"))
    passed = scene.go()
    key = (Kind.TRUNK, "default/carrier")
    assert set(passed.kept) == {key}
    assert passed.kept[key].type is ConditionType.PROGRAMMED
    assert passed.kept[key].reason is Reason.BLOCKED_BY_SAFETY
    assert passed.is_live(key)
    assert scene.live() == {"carrier", "support", "other"}
    assert scene.go().planned.published == "", "a second pass changes nothing"
    scene.put(trunk(), deletionTimestamp=GONE, annotations={ALLOW: "delete"})
    passed = scene.go()
    assert passed.kept == {}
    assert not passed.is_live(key)
    assert scene.live() == {"support", "other"}


def test_a_mass_deletion_waits_and_so_does_one_without_a_trace(scene: Scene) -> None:
    numbers = [number(f"n{n}", f"+1415555{n:04d}", trunkRef={"name": "carrier"}) for n in range(12)]
    scene.put(trunk(), rule(), *numbers)
    scene.go()
    for one in numbers[:6]:
        scene.cluster.remove(body(one, 100))
    scene.put(trunk("second", net=2))
    passed = scene.go()
    assert len(passed.kept) == 6
    assert len(scene.live()) == 15
    assert len(scene.go(deletes=6).kept) == 0
    assert len(scene.live()) == 9


def test_an_object_that_opens_counts_as_it_was(scene: Scene) -> None:
    scene.put(trunk(), rule(match={"from": ["+14155550199"]}))
    scene.go()
    scene.put(rule(room="changed"))
    passed = scene.go()
    assert set(passed.kept) == {(Kind.RULE, "default/support")}
    assert scene.store.load().rows.rules["default/support"].from_
    scene.put(rule(room="changed"), annotations={ALLOW: "any, unrouted"})
    assert scene.go().kept == {}
    assert not scene.store.load().rows.rules["default/support"].from_


def test_an_operator_that_starts_anew_knows_what_was_applied_last(scene: Scene) -> None:
    scene.put(trunk(), rule(match={"from": ["+14155550199"]}))
    scene.go()
    scene.passing = Passing(TablesTarget(scene.store, "default"), "operator")
    scene.put(rule(room="changed"))
    assert set(scene.go().kept) == {(Kind.RULE, "default/support")}
    assert scene.store.load().rows.rules["default/support"].room_name == "lobby"


@pytest.mark.parametrize(
    "changed",
    [
        (number("a", "+14155550100"), {}),
        (number("a", "+14155550100", dispatchRuleRef={"name": "support"}), {"deletionTimestamp": GONE}),
        (trunk(), {"deletionTimestamp": GONE}),
    ],
    ids=["number-moved", "number-deleted", "trunk-deleted"],
)
def test_where_no_single_object_is_to_blame_its_namespace_waits_and_no_other(
    scene: Scene, changed: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    scene.put(
        trunk(),
        rule("idle", match={"to": ["+14155550111"]}),
        rule(),
        number("a", "+14155550100", dispatchRuleRef={"name": "support"}),
        trunk("other", net=9, namespace="other"),
    )
    scene.go()
    document, metadata = changed
    scene.put(document, **metadata)
    scene.put(rule("later", match={"to": ["+14155550122"]}))
    scene.put(trunk("other", net=10, namespace="other"), trunk("new", net=77, namespace="other"))
    passed = scene.go()
    rows = scene.store.load().rows
    assert not passed.planned.refused
    assert rows.numbers["default/a"].rule == "default/support"
    assert "default/carrier" in rows.trunks
    assert "default/later" not in rows.rules
    assert str(rows.trunks["other/other"].inbound.networks[0]) == "10.10.0.0/16"
    assert "other/new" in rows.trunks
    document_key = (Kind(document["kind"]), f"default/{document['metadata']['name']}")
    assert document_key in passed.kept
    assert "kubectl annotate dispatchrules support" in passed.kept[document_key].message
    assert (Kind.RULE, "default/idle") not in passed.kept, "it is as it was"
    scene.put(rule(), annotations={ALLOW: "any, unrouted"})
    scene.put(document, **metadata, annotations={ALLOW: "delete"})
    assert scene.go().kept == {}


def test_an_object_allows_its_own_deletion_and_no_other(scene: Scene) -> None:
    mine = [number(f"n{n}", f"+1415555{n:04d}", namespace="mine") for n in range(20)]
    others = [number(f"o{n}", f"+1415556{n:04d}", namespace="others") for n in range(20)]
    scene.put(trunk(), trunk("t", net=2, namespace="mine"), trunk("t", net=3, namespace="others"), *mine, *others)
    scene.go()
    gone = {"deletionTimestamp": GONE, "finalizers": ["example.com/kept"]}
    for one in mine:
        scene.put(one, **gone, annotations={ALLOW: "delete"})
    assert scene.go().kept == {}
    for one in others[:19]:
        scene.put(one, **gone)
    assert len(scene.go().kept) == 19, "what lingers by a finalizer of its owner's allows nothing to others"
    scene.put(others[0], **gone, annotations={ALLOW: "delete"})
    assert len(scene.go().kept) == 18, "what others may not do keeps nobody from what is allowed"
    assert "others/o0" not in scene.store.load().rows.numbers


def test_what_costs_money_is_left_to_a_person() -> None:
    refused = (
        Refusal("purchase", "buys one", ("PhoneNumber tenant/new",), "--allow-purchases"),
        Refusal("release", "releases one", ("PhoneNumber tenant/old (+14155550100)",), "--allow-releases"),
    )
    found = concerned(refused)
    assert set(found) == {(Kind.NUMBER, "tenant/new"), (Kind.NUMBER, "tenant/old")}
    assert "--allow-purchases" in found[(Kind.NUMBER, "tenant/new")].message
    assert "deletionPolicy: Retain" in found[(Kind.NUMBER, "tenant/old")].message


def test_what_is_said_of_single_objects_is_what_status_says(scene: Scene) -> None:
    scene.put(trunk(), rule(trunkRefs=[{"name": "nobody"}]), number("a", "+14155550100"))
    scene.go()
    scene.put(trunk(net=9))
    scene.go()
    reported = scene.target.reported()
    for one in scene.target.status().objects:
        assert reported.of(one.key) == (one.revision, one.conditions)
