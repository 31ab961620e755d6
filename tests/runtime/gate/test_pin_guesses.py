"""Callers that guess PINs, in virtual time."""

from __future__ import annotations

import pytest

from runtime.gate.pin_guesses import CALLERS_MAX, FORGOTTEN_S, LOCKED_S, LOCKED_S_MAX, WRONG_MAX, PinGuesses

SOURCE, NUMBER = "192.0.2.1", "+15550100"


def guess(guesses: PinGuesses, times: int, now: float, number: str = NUMBER, source: str = SOURCE) -> list[bool]:
    return [guesses.wrong(source, number, now) for _ in range(times)]


def test_the_third_wrong_pin_locks_out_and_time_opens_again() -> None:
    guesses = PinGuesses()
    assert guess(guesses, WRONG_MAX - 1, 0.0) == [False] * (WRONG_MAX - 1)
    assert guesses.locked_s(SOURCE, NUMBER, 0.0) == 0
    assert guess(guesses, 1, 0.0) == [True]
    assert guesses.locked_s(SOURCE, NUMBER, 1.0) == LOCKED_S - 1
    assert guesses.locked_s(SOURCE, NUMBER, LOCKED_S) == 0


def test_it_takes_longer_each_time_up_to_a_bound() -> None:
    guesses, now, waits = PinGuesses(), 0.0, []
    for _ in range(12):
        guess(guesses, WRONG_MAX, now)
        waits.append(guesses.locked_s(SOURCE, NUMBER, now))
        now += waits[-1]
    assert waits[:3] == [LOCKED_S, 2 * LOCKED_S, 4 * LOCKED_S]
    assert waits[-1] == LOCKED_S_MAX


def test_a_right_pin_and_a_day_of_quiet_forget() -> None:
    guesses = PinGuesses()
    guess(guesses, WRONG_MAX - 1, 0.0)
    guesses.right(SOURCE, NUMBER)
    assert not len(guesses)
    assert guess(guesses, WRONG_MAX - 1, 1.0) == [False] * (WRONG_MAX - 1)
    assert guess(guesses, 1, 1.0 + FORGOTTEN_S) == [False]


def test_one_guess_after_a_lock_out_does_not_lock_again() -> None:
    guesses = PinGuesses()
    guess(guesses, WRONG_MAX, 0.0)
    assert guess(guesses, 1, LOCKED_S + 1) == [False]


@pytest.mark.parametrize(
    ("source", "number", "same"),
    [
        (SOURCE, "15550100", True),
        (SOURCE, "+1 555 0100", True),
        (SOURCE, "+15550101", False),
        ("192.0.2.2", NUMBER, False),
    ],
)
def test_a_caller_is_its_number_at_its_address(source: str, number: str, same: bool) -> None:
    guesses = PinGuesses()
    guess(guesses, WRONG_MAX, 0.0)
    assert (guesses.locked_s(source, number, 0.0) > 0) is same


def test_an_ipv6_network_is_one_source() -> None:
    guesses = PinGuesses()
    guess(guesses, WRONG_MAX, 0.0, source="2001:db8::1")
    assert guesses.locked_s("2001:db8::ffff", NUMBER, 0.0) > 0


def test_what_is_remembered_is_bounded_and_the_oldest_goes_first() -> None:
    guesses = PinGuesses()
    guess(guesses, WRONG_MAX, 0.0)
    for n in range(CALLERS_MAX):
        guess(guesses, 1, 1.0, number=f"+1{n}")
    assert len(guesses) == CALLERS_MAX
    assert guesses.locked_s(SOURCE, NUMBER, 1.0) == 0
