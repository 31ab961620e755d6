"""The store for many machines, as the door has it: one prefix of keys in one Redis server.

Every publish is acknowledged by the server before it is told; how much of what a server has acknowledged survives its
loss is the server's to say (`appendfsync`, replicas). What a reader has seen and the server has lost shows in the epoch
and in the digests.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Self

from schemas.stores.bounds import REVISIONS_KEPT
from schemas.stores.door import (
    LIVE_WITHIN_S,
    Aim,
    BridgeAck,
    Declared,
    Head,
    HistoryEntry,
    Publish,
    Snapshot,
    Step,
    StoreError,
)
from schemas.stores.puts import encoded
from schemas.stores.redis import past, reading
from schemas.stores.redis.address import RedisAddress
from schemas.stores.redis.errors import FRESH, told_apart
from schemas.stores.redis.layout import (
    ABSENT,
    Keys,
    State,
    aim_of,
    beat_encoded,
    beat_of,
    beside_of,
    field_of,
    good_of,
    state_of,
)
from schemas.stores.redis.publishing import publish
from schemas.stores.redis.wire import Wire
from schemas.tables.rows import Delta, Kind

VERSION_BYTES = 6


class RedisStore:
    """The tables at `address`. Raises StoreError when the server cannot be reached, now and at any later moment.

    Its publishes keep what the last `revisions_kept` revisions have changed.
    """

    def __init__(self, address: RedisAddress, revisions_kept: int = REVISIONS_KEPT) -> None:
        self._keys = Keys(address.prefix)
        self._revisions_kept = revisions_kept
        self._wire = Wire(address)
        self._heard = 0
        self._may_forget: bool | None = None

    def close(self) -> None:
        """Let go of the connection."""
        self._wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What a reader asks.

    def data_version(self) -> int:
        """A number that changes when anything was published."""
        raw = self._wire.do("GET", self._keys.head) or b""
        return int.from_bytes(blake2b(raw, digest_size=VERSION_BYTES).digest(), "big")

    def wait(self, within_s: float) -> bool:
        """Return when a revision was published since this reader last looked, or after so long: whether one was."""
        patience = ("BLOCK", max(1, round(within_s * 1000))) if within_s > 0 else ()
        return bool(self._wire.do("XREAD", "COUNT", 1, *patience, "STREAMS", self._keys.deltas, f"{self._heard}-0"))

    @property
    def visible_within_s(self) -> float:
        """None: a revision is told when it is there."""
        return 0.0

    def head(self) -> Head:
        """The current revision and digest."""
        return self._seen(reading.read_state(self._wire, self._keys)).head

    def load(self, *, origins: bool = True) -> Snapshot:
        """The whole current revision; without origins it is faster and smaller."""
        with told_apart(self._wire.where):
            snapshot = reading.load(self._wire, self._keys, origins=origins)
        self._heard = snapshot.revision
        return snapshot

    def declared(self, kind: Kind, row_id: str) -> Declared | None:
        """Where one row was declared; None = there is no such row."""
        found = reading.one_field(self._wire, self._keys, "beside", field_of((kind, row_id)))
        try:
            return None if found is None else beside_of(found).place
        except ValueError:
            raise self._damaged() from None

    def changes(self, since: Head) -> list[tuple[Head, Delta]] | None:
        """Every revision after `since` with what it changed, oldest first; None = not known (any more), load again."""
        with told_apart(self._wire.where):
            state, found = reading.changes(self._wire, self._keys, since)
        self._seen(state)
        return found

    def acknowledge(self, bridge: str, region: str, head: Head, now: float) -> bool:
        """A bridge's heartbeat."""
        self._wire.do("HSET", self._keys.bridges, bridge, beat_encoded(region, head, now))
        return True

    # What the publisher asks.

    def publish(self, what: Publish) -> int:
        """Change the tables in one step, if their digest still is as expected; the revision they are then at.

        See `door.Store.publish`. Raises Outdated, OwnerClash, StoreError; then nothing has changed, unless the server
        went away at that moment: then the next plan finds out.
        """
        puts = encoded(what.delta)
        self._check_memory()
        try:
            with told_apart(self._wire.where):
                return publish(self._wire, self._keys, what, puts, self._revisions_kept)
        except ValueError:
            raise self._damaged() from None

    def goods(self, owner: str) -> dict[str, bytes]:
        """The owner's last good documents, as they were published."""

        def read(state: State) -> dict[str, bytes]:
            over = reading.layered(self._wire, self._keys, state, "goods") if state.layer_owner == owner else {}
            found = dict(reading.scanned(self._wire, self._keys.goods(owner))) | over
            return {name.decode(): good_of(data) for name, data in found.items() if data != ABSENT}

        return reading.steadily(self._wire, self._keys, read)

    def bridges(self, now: float, live_within_s: float = LIVE_WITHIN_S) -> list[BridgeAck]:
        """The bridges with a heartbeat within that time, by name."""
        raw, found = self._wire.in_a_row([("GET", self._keys.head), ("HGETALL", self._keys.bridges)])
        state = state_of(self._wire.where, raw)
        beats = [beat for name, data in sorted(found.items()) if (beat := beat_of(name, data)) is not None]
        live = [(ack, head) for ack, head in beats if abs(now - ack.seen) <= live_within_s]
        known = past.digests(self._wire, self._keys, {head.revision for _, head in live}) if live else {}
        return [
            ack
            if head.epoch == state.epoch and known.get(head.revision) == head.digest
            else BridgeAck(ack.name, ack.region, 0, ack.seen)
            for ack, head in live
        ]

    def history(self, limit: int = 20) -> list[HistoryEntry]:
        """The newest publishes, newest first."""
        return reading.steadily(
            self._wire, self._keys, lambda state: past.history(self._wire, self._keys, state, limit)
        )

    def steps_back(self, to: int) -> list[Step] | None:
        """What each revision after `to` changed, newest first; None = that is not kept (any more), or never was."""
        with told_apart(self._wire.where):
            return reading.steadily(
                self._wire, self._keys, lambda state: past.steps_back(self._wire, self._keys, state, to)
            )

    def aim(self, owner: str) -> Aim:
        """What the owner aims at, as it was published."""
        try:
            return aim_of(self._wire.do("HGET", self._keys.aims, owner))
        except ValueError:
            raise self._damaged() from None

    # Inside.

    def _seen(self, state: State) -> State:
        self._heard = state.revision
        return state

    def _damaged(self) -> StoreError:
        return StoreError(self._wire.where, "what is kept there is damaged, or another program's", FRESH)

    def _check_memory(self) -> None:
        """Refuse a server that throws away whatever it likes when its memory is full; asked once."""
        if self._may_forget is None:
            try:
                told = self._wire.do("INFO", "memory")
            except StoreError:
                told = {}  # this user may not ask
            self._may_forget = bool(told.get("maxmemory")) and str(told.get("maxmemory_policy")).startswith("allkeys")
        if self._may_forget:
            what = "this server throws away any key when its memory is full"
            raise StoreError(self._wire.where, what, "set its maxmemory-policy to noeviction, or name another")
