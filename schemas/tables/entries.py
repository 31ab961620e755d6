"""Rows compiled for matching: what the predicates read, worked out once per revision instead of once per call.

`Tables` makes and keeps them; `predicates` and `lookup` read them. An entry holds its row, so that a decision can
hand out the row itself. Entries also know their place among equals: `order` is static, smaller first.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from schemas.tables.networks import Network, NetworkSet, compile_networks
from schemas.tables.patterns import ANY, NumberSet, compile_numbers
from schemas.tables.rows import Direction, NumberRow, RoomKind, RuleRow, TrunkRow

PRIORITY_NONE = 1 << 62
"""Sorts a rule without `priority` behind all that have one."""

ANY_SOURCE = Network(0, 0, 0)
"""Where the index keeps trunks that name no network and let a caller in by password."""

EVERY_TRUNK = ""
"""The scope of a rule that names no trunk."""

UNINDEXED = "\n"
"""Stands in a `Place` for a dimension that the index leaves to the predicates."""

PLACES_MAX = 4096
"""A rule with more combinations of trunk, `to` and `from` than this is indexed by fewer dimensions."""

_KIND_NUMBER = {RoomKind.DIRECT: 0, RoomKind.INDIVIDUAL: 1, RoomKind.CALLEE: 2}
_OPEN = 100

Place = tuple[str, str, str]
"""Where the index keeps a rule: trunk id, `to` pattern and `from` pattern."""


@dataclass(frozen=True, slots=True, eq=False)
class TrunkEntry:
    """A trunk that can be matched; `inbound` is False for one that only places calls."""

    row: TrunkRow
    inbound: bool
    sources: NetworkSet
    any_source: bool
    """It names no network, but asks for a password: any address may try."""
    callers: NumberSet
    trusts_identity: bool
    """The caller is who P-Asserted-Identity or Remote-Party-ID says."""
    called_declared_only: bool
    regions: frozenset[str]
    order: tuple[int, str]

    def challenges(self, authenticated_as: str | None) -> bool:
        """Whether the trunk asks for a password of which this verified user name is not yet the proof."""
        inbound = self.row.inbound
        return inbound is not None and inbound.auth is not None and inbound.auth.username != authenticated_as


@dataclass(frozen=True, slots=True, eq=False)
class RuleEntry:
    """A rule that can be matched. `trunks` None = every trunk; `to` leaves out what PhoneNumbers add."""

    row: RuleRow
    trunks: frozenset[str] | None
    to: NumberSet
    from_: NumberSet
    priority: int
    weight: int
    """LiveKit's number without its thousands: pinned before open, then direct, individual, callee."""
    order: tuple[int, int, str]


def compile_trunk(row: TrunkRow) -> TrunkEntry:
    """Compile a trunk. Raises ValueError for a network that is not canonical."""
    inbound = row.inbound
    networks = inbound.networks if inbound else ()
    return TrunkEntry(
        row=row,
        inbound=inbound is not None,
        sources=compile_networks(networks),
        any_source=inbound is not None and not networks and inbound.auth is not None,
        callers=compile_numbers(inbound.allowed_numbers if inbound else ()),
        trusts_identity=inbound is not None and inbound.trust_identity,
        called_declared_only=inbound is not None and inbound.called_declared_only,
        regions=frozenset(row.regions),
        order=(row.claimed_since, row.id),
    )


def compile_rule(row: RuleRow, *, pointed_at: bool) -> RuleEntry:
    """Compile a rule. When any PhoneNumber points at it, an empty `to` means those numbers and no longer all."""
    priority = PRIORITY_NONE if row.priority is None else row.priority
    weight = _KIND_NUMBER[row.kind] + (0 if row.pin else _OPEN)
    return RuleEntry(
        row=row,
        trunks=None if row.trunks is None else frozenset(row.trunks),
        to=compile_numbers(row.to, empty_is_any=not pointed_at),
        from_=compile_numbers(row.from_),
        priority=priority,
        weight=weight,
        order=(priority, weight, row.id),
    )


def networks_of(entry: TrunkEntry) -> frozenset[Network]:
    """Under which networks the source index keeps a trunk."""
    return frozenset((ANY_SOURCE,)) if entry.any_source else entry.sources.networks


def places_of(entry: RuleEntry) -> list[Place]:
    """Where the rule index keeps a rule; each place is listed once."""
    return list(product(*_dimensions(entry)))


def is_indexed(entry: RuleEntry) -> bool:
    """Whether the rule stands at every place that its row spells out, and not at fewer with `UNINDEXED` in them."""
    scopes, _, from_ = _dimensions(entry)
    return UNINDEXED not in (scopes[:1] + from_[:1])


def _dimensions(entry: RuleEntry) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    row = entry.row
    scopes = (EVERY_TRUNK,) if row.trunks is None else tuple(dict.fromkeys(row.trunks))
    to = (ANY,) if entry.to.any else tuple(dict.fromkeys(row.to))
    from_ = tuple(dict.fromkeys(row.from_)) or (ANY,)
    if len(scopes) * len(to) * len(from_) > PLACES_MAX and len(from_) > 1:
        from_ = (UNINDEXED,)
    if len(scopes) * len(to) * len(from_) > PLACES_MAX and len(to) > 1:
        scopes = (UNINDEXED,)
    return scopes, to, from_


def serves_inbound(row: NumberRow) -> bool:
    """Whether a PhoneNumber takes calls."""
    return row.direction is not Direction.OUTBOUND


def number_order(row: NumberRow) -> tuple[int, str]:
    """The incumbent of PhoneNumbers with one number comes first."""
    return row.claimed_since, row.id
