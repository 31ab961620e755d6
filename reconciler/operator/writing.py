"""EDGE. Writes to the cluster: finalizers, statuses and Events, by several requests at once, at a bounded rate.

What is to be written is a wish for an object, and the newest wish counts: what became outdated while it waited is never
sent. Each write carries the resourceVersion that it was made against, so that it lands on nothing that was not seen: a
conflict reads the object anew. What an API server that is busy (429) or away asks for holds for all writes; where it
fails at one object (500), that one waits alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reconciler.model.sources import Key, object_id
from reconciler.operator.api import MERGE, Api, NoAnswer, Refused
from reconciler.operator.gathered import Gathered
from reconciler.operator.objects import FINALIZER, Seen, path_of
from reconciler.operator.told import Turned, body_of, turned
from reconciler.operator.wishes import Wish
from schemas.resources.base import API_VERSION

AT_ONCE = 16
WRITES_PER_S_MAX = 400.0
PAUSE_S = 1.0
"""After an answer that says nothing of when to come back."""
PAUSE_S_MAX = 60.0
"""The same for one object that the API server fails at again and again."""
TRIES_MAX = 5
"""Conflicts in a row of one object, after which it waits for what comes next of it."""
TOLD_MAX = 1_000
"""Refusals that are told, each once; the metrics count them all."""
EVENTS_OF = "dialplane"


@dataclass(slots=True)
class Written:
    """What became of writes so far."""

    patches: int = 0
    events: int = 0
    conflicts: int = 0
    refused: int = 0


class Writer:
    """Carries wishes out while `may_write()`. `take` gets each object as a write has left it, `say` what is refused."""

    def __init__(
        self,
        api: Api,
        gathered: Gathered,
        may_write: Callable[[], bool],
        take: Callable[[dict[str, Any]], None],
        say: Callable[[str], None],
        me: str,
    ) -> None:
        self._api = api
        self._gathered = gathered
        self._may_write = may_write
        self._take = take
        self._say = say
        self._me = me
        self._wishes: dict[Key, Wish] = {}
        self._queue: asyncio.Queue[Key] = asyncio.Queue()
        self._left: dict[Key, Wish] = {}
        """What the API server failed at and is to be tried again, and how often it failed in a row."""
        self._faults: dict[Key, int] = {}
        self._next_at = 0.0
        self._told: set[str] = set()
        self.done = Written()

    @property
    def waiting(self) -> int:
        """How many objects are to be written."""
        return len(self._wishes)

    def wish(self, key: Key, wish: Wish) -> None:
        """Have this written, in place of what is wished of the object so far."""
        if key not in self._wishes:
            self._queue.put_nowait(key)
        self._wishes[key] = wish
        self._left.pop(key, None)

    async def run(self) -> None:
        """Write for as long as nobody cancels it."""
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            wish = self._wishes.pop(key, None)
            if wish is None or not self._may_write():
                continue
            try:
                await self._carry_out(key, wish)
                self._faults.pop(key, None)
            except NoAnswer:
                self._put_off(key, wish, PAUSE_S)
            except Refused as refused:
                if refused.status == 500:
                    self._refused(key, refused)
                    self._leave(key, wish)
                elif refused.status == 429 or refused.status > 500:
                    self._put_off(key, wish, refused.wait_s or PAUSE_S)
                else:
                    self._refused(key, refused)

    def _put_off(self, key: Key, wish: Wish, wait_s: float) -> None:
        self._next_at = max(self._next_at, time.monotonic() + wait_s)
        if key not in self._wishes:
            self.wish(key, wish)

    def _leave(self, key: Key, wish: Wish) -> None:
        """Try this object again after a pause of its own, longer each time, unless something else is wished of it.

        500 is what etcd's "request is too large" becomes: whoever makes such an object must not hold up all others.
        """
        faults = self._faults[key] = self._faults.get(key, 0) + 1
        self._left[key] = wish
        pause_s = min(PAUSE_S * 2 ** min(faults - 1, 16), PAUSE_S_MAX)
        asyncio.get_running_loop().call_later(pause_s, self._again, key, wish)

    def _again(self, key: Key, wish: Wish) -> None:
        if self._left.get(key) is wish:
            self.wish(key, wish)

    def _refused(self, key: Key, refused: Refused) -> None:
        self.done.refused += 1
        words = f"the status of {object_id(key)} cannot be written: {refused}"
        if words not in self._told and len(self._told) < TOLD_MAX:
            self._told.add(words)
            self._say(words)

    async def _carry_out(self, key: Key, wish: Wish) -> None:
        """Write what differs. Raises NoAnswer, Refused."""
        for _ in range(TRIES_MAX):
            seen = self._gathered.get(key)
            if seen is None or not self._may_write():
                return
            try:
                await self._bring(seen, wish)
                return
            except Refused as refused:
                if refused.status == 404:
                    self._gathered.lose(key, seen.uid)
                    return
                if refused.status != 409:
                    raise
                self.done.conflicts += 1
                await self._look_again(seen)

    async def _bring(self, seen: Seen, wish: Wish) -> None:
        if wish.let_go:
            if FINALIZER in seen.finalizers:
                await self._patch(seen, {}, [name for name in seen.finalizers if name != FINALIZER])
            return
        if wish.keep and not seen.going and FINALIZER not in seen.finalizers:
            seen = await self._patch(seen, {}, [*seen.finalizers, FINALIZER])
        # A newer spec gets a status of its own, which is on its way.
        if wish.told != seen.told and wish.told.generation == seen.generation:
            before = seen.told
            seen = await self._patch(seen, {"status": body_of(wish.told)}, None, "/status")
            if (news := turned(before, wish.told)) is not None:
                await self._send(seen, news)

    async def _patch(self, seen: Seen, what: dict[str, Any], finalizers: list[str] | None, below: str = "") -> Seen:
        metadata: dict[str, Any] = {"resourceVersion": str(seen.version), "uid": seen.uid}
        if finalizers is not None:
            metadata["finalizers"] = finalizers
        await self._slot()
        body = await self._api.done("PATCH", path_of(seen.key) + below, {"metadata": metadata, **what}, MERGE)
        self.done.patches += 1
        self._take(body)
        return self._gathered.get(seen.key) or seen

    async def _look_again(self, seen: Seen) -> None:
        try:
            self._take(await self._api.done("GET", path_of(seen.key)))
        except Refused as refused:
            if refused.status != 404:
                raise
            self._gathered.lose(seen.key, seen.uid)

    async def _send(self, seen: Seen, news: Turned) -> None:
        """An Event. One that is refused is missed by nobody: the status says the same."""
        namespace, _, name = seen.key[1].partition("/")
        now = utc_now()
        about = {"apiVersion": API_VERSION, "kind": seen.key[0].value, "namespace": namespace, "name": name}
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{name[:200]}.", "namespace": namespace},
            "involvedObject": {**about, "uid": seen.uid, "resourceVersion": str(seen.version)},
            "type": "Warning" if news.warning else "Normal",
            "reason": news.reason,
            "message": news.message,
            "source": {"component": EVENTS_OF},
            "reportingComponent": EVENTS_OF,
            "reportingInstance": self._me[:128],
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        await self._slot()
        try:
            await self._api.done("POST", f"/api/v1/namespaces/{namespace}/events", event)
            self.done.events += 1
        except (NoAnswer, Refused):
            self.done.refused += 1

    async def _slot(self) -> None:
        """Wait for a turn: one write after another, as far as the bound goes."""
        now = time.monotonic()
        self._next_at = max(self._next_at, now) + 1 / WRITES_PER_S_MAX
        wait_s = self._next_at - now - 1 / WRITES_PER_S_MAX
        if wait_s > 0:
            await asyncio.sleep(wait_s)


def utc_now() -> str:
    """The time for people, as Kubernetes writes it in statuses and Events."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
