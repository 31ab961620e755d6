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


@pytest.mark.parametrize(("deletes", "allowed"), [(None, 1), (0, 1), (5, 5)])
def test_as_many_may_go_as_say_so_themselves_or_as_the_operator_was_told(
    scene: Scene, deletes: int | None, allowed: int
) -> None:
    for name in ("a", "b"):
        scene.put(trunk(name), deletionTimestamp=GONE, annotations={ALLOW: "delete"} if name == "a" else {})
    assert allowances(scene.cluster, deletes).deletes == allowed


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


def test_where_no_single_object_is_to_blame_nothing_is_applied(scene: Scene) -> None:
    scene.put(trunk(), rule(), number("a", "+14155550100", dispatchRuleRef={"name": "support"}))
    scene.go()
    scene.put(number("a", "+14155550100"))
    passed = scene.go()
    assert passed.kept or passed.planned.refused
    assert scene.store.load().rows.numbers["default/a"].rule == "default/support"


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
