"""Whole applies under faults: whatever fails, a later apply makes LiveKit right, and nothing is doubled or lost."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from livekit.protocol import sip

from reconciler.targets.livekit import server
from reconciler.targets.livekit.holdings import marker_of
from reconciler.targets.target import Away
from tests.livekit_applies import Applies, errors
from tests.livekit_faults import Fault, Front, at
from tests.livekit_killed import Killable
from tests.reconciler import declaring
from tests.reconciler.declaring import ref

ONE, TWO = "+14155550100", "+14155550101"
INBOUND = {"allowedAddresses": ["10.1.0.0/16"], "calledNumbers": "declared"}
CALLS_MAX = 60


def first() -> list[Any]:
    """A trunk of two halves, a rule, a number."""
    return [
        declaring.trunk(inbound=INBOUND, outbound={"addresses": ["sip.example.com"]}),
        declaring.rule(trunkRefs=[ref("carrier")]),
        declaring.number("main", ONE, trunkRef=ref("carrier"), dispatchRuleRef=ref("support")),
    ]


def second() -> list[Any]:
    """Another trunk instead, and another number: objects are created, replaced and deleted."""
    return [
        declaring.trunk("other", inbound=INBOUND),
        declaring.rule(room="hall", trunkRefs=[ref("other")]),
        declaring.number("second", TWO, trunkRef=ref("other"), dispatchRuleRef=ref("support")),
    ]


def pair(of_a: str, of_b: str) -> list[Any]:
    rules = [
        declaring.rule(n, room=n, trunkRefs=[ref("carrier")], match={"to": [to]})
        for n, to in (("a", of_a), ("b", of_b))
    ]
    return [declaring.trunk(), *rules]


SCENARIOS = {"anew": ([], first(), 3), "over": (first(), second(), 2), "swap": (pair(ONE, TWO), pair(TWO, ONE), 3)}


def prepare(applies: Applies, before: list[Any], after: list[Any]) -> None:
    applies.front.empty()
    if before:
        assert errors(applies.write(*before).apply()) == []
    applies.front.well()
    applies.write(*after)


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scenario", ["over", "swap"])
def test_a_process_killed_at_any_call_to_livekit_is_made_good_by_the_next(
    applies: Applies, front: Front, tmp_path: Path, scenario: str, done: bool
) -> None:
    before, after, count = SCENARIOS[scenario]
    command = ["apply", str(applies.folder), "--target", "livekit", "--allow-deletes", "9"]
    killed = 0
    with Killable(front.environment, command, tmp_path) as process:
        for call in range(1, CALLS_MAX):
            prepare(applies, before, after)

            def kill(pid: int, call: int = call) -> None:
                front.faults = at(call, Fault(kill=pid, done=done))

            code = process.run(kill)
            if code == 0:
                break
            assert code == -9, "it was killed, and nothing else happened"
            killed += 1
            front.well()
            assert process.run() == 0
            assert applies.is_as_declared()
            assert len(front.objects()) == count
    assert killed >= 9
    assert killed < CALLS_MAX - 1


@pytest.mark.parametrize("fault", [Fault(500, "internal"), Fault(500, "internal", done=True), Fault(done=True)])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_one_call_that_fails_anywhere_is_made_good_within_the_apply(
    applies: Applies, front: Front, scenario: str, fault: Fault
) -> None:
    before, after, count = SCENARIOS[scenario]
    for call in range(1, CALLS_MAX):
        prepare(applies, before, after)
        front.faults = at(call, fault)
        assert errors(applies.apply()) == []
        calls = len(front.calls)
        front.well()
        assert applies.is_as_declared()
        assert len(front.objects()) == count
        if calls < call:
            return
    raise AssertionError("an apply has an end")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_server_that_fails_for_good_from_any_call_on_is_told_and_the_next_apply_goes_on(
    applies: Applies, front: Front, scenario: str
) -> None:
    before, after, count = SCENARIOS[scenario]
    for call in range(1, CALLS_MAX, 2):
        prepare(applies, before, after)
        front.faults = lambda now, _, call=call: Fault(503, "unavailable") if now >= call else None
        try:
            told = errors(applies.apply())
        except Away as away:
            told = [str(away)]
        assert len(front.calls) < call or any("the front says 503" in what for what in told)
        ended = len(front.calls) < call
        front.well()
        assert errors(applies.apply()) == []
        assert applies.is_as_declared()
        assert len(front.objects()) == count
        if ended:
            return
    raise AssertionError("an apply has an end")


def test_a_server_that_is_down_changes_nothing_and_costs_a_few_tries(applies: Applies, front: Front) -> None:
    applies.write(*first())
    front.down()
    try:
        with pytest.raises(Away, match=r"cannot be reached: .*, nothing was changed"):
            applies.apply()
    finally:
        front.up()
    assert len(applies.slept) == server.TRIES_MAX - 1
    assert front.objects() == []


@pytest.mark.parametrize("done", [False, True], ids=["not-done", "done-too-late"])
def test_a_server_that_is_too_slow_is_asked_again_and_nothing_is_doubled(
    applies: Applies, front: Front, monkeypatch: pytest.MonkeyPatch, done: bool
) -> None:
    monkeypatch.setattr(server, "CALL_TIMEOUT_S", 0.3)
    applies.write(*first())
    slow = dict.fromkeys(("CreateSIPInboundTrunk", "CreateSIPDispatchRule", "ListSIPDispatchRule"), 1)

    def faults(_: int, method: str) -> Fault | None:
        slow[method] = slow.get(method, 0) - 1
        return Fault(hangs_s=0.6, done=done) if slow[method] == 0 else None

    front.faults = faults
    assert errors(applies.apply()) == []
    front.well()
    assert applies.is_as_declared()
    assert len(front.objects()) == 3


def test_a_server_that_is_silent_is_asked_twice_and_no_more(
    applies: Applies, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "CALL_TIMEOUT_S", 0.3)
    applies.write(*first())
    front.calls.clear()
    front.faults = lambda _, __: Fault(hangs_s=0.6)
    try:
        with pytest.raises(Away, match=r"did not answer: no answer within .*, nothing was changed"):
            applies.apply()
        assert len(front.calls) == server.SILENCES_MAX
    finally:
        front.well()


def test_a_key_that_is_taken_away_in_the_middle_ends_the_apply(applies: Applies, front: Front) -> None:
    applies.write(*first())
    front.faults = lambda call, _: Fault(401, "unauthenticated") if call > 4 else None
    planned = applies.apply()
    assert "does not take this API key" in str(planned.cut)
    assert planned.written <= 1, "the call that was under way may have had its answer"
    assert len(front.calls) <= 4 + 4, "calls that were under way, and none after"
    front.well()
    assert errors(applies.apply()) == []
    assert applies.is_as_declared()


def test_a_server_that_is_asked_too_often_gets_the_time_that_it_asks_for(applies: Applies, front: Front) -> None:
    applies.write(*first())
    seen: set[str] = set()

    def once_each(_: int, method: str) -> Fault | None:
        if method in seen:
            return None
        seen.add(method)
        return Fault(429, "resource_exhausted", {"Retry-After": "7"})

    front.faults = once_each
    assert errors(applies.apply()) == []
    assert applies.slept == [7.0] * len(seen)
    front.well()
    assert applies.is_as_declared()


def test_what_somebody_edits_between_plan_and_apply_is_left_and_told(applies: Applies, front: Front) -> None:
    applies.write(*first()).apply()
    rule = next(info for info in front.objects() if isinstance(info, sip.SIPDispatchRuleInfo))
    rule.metadata = "by hand"
    edit = sip.UpdateSIPDispatchRuleRequest(sip_dispatch_rule_id=rule.sip_dispatch_rule_id, replace=rule)
    front.well()
    front.faults = at(4, Fault(first=lambda: front.by_hand("UpdateSIPDispatchRule", edit)))
    documents = first()
    documents[1] = declaring.rule(room="hall", trunkRefs=[ref("carrier")])
    (told,) = errors(applies.write(*documents).apply())
    assert told.endswith("was changed since it was planned")
    assert rule in front.objects()
    front.well()
    assert errors(applies.apply()) == []
    assert applies.is_as_declared()


def test_two_reconcilers_at_once_leave_each_object_once(applies: Applies, front: Front) -> None:
    """Both have seen an empty server before either creates: what LiveKit does not refuse is taken back by one."""
    applies.write(*first())
    other = Applies(front, applies.folder)
    met = threading.Barrier(2)
    creates: set[int] = set()

    def together() -> None:
        try:
            met.wait(5)
        except threading.BrokenBarrierError:
            pass

    def faults(call: int, method: str) -> Fault | None:
        if method == "CreateSIPOutboundTrunk" and len(creates) < 2:
            creates.add(call)
            return Fault(first=together)
        return None

    front.faults = faults
    threads = [threading.Thread(target=one.apply) for one in (applies, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    front.well()
    assert errors(applies.apply()) == []
    assert applies.is_as_declared()
    assert len(front.objects()) == 3
    assert all(marker_of(info) for info in front.objects())
