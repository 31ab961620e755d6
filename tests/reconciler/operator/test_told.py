"""What stands in a status, when it is written, what an Event says, and what waits for better."""

from __future__ import annotations

from reconciler.model.conditions import Bridge, conditions
from reconciler.model.records import Verdict
from reconciler.operator.objects import FINALIZER, seen
from reconciler.operator.statuses import GRACE_S, Pending, other_bridges, wish_of, wish_unreached
from reconciler.operator.told import NOTHING, body_of, told_now, told_of, turned
from schemas.resources.conditions import Condition, ConditionType, Reason
from schemas.tables.rows import Inbound, Kind, Rows, TrunkRow
from tests.reconciler.declaring import broken, trunk
from tests.reconciler.operator.test_gathered import body

ROW = TrunkRow("default/carrier", inbound=Inbound())
KEY = (Kind.TRUNK, "default/carrier")
T0, T1 = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"


def found(*bridges: Bridge, changed: int = 5, verdict: Verdict | None = None) -> tuple[int, tuple[Condition, ...]]:
    verdicts = () if verdict is None else (verdict,)
    return changed, conditions(ROW, changed, verdicts, Rows({ROW.id: ROW}, {}, {}), bridges)


def test_a_status_is_read_as_it_is_written_whatever_stands_there() -> None:
    told = told_now(found(Bridge("b", "", 5))[1], 5, 2, NOTHING, T0)
    assert told_of(body_of(told)) == told
    for junk in (None, 7, {"conditions": 7}, {"conditions": [7]}, {"observedGeneration": "x"}):
        assert told_of(junk) == NOTHING


def test_a_time_moves_with_the_answer_alone() -> None:
    first = told_now(found()[1], 5, 1, NOTHING, T0)
    again = told_now(found(changed=6)[1], 6, 2, first, T1)
    assert {answer.since for answer in again.answers} == {T0}
    ready = told_now(found(Bridge("b", "", 6), changed=6)[1], 6, 2, again, T1)
    assert {answer.type: answer.since for answer in ready.answers} == {
        "Accepted": T0,
        "ResolvedRefs": T0,
        "Programmed": T1,
        "Ready": T1,
    }


def test_events_tell_of_falls_and_of_rises_after_them() -> None:
    good = told_now(found(Bridge("b", "", 5))[1], 5, 1, NOTHING, T0)
    wrong = Verdict(ConditionType.ACCEPTED, Reason.INVALID, "it is wrong")
    bad = told_now(found(Bridge("b", "", 5), verdict=wrong)[1], 5, 2, good, T0)
    alone = told_now(found()[1], 5, 1, good, T0)
    assert turned(NOTHING, good) is None
    assert turned(good, good) is None
    assert turned(good, alone) is None, "no bridge is no fault of the object"
    assert turned(alone, good) is None
    fall, rise = turned(good, bad), turned(bad, good)
    assert fall is not None
    assert (fall.warning, fall.reason, fall.message) == (True, "Invalid", "it is wrong")
    assert rise is not None
    assert not rise.warning


def test_what_is_about_to_be_in_use_is_not_said_to_be_not() -> None:
    pending = Pending()
    behind = found(Bridge("b", "", 4))[1]
    assert pending.note(KEY, behind, 10.0)
    assert not pending.due(10.0 + GRACE_S / 2)
    assert pending.due(10.0 + GRACE_S)
    assert not pending.note(KEY, behind, 10.0 + GRACE_S)
    assert not pending.due(11.0), "it is said"
    pending.again({KEY})
    assert pending.note(KEY, behind, 12.0), "it was published anew"
    assert not pending.note(KEY, found(Bridge("b", "", 5))[1], 12.1)
    assert pending.since == {}


def test_a_deleted_object_is_let_go_when_nothing_of_it_is_live() -> None:
    going = seen(body(trunk(), deletionTimestamp=T0, finalizers=[FINALIZER]))
    assert going is not None
    assert wish_of(going, found(), None, live=False, now=T1).let_go
    waits = Verdict(ConditionType.PROGRAMMED, Reason.BLOCKED_BY_SAFETY, "unsafe")
    wish = wish_of(going, found(), waits, live=True, now=T1)
    assert not wish.let_go
    assert {a.type: a.reason for a in wish.told.answers}["Ready"] == "BlockedBySafety"
    away = wish_unreached(going, "redis is away", T1)
    assert away.told.answers[-1].message == "it is deleted as soon as what was made of it is gone: redis is away"
    assert {a.type: a.status for a in away.told.answers}["Programmed"] == "Unknown"


def test_an_object_that_was_never_in_force_has_no_finalizer() -> None:
    one = seen(body(broken(trunk())))
    assert one is not None
    assert not wish_of(one, (0, found()[1]), None, live=False, now=T0).keep


def test_bridges_that_come_go_or_fall_back_concern_everybody() -> None:
    one, two = Bridge("a", "", 5), Bridge("b", "eu", 5)
    assert not other_bridges([one, two], [Bridge("a", "", 6), two])
    assert other_bridges([one], [one, two])
    assert other_bridges([one, two], [one])
    assert other_bridges([one], [Bridge("a", "", 4)])
