"""Who has guessed PINs too often: a caller, by its number and the address that its calls come from, waits.

The switchboard asks before it answers a call to ask for a PIN. Every `WRONG_MAX` wrong PINs, in one call or many, lock
the caller out, each time for twice as long. Time alone forgives: a right PIN does not, else who has one of its
own could guess at another room's for ever. One who can call with any number is held back by what all callers of a trunk
may get wrong together; past that nobody of the trunk is asked.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from runtime.gate.bucket import TokenBucket
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
FORGIVEN_EVERY_S: Final = 3_600.0
"""So long without a wrong PIN forgives one. No pause between guesses gains more than this allows."""

FORGOTTEN_S: Final = 86_400.0
"""After so long without a wrong PIN nothing is held against a caller."""

CALLERS_MAX: Final = 10_000
"""Callers remembered; beyond that the one whose wrong PIN is longest ago is forgotten."""

TRUNK_WRONG_PER_S: Final = 10 / 60
TRUNK_WRONG_BURST: Final = 30.0
"""Wrong PINs of all callers of a trunk together, whatever their numbers: 14,400 a day."""

TRUNKS_MAX: Final = 10_000
"""Trunks remembered; beyond that the one whose wrong PIN is longest ago is forgotten."""


@dataclass(slots=True)
class _Guesses:
    wrong: int = 0
    at: float = 0.0
    locked_until: float = 0.0


class PinGuesses:
    """One per bridge. `source` is an address, `number` as received, `trunk` an id, `now` monotonic seconds."""

    def __init__(self) -> None:
        self._by_caller: OrderedDict[tuple[str, str], _Guesses] = OrderedDict()
        self._by_trunk: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_caller)

    def locked_s(self, source: str, number: str, now: float) -> float:
        """How long this caller must still wait; 0 when it may try."""
        found = self._by_caller.get(_caller(source, number))
        return max(0.0, found.locked_until - now) if found is not None else 0.0

    def trunk_spent_s(self, trunk: str, now: float) -> float:
        """How long until somebody of this trunk may enter a PIN again; 0 when they may."""
        bucket = self._by_trunk.get(trunk)
        return bucket.wait_s(now) if bucket is not None else 0.0

    def wrong(self, source: str, number: str, trunk: str, now: float) -> bool:
        """Count a wrong PIN; True when that locks the caller out."""
        self._count_for(trunk, now)
        key = _caller(source, number)
        guesses = self._by_caller.pop(key, None)
        if guesses is None or now - guesses.at >= FORGOTTEN_S:
            guesses = _Guesses()
        if len(self._by_caller) >= CALLERS_MAX:
            self._by_caller.popitem(last=False)
        self._by_caller[key] = guesses
        guesses.wrong = max(0, guesses.wrong - int((now - guesses.at) // FORGIVEN_EVERY_S)) + 1
        guesses.at = now
        times, rest = divmod(guesses.wrong, WRONG_MAX)
        if rest:
            return guesses.locked_until > now
        guesses.locked_until = now + min(LOCKED_S * 2.0 ** min(times - 1, DOUBLINGS_MAX), LOCKED_S_MAX)
        return True

    def _count_for(self, trunk: str, now: float) -> None:
        bucket = self._by_trunk.pop(trunk, None) or TokenBucket(TRUNK_WRONG_PER_S, TRUNK_WRONG_BURST, now)
        if len(self._by_trunk) >= TRUNKS_MAX:
            self._by_trunk.popitem(last=False)
        self._by_trunk[trunk] = bucket
        bucket.take(now)


def _caller(source: str, number: str) -> tuple[str, str]:
    """With 00 or with +, it is the same caller."""
    number = received_number(number)
    return source_of(source), "+" + number[3:] if number.startswith("+00") else number
