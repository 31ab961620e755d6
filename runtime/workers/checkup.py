"""What the bridge says of itself to `bridge doctor`: it looks, within a bounded time, and judges nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from runtime.rooms.adapter import Rooms
from runtime.routing.place import destinations_of
from runtime.settings import StirSettings
from runtime.sip.locating import Hop, hop_of
from runtime.trunks.circuits import Circuits, State
from runtime.trunks.diagnosis import HopStatus, RegistrationStatus, TrunkStatus, UnverifiableTrunk
from runtime.trunks.keeper import Keeper
from runtime.workers.hops import HopFinder
from schemas.tables.rows import TrunkRow
from schemas.tables.tables import Tables

TRUNKS_MAX = 200
"""Trunks that are looked at, by name; of others only their number is told."""

LOOK_UP_S_MAX = 4.0
"""How long names may take, all trunks together."""


async def trunk_statuses(
    tables: Tables, region: str, keeper: Keeper, circuits: Circuits, hops: HopFinder
) -> tuple[tuple[TrunkStatus, ...], int]:
    """The trunks by which a bridge of this region places calls, and how many more there are."""
    rows = await asyncio.to_thread(_placing, tables, region)
    looked_at = rows[:TRUNKS_MAX]
    looks = [asyncio.create_task(_status(row, keeper, circuits, hops)) for row in looked_at]
    if looks:
        await asyncio.wait(looks, timeout=LOOK_UP_S_MAX)
    statuses = []
    for row, look in zip(looked_at, looks, strict=True):
        if look.done():
            statuses.append(look.result())
        else:
            look.cancel()
            statuses.append(_made(row, keeper, (), (), looked_up=False))
    return tuple(statuses), len(rows) - len(looked_at)


async def unverifiable_trunks(tables: Tables, region: str, stir: StirSettings) -> tuple[UnverifiableTrunk, ...]:
    """The trunks that verify callers, where this bridge has nobody to trust for it."""
    return await asyncio.to_thread(_verifying, tables, region) if stir.authorities is None else ()


async def rooms_fault(rooms: Rooms) -> str:
    """Why there can be no rooms now; "" where there can."""
    try:
        async with asyncio.timeout(LOOK_UP_S_MAX):
            return await rooms.check()
    except TimeoutError:
        return f"there was no answer within {LOOK_UP_S_MAX:.0f} s"


def _placing(tables: Tables, region: str) -> list[TrunkRow]:
    return [row for row in _serving(tables, region) if row.outbound is not None]


def _verifying(tables: Tables, region: str) -> tuple[UnverifiableTrunk, ...]:
    return tuple(
        UnverifiableTrunk(row.id, row.inbound.identity.verify)
        for row in _serving(tables, region)
        if row.inbound is not None and row.inbound.identity is not None
    )


def _serving(tables: Tables, region: str) -> list[TrunkRow]:
    """The trunks of this region, by name."""
    rows = (entry.row for entry in tables.trunks.values())
    return sorted((row for row in rows if row.serves(region)), key=lambda row: row.id)


async def _status(row: TrunkRow, keeper: Keeper, circuits: Circuits, hops: HopFinder) -> TrunkStatus:
    assert row.outbound is not None, "it places calls"
    found = await hops.find(destinations_of(row.outbound))
    now = time.monotonic()
    known = dict.fromkeys(hop_of(path) for _, path in found.ways)
    return _made(row, keeper, [_hop_status(hop, circuits, now) for hop in known], found.unknown, looked_up=True)


def _made(
    row: TrunkRow, keeper: Keeper, hops: Sequence[HopStatus], unknown: Sequence[str], *, looked_up: bool
) -> TrunkStatus:
    assert row.outbound is not None, "it places calls"
    probed = row.outbound.probe_every_ms is not None
    registration = _registration_status(row.id, keeper, time.monotonic())
    return TrunkStatus(
        row.id, row.outbound.addresses, probed, tuple(hops), tuple(unknown), registration, looked_up=looked_up
    )


def _hop_status(hop: Hop, circuits: Circuits, now: float) -> HopStatus:
    circuit = circuits.of(hop)
    if circuit.state is State.UNKNOWN:
        return HopStatus(str(hop), circuit.state, "", None, None)
    return HopStatus(str(hop), circuit.state, circuit.words, now - circuit.since, now - circuit.at)


def _registration_status(trunk: str, keeper: Keeper, now: float) -> RegistrationStatus | None:
    found = keeper.registration(trunk)
    if found is None:
        return None
    holds_s = max(0.0, found.until - now)
    return RegistrationStatus(found.state, found.words, now - found.since, holds_s, found.failure)
