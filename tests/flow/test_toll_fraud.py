"""Who may spend a carrier's minutes: a trunk's own bounds of what is placed. Where to is in `test_dialling`."""

from __future__ import annotations

from runtime.routing.dial import Failure, FailureKind
from schemas.tables.rows import Inbound, NumberRow, Outbound, RoomKind, Rows, RuleRow, TrunkRow
from schemas.tables.tables import Tables
from tests.flow.memory import World
from tests.flow.test_dialling import OURS


def both_ways(**limits: int) -> World:
    """A trunk that takes calls, and places some."""
    trunk = TrunkRow("default/out", Inbound(("192.0.2.0/24",)), Outbound(("198.51.100.9",), **limits))  # type: ignore[arg-type]
    rule = RuleRow("default/any", RoomKind.CALLEE, "line")
    number = NumberRow("default/n", OURS, trunk.id)
    return World(Tables.build(Rows({trunk.id: trunk}, {rule.id: rule}, {number.id: number})))


def exhausted(told: Failure | None) -> bool:
    return isinstance(told, Failure) and told.kind is FailureKind.RESOURCE_EXHAUSTED


def test_calls_that_come_in_use_up_nothing_of_what_may_be_placed() -> None:
    world = both_ways(calls_per_second=1, max_concurrent_calls=1)
    callers = [world.caller(f"192.0.2.{place}").dial(OURS) for place in range(1, 6)]
    assert [caller.status for caller in callers] == [200] * 5
    world.callee()
    assert world.place() is None
    assert exhausted(world.place("SCL_two"))
    for caller in callers:
        caller.hang_up()
    assert exhausted(world.place("SCL_three")), "what came in and has left makes no room for what is placed"


def test_a_call_that_is_not_answered_counts_until_it_is_over() -> None:
    world = both_ways(max_concurrent_calls=1)
    phone = world.callee()
    assert world.place() is None
    phone.ring()
    assert exhausted(world.place("SCL_two"))
    phone.decline(486, "Busy Here")
    assert world.records[0].reason == "busy"
    assert world.place("SCL_three") is None
