"""The values of an explanation: one line per trunk or rule, counts of those left out, and the decision.

`explain` makes them, `rendering` turns them into text and JSON, the bridge logs single lines.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.tables.decisions import CallFacts, Decision, Undecided
from schemas.tables.rows import Kind

TAKES = "takes"
"""Stands in `TrailLine.predicate` for a row of which all predicates hold."""

NOT_INDEXED = "index"
"""Stands in `Omitted.predicate` for rows that were not examined: the indexes rule them out, or yield nearer ones."""


@dataclass(frozen=True, slots=True)
class TrailLine:
    """What became of one trunk or rule: `predicate` is the first that failed, or `TAKES`."""

    kind: Kind
    id: str
    predicate: str
    words: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id}: {self.words}"


@dataclass(frozen=True, slots=True)
class Omitted:
    """How many rows of a kind that stopped at one predicate are not in the trail."""

    kind: Kind
    predicate: str
    count: int

    def __str__(self) -> str:
        things = f"{self.count} more {self.kind}{'' if self.count == 1 else 's'}"
        if self.predicate == NOT_INDEXED:
            return f"{things}: not examined, ruled out by the indexes or less near"
        return f"{things}: {'would take the call' if self.predicate == TAKES else f'stopped at {self.predicate}'}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision and how it came about. `facts` are those that it rests on: without a PIN where none is asked for."""

    facts: CallFacts
    decision: Decision | Undecided
    trail: tuple[TrailLine, ...]
    omitted: tuple[Omitted, ...]
    notes: tuple[str, ...] = ()
    """What was given for this call and does not count, and what is looked at beyond the tables."""
