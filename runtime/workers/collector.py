"""When Python's cycle collector may look at everything: in quiet moments, not in the middle of a flood.

A full collection stops the media clock for as long as there is to look at: with tens of thousands of transactions that
was hundreds of milliseconds. They are made without cycles, so nothing is found there. The young generations are
collected as ever; what outlives them waits for a quiet moment, or for the longest time that it may be put off.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

from runtime.limits import COLLECTION_EVERY_S, COLLECTION_PUT_OFF_S_MAX, COLLECTION_TRANSACTIONS_MAX

YOUNG_OBJECTS = 2_000
YOUNG_ROUNDS = 10
OLD_ROUNDS_NEVER = 1_000_000_000
"""CPython would look at everything after so many rounds of the middle generation: we say when."""


class Collector:
    """The rota of full collections; `now` is monotonic seconds."""

    def __init__(self, collect: Callable[[], object] = gc.collect) -> None:
        self._collect = collect
        self._collected_at = 0.0

    def start(self, now: float) -> None:
        """What is there when the bridge starts stays: modules, classes, tables. It is never looked at again."""
        self._collected_at = now
        self._collect()
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS, YOUNG_ROUNDS, OLD_ROUNDS_NEVER)

    def look(self, transactions: int, now: float) -> None:
        """Collect, if it is time and the moment is quiet."""
        since_s = now - self._collected_at
        if since_s < COLLECTION_EVERY_S:
            return
        if transactions <= COLLECTION_TRANSACTIONS_MAX or since_s >= COLLECTION_PUT_OFF_S_MAX:
            self._collected_at = now
            self._collect()
