"""Lists of numbers and prefixes (`+14155550100`, `+1415*`), compiled so that a match costs no walk over the list.

Called by the compiled rows (`entries.py`) for callers of a trunk and for `to` and `from` of a rule. How well a list
fits a number is its *rank*, smaller is better: exact, then the longest prefix, then an empty list, which fits any.
Numbers from the wire are brought into the one form of `schemas.ids` here, and only up to `NUMBER_CHARS_MAX`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.ids import normalise_number

ANY = ""
"""The pattern that stands for an empty list."""

EXACT_RANK = 0
ANY_RANK = 1 << 16
"""Worse than every prefix: a prefix of n characters ranks `ANY_RANK - 1 - n`."""

NUMBER_CHARS_MAX = 128
"""A user part longer than this is no number: it is compared as it is, so that no stranger can buy time with it."""


@dataclass(frozen=True, slots=True)
class NumberSet:
    """A compiled list. `any` says that it was empty and fits everything; `lengths` run from long to short."""

    exact: frozenset[str]
    prefixes: frozenset[str]
    lengths: tuple[int, ...]
    any: bool

    def rank(self, number: str) -> int | None:
        """How well the list fits a normalised number: `EXACT_RANK` … `ANY_RANK`, or None when it does not."""
        if self.any:
            return ANY_RANK
        if number in self.exact:
            return EXACT_RANK
        for length in self.lengths:
            if len(number) >= length and number[:length] in self.prefixes:
                return ANY_RANK - 1 - length
        return None


def compile_numbers(patterns: Iterable[str], *, empty_is_any: bool = True) -> NumberSet:
    """Compile normalised patterns; with `empty_is_any` False an empty list fits nothing."""
    exact = frozenset(pattern for pattern in patterns if not is_prefix(pattern))
    prefixes = frozenset(pattern[:-1] for pattern in patterns if is_prefix(pattern))
    if not exact and not prefixes:
        return _ANY_NUMBER if empty_is_any else _NO_NUMBER
    return NumberSet(exact, prefixes, tuple(sorted({len(prefix) for prefix in prefixes}, reverse=True)), any=False)


def is_prefix(pattern: str) -> bool:
    """Whether a pattern stands for all numbers that begin with it."""
    return pattern.endswith("*")


def received_number(user: str) -> str:
    """The one form of a user part from the wire. Plain numbers, which nearly all are, take a short way."""
    if user.isdecimal() and user.isascii():
        return "+" + user
    if user[:1] == "+" and user[1:].isdecimal() and user.isascii():
        return user
    return user if len(user) > NUMBER_CHARS_MAX else normalise_number(user)


_ANY_NUMBER = NumberSet(frozenset(), frozenset(), (), any=True)
_NO_NUMBER = NumberSet(frozenset(), frozenset(), (), any=False)
