"""Follows the live tables: a thread hears from the store and hands each new revision to the event loop.

The thread builds the new `Tables` itself, so that a reload of thousands of rows delays no media tick. It acknowledges
each revision once it has handed it over, and again every few seconds as a sign of life. When the store cannot be read
the bridge goes on with the last good tables, says so once, and tries again.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable

from schemas.stores.door import Reader, StoreError
from schemas.tables.tables import Tables

POLL_S = 0.010
"""How often the store is looked at while somebody may be writing to it."""
POLL_FOR_S = 0.25
"""For so long from when somebody began: what is written is visible only once the disk has it."""
IDLE_POLL_S = 0.2
"""How often it is looked at otherwise. Every 10 ms at all times was 2.6 % of a core: what costs is to wake a thread."""
HEARTBEAT_S = 3.0
RETRY_S = 1.0


class TablesReader:
    """One reading thread. `on_tables(tables, revision)`, `on_fault(words)` and `on_turn()` are called on that thread.

    `on_turn` is called at every poll, for what else must be read beside the event loop.
    """

    def __init__(
        self,
        open_store: Callable[[], Reader],
        on_tables: Callable[[Tables, int], object],
        on_fault: Callable[[str], object],
        bridge: str,
        region: str,
        on_turn: Callable[[], object],
    ) -> None:
        self._open_store = open_store
        self._on_tables = on_tables
        self._on_fault = on_fault
        self._bridge = bridge
        self._region = region
        self._on_turn = on_turn
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tables-reader", daemon=True)
        self._tables = Tables()
        self._revision = -1
        self._faulty = False
        self._beat_at = 0.0

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; returns when it is gone."""
        self._stopping.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                store = self._open_store()
                try:
                    self._follow(store)
                finally:
                    store.close()
            except Exception as fault:
                if not self._faulty:
                    self._faulty = True
                    self._on_fault(self._told(fault))
                self._stopping.wait(RETRY_S)
                self._on_turn()

    def _told(self, fault: Exception) -> str:
        what = str(fault) if isinstance(fault, StoreError) else f"{type(fault).__name__}: {fault}"
        meanwhile = f"calls go on with revision {self._revision}" if self._revision > 0 else "every call is refused"
        return f"the tables cannot be read, {meanwhile}: {what}"

    def _follow(self, store: Reader) -> None:
        seen: int | None = None
        writing_until = 0.0
        while not self._stopping.is_set():
            version = store.data_version()
            if version != seen:
                self._take(store)
                seen = version
                self._faulty = False
            now = time.monotonic()
            if now >= self._beat_at and self._revision >= 0 and self._acknowledge(store):
                self._beat_at = now + HEARTBEAT_S
                store.wait(0)  # that was ours
            if now < writing_until:
                self._stopping.wait(POLL_S)
            elif store.wait(IDLE_POLL_S):
                writing_until = time.monotonic() + POLL_FOR_S
            self._on_turn()

    def _take(self, store: Reader) -> None:
        changes = store.changes(self._revision) if self._revision >= 0 else None
        if changes == []:  # another bridge's heartbeat
            return
        if changes is None:
            snapshot = store.load(origins=False)
            if snapshot.revision == 0 and self._revision > 0:
                return  # the tables were removed, not emptied: the last good ones stay until something is published
            tables, revision = Tables.build(snapshot.rows), snapshot.revision
            # A full collection over a million new values stops every thread, the media clock's too.
            gc.freeze()
        else:
            tables, revision = self._tables, self._revision
            for revision, delta in changes:  # noqa: B007 - the last one's number is wanted
                tables = tables.applied(delta)
        self._tables, self._revision = tables, revision
        self._on_tables(tables, revision)
        self._beat_at = 0.0

    def _acknowledge(self, store: Reader) -> bool:
        return store.acknowledge(self._bridge, self._region, self._revision, time.time())
