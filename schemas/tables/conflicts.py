"""Clashes: two resources that claim the same calls, found when they are declared.

The reconciler asks before it publishes; a newcomer is then Conflicted and keeps out, the incumbent stays. The keys are
LiveKit's: called x caller for trunks, PIN x trunk x from x to for rules. Ours differ where two claims never meet in a
call, or where the order decides between them by what is declared: trunks with disjoint networks or regions do not
clash, nor do a trunk that names a network and one that admits by password; rules of different priorities do not, nor
do overlapping prefixes. PINs are told apart by where they come from, as only sealed values are here.

A clash never fails a call: `lookup` orders whatever it finds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.tables.contests import (
    Key,
    Meeting,
    meetings_at,
    meetings_of_unindexed,
    number_claims,
    overlapping,
    trunk_claims,
)
from schemas.tables.entries import EVERY_TRUNK, Place, RuleEntry, is_indexed, places_of, serves_inbound
from schemas.tables.patterns import ANY
from schemas.tables.rows import Delta, Kind, NumberRow, Row, RuleRow, TrunkRow
from schemas.tables.tables import Tables


@dataclass(frozen=True, slots=True)
class Clash:
    """Two claims that meet. `kind` says what meets: trunks for any number, numbers, or rules.

    `newcomer` and `incumbent` are the rows to blame, each by kind and id: a rule may meet another through a
    PhoneNumber that points at it. Of two that are equally new (`both_new`) neither is the incumbent.
    """

    kind: Kind
    newcomer: Key
    incumbent: Key
    why: str
    both_new: bool


def claim_of(row: Row) -> tuple[object, ...]:
    """What a row claims: while this stays the same, the row keeps its `claimed_since`."""
    if isinstance(row, TrunkRow):
        inbound = row.inbound
        if inbound is None:
            return ()
        by_password = not inbound.networks and inbound.auth is not None
        lists = _as_sets(inbound.networks, inbound.allowed_numbers, row.regions)
        return *lists, inbound.called_declared_only, by_password
    if isinstance(row, RuleRow):
        lists = _as_sets(row.trunks or (), row.to, row.from_)
        return *lists, row.trunks is None, row.priority, row.pin.key if row.pin else None
    return row.number, row.trunk, row.rule, serves_inbound(row)


def _as_sets(*lists: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(sorted(set(texts))) for texts in lists)


def find_clashes(tables: Tables, delta: Delta) -> list[Clash]:
    """The clashes in which the rows that `delta` puts have a part; `tables` are those before it.

    Costs by the size of the delta; when it puts a trunk or a rule on which PhoneNumbers stand, one look at every
    number is added, and when it puts a trunk that serves any number, one look at every such trunk.
    """
    after = tables.applied(delta)
    rules = _rules_touched(tables, after, delta)
    numbers = _numbers_touched(after, delta, rules)
    found: dict[tuple[Key, Key], Clash] = {}
    trunks = {(Kind.TRUNK, row.id) for row in delta.put if isinstance(row, TrunkRow)}
    if trunks:
        meetings = overlapping(trunk_claims(after), "")
        _note(found, Kind.TRUNK, (met for met in meetings if trunks & {met[0].holder, met[1].holder}))
    for number in numbers:
        _note(found, Kind.NUMBER, overlapping(number_claims(after, number), number))
    for place in _places_touched(after, rules, numbers):
        _note(found, Kind.RULE, meetings_at(after, place))
    for entry in rules:
        if not is_indexed(entry):
            _note(found, Kind.RULE, meetings_of_unindexed(after, entry))
    return list(found.values())


def _note(found: dict[tuple[Key, Key], Clash], kind: Kind, meetings: Iterable[Meeting]) -> None:
    for newcomer, incumbent, why in meetings:
        pair = (newcomer.blamed, incumbent.blamed)
        found.setdefault(pair, Clash(kind, *pair, why, both_new=newcomer.since == incumbent.since))


def _rules_touched(before: Tables, after: Tables, delta: Delta) -> list[RuleEntry]:
    """Rules that are put, and those that open to any number as their last PhoneNumber goes."""
    touched = [row.id for row in delta.put if isinstance(row, RuleRow)]
    for kind, row_id in delta.delete:
        old = before.number(row_id) if kind is Kind.NUMBER else None
        if old is not None and old.rule and after.numbers.pointing.get(old.rule) is None:
            touched.append(old.rule)
    entries = (after.rules.get(rule_id) for rule_id in dict.fromkeys(touched))
    return [entry for entry in entries if entry is not None]


def _numbers_touched(after: Tables, delta: Delta, rules: list[RuleEntry]) -> list[str]:
    """Numbers whose claim may have changed: of PhoneNumbers that are put, or that stand on a row that is.

    And those that a rule lists which is too wide to visit all its places: it is met from the other side.
    """
    touched = [row.number for row in delta.put if isinstance(row, NumberRow)]
    trunks = {row.id for row in delta.put if isinstance(row, TrunkRow)}
    pointed = {entry.row.id for entry in rules if after.numbers.pointing.get(entry.row.id)}
    if trunks or pointed:
        rows = after.numbers.by_id.values()
        touched += [row.number for row in rows if row.trunk in trunks or row.rule in pointed]
    wide = (entry for entry in rules if not is_indexed(entry))
    touched += [pattern for entry in wide for pattern in entry.row.to if after.numbers.rows(pattern)]
    return list(dict.fromkeys(touched))


def _places_touched(after: Tables, rules: list[RuleEntry], numbers: list[str]) -> Iterable[Place]:
    """The places in the rule index where a changed claim can meet another, each once."""
    places: dict[Place, None] = {}
    for entry in rules:
        if is_indexed(entry):
            places.update(dict.fromkeys(places_of(entry)))
    for number in numbers:
        for row in after.numbers.rows(number):
            pointed = after.rules.get(row.rule)
            if pointed is not None and serves_inbound(row):
                places.update(dict.fromkeys(_pointed_places(pointed, number)))
    return places


def _pointed_places(entry: RuleEntry, number: str) -> list[Place]:
    scopes = (EVERY_TRUNK,) if entry.row.trunks is None else entry.row.trunks
    return [(scope, number, from_) for scope in scopes for from_ in entry.row.from_ or (ANY,)]
