"""What a plan does to calls: `+14155550100: support/call_* -> nobody answers`.

A plan in fields says what a person wrote; this says what callers will meet. Each number that the plan can concern is
called on the tables before and after, by the bridge's own matcher, in a few ways. Numbers that nothing tells apart
but their digits share their decisions, so that ten thousand new numbers cost ten thousand look-ups of what names
them, not twenty thousand calls. What moves is told one by one up to a bound, and counted; lost calls come first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from reconciler.plan.concerned import Touched, concerned, touched_by
from reconciler.plan.outcomes import ANYBODY, Outcome, outcome_of, outcome_of_own
from reconciler.plan.probes import ON_NO_TRUNK, Way, Ways
from reconciler.plan.turn import Turn
from schemas.tables.decisions import CallFacts
from schemas.tables.entries import serves_inbound
from schemas.tables.naming import room_pattern
from schemas.tables.rows import RoomKind
from schemas.tables.tables import Tables

NUMBERS_MAX = 250_000
"""How many numbers one plan is tried with; the rest is counted."""

EFFECTS_MAX = 1_000
"""How many effects of one kind are held one by one."""


class Move(StrEnum):
    """What happens to the calls to a number: the worst of it comes first."""

    LOST = "lost"
    MOVED = "moved"
    GAINED = "gained"


_MOVED_RANKS = 3
"""Calls that move do so in three degrees: without a password or PIN that was asked for, to another room, otherwise."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One number's calls, before and after. `trunk`, `network` and `caller` are "" where it is the same for all.

    `example` is the call that it was tried with: `explain` says of it what is said here.
    """

    called: str
    before: Outcome
    after: Outcome
    example: CallFacts
    trunk: str = ""
    network: str = ""
    caller: str = ""

    @property
    def move(self) -> Move:
        """Which kind it is of."""
        return _move(self.before, self.after)

    @property
    def to(self) -> str:
        """Which calls are meant: `+14155550100 by +1212* on Trunk default/t`."""
        called = "any other number" if self.called == ANYBODY else self.called
        caller = "any other caller" if self.caller == ANYBODY else self.caller
        words = [
            called,
            f"by {caller}" if caller else "",
            f"from {self.network}" if self.network else "",
            f"on Trunk {self.trunk}" if self.trunk else "",
        ]
        return " ".join(filter(None, words))

    def __str__(self) -> str:
        return f"{self.to}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True)
class Effects:
    """All of one plan. `counts` are of numbers, each by the worst that happens to it; `shown` are in order."""

    shown: tuple[Effect, ...] = ()
    counts: Mapping[Move, int] = field(default_factory=dict)
    untried: int = 0
    """How many more numbers may be concerned: they were not tried."""

    def __bool__(self) -> bool:
        return bool(self.shown or self.untried)


@dataclass(frozen=True, slots=True)
class Tried:
    """What trying one number in one way came to; of another number of its class only a room's name can differ."""

    way: Way
    before: Outcome
    after: Outcome


@dataclass(frozen=True, slots=True)
class _Moving:
    """A way in which the calls of a class move; `qualified` is what must be said of it: trunk, network, caller."""

    tried: Tried
    move: Move
    qualified: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Tested:
    """A class of numbers: all that was tried, and the ways in which its calls move, the worst first."""

    tried: tuple[Tried, ...]
    moving: tuple[_Moving, ...]


def effects_of(turn: Turn) -> Effects:
    """The effects of a plan; none of one without changes."""
    if not turn.plan:
        return Effects()
    touched = touched_by(turn)
    numbers = concerned(turn, touched)
    trial = Trial(turn, touched)
    shown: dict[int, list[Effect]] = {rank: [] for rank in range(_MOVED_RANKS + 2)}
    counts = dict.fromkeys(Move, 0)
    for called in numbers[:NUMBERS_MAX]:
        for place, moving in enumerate(trial.of(called).moving):
            counts[moving.move] += place == 0
            if len(alike := shown[_rank(moving)]) < EFFECTS_MAX:
                alike.append(trial.effect(called, moving))
    told = tuple(effect for rank in sorted(shown) for effect in shown[rank])
    return Effects(told, counts, max(0, len(numbers) - NUMBERS_MAX))


class Trial:
    """Calls numbers on the tables before and after; numbers of one class are called once."""

    def __init__(self, turn: Turn, touched: Touched) -> None:
        self._turn = turn
        self._ways = Ways(turn, touched)
        self._classes: dict[object, Tested] = {}

    def of(self, called: str) -> Tested:
        """What became of the calls to a number, or to one that nothing tells apart from it."""
        before, after = _class_on(self._turn.before, called), _class_on(self._turn.after, called)
        known = self._classes.get(key := (before, after, len(called)))
        if known is None:
            trunks = sorted({trunk for rows, _ in (before, after) for trunk, _ in rows})
            tried = tuple(self._try(way, called) for way in self._ways.by(trunks))
            if self._turn.has_own_numbers and "" in trunks:
                tried = (self._own(called), *tried)
            known = self._classes[key] = Tested(tried, _moving(tried, self._turn.renamed))
        return known

    def effect(self, called: str, moving: _Moving) -> Effect:
        """One of them, told of this number."""
        way, one = moving.tried.way, moving.tried
        before = self._here(one.before, way, called, self._turn.before)
        after = self._here(one.after, way, called, self._turn.after)
        return Effect(called, before, after, way.to(called), *moving.qualified)

    def _try(self, way: Way, called: str) -> Tried:
        facts = way.to(called)
        return Tried(way, outcome_of(self._turn.before, facts), outcome_of(self._turn.after, facts))

    def _own(self, called: str) -> Tried:
        """A call to a number that arrives on no trunk."""
        return Tried(ON_NO_TRUNK, outcome_of_own(self._turn.before, called), outcome_of_own(self._turn.after, called))

    @staticmethod
    def _here(outcome: Outcome, way: Way, called: str, tables: Tables) -> Outcome:
        """The outcome with the room of this number, where rooms are named by it."""
        rule = tables.rule(outcome.rule)
        if rule is None or rule.kind is not RoomKind.CALLEE:
            return outcome
        return replace(outcome, room=room_pattern(rule, way.caller, called).replace("*_*", "*"))


def _moving(tried: tuple[Tried, ...], renamed: Mapping[str, str]) -> tuple[_Moving, ...]:
    """One way for each pair of different outcomes; a rule with another name is no other rule."""
    pairs: dict[tuple[Outcome, Outcome], Tried] = {}
    for one in tried:
        pairs.setdefault((one.before, one.after), one)
    ways = [one.way for one in tried]
    found = [
        _Moving(one, _move(before, after), _qualified(one.way, ways) if len(pairs) > 1 else ("", "", ""))
        for (before, after), one in pairs.items()
        if replace(before, rule=renamed.get(before.rule, before.rule)) != after
    ]
    return tuple(sorted(found, key=_rank))


def _rank(moving: _Moving) -> int:
    """How bad it is, 0 the worst: nobody answers; nobody is asked any more; another room; the rest; answered now."""
    if moving.move is not Move.MOVED:
        return 0 if moving.move is Move.LOST else _MOVED_RANKS + 1
    before, after = moving.tried.before, moving.tried.after
    if (before.asks_password and not after.asks_password) or (before.asks_pin and not after.asks_pin):
        return 1
    return 2 if before.room != after.room else _MOVED_RANKS


def _move(before: Outcome, after: Outcome) -> Move:
    if not after.is_answered:
        return Move.LOST
    return Move.MOVED if before.is_answered else Move.GAINED


def _class_on(tables: Tables, called: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """All that decides on calls to a number beside its digits: what its PhoneNumbers name, and which lists it is in."""
    rows = tuple((row.trunk, row.rule) for row in tables.numbers.rows(called) if serves_inbound(row))
    patterns = tables.rule_index.to_patterns(called)
    return rows, tuple(sorted(patterns)) if len(patterns) > 1 else ()


def _qualified(way: Way, ways: Sequence[Way]) -> tuple[str, str, str]:
    """What of a way must be said to tell it from the others: its trunk, its network, its caller."""
    same_trunk = [other for other in ways if other.trunk == way.trunk]
    return (
        way.trunk if len(same_trunk) < len(ways) else "",
        way.network if len({other.network for other in same_trunk}) > 1 else "",
        way.caller if len({other.caller for other in same_trunk}) > 1 else "",
    )
