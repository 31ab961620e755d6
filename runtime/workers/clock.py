"""The one clock of all calls: a tick every 20 ms, never one timer per call.

Ticks keep their places on the clock: a late one does not delay the next. When the process was held up, up to
`TICKS_CAUGHT_UP_MAX` ticks are made good at once, so that listeners hear no gap; beyond that the clock starts afresh
and the lost ticks are counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from runtime.limits import TICK_S, TICKS_CAUGHT_UP_MAX


class MediaClock:
    """Calls `tick(now)` on the running loop every `TICK_S` seconds, from `start` until `stop`."""

    def __init__(self, tick: Callable[[float], None]) -> None:
        self._tick = tick
        self._handle: asyncio.TimerHandle | None = None
        self._next = 0.0
        self.ticks_lost = 0
        self.late_s_max = 0.0

    def start(self) -> None:
        """Begin on the running event loop."""
        loop = asyncio.get_running_loop()
        self._next = time.monotonic() + TICK_S
        self._handle = loop.call_at(self._next, self._run)

    def stop(self) -> None:
        """No tick comes after this."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _run(self) -> None:
        loop = asyncio.get_running_loop()
        now = time.monotonic()
        late = now - self._next
        self.late_s_max = max(self.late_s_max, late)
        due = 1 + max(0, int(late / TICK_S))
        if due > TICKS_CAUGHT_UP_MAX:
            self.ticks_lost += due - TICKS_CAUGHT_UP_MAX
            self._next += (due - TICKS_CAUGHT_UP_MAX) * TICK_S
            due = TICKS_CAUGHT_UP_MAX
        self._next += due * TICK_S
        self._handle = loop.call_at(self._next, self._run)
        for _ in range(due):
            self._tick(now)
