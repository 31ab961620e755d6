"""The edge of the trunks' keeper: looks up the ways that it wants, and tells its words to the log."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable

from runtime.trunks.keeper import Keeper, WaysWanted
from runtime.workers.hops import HopFinder

TOKEN_BYTES = 12


def contact_tokens(key: bytes) -> Callable[[str], str]:
    """The user part of a trunk's Contact: not to be guessed, and the same after a restart."""
    return lambda trunk: hashlib.blake2s(trunk.encode(), key=key[:32], digest_size=TOKEN_BYTES).hexdigest()


class Tending:
    """One per worker. `drain` has the worker send what is to be sent."""

    def __init__(self, keeper: Keeper, hops: HopFinder, drain: Callable[[], None], log: Callable[..., None]) -> None:
        self._keeper = keeper
        self._hops = hops
        self._drain = drain
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    def work_off(self) -> None:
        """Begin what the keeper wishes, say what it says."""
        while (wish := self._keeper.next_wish()) is not None:
            task = asyncio.get_running_loop().create_task(self._find(wish))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        while (word := self._keeper.next_word()) is not None:
            fields = {"trunk": word.trunk} if word.trunk else {}
            self._log(word.text, **fields)

    def stop(self) -> None:
        """Nobody waits for names any more."""
        for task in self._tasks:
            task.cancel()

    async def _find(self, wish: WaysWanted) -> None:
        found = await self._hops.find(wish.destinations, wish.identity)
        self._keeper.found(wish.who, found.ways, found.unknown, time.monotonic())
        self._drain()
