"""Calls of ours to trunks with several addresses: which one is tried, when the next, and what is remembered of each."""

from __future__ import annotations

from runtime.calls.hunt import HUNT_S, SILENCE_S
from runtime.routing.dial import Dialled
from runtime.sip.locating import Hop
from runtime.trunks.circuits import RETRY_S_MIN, State
from tests.flow.memory import World
from tests.flow.test_dialling import CALL, tables

FIRST, SECOND = "198.51.100.9", "198.51.100.10"


def world_of(*addresses: str) -> World:
    return World(tables(addresses=addresses or (FIRST, SECOND)))


def state(world: World, address: str) -> State:
    return world.switchboard.circuits.of(Hop("udp", (address, 5060))).state


def test_by_another_way_it_is_the_same_call_in_a_new_transaction() -> None:
    world = world_of()
    first, second = world.callee(FIRST), world.callee(SECOND)
    world.place()
    first.decline(503)
    [one], [two] = first.invites, second.invites
    for name in ("Call-ID", "From", "CSeq"):
        assert one.headers.first(name) == two.headers.first(name)
    assert one.headers.first("Via") != two.headers.first("Via")


def test_an_address_that_said_nothing_is_passed_over_by_the_next_call() -> None:
    world = world_of()
    second = world.callee(SECOND)
    world.place()
    world.step(SILENCE_S + 0.5)
    assert (state(world, FIRST), len(second.invites)) == (State.DOWN, 1)
    second.answer()
    assert state(world, SECOND) is State.UP
    second.hang_up()
    world.place("SCL_two")
    assert len(second.invites) == 2, "at once"


def test_later_one_call_tries_it_again() -> None:
    world = world_of()
    second = world.callee(SECOND)
    world.place()
    world.step(SILENCE_S + 0.5)
    second.decline(486)
    world.now += RETRY_S_MIN
    first = world.callee(FIRST)
    world.place("SCL_two", call_to="+15550100002")
    world.place("SCL_three", call_to="+15550100003")
    assert (len(first.invites), len(second.invites)) == (1, 2), "the second of them waits for how that ends"
    first.ring()
    assert state(world, FIRST) is State.UP


def test_one_that_is_heard_late_is_cancelled() -> None:
    world = world_of()
    second = world.callee(SECOND)
    world.place(wait_until_answered=True)
    world.step(SILENCE_S + 0.5)
    assert len(second.invites) == 1
    first = world.callee(FIRST)  # the next repetition gets through
    world.step(4)
    assert first.cancelled
    second.answer()
    assert isinstance(world.dialled[CALL], Dialled)


def test_who_says_when_to_come_again_is_left_alone_until_then() -> None:
    world = world_of()
    first, second = world.callee(FIRST), world.callee(SECOND)
    world.place()
    first.decline(503, headers=[("Retry-After", "120 (busy);duration=60")])
    assert state(world, FIRST) is State.RESTING
    second.decline(486)
    world.place("SCL_two")
    assert (len(first.invites), len(second.invites)) == (1, 2)
    second.decline(486)
    world.now += 121
    world.place("SCL_three")
    assert len(first.invites) == 2


def test_503_without_a_time_is_no_news_of_the_address() -> None:
    world = world_of()
    world.callee(FIRST)
    world.place()
    world.callers[0].decline(503)  # type: ignore[attr-defined]
    assert state(world, FIRST) is State.UP


def test_when_all_are_dead_they_are_tried_all_the_same() -> None:
    world = world_of()
    world.place()
    world.step(40)
    assert {state(world, FIRST), state(world, SECOND)} == {State.DOWN}
    first = world.callee(FIRST)
    world.place("SCL_two")
    assert len(first.invites) == 1


def test_addresses_are_not_tried_for_ever() -> None:
    addresses = [f"203.0.113.{n}" for n in range(1, 16)]
    world = world_of(*addresses)
    world.place(ringing_timeout_s=300.0)
    world.step(2 * HUNT_S + SILENCE_S)
    tried = [address for address in addresses if state(world, address) is State.DOWN]
    assert len(tried) <= HUNT_S / SILENCE_S + 1
    assert world.records[0].reason == "unreachable"
