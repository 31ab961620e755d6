"""Callers that guess PINs, in virtual time."""

from __future__ import annotations

import pytest

from runtime.gate.pin_guesses import (
    CALLERS_MAX,
    FORGIVEN_EVERY_S,
    FORGOTTEN_S,
    LOCKED_S,
    LOCKED_S_MAX,
    TRUNK_WRONG_BURST,
    TRUNK_WRONG_PER_S,
    WRONG_MAX,
    PinGuesses,
)

SOURCE, NUMBER, TRUNK = "192.0.2.1", "+15550100", "default/carrier"


def guess(guesses: PinGuesses, times: int, now: float, number: str = NUMBER, source: str = SOURCE) -> list[bool]:
    return [guesses.wrong(source, number, TRUNK, now) for _ in range(times)]


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


def test_time_forgives_one_by_one_and_a_day_of_quiet_all() -> None:
    guesses = PinGuesses()
    guess(guesses, WRONG_MAX - 1, 0.0)
    assert guess(guesses, 1, FORGIVEN_EVERY_S) == [False], "one was forgiven"
    assert guess(guesses, 1, 2 * FORGIVEN_EVERY_S - 1) == [True]
    assert guess(guesses, WRONG_MAX - 1, 2 * FORGIVEN_EVERY_S + FORGOTTEN_S) == [False] * (WRONG_MAX - 1)


@pytest.mark.parametrize("pause_s", [0.0, 60.0, FORGIVEN_EVERY_S / 3, FORGIVEN_EVERY_S - 1, FORGIVEN_EVERY_S])
def test_no_pause_between_guesses_gains_more_than_the_longest_lock_out_allows(pause_s: float) -> None:
    guesses, now, tried, days = PinGuesses(), 0.0, 0, 10
    while now < days * 86_400:
        now = max(now + pause_s, now + guesses.locked_s(SOURCE, NUMBER, now))
        guess(guesses, 1, now)
        tried += 1
    assert tried <= days * 86_400 / LOCKED_S_MAX * WRONG_MAX + 30


def test_no_change_of_number_gets_past_what_a_trunk_may_get_wrong() -> None:
    guesses = PinGuesses()
    for n in range(int(TRUNK_WRONG_BURST)):
        assert not guesses.trunk_spent_s(TRUNK, 0.0)
        guess(guesses, 1, 0.0, number=f"+1555{n}")
    assert guesses.trunk_spent_s(TRUNK, 0.0) == pytest.approx(1 / TRUNK_WRONG_PER_S)
    assert not guesses.trunk_spent_s("default/other", 0.0)
    assert not guesses.trunk_spent_s(TRUNK, 1 / TRUNK_WRONG_PER_S + 0.01)


def test_one_guess_after_a_lock_out_does_not_lock_again() -> None:
    guesses = PinGuesses()
    guess(guesses, WRONG_MAX, 0.0)
    assert guess(guesses, 1, LOCKED_S + 1) == [False]


@pytest.mark.parametrize(
    ("source", "number", "same"),
    [
        (SOURCE, "15550100", True),
        (SOURCE, "+1 555 0100", True),
        (SOURCE, "0015550100", True),
        (SOURCE, "+0015550100", True),
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
