"""Addresses that are asked whether they live, in virtual time."""

from __future__ import annotations

from runtime.routing.dial import Destination
from runtime.trunks import limits
from runtime.trunks.circuits import State
from runtime.trunks.tended import Probed
from tests.runtime.trunks.world import TRUNK, A, B, World, account, says

PROBED = Probed(TRUNK, (Destination("", "carrier.example"),), 30.0)


def probing(*addresses: str) -> World:
    world = World(*addresses)
    world.tend(probed=(PROBED,))
    return world


def state(world: World, address: str) -> State:
    return world.circuits.of(world.hop(address)).state


def test_any_answer_is_a_sign_of_life_but_503() -> None:
    for status, expected in ((200, State.UP), (404, State.UP), (405, State.UP), (503, State.DOWN)):
        world = probing()
        world.servers[A] = says(status)
        world.run(2)
        assert state(world, A) is expected, status
    world = probing()
    world.servers[A] = says(503, "Retry-After: 60")
    world.run(2)
    assert state(world, A) is State.RESTING


def test_each_address_is_asked_in_each_round() -> None:
    world = probing(A, B)
    world.servers[A] = says(200)
    world.run(1 + limits.PROBE_S + 1)
    assert (state(world, A), state(world, B)) == (State.UP, State.DOWN)
    assert world.words == [f"udp://{A}:5060 answers: SIP 200", f"udp://{B}:5060 is passed over: no answer"]
    world.run(300)
    rounds = {request.headers.first("Call-ID") for _, to, request in world.asked if to == A}
    assert 10 <= len(rounds) <= 13
    assert len(world.words) == 2, "only news are told"
    asked = world.asked[0][2]
    assert (asked.method, asked.uri) == ("OPTIONS", "sip:carrier.example")


def test_a_probed_address_is_left_to_the_probe() -> None:
    world = probing(A)
    world.run(80)
    assert world.circuits.is_passed_over(world.hop(A), world.now + 60), "no call tries it in between"
    world.servers[A] = says(200)
    world.run(31)
    assert not world.circuits.is_passed_over(world.hop(A), world.now)


def test_a_probe_that_is_declared_no_more_ends() -> None:
    world = probing(A)
    world.servers[A] = says(200)
    world.run(2)
    world.tend()
    count = len(world.asked)
    world.run(100)
    assert len(world.asked) == count


def test_a_registrar_that_comes_back_is_registered_with_again_at_once() -> None:
    world = World(A)
    world.servers[A] = says(200, "Expires: 3600")
    world.tend(account(expires_s=3600), probed=(PROBED,))
    world.run(40)
    assert len(world.registers()) == 1
    del world.servers[A]
    world.run(60)
    world.servers[A] = says(200, "Expires: 3600")
    count = len(world.registers())
    world.run(40)
    assert len(world.registers()) > count, "it may have forgotten us"
