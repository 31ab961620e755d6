"""Calls to try a plan with: by which trunk, from which address and by which caller a call to a number can come.

A decision rests on more than the called number, so each number is called in a few ways: over the trunks that its
PhoneNumbers name, and over some of those that serve any number, those that change first. Where a trunk's addresses or
callers change, each of both sides is tried that the other side has not; else one stands for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from reconciler.plan.concerned import Touched
from reconciler.plan.outcomes import ANYBODY
from reconciler.plan.turn import Turn
from schemas.tables.decisions import CallFacts
from schemas.tables.patterns import is_prefix
from schemas.tables.rows import Inbound
from schemas.tables.tables import Tables

ANY_CALLED_MAX = 8
"""How many of the trunks that serve any number are tried with each number."""

DIFFERING_MAX = 4
"""How many entries of a list are tried that only one side has; one that both have is tried besides."""

SOME_SOURCE = "192.0.2.1"
"""The address of a trunk that names none (RFC 5737: nobody's)."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way for a call to come in; `network` is what the trunk calls its source."""

    trunk: str
    network: str
    region: str
    caller: str

    def to(self, called: str) -> CallFacts:
        """The call to this number."""
        return CallFacts(self.network.partition("/")[0] or SOME_SOURCE, called, self.caller, region=self.region)


ON_NO_TRUNK = Way("", "", "", ANYBODY)
"""How calls to a target's own numbers come in."""


class Ways:
    """The ways of one turn; each trunk's are worked out once."""

    def __init__(self, turn: Turn, touched: Touched) -> None:
        self._turn = turn
        self._touched = touched
        self._by_trunk: dict[str, tuple[Way, ...]] = {}

    def by(self, trunks: Iterable[str]) -> Iterator[Way]:
        """The ways over these trunks, and over some that serve any number."""
        for trunk_id in dict.fromkeys((*trunks, *self._any_called)):
            known = self._by_trunk.get(trunk_id)
            if known is None:
                known = self._by_trunk[trunk_id] = tuple(self._over(trunk_id))
            yield from known

    @cached_property
    def _any_called(self) -> list[str]:
        ids = {id_ for tables in (self._turn.before, self._turn.after) for id_ in _serving_any(tables)}
        changing = {entry.row.id for entry in self._touched.trunks}
        changing |= {id_ for entry in self._touched.rules for id_ in entry.row.trunks or ()}
        return sorted(ids, key=lambda id_: (id_ not in changing, id_))[:ANY_CALLED_MAX]

    @cached_property
    def _callers_of_rules(self) -> list[str]:
        """The callers that a changed rule singles out, on either side."""
        patterns = {pattern for entry in self._touched.rules for pattern in entry.row.from_}
        return sorted(patterns, key=lambda pattern: (is_prefix(pattern), pattern))[:DIFFERING_MAX]

    def _over(self, trunk_id: str) -> Iterator[Way]:
        rows = [row for tables in (self._turn.before, self._turn.after) if (row := tables.trunk(trunk_id)) is not None]
        halves = [(row.inbound, row.regions) for row in rows if row.inbound is not None]
        if not halves:
            return
        inbounds = [half for half, _ in halves if half is not None]
        regions = dict.fromkeys(regions[0] if regions else "" for _, regions in halves)
        callers = dict.fromkeys((*_told_apart(map(_callers, inbounds), ANYBODY), *self._callers_of_rules))
        for network in _told_apart((half.networks for half in inbounds), ""):
            for region in regions:
                for caller in callers:
                    yield Way(trunk_id, network, region, caller)


def _callers(inbound: Inbound) -> tuple[str, ...]:
    return inbound.allowed_numbers


def _told_apart(sides: Iterable[tuple[str, ...]], anything: str) -> list[str]:
    """One entry that both sides have, then those of one side alone; `anything` of a side that lists nothing."""
    first, *others = (dict.fromkeys(side or (anything,)) for side in sides)
    last = others[0] if others else first
    common = [entry for entry in first if entry in last][:1]
    return [*common, *sorted(first.keys() ^ last.keys())[:DIFFERING_MAX]]


def _serving_any(tables: Tables) -> Iterator[str]:
    return (entry.row.id for entry in tables.trunks.values() if entry.inbound and not entry.called_declared_only)
