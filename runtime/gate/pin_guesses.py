"""Who has guessed PINs too often: a caller, by its number and the address that its calls come from, waits.

The switchboard asks before it answers a call to ask for a PIN. Every `WRONG_MAX` wrong PINs, in one call or many, lock
the caller out, each time for twice as long; a right PIN, or a day without a wrong one, forgets it all. One who can
call with any number is held back by the length of the PIN alone.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from runtime.sip.auth.lockout import source_of
from schemas.tables.patterns import received_number

WRONG_MAX: Final = 3
"""Wrong PINs that lock a caller out."""

LOCKED_S: Final = 60.0
"""The first time; then twice as long, and so on."""

LOCKED_S_MAX: Final = 3_600.0
"""The longest."""

DOUBLINGS_MAX: Final = math.ceil(math.log2(LOCKED_S_MAX / LOCKED_S))
"""After so many it is the longest; beyond that nothing is worked out, however often a caller is locked out."""

FORGOTTEN_S: Final = 86_400.0
"""After so long without a wrong PIN nothing is held against a caller."""

CALLERS_MAX: Final = 10_000
"""Callers remembered; beyond that the one whose wrong PIN is longest ago is forgotten."""


@dataclass(slots=True)
class _Guesses:
    wrong: int = 0
    at: float = 0.0
    locked_until: float = 0.0


class PinGuesses:
    """One per bridge. `source` is an address, `number` a user part as received, `now` monotonic seconds."""

    def __init__(self) -> None:
        self._by_caller: OrderedDict[tuple[str, str], _Guesses] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_caller)

    def locked_s(self, source: str, number: str, now: float) -> float:
        """How long this caller must still wait; 0 when it may try."""
        found = self._by_caller.get(_caller(source, number))
        return max(0.0, found.locked_until - now) if found is not None else 0.0

    def wrong(self, source: str, number: str, now: float) -> bool:
        """Count a wrong PIN; True when that locks the caller out."""
        key = _caller(source, number)
        guesses = self._by_caller.pop(key, None)
        if guesses is None or now - guesses.at >= FORGOTTEN_S:
            guesses = _Guesses()
        if len(self._by_caller) >= CALLERS_MAX:
            self._by_caller.popitem(last=False)
        self._by_caller[key] = guesses
        guesses.at = now
        guesses.wrong += 1
        times, rest = divmod(guesses.wrong, WRONG_MAX)
        if rest:
            return guesses.locked_until > now
        guesses.locked_until = now + min(LOCKED_S * 2.0 ** min(times - 1, DOUBLINGS_MAX), LOCKED_S_MAX)
        return True

    def right(self, source: str, number: str) -> None:
        """A right PIN: nothing is held against this caller any more."""
        self._by_caller.pop(_caller(source, number), None)


def _caller(source: str, number: str) -> tuple[str, str]:
    return source_of(source), received_number(number)
