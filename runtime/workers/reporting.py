"""What one bridge tells by its API: its calls, whether it is there, and what is wrong with it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

from runtime.api.status import BridgeStatus, as_json
from runtime.calls.call import Call
from runtime.calls.record import CallRecord
from runtime.limits import RECENT_RECORDS_MAX
from runtime.media import native
from runtime.rooms.adapter import Rooms
from runtime.settings import BridgeSettings
from runtime.trunks.sound import PACKETS_MIN, CallSound, TrunkSounds
from runtime.workers.checkup import rooms_fault, trunk_statuses, unverifiable_trunks
from runtime.workers.worker import Worker


class Reporting:
    """One per bridge. Records are those of `CallRecord.as_json`."""

    def __init__(self, settings: BridgeSettings, worker: Worker, rooms: Rooms, version: str) -> None:
        self._settings = settings
        self._worker = worker
        self._rooms = rooms
        self._version = version
        self._recent: deque[dict[str, Any]] = deque(maxlen=RECENT_RECORDS_MAX)
        self._reasons: Counter[str] = Counter()
        self._sounds = TrunkSounds()

    def remember(self, records: Iterable[dict[str, Any]]) -> None:
        """Calls of before this bridge began."""
        self._recent.extend(records)

    def ended(self, record: CallRecord) -> dict[str, Any]:
        """A call has ended; its record as it is told."""
        told = record.as_json()
        self._recent.append(told)
        self._reasons[record.reason] += 1
        if record.trunk and record.mos is not None and record.packets_received >= PACKETS_MIN:
            lost = record.packets_lost / max(1, record.packets_received + record.packets_lost)
            call = CallSound(record.mos, record.mos_remote, lost, record.jitter_ms, record.rtt_ms)
            self._sounds.note(record.trunk, call)
        return told

    def calls(self) -> dict[str, Any]:
        """The calls that are up, those that were, and what was counted."""
        switchboard, connections = self._worker.switchboard, self._worker.sip.connections
        live = [
            {**self._measured(call).as_json(), "state": call.state.value, "hold": call.hold}
            for call in switchboard.live_calls()
        ]
        return {
            "formatVersion": 1,
            "revision": switchboard.revision,
            "live": live,
            "recent": list(self._recent),
            "admitted": switchboard.reception.admitted,
            "refused": switchboard.reception.refused,
            "challenged": switchboard.reception.challenged,
            "reasons": dict(self._reasons),
            "datagrams": self._worker.datagrams,
            "dropped": dict(self._worker.dropped),
            "refusedFull": self._worker.endpoint.counts.refused_full,
            "connections": {"open": len(connections), "ended": dict(connections.ended)},
            "ticksLost": self._worker.clock.ticks_lost,
        }

    def _measured(self, call: Call) -> CallRecord:
        """A live call's record with what its media have counted so far."""
        leg = self._worker.legs.get(call.id)
        session = leg.session if leg is not None else None
        return call.record if session is None else call.record.measured(session.stats)

    def health(self) -> dict[str, Any]:
        """Whether it takes calls."""
        switchboard = self._worker.switchboard
        status = "stopping" if switchboard.stopping else "ok" if switchboard.revision > 0 else "no-tables"
        return {"status": status, "calls": len(switchboard.live_calls()), "revision": switchboard.revision}

    async def status(self) -> dict[str, Any]:
        """All of it, looked at now, and what of it is wrong."""
        worker, settings = self._worker, self._settings
        tables, circuits = worker.switchboard.tables, worker.switchboard.circuits
        (trunks, left_out), unverifiable, fault = await asyncio.gather(
            trunk_statuses(tables, settings.region, worker.keeper, circuits, worker.hops),
            unverifiable_trunks(tables, settings.region, settings.stir),
            rooms_fault(self._rooms),
        )
        health = self.health()
        return as_json(
            BridgeStatus(
                version=self._version,
                state=health["status"],
                revision=health["revision"],
                region=settings.region,
                listeners=tuple(str(listen) for listen in worker.sip.listening),
                calls=health["calls"],
                trunks=trunks,
                trunks_left_out=left_out,
                unverifiable=unverifiable,
                sound=self._sounds.all(),
                livekit=settings.livekit.url if settings.livekit is not None else None,
                livekit_fault=fault,
                media_core=native.state,
                noise_fault=worker.noise.fault if worker.noise is not None else "",
            )
        )
