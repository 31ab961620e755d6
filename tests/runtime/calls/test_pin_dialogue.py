"""The dialogue with one caller, in virtual time: whatever is pressed, it is short and ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.calls.pin_dialogue import (
    FIRST_KEY_S,
    GOODBYE_S_MAX,
    NEXT_KEY_S,
    PIN_KEYS_MAX,
    PROMPTING_S_MAX,
    TRIES_MAX,
    Hush,
    Leave,
    PinDialogue,
    Play,
    Prompt,
    Step,
    Try,
)
from schemas.tables.decisions import Reason

KEYS = "0123456789*#ABCD"
PIN = st.text(KEYS.replace("#", ""), min_size=1, max_size=PIN_KEYS_MAX)


def begun() -> PinDialogue:
    dialogue = PinDialogue()
    assert dialogue.begin(0.0) == Play(Prompt.ASK)
    return dialogue


def enter(dialogue: PinDialogue, keys: str, now: float = 1.0) -> Step | None:
    """Press keys at once; what the last one set off."""
    step = None
    for key in keys:
        step = dialogue.key(key, now)
    return step


@given(PIN)
def test_what_is_tried_is_what_was_pressed(pin: str) -> None:
    assert enter(begun(), pin + "#") == Try(pin)


@given(st.text(KEYS.replace("#", ""), min_size=PIN_KEYS_MAX + 1, max_size=60), PIN)
def test_too_many_keys_are_no_pin_that_could_be_right(keys: str, pin: str) -> None:
    tried = enter(begun(), keys + "#")
    assert isinstance(tried, Try)
    assert len(tried.pin) == PIN_KEYS_MAX + 1
    assert tried.pin != pin


def test_only_the_first_key_interrupts() -> None:
    dialogue = begun()
    assert dialogue.key("1", 1.0) == Hush()
    assert dialogue.key("2", 1.1) is None


def test_an_entry_ends_when_no_key_follows_in_time() -> None:
    dialogue = begun()
    enter(dialogue, "12", 1.0)
    assert dialogue.timer(1.0 + NEXT_KEY_S - 0.01) is None
    assert dialogue.timer(1.0 + NEXT_KEY_S) == Try("12")


def test_the_first_key_is_waited_for_from_the_end_of_the_prompt() -> None:
    dialogue = begun()
    assert dialogue.timer(60.0) is None, "a long prompt is no silence of the caller"
    assert dialogue.played(60.0) is None
    assert dialogue.timer(60.0 + FIRST_KEY_S - 0.01) is None
    assert dialogue.timer(60.0 + FIRST_KEY_S) == Play(Prompt.ASK)


def test_a_prompt_that_never_ends_ends_the_dialogue() -> None:
    dialogue = begun()
    assert dialogue.timer(PROMPTING_S_MAX) == Play(Prompt.GOODBYE)
    assert dialogue.timer(PROMPTING_S_MAX + GOODBYE_S_MAX - 1) is None
    assert isinstance(dialogue.timer(PROMPTING_S_MAX + GOODBYE_S_MAX), Leave)


@pytest.mark.parametrize(
    ("entered", "reason", "words"),
    [
        ((False, False, False), Reason.PIN_REQUIRED, "no PIN was entered"),
        ((False, True, False), Reason.WRONG_PIN, "a wrong PIN was entered"),
        ((True, True, True), Reason.WRONG_PIN, "3 wrong PINs were entered"),
    ],
)
def test_the_end_says_what_was_tried(entered: tuple[bool, ...], reason: Reason, words: str) -> None:
    dialogue = begun()
    steps = [dialogue.wrong(1.0, entered=one) for one in entered]
    assert steps[-1] == Play(Prompt.GOODBYE)
    assert [step.prompt for step in steps[:-1]] == [Prompt.WRONG if one else Prompt.ASK for one in entered[:-1]]
    assert dialogue.played(2.0) == Leave(reason, words)


def test_the_last_try_of_a_caller_is_said_by_who_counts_them() -> None:
    assert begun().wrong(1.0, entered=True, last=True) == Play(Prompt.GOODBYE)


ACTS = st.one_of(st.sampled_from(KEYS), st.sampled_from(["played", "wait"]))


@given(st.lists(st.tuples(ACTS, st.floats(0, 20)), max_size=400))
def test_whatever_is_pressed_the_dialogue_ends_in_time_and_after_three_tries(acts: list[tuple[str, float]]) -> None:
    dialogue, now, tries = begun(), 0.0, 0
    step: Step | None
    for act, wait_s in [*acts, *[("wait", 20.0)] * 9]:
        for _ in range(2):
            now += wait_s / 2
            step = dialogue.timer(now)
            if isinstance(step, Try):
                tries += 1
                step = dialogue.wrong(now, entered=bool(step.pin))
            if isinstance(step, Leave):
                break
        if not isinstance(step, Leave) and act != "wait":
            step = dialogue.played(now) if act == "played" else dialogue.key(act, now)
            if isinstance(step, Try):
                tries += 1
                step = dialogue.wrong(now, entered=bool(step.pin))
        if isinstance(step, Leave):
            break
    assert isinstance(step, Leave)
    assert tries <= TRIES_MAX
    assert now <= PROMPTING_S_MAX + GOODBYE_S_MAX + 20


def test_a_try_shows_no_pin() -> None:
    assert "1234" not in repr(Try("1234"))
