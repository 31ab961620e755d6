"""Who contests the same calls: claims, the places they meet at, and which of two came first.

`conflicts.find_clashes` calls this with the tables as they would be. A claim is dated by the youngest row that it
stands on: a number on a trunk by the younger of the two, so that an old number on a trunk that is moved to new
addresses is a newcomer there, and it is the trunk that is to blame. Per place only the oldest claim is the incumbent:
n claims to one thing are n - 1 clashes. Nothing here compares all pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from schemas.tables.entries import (
    ANY_SOURCE,
    EVERY_TRUNK,
    PRIORITY_NONE,
    UNINDEXED,
    Place,
    RuleEntry,
    TrunkEntry,
    networks_of,
    serves_inbound,
)
from schemas.tables.networks import Network, network_text
from schemas.tables.patterns import ANY
from schemas.tables.rows import Kind, NumberRow
from schemas.tables.tables import Tables

Key = tuple[Kind, str]
"""A row by kind and id."""


@dataclass(frozen=True, slots=True)
class Claim:
    """`holder` claims something since a revision; `blamed` is the row to change if it came too late."""

    since: int
    holder: Key
    blamed: Key

    @property
    def order(self) -> tuple[int, str]:
        """The incumbent's is the smallest."""
        return self.since, self.holder[1]


Meeting = tuple[Claim, Claim, str]
"""The newcomer, the incumbent, and where they meet, in words."""

_OWN_NUMBERS = frozenset((Network(0, 0, 1),))
"""The source of calls to the server's own numbers, which come by no trunk."""


@dataclass(frozen=True, slots=True)
class SourceClaim:
    """A claim to calls from some networks, by some callers, at bridges of some regions (none = of all)."""

    claim: Claim
    networks: frozenset[Network]
    callers: tuple[str, ...]
    regions: frozenset[str]


def trunk_claims(tables: Tables) -> list[SourceClaim]:
    """What trunks claim that serve any called number."""
    return [
        _source_claim(entry, Claim(entry.row.claimed_since, (Kind.TRUNK, entry.row.id), (Kind.TRUNK, entry.row.id)))
        for entry in tables.trunks.values()
        if entry.inbound and not entry.called_declared_only
    ]


def number_claims(tables: Tables, number: str) -> list[SourceClaim]:
    """What PhoneNumbers with this number claim, each where its trunk lets calls in."""
    claims = []
    for row in tables.numbers.rows(number):
        trunk = tables.trunks.get(row.trunk)
        if not serves_inbound(row):
            continue
        if trunk is not None:
            claims.append(_source_claim(trunk, _dated(row, trunk.row.claimed_since, (Kind.TRUNK, row.trunk))))
        elif not row.trunk:
            own = _dated(row, 0, (Kind.TRUNK, ""))
            claims.append(SourceClaim(own, _OWN_NUMBERS, (ANY,), frozenset()))
    return claims


def _source_claim(entry: TrunkEntry, claim: Claim) -> SourceClaim:
    callers = entry.row.inbound.allowed_numbers if entry.row.inbound else ()
    return SourceClaim(claim, networks_of(entry), callers or (ANY,), entry.regions)


def _dated(row: NumberRow, other_since: int, other: Key) -> Claim:
    """The claim of a number that also stands on another row: a trunk, or the rule it points at."""
    number = (Kind.NUMBER, row.id)
    return Claim(max(row.claimed_since, other_since), number, other if other_since > row.claimed_since else number)


Spot = tuple[str, str, Network]
"""Where source claims meet: caller pattern, region and network."""


def overlapping(claims: Sequence[SourceClaim], called: str) -> Iterator[Meeting]:
    """Each claim that meets an older one on a network, a caller and a region, with the oldest such.

    From old to young, each claim first looks for older ones and is then put down: under its own networks, for those
    inside it to find, and under every network in use that holds one of its own.
    """
    if len(claims) < 2:
        return
    lengths = {(network.version, network.length) for source in claims for network in source.networks}
    regions = {region for source in claims for region in source.regions}
    exact: dict[Spot, Claim] = {}
    within: dict[Spot, Claim] = {}
    for source in sorted(claims, key=lambda source: source.claim.order):
        oldest: Claim | None = None
        where: Spot | None = None
        for spot in product(dict.fromkeys(source.callers), source.regions or (*regions, ""), source.networks):
            holding = [(*spot[:2], wide) for wide in _holding(spot[2], lengths)]
            for old in (within.get(spot), *map(exact.get, holding)):
                if old is not None and (oldest is None or old.order < oldest.order) and old is not source.claim:
                    oldest, where = old, spot
            exact.setdefault(spot, source.claim)
            for wide in holding:
                within.setdefault(wide, source.claim)
        if oldest is not None and where is not None:
            yield source.claim, oldest, _source_words(called, where)


def _holding(network: Network, lengths: Iterable[tuple[int, int]]) -> list[Network]:
    """The network itself and the wider ones that hold it, as far as such lengths are in use."""
    return [
        Network(version, length, network.prefix >> (network.length - length))
        for version, length in lengths
        if version == network.version and length <= network.length
    ]


def _source_words(called: str, spot: Spot) -> str:
    caller, region, network = spot
    if network == ANY_SOURCE:
        source = "by password"
    else:
        source = "to the server's own number" if network.version == 0 else f"from {network_text(network)}"
    words = f"calls to {called or 'any number'} {source}, caller {caller or 'any'}"
    return f"{words}, region {region}" if region else words


def meetings_at(tables: Tables, place: Place) -> Iterator[Meeting]:
    """The rules that claim one place with one priority and one PIN: each younger one with the oldest."""
    claims = list(_claims_at(tables, place))
    if len(claims) < 2:
        return
    groups: dict[tuple[int, str], dict[str, Claim]] = {}
    for entry, claim in claims:
        group = groups.setdefault((entry.priority, _pin_key(entry)), {})
        known = group.get(entry.row.id)
        if known is None or claim.order < known.order:
            group[entry.row.id] = claim
    for (priority, pin), group in groups.items():
        if len(group) > 1:
            oldest, *younger = sorted(group.values(), key=lambda claim: claim.order)
            words = _place_words(place, pin, priority)
            yield from ((claim, oldest, words) for claim in younger)


def _claims_at(tables: Tables, place: Place) -> Iterator[tuple[RuleEntry, Claim]]:
    scope, to, from_ = place
    index = tables.rule_index.places
    for key in (place, (scope, to, UNINDEXED), (UNINDEXED, to, from_), (UNINDEXED, to, UNINDEXED)):
        for entry in index.get(key) or ():
            if _spans(entry, scope, from_):
                yield entry, _rule_claim(entry)
    for row in tables.numbers.rows(to):
        pointed = tables.rules.get(row.rule)
        if pointed is not None and serves_inbound(row) and _spans(pointed, scope, from_):
            rule = (Kind.RULE, row.rule)
            dated = _dated(row, pointed.row.claimed_since, rule)
            yield pointed, Claim(dated.since, rule, dated.blamed)


def _rule_claim(entry: RuleEntry) -> Claim:
    rule = (Kind.RULE, entry.row.id)
    return Claim(entry.row.claimed_since, rule, rule)


def _spans(entry: RuleEntry, scope: str, from_: str) -> bool:
    """Whether a rule stands at this trunk and `from` pattern."""
    in_scope = scope == EVERY_TRUNK if entry.trunks is None else scope in entry.trunks
    return in_scope and from_ in (entry.row.from_ or (ANY,))


def meetings_of_unindexed(tables: Tables, entry: RuleEntry) -> Iterator[Meeting]:
    """The same for a rule with too many places to visit: it is held against every other rule's lists."""
    mine = _rule_claim(entry)
    for other in tables.rules.values():
        place = _shared_place(entry, other) if other is not entry else None
        if place is not None:
            older, younger = sorted((mine, _rule_claim(other)), key=lambda claim: claim.order)
            yield younger, older, _place_words(place, _pin_key(entry), entry.priority)


def _shared_place(a: RuleEntry, b: RuleEntry) -> Place | None:
    if (a.priority, _pin_key(a)) != (b.priority, _pin_key(b)) or (a.trunks is None) != (b.trunks is None):
        return None
    scopes = {EVERY_TRUNK} if a.trunks is None or b.trunks is None else a.trunks & b.trunks
    to = ({ANY} if a.to.any else set(a.row.to)) & ({ANY} if b.to.any else set(b.row.to))
    from_ = set(a.row.from_ or (ANY,)) & set(b.row.from_ or (ANY,))
    return (min(scopes), min(to), min(from_)) if scopes and to and from_ else None


def _pin_key(entry: RuleEntry) -> str:
    return entry.row.pin.key if entry.row.pin else ""


def _place_words(place: Place, pin: str, priority: int) -> str:
    trunk, to, from_ = place
    words = f"calls to {to or 'any number'} on {f'Trunk {trunk}' if trunk else 'every trunk'}, caller {from_ or 'any'}"
    words += f", PIN {pin}" if pin else ""
    return words if priority == PRIORITY_NONE else f"{words}, priority {priority}"
