"""Documents -> the rows that should be live: the desired state of one owner, and what stands in the way of the rest.

The reconciler's core, called by every command and by each pass of the watcher. One rule runs through it: a fault
holds back its own object and nothing else. Whatever is broken, unresolved, clashing or unsafe keeps the row it has
(or none), and everything beside it goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from reconciler.model.attempt import Attempt
from reconciler.model.claims import settle_claims
from reconciler.model.limits import LimitsOf, limits_of_tables
from reconciler.model.live import Live, rows_of
from reconciler.model.memo import LastPass, Memo
from reconciler.model.records import Verdict
from reconciler.model.renames import find_renames
from reconciler.model.sources import Key, Source
from reconciler.model.standing import Declared, Standings, stand, stand_again
from schemas.problems import Problem
from schemas.tables.rows import Kind, NumberRow, Rows, RuleRow, TrunkRow

R = TypeVar("R", TrunkRow, RuleRow, NumberRow)

LOOKS_MAX = 8
"""How often is looked at what comes of the look before. Two were enough in all that was ever generated."""


@dataclass(frozen=True, slots=True)
class Desired:
    """`rows` are what should be live of this owner. `verdicts` name each object whose present document is not in force.

    `problems` are those that only show between documents; what is wrong inside one was said where it was read.
    `sources` are the documents that speak for their objects, by kind and id, those held back by others among them.
    """

    rows: Rows
    problems: tuple[Problem, ...]
    verdicts: Mapping[Key, Verdict]
    sources: Mapping[Kind, Mapping[str, Source]]
    tests: tuple[Source, ...] = ()
    silent: Mapping[Key, Source] = field(default_factory=dict)
    """The documents that do not speak for their objects: broken, or declared twice (then the first of them)."""

    held_back: int = 0
    """How many documents are not in force as they stand, or stood in what cannot be read now."""
    declared: int = 0
    """How many documents there are, and stood in what cannot be read now; RoutingTests are none of them."""
    unread: int = 0
    """How many files and folders could not be read whole."""
    moves: Mapping[Key, str] = field(default_factory=dict)
    """The objects that are live under another name, and its id."""

    def written(self, key: Key) -> Source | None:
        """The document of an object as it stands now, sound or not."""
        return self.sources[key[0]].get(key[1]) or self.silent.get(key)


def desire(declared: Declared, live: Live, memo: Memo | None = None, limits_of: LimitsOf = limits_of_tables) -> Desired:
    """The desired state. `memo` of the last pass over the same folder makes it fast, and changes nothing else.

    `limits_of` are those of the target: one memo serves one target.
    """
    return settled(lambda live: desire_once(declared, live, memo, limits_of), live)


def settled(look: Callable[[Live], Desired], live: Live) -> Desired:
    """What `look` desires when what it desires is live already: a second apply of the same documents changes nothing.

    Only what is held back can tell the two apart: it may wait for, or clash with, a row that goes in the same apply.
    """
    first, since = look(live), live.revision + 1
    found = first
    for _ in range(LOOKS_MAX):
        if not found.verdicts or found.rows == live.mine:
            break
        live = live.with_mine(found.rows)
        again = look(live)
        if again.rows == found.rows:
            break
        found = again
    if found is first:
        return first
    moves = {key: old for key, old in first.moves.items() if key[1] in rows_of(found.rows, key[0])}
    return replace(found, rows=_dated(found.rows, since), moves=moves)


def _dated(rows: Rows, since: int) -> Rows:
    """The rows, no claim younger than the revision in which they all become live."""

    def dated(kind: Mapping[str, R]) -> dict[str, R]:
        return {
            id_: row if row.claimed_since <= since else replace(row, claimed_since=since) for id_, row in kind.items()
        }

    return Rows(dated(rows.trunks), dated(rows.rules), dated(rows.numbers))


def desire_once(
    declared: Declared, live: Live, memo: Memo | None = None, limits_of: LimitsOf = limits_of_tables
) -> Desired:
    """One look, for who has more to say of the rows before the next (see `settled`, `desire`)."""
    memo = memo if memo is not None else Memo()
    last = memo.last
    standings = stand_again(declared, last.files, last.standings) if last is not None else None
    standings = standings or stand(declared, live.records)
    renames = find_renames(standings, live)
    refused: dict[Key, Verdict] = dict(renames.refused)
    problems: list[Problem] = list(renames.problems)
    while True:
        attempt = Attempt(standings, live, memo, refused, declared.secrets, renames, limits_of)
        attempt.settle()
        found = settle_claims(attempt)
        if not found:
            break
        assert not found.keys() & refused.keys(), "an object that keeps its row cannot be refused again"
        refused |= {key: refusal.verdict for key, refusal in found.items()}
        problems += [refusal.problem for refusal in found.values() if refusal.problem is not None]
    rows = Rows(*(attempt.rows[kind] for kind in (Kind.TRUNK, Kind.RULE, Kind.NUMBER)))  # type: ignore[arg-type]  # by kind
    told = (*standings.problems, *attempt.problems, *problems)
    plain = standings.plain and not (attempt.verdicts or told)
    memo.last = LastPass(declared.files, standings, rows) if plain else None
    silent, verdicts = _silent(standings), attempt.verdicts
    held, documents = _counted(standings, verdicts)
    return Desired(
        rows,
        told,
        verdicts,
        standings.fresh,
        tuple(standings.tests),
        silent,
        held,
        documents,
        len(standings.unread),
        {key: old for key, old in renames.moves.items() if key[1] in attempt.rows[key[0]]},
    )


def _counted(standings: Standings, verdicts: Mapping[Key, Verdict]) -> tuple[int, int]:
    """How many documents are held back, of how many; one of no known object counts as much as any."""
    fresh = sum(map(len, standings.fresh.values()))
    speaking = sum(key[1] in standings.fresh[key[0]] for key in verdicts)
    doubled = sum(source.document is not None for source in standings.doubled)
    broken = sum(source.written("kind") != "RoutingTest" for source in standings.broken)
    silent = broken + doubled
    known = {source.key for source in (*standings.broken, *standings.doubled)}
    unread = sum(key[1] not in standings.fresh[key[0]] and key not in known for key in verdicts)
    return speaking + silent + unread, fresh + silent + unread


def _silent(standings: Standings) -> dict[Key, Source]:
    out: dict[Key, Source] = {}
    for source in (*standings.broken, *standings.doubled):
        if source.key is not None:
            out.setdefault(source.key, source)
    return out
