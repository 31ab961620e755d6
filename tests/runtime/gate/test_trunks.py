"""The second door, in virtual time: a trunk's concurrency and rate."""

from __future__ import annotations

from dataclasses import replace

from runtime.gate.trunks import TrunkGate
from schemas.tables.rows import TrunkRow

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
