"""CORE. How objects pass calls on to each other, where LiveKit holds that two of them may not claim the same.

LiveKit checks each write alone against all that it holds: an inbound trunk claims (called number, caller), a dispatch
rule (PIN, trunk, caller, called number), each with "" for any. So a number can only go to an object once another has
given it up, and for the time of one call to LiveKit nobody has it: that much is unavoidable. Objects that want each
other's are refused in any order. One of them is then parked: it lets go of what others want, and of nothing else; where
nothing would be left, which would mean any number, it holds one that nobody can call.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from enum import StrEnum

from livekit.protocol import sip

from reconciler.targets.livekit.holdings import Info
from schemas.ids import normalise_number
from schemas.livekit_words import read_room_choice

Claimed = frozenset[tuple[str, ...]]

_NOBODYS = re.compile(r"\+000[0-9]{12}")
"""No number begins with a zero (E.164), and this one is not known to anybody either."""


def nobodys_number(entropy: int) -> str:
    """A number that nobody can call, of 12 digits of entropy."""
    return f"+000{entropy % 10**12:012}"


def is_nobodys(number: str) -> bool:
    """Whether a number only stands for none."""
    return _NOBODYS.fullmatch(number) is not None


def real_numbers(numbers: Collection[str]) -> list[str]:
    """Numbers in one form, without one that stands for none."""
    return [normalise_number(number) for number in numbers if not is_nobodys(number)]


def claimed_by(info: Info | None) -> Claimed:
    """What LiveKit lets one object alone hold. The called number comes last."""
    if info is None or isinstance(info, sip.SIPOutboundTrunkInfo):
        return frozenset()
    called = [normalise_number(number) for number in info.numbers] or [""]
    if isinstance(info, sip.SIPInboundTrunkInfo):
        callers = [normalise_number(number) for number in info.allowed_numbers] or [""]
        return frozenset((caller, number) for caller in callers for number in called)
    pin, callers = read_room_choice(info)[3], [normalise_number(number) for number in info.inbound_numbers] or [""]
    trunks = [*info.trunk_ids] or [""]
    return frozenset((pin, trunk, caller, number) for trunk in trunks for caller in callers for number in called)


def parked(info: Info, others_want: Claimed, nobodys: str) -> Info:
    """The object without the numbers that others want of it."""
    held = deepcopy(info)
    wanted = {claim[-1] for claim in claimed_by(info) & others_want}
    left = [number for number in info.numbers if normalise_number(number) not in wanted]
    del held.numbers[:]
    held.numbers.extend(left or [nobodys])
    return held


@dataclass(frozen=True, slots=True)
class Wish:
    """One object that is to be written: what it claims so far, and what it will."""

    holds: Claimed
    wants: Claimed


class Act(StrEnum):
    """What is done with one object."""

    PARK = "park"
    WRITE = "write"


def in_turn(wishes: Sequence[Wish]) -> list[tuple[Act, int]]:
    """The order in which these objects can be written: whoever is waited for comes first, and a ring is opened."""
    return _Order(wishes).acts


@dataclass(slots=True)
class _Order:
    """Depth first along what each waits for; whoever is met again on the way closes a ring, and is parked."""

    wishes: Sequence[Wish]
    acts: list[tuple[Act, int]] = field(default_factory=list)
    holders: dict[tuple[str, ...], int] = field(default_factory=dict)
    _begun: set[int] = field(default_factory=set)
    _done: set[int] = field(default_factory=set)
    _parked: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        for index, wish in enumerate(self.wishes):
            for claim in wish.holds:
                self.holders.setdefault(claim, index)
        for index in range(len(self.wishes)):
            self._follow(index)

    def _follow(self, first: int) -> None:
        way: list[tuple[int, Iterator[int]]] = []
        if first not in self._begun:
            way.append(self._begin(first))
        while way:
            index, waiting = way[-1]
            following = next((other for other in waiting if other not in self._begun), None)
            if following is not None:
                way.append(self._begin(following))
                continue
            way.pop()
            for other in self._waited_for(index):
                if other not in self._done and other not in self._parked:
                    self._parked.add(other)
                    self.acts.append((Act.PARK, other))
            self._done.add(index)
            self.acts.append((Act.WRITE, index))

    def _begin(self, index: int) -> tuple[int, Iterator[int]]:
        self._begun.add(index)
        return index, iter(self._waited_for(index))

    def _waited_for(self, index: int) -> list[int]:
        wish = self.wishes[index]
        found = {self.holders[claim] for claim in wish.wants if claim in self.holders}
        return sorted(found - {index})
