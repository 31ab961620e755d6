"""The second door, in virtual time: a trunk's concurrency and rate."""

from __future__ import annotations

from dataclasses import replace

from runtime.gate.trunks import TrunkGate
from schemas.tables.rows import Outbound, TrunkRow

TRUNK = TrunkRow("default/t")


def test_a_trunk_without_limits_takes_all() -> None:
    gate = TrunkGate()
    assert all(gate.admit(TRUNK, 0.0) is None for _ in range(1000))


def test_as_many_calls_as_declared_are_up_at_once() -> None:
    gate, trunk = TrunkGate(), replace(TRUNK, max_concurrent_calls=2)
    assert gate.admit(trunk, 0.0) is None
    assert gate.admit(trunk, 0.0) is None
    limited = gate.admit(trunk, 0.0)
    assert limited is not None
    assert (limited.limit, "maxConcurrentCalls" in limited.words) == ("trunk-calls", True)
    gate.left(trunk.id)
    assert gate.admit(trunk, 0.0) is None


def test_an_edit_of_the_limit_holds_from_the_next_call_on() -> None:
    gate = TrunkGate()
    for _ in range(5):
        gate.admit(TRUNK, 0.0)
    assert gate.admit(replace(TRUNK, max_concurrent_calls=5), 0.0) is not None
    assert gate.admit(replace(TRUNK, max_concurrent_calls=6), 0.0) is None


def test_calls_per_second_are_a_burst_and_then_a_rate() -> None:
    gate, trunk = TrunkGate(), replace(TRUNK, calls_per_second=5)
    assert [gate.admit(trunk, 0.0) is None for _ in range(7)] == [True] * 5 + [False] * 2
    assert [gate.admit(trunk, 0.4) is None for _ in range(3)] == [True] * 2 + [False]
    limited = gate.admit(replace(trunk, id="default/other"), 0.4)
    assert limited is None, "each trunk has its own"


def test_a_call_that_meets_a_limit_does_not_count() -> None:
    gate, trunk = TrunkGate(), replace(TRUNK, max_concurrent_calls=1, calls_per_second=1)
    assert gate.admit(trunk, 0.0) is None
    gate.left(trunk.id)
    limited = gate.admit(trunk, 0.0)
    assert limited is not None
    assert limited.limit == "trunk-rate"
    assert gate.admit(trunk, 1.0) is None


def placing(**limits: int) -> TrunkRow:
    return replace(TRUNK, outbound=Outbound(("sip.example.com",), **limits))


def test_limits_of_placed_calls_are_not_those_of_calls_that_come_in() -> None:
    gate, trunk = TrunkGate(), placing(max_concurrent_calls=1)
    assert gate.admit(trunk, 0.0, placed=True) is None
    assert gate.admit(trunk, 0.0) is None, "calls that come in are not placed"
    limited = gate.admit(trunk, 0.0, placed=True)
    assert limited is not None
    assert (limited.limit, "outbound.limits.maxConcurrentCalls" in limited.words) == ("trunk-calls", True)
    gate.left(trunk.id)
    assert gate.admit(trunk, 0.0, placed=True) is not None, "one that came in has left"
    gate.left(trunk.id, placed=True)
    assert gate.admit(trunk, 0.0, placed=True) is None


def test_placed_calls_have_a_rate_of_their_own() -> None:
    gate, trunk = TrunkGate(), placing(calls_per_second=2)
    assert [gate.admit(trunk, 0.0, placed=True) is None for _ in range(3)] == [True, True, False]
    assert gate.admit(trunk, 0.0) is None
    limited = gate.admit(trunk, 0.0, placed=True)
    assert limited is not None
    assert "the 2 placed calls per second that outbound.limits.callsPerSecond" in limited.words
    assert gate.admit(trunk, 0.5, placed=True) is None


def test_placed_calls_count_for_the_whole_trunk_too_and_what_met_one_limit_counts_for_no_other() -> None:
    gate = TrunkGate()
    trunk = replace(placing(calls_per_second=1), max_concurrent_calls=9, calls_per_second=5)
    assert gate.admit(trunk, 0.0, placed=True) is None
    assert all(gate.admit(trunk, 0.0, placed=True) is not None for _ in range(20)), "refused by their own rate"
    assert [gate.admit(trunk, 0.0) is None for _ in range(5)] == [True] * 4 + [False]
