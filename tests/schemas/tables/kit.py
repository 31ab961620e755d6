"""Short ways to make rows, tables and calls for the tests of the tables."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.tables.decisions import CallFacts
from schemas.tables.rows import (
    Auth,
    Delta,
    Direction,
    Inbound,
    NumberRow,
    Outbound,
    RoomKind,
    Row,
    RuleRow,
    Secret,
    TrunkRow,
)
from schemas.tables.tables import Tables

N1 = "+11111111111"
N2 = "+12222222222"
N3 = "+13333333333"
SOURCE = "1.1.1.1"


def trunk(
    name: str,
    networks: Iterable[str] = ("1.1.1.0/24",),
    *,
    callers: Iterable[str] = (),
    declared: bool = False,
    auth: str = "",
    regions: Iterable[str] = (),
    since: int = 0,
) -> TrunkRow:
    inbound = Inbound(
        networks=tuple(networks),
        allowed_numbers=tuple(callers),
        called_declared_only=declared,
        auth=Auth(auth, Secret("env:TRUNK")) if auth else None,
    )
    return TrunkRow(f"default/{name}", inbound, regions=tuple(regions), claimed_since=since)


def outbound_trunk(name: str) -> TrunkRow:
    return TrunkRow(f"default/{name}", outbound=Outbound(("pstn.example.com",)))


def number(
    name: str, digits: str, *, trunk: str = "", rule: str = "", direction: Direction = Direction.BOTH, since: int = 0
) -> NumberRow:
    return NumberRow(
        f"default/{name}",
        digits,
        f"default/{trunk}" if trunk else "",
        f"default/{rule}" if rule else "",
        direction,
        since,
    )


def rule(
    name: str,
    kind: RoomKind = RoomKind.DIRECT,
    *,
    trunks: Iterable[str] | None = None,
    to: Iterable[str] = (),
    from_: Iterable[str] = (),
    priority: int | None = None,
    pin: str = "",
    since: int = 0,
    room: str = "",
    randomize: bool = False,
    hide: bool = False,
) -> RuleRow:
    return RuleRow(
        f"default/{name}",
        kind,
        room or name,
        randomize=randomize,
        trunks=None if trunks is None else tuple(f"default/{t}" for t in trunks),
        to=tuple(to),
        from_=tuple(from_),
        priority=priority,
        pin=Secret(f"env:PIN_{pin}") if pin else None,
        hide_phone_number=hide,
        claimed_since=since,
    )


def tables_of(*rows: Row) -> Tables:
    return Tables().applied(Delta(put=rows))


def call(
    called: str = N2,
    caller: str = N1,
    source: str = SOURCE,
    *,
    pin: str | None = None,
    region: str = "",
    user: str | None = None,
) -> CallFacts:
    return CallFacts(source, called, caller, pin=pin, region=region, authenticated_as=user)


def opens_pin(row: RuleRow, pin: str) -> bool:
    """The PIN of `rule(..., pin="123")` is 123."""
    return row.pin is not None and row.pin.key == f"env:PIN_{pin}"
