"""The listener for probes and scrapers of one bridge (`--metrics`), and what it looks at when it is asked."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from runtime.api.metrics import BridgeMetrics, Look
from runtime.calls.record import CallRecord
from runtime.errors import BridgeError
from runtime.settings import METRICS_EXAMPLE
from runtime.trunks import circuits, registration
from runtime.workers.reporting import Reporting
from runtime.workers.tables_reader import TablesReader
from runtime.workers.worker import Worker
from schemas.monitor import Monitor

_WORDS = {"no-tables": "there are no tables yet: every call is refused", "stopping": "it is stopping: no new calls"}


class Monitoring:
    """One per bridge that wants it. `reader` gives what follows the tables, None before it is there."""

    def __init__(
        self, worker: Worker, reporting: Reporting, reader: Callable[[], TablesReader | None], version: str
    ) -> None:
        self._worker = worker
        self._reporting = reporting
        self._reader = reader
        self._metrics = BridgeMetrics(version, self._look)
        # That it answers is what being alive means: probes, scrapes and media share one event loop.
        self._monitor = Monitor(lambda: "", self._not_ready, self._metrics.exposition)
        self._taken = (0, 0.0)

    async def start(self, host: str, port: int) -> str:
        """Listen; the URL at which it does. BridgeError when it cannot."""
        try:
            host, port = await self._monitor.start(host, port)
        except OSError as fault:
            hint = f"choose another: --metrics {METRICS_EXAMPLE}"
            raise BridgeError(f"--metrics cannot listen on {host}:{port}: {fault.strerror}", hint) from fault
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    async def stop(self) -> None:
        """Close it."""
        await self._monitor.stop()

    def ended(self, record: CallRecord) -> None:
        """A call is over."""
        self._metrics.ended(record)

    def taken(self, revision: int) -> None:
        """Calls are answered by these tables from now on."""
        if revision != self._taken[0]:
            self._taken = (revision, time.time())

    def _not_ready(self) -> str:
        status = self._reporting.health()["status"]
        return "" if status == "ok" else _WORDS[status]

    def _look(self) -> Look:
        worker, switchboard, reader = self._worker, self._worker.switchboard, self._reader()
        revision, taken_at = self._taken
        return Look(
            ready=not self._not_ready(),
            live={"inbound": 0, "outbound": 0, **Counter(c.record.direction for c in switchboard.live_calls())},
            admitted=switchboard.reception.admitted,
            refused=switchboard.reception.refused,
            challenged=switchboard.reception.challenged,
            datagrams=worker.datagrams,
            connections=len(worker.sip.connections),
            ticks_lost=worker.clock.ticks_lost,
            circuits=_all_of(circuits.State, switchboard.circuits.by_state()),
            registrations=_all_of(registration.State, worker.keeper.by_state()),
            revision=revision,
            taken_at=taken_at,
            acknowledged_at=reader.acknowledged_at if reader is not None else 0.0,
            store_faults=int(reader is not None and reader.is_in_trouble),
        )


def _all_of(states: type[StrEnum], counted: Mapping[Any, int]) -> dict[str, int]:
    """Every state with its number, 0 where there is none."""
    return {state.value: counted.get(state, 0) for state in states}
