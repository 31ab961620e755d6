"""Filters against noise, made on a thread of their own: FFmpeg takes a while to be loaded, and 8 ms for each filter.

A call goes on without one until its own is there, some hundredths of a second, and for good where there can be none:
then the log says so, once for each reason, and `bridge doctor` does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from schemas.tables.tables import Tables

if TYPE_CHECKING:
    from runtime.media.noise import NoiseFilter

WEIGHTS = Path(__file__).resolve().parents[1] / "media" / "rnnoise" / "weights.rnnn"
PAUSE_S = 0.02
"""Between two filters: making one keeps the interpreter for less than a tick, and the tick comes first."""

Take = Callable[["NoiseFilter"], None]


class NoiseFilters:
    """One bridge's. `hand_over(call)` has the event loop call something; `log(words)` is called there."""

    def __init__(
        self,
        hand_over: Callable[[Callable[[], None]], object],
        log: Callable[[str], None],
        weights: Path = WEIGHTS,
    ) -> None:
        self._hand_over = hand_over
        self._log = log
        self._weights = weights
        self._work: SimpleQueue[tuple[int, Take] | None] = SimpleQueue()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self.fault = ""
        """Why there can be none; "" where there can, or nobody has asked yet."""

    def order(self, rate_hz: int, take: Take) -> None:
        """Have a filter made; `take` is called with it on the event loop, if it can be had."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="noise", daemon=True)
            self._thread.start()
        self._work.put((rate_hz, take))

    def prepare(self) -> None:
        """Somebody may be about to order one: find out whether it can be had."""
        if self._thread is None:
            self.order(_USUAL_HZ, _keep_none)

    def failed(self, words: str) -> None:
        """One cannot be had, or broke. On the event loop."""
        if words != self.fault:
            self.fault = words
            self._log(f"noise cancellation cannot be had, calls go on without: {words}")

    def stop(self) -> None:
        """Make no more."""
        self._stopped = True
        self._work.put(None)

    def _run(self) -> None:
        while (ordered := self._work.get()) is not None:
            rate_hz, take = ordered
            try:
                from runtime.media.noise import NoiseFilter  # FFmpeg is heavy: only who uses it loads it

                made = NoiseFilter(str(self._weights), rate_hz)
            except Exception as fault:  # whatever is wrong with an FFmpeg that others have built
                self._tell(partial(self.failed, str(fault)))
            else:
                self._tell(partial(take, made))
            time.sleep(PAUSE_S)

    def _tell(self, call: Callable[[], None]) -> None:
        if not self._stopped:
            self._hand_over(call)


def wants_filters(tables: Tables) -> bool:
    """Whether a trunk or a rule asks for them."""
    inbound = (entry.row.inbound for entry in tables.trunks.values())
    rules = (entry.row for entry in tables.rules.values())
    return any(half is not None and half.noise_cancellation for half in inbound) or any(
        row.noise_cancellation for row in rules
    )


_USUAL_HZ = 8_000


def _keep_none(_filter: NoiseFilter) -> None:
    """It was only a trial."""
