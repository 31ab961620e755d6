"""Follows the live tables: a thread hears from the store and hands each new revision to the event loop.

The thread builds the new `Tables` itself, so that a reload of thousands of rows delays no media tick. It acknowledges
each revision once the event loop answers by it, and again every few seconds as a sign of life. When the store cannot be
read, or has lost what it held, the bridge goes on with the last good tables, says so once, and tries again; where they
are kept on the disk it begins with them.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable

from runtime.workers.kept_tables import KeptTables, KeptTablesError
from runtime.workers.setbacks import Setbacks
from schemas.stores import Head, Reader, StoreError
from schemas.tables.rows import Delta, Rows
from schemas.tables.tables import Tables

POLL_S = 0.010
"""How often the store is looked at while somebody may be writing to it."""
IDLE_POLL_S = 0.2
"""How often it is looked at otherwise. Every 10 ms at all times was 2.6 % of a core: what costs is to wake a thread."""
HEARTBEAT_S = 3.0
RETRY_S = 1.0


class TablesReader:
    """One reading thread. `on_tables(tables, revision)`, `say(words)` and `on_turn()` are called on that thread.

    `on_tables` returns when calls are answered by them. `on_turn` is called at every poll, for what else must be read
    beside the event loop. `kept` are the last good tables on the disk.
    """

    def __init__(
        self,
        open_store: Callable[[], Reader],
        on_tables: Callable[[Tables, int], object],
        say: Callable[[str], object],
        bridge: str,
        region: str,
        on_turn: Callable[[], object],
        kept: KeptTables | None = None,
    ) -> None:
        self._open_store = open_store
        self._on_tables = on_tables
        self._say = say
        self._bridge = bridge
        self._region = region
        self._on_turn = on_turn
        self._kept = kept
        self._setbacks = Setbacks()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tables-reader", daemon=True)
        self._tables = Tables()
        self._head: Head | None = None
        self._trouble = ""
        self._beat_at = 0.0
        self.acknowledged_at = 0.0
        """When the store last took our sign of life, in Unix seconds; 0 = never."""

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; returns when it is gone."""
        self._stopping.set()
        self._thread.join(timeout=5)

    @property
    def is_in_trouble(self) -> bool:
        """Whether the tables cannot be read now, or were lost; calls go on with the last good ones."""
        return bool(self._trouble)

    @property
    def _revision(self) -> int:
        return self._head.revision if self._head is not None else 0

    def _run(self) -> None:
        self._begin_with_kept()
        while not self._stopping.is_set():
            try:
                store = self._open_store()
                try:
                    self._follow(store)
                finally:
                    store.close()
            except Exception as fault:
                what = str(fault) if isinstance(fault, StoreError) else f"{type(fault).__name__}: {fault}"
                self._tell_trouble("the tables cannot be read", what)
                self._stopping.wait(RETRY_S)
                self._on_turn()

    def _begin_with_kept(self) -> None:
        try:
            found = self._kept.read() if self._kept is not None else None
        except KeptTablesError as fault:
            self._say(f"there are no last good tables to begin with: {fault}")
            return
        if found is not None:
            self._begin_with(*found)

    def _tell_trouble(self, trouble: str, what: str) -> None:
        """Say it once, until it is over or another one."""
        if trouble != self._trouble:
            self._trouble = trouble
            meanwhile = f"calls go on with revision {self._revision}" if self._revision > 0 else "every call is refused"
            self._say(f"{trouble}, {meanwhile}: {what}")

    def _tell_it_is_over(self) -> None:
        if self._trouble:
            self._trouble = ""
            self._say(f"the tables are read again, at revision {self._revision}")

    def _follow(self, store: Reader) -> None:
        seen: int | None = None
        writing_until = 0.0
        while not self._stopping.is_set():
            version = store.data_version()
            if version != seen and self._take(store):
                seen = version
                self._tell_it_is_over()
            now = time.monotonic()
            if now >= self._beat_at and self._head is not None and self._acknowledge(store, self._head):
                self._beat_at = now + HEARTBEAT_S
                store.wait(0)  # that was ours
            if now < writing_until:
                self._stopping.wait(POLL_S)
            elif store.wait(IDLE_POLL_S):
                writing_until = time.monotonic() + store.visible_within_s
            self._on_turn()

    def _take(self, store: Reader) -> bool:
        """Go over to what the store holds; False = the store has lost something, and what was read before stays."""
        changes = store.changes(self._head) if self._head is not None else None
        if changes is not None:
            self._take_changes(changes)
            return True
        if not self._is_followed(store.head()):
            return False
        snapshot = store.load(origins=False)
        if not self._is_followed(snapshot.head):
            return False
        self._begin_with(snapshot.head, snapshot.rows)
        self._keep(None, None)
        return True

    def _begin_with(self, head: Head, rows: Rows) -> None:
        tables = Tables.build(rows)
        # A full collection over a million new values stops every thread, the media clock's too.
        gc.freeze()
        self._hand_over(tables, head)

    def _take_changes(self, changes: list[tuple[Head, Delta]]) -> None:
        if not changes:  # another bridge's heartbeat
            return
        tables, before = self._tables, self._head
        for _, delta in changes:
            tables = tables.applied(delta)
        self._hand_over(tables, changes[-1][0])
        self._keep(before, [delta for _, delta in changes])

    def _is_followed(self, theirs: Head) -> bool:
        why_not = self._setbacks.why_not(self._head, theirs, time.monotonic()) if self._head is not None else ""
        if why_not:
            self._tell_trouble("the tables were lost", why_not)
        return not why_not

    def _hand_over(self, tables: Tables, head: Head) -> None:
        self._tables, self._head = tables, head
        self._setbacks.over()
        self._on_tables(tables, head.revision)
        self._beat_at = 0.0

    def _keep(self, before: Head | None, deltas: list[Delta] | None) -> None:
        if self._kept is not None and self._head is not None and self._head.revision > 0:
            self._kept.keep(self._head, lambda: self._tables.rows, before, deltas)

    def _acknowledge(self, store: Reader, head: Head) -> bool:
        taken = store.acknowledge(self._bridge, self._region, head, now := time.time())
        if taken:
            self.acknowledged_at = now
        return taken
