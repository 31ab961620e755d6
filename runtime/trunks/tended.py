"""Which trunks of the live tables have something done for them between calls, and what."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.routing.dial import Destination
from runtime.routing.place import destinations_of
from schemas.tables.rows import Auth, TrunkRow
from schemas.tables.tables import Tables

TENDED_MAX = 2_000
"""Trunks that one bridge tends to; those beyond, by name, are not."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a registration is made of: another one is another registration. `expires_s`: as long as is asked for."""

    trunk: str
    destinations: tuple[Destination, ...]
    auth: Auth
    domain: str
    """The host of the address that is registered; "" = that of the destination."""
    expires_s: int
    identity: str = ""
    """The trunk whose client certificate TLS shows there; "" = none."""


@dataclass(frozen=True, slots=True)
class Probed:
    """A trunk whose addresses are asked whether they live, every so many seconds."""

    trunk: str
    destinations: tuple[Destination, ...]
    every_s: float
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Tended:
    """All of one tables revision. `left_out`: trunks that would be tended to, and are too many."""

    accounts: tuple[Account, ...] = ()
    probed: tuple[Probed, ...] = ()
    left_out: int = 0


def tended(tables: Tables, region: str) -> Tended:
    """What a bridge of this region tends to. One pass over all trunks, so not for the event loop's thread."""
    rows = sorted((entry.row for entry in tables.trunks.values() if _is_tended(entry.row, region)), key=lambda r: r.id)
    kept = rows[:TENDED_MAX]
    accounts = tuple(account for row in kept if (account := _account(row)) is not None)
    probed = tuple(
        Probed(row.id, destinations_of(row.outbound), row.outbound.probe_every_ms / 1000, _identity(row))
        for row in kept
        if row.outbound is not None and row.outbound.probe_every_ms is not None
    )
    return Tended(accounts, probed, len(rows) - len(kept))


def _is_tended(row: TrunkRow, region: str) -> bool:
    outbound = row.outbound
    if outbound is None or not row.serves(region):
        return False
    return outbound.register_expires_ms is not None or outbound.probe_every_ms is not None


def _account(row: TrunkRow) -> Account | None:
    outbound = row.outbound
    assert outbound is not None, "only trunks with outbound are tended to"
    if outbound.register_expires_ms is None or outbound.auth is None:
        return None
    expires_s = outbound.register_expires_ms // 1000
    return Account(row.id, destinations_of(outbound), outbound.auth, outbound.from_host, expires_s, _identity(row))


def _identity(row: TrunkRow) -> str:
    return row.id if row.outbound is not None and row.outbound.tls is not None else ""
