"""One caller who is asked for a PIN: what is played, which keys make an entry, and when it is over.

A core in virtual time. The switchboard tells it of keys, of prompts that have been played and of the time; each may
set off one `Step`, which the switchboard carries out. A tried PIN comes back as `wrong`, or the dialogue is dropped.

    ask ──key──> an entry ──#, or no key for 5 s──> Try ──wrong──> "wrong", "ask" again; the third time "goodbye", Leave
     └──no key for 10 s after the prompt: an empty try──┘

No key pressed ends up anywhere but in `Try`, and a `Try` shows no PIN.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from runtime.calls.reasons import EndReason
from runtime.limits import PROMPT_S_MAX
from schemas.ids import PIN_CHARS_MAX
from schemas.tables.decisions import Reason

TRIES_MAX: Final = 3
"""Entries, empty ones among them, before the goodbye."""

FIRST_KEY_S: Final = 10.0
"""How long after a prompt the first key may take."""

NEXT_KEY_S: Final = 5.0
"""How long after a key the next one may take; then the entry is complete, as after `#`."""

PROMPTING_S_MAX: Final = 120.0
"""From the first prompt to the goodbye, whatever is pressed: nobody holds a port without a PIN for longer."""

GOODBYE_S_MAX: Final = PROMPT_S_MAX + 5.0
"""The longest goodbye: the longest prompt file, and some time to fetch it."""

PIN_KEYS_MAX: Final = PIN_CHARS_MAX
"""The longest PIN, LiveKit's. Keys beyond it make the entry a wrong one, and are not kept."""

SUBMIT: Final = "#"


class Prompt(StrEnum):
    """What a caller can be told, by the names of `spec.pinPrompts`."""

    ASK = "ask"
    WRONG = "wrong"
    GOODBYE = "goodbye"


@dataclass(frozen=True, slots=True)
class Play:
    """Play this prompt from its beginning, instead of what is played now."""

    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Hush:
    """The caller presses keys: play nothing more."""


@dataclass(frozen=True, slots=True)
class Try:
    """An entry is complete; "" = `#` alone. Answer with `wrong` when it opens nothing."""

    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Leave:
    """It is over, and nothing was opened: hang up."""

    reason: Reason | EndReason
    words: str


Step = Play | Hush | Try | Leave


class PinDialogue:
    """The dialogue with one caller; it begins with `begin`."""

    __slots__ = ("_deadline", "_ends_at", "_keys", "_leaving", "_playing", "_reason", "_tries", "_words", "_wrong")

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._tries = self._wrong = 0
        self._playing = False
        self._leaving = False
        self._reason: Reason | EndReason = Reason.PIN_REQUIRED
        self._words = ""
        self._deadline = self._ends_at = float("inf")

    def begin(self, now: float) -> Play:
        """The caller can hear: ask."""
        self._ends_at = now + PROMPTING_S_MAX
        return self._play(Prompt.ASK)

    def key(self, key: str, now: float) -> Step | None:
        """A key, `#` or one of a PIN."""
        if self._leaving:
            return None
        if key == SUBMIT:
            return self._complete()
        interrupts, self._playing = self._playing, False
        if len(self._keys) <= PIN_KEYS_MAX:
            self._keys.append(key)
        self._deadline = now + NEXT_KEY_S
        return Hush() if interrupts else None

    def played(self, now: float) -> Step | None:
        """The prompt is at its end."""
        if self._leaving:
            return self._leave()
        if self._playing:
            self._playing = False
            self._deadline = now + FIRST_KEY_S
        return None

    def timer(self, now: float) -> Step | None:
        """Time has gone by."""
        if now >= self._ends_at:
            if self._leaving:
                return self._leave()
            return self._goodbye(f"no PIN that opens a room was entered within {PROMPTING_S_MAX:.0f} s", now)
        if now < self._deadline:
            return None
        return self._complete() if self._keys else self._failed(Prompt.ASK, now)

    def wrong(self, now: float, *, entered: bool, last: bool = False) -> Play:
        """The tried PIN opened nothing. `entered`: it was no `#` alone; `last`: this caller gets no more tries."""
        if entered:
            self._wrong += 1
        return self._failed(Prompt.WRONG if entered else Prompt.ASK, now, last=last)

    def locked_out(self, now: float, words: str) -> Play:
        """The caller's other calls have used up its tries meanwhile: the entry was not tried, and none will be."""
        return self._goodbye(words, now, EndReason.PIN_LOCKED_OUT)

    def _complete(self) -> Try:
        pin = "".join(self._keys)
        self._keys.clear()
        self._playing = False
        self._deadline = float("inf")
        return Try(pin)

    def _failed(self, next_prompt: Prompt, now: float, *, last: bool = False) -> Play:
        self._tries += 1
        if last or self._tries >= TRIES_MAX:
            return self._goodbye(_tried(self._wrong), now)
        return self._play(next_prompt)

    def _goodbye(self, words: str, now: float, reason: EndReason | None = None) -> Play:
        self._reason = reason or (Reason.WRONG_PIN if self._wrong else Reason.PIN_REQUIRED)
        self._words = words
        self._leaving = True
        self._ends_at = now + GOODBYE_S_MAX
        self._keys.clear()
        return self._play(Prompt.GOODBYE)

    def _leave(self) -> Leave:
        return Leave(self._reason, self._words)

    def _play(self, prompt: Prompt) -> Play:
        self._playing = True
        self._deadline = float("inf")
        return Play(prompt)


def _tried(wrong: int) -> str:
    if not wrong:
        return "no PIN was entered"
    return "a wrong PIN was entered" if wrong == 1 else f"{wrong} wrong PINs were entered"
