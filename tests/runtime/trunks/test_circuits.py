"""Which addresses are tried: dead ones are passed over, tried when all are dead, and get a trial later."""

from __future__ import annotations

from runtime.sip.locating import Hop
from runtime.trunks.circuits import HOPS_MAX, REST_S_MAX, RETRY_S_MAX, RETRY_S_MIN, TRIAL_S, Circuits, State

A, B, C = (Hop("udp", (f"192.0.2.{n}", 5060)) for n in (1, 2, 3))


def order(circuits: Circuits, now: float) -> list[Hop]:
    return circuits.order([A, B, C], lambda hop: hop, now)


def test_a_dead_address_is_passed_over_and_tried_when_all_are_dead() -> None:
    circuits = Circuits()
    assert order(circuits, 0.0) == [A, B, C]
    assert circuits.failed(A, "no answer", 1.0)
    assert not circuits.failed(A, "no answer", 2.0), "that is no news"
    assert order(circuits, 3.0) == [B, C, A]
    circuits.failed(B, "no answer", 3.0)
    circuits.failed(C, "no answer", 3.0)
    assert order(circuits, 4.0) == [A, B, C]


def test_one_call_tries_it_later_and_the_others_wait_for_how_that_ends() -> None:
    circuits = Circuits()
    circuits.failed(A, "no answer", 0.0)
    assert order(circuits, RETRY_S_MIN - 1) == [B, C, A]
    assert order(circuits, RETRY_S_MIN) == [A, B, C]
    circuits.trying(A, RETRY_S_MIN)
    assert order(circuits, RETRY_S_MIN + 1) == [B, C, A]
    assert order(circuits, RETRY_S_MIN + TRIAL_S) == [A, B, C], "the trial told nothing"
    circuits.failed(A, "no answer", RETRY_S_MIN)
    assert order(circuits, 3 * RETRY_S_MIN - 1) == [B, C, A], "twice as long"
    assert circuits.answered(A, 486, 100.0)
    assert order(circuits, 100.0) == [A, B, C], "busy is an answer"


def test_however_often_it_fails_it_is_not_forgotten_for_long() -> None:
    circuits = Circuits()
    for _ in range(2_000):
        circuits.failed(A, "no answer", 0.0)
    assert order(circuits, RETRY_S_MAX) == [A, B, C]


def test_who_asks_to_be_left_alone_is_for_a_bounded_while() -> None:
    circuits = Circuits()
    circuits.rests(A, 120, 0.0)
    assert circuits.of(A).state is State.RESTING
    assert (order(circuits, 119.0), order(circuits, 120.0)) == ([B, C, A], [A, B, C])
    circuits.rests(B, 10**9, 0.0)
    assert order(circuits, REST_S_MAX)[0:2] == [A, B]


def test_a_probe_says_itself_when_it_asks_again() -> None:
    circuits = Circuits()
    circuits.failed(A, "no answer", 0.0, retry_s=1_000)
    assert order(circuits, 999.0) == [B, C, A]


def test_few_are_remembered() -> None:
    circuits = Circuits()
    circuits.failed(A, "no answer", 0.0)
    for n in range(HOPS_MAX):
        circuits.answered(Hop("udp", ("198.51.100.1", n)), 200, 0.0)
    assert circuits.of(A).state is State.UNKNOWN
