"""EDGE. The operator's loop: what the cluster declares is applied, and each object's status says what became of it.

Level-triggered: events only mark what is dirty, and a pass takes the whole set, through the same core as a folder. A
pass that fails changes nothing and is made again after a pause; what it was to do is told in the status meanwhile. Only
the leader applies and writes; who is none keeps its set up to date, and takes over at once.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from reconciler.backoff import Backoff
from reconciler.errors import ReconcileError
from reconciler.model.secrets import Secrets
from reconciler.model.sources import Key
from reconciler.model.standing import Declared
from reconciler.operator.api import Api, NoAnswer, Refused
from reconciler.operator.gathered import Gathered
from reconciler.operator.leaving import Leaving
from reconciler.operator.metrics import Metrics
from reconciler.operator.passing import Passed, Passing
from reconciler.operator.safe import Safe
from reconciler.operator.safety import allowances
from reconciler.operator.statuses import Found, Pending, is_held_by_us, other_bridges, wish_of, wish_unreached
from reconciler.operator.telling import OperatorTelling
from reconciler.operator.wishes import Wish
from reconciler.operator.writing import Writer, utc_now
from reconciler.targets.target import Away, Reported, Target
from schemas.seal import Sealer
from schemas.secret_key import SecretKeyError
from schemas.stores import StoreError

T = TypeVar("T")
QUIET_S, BURST_S_MAX = 0.02, 1.0
"""A pass begins after so long without news, and after so long in any case."""
BACKOFF_S = (0.5, 30.0)
MOVED_EVERY_S = 5.0
"""How often is asked whether somebody else has changed what is live."""
FETCHES_AT_ONCE = 8


class Work:
    """Keeps a target as the cluster declares it. `leads` is asked before each pass and each write.

    `gathered` and `safe` are filled by whoever follows the cluster, who calls `wake` when anything has changed.
    `sealer` may raise SecretKeyError.
    """

    def __init__(
        self,
        target: Target,
        api: Api,
        gathered: Gathered,
        safe: Safe,
        writer: Writer,
        leads: Callable[[], bool],
        telling: OperatorTelling,
        metrics: Metrics,
        sealer: Callable[[], Sealer],
        allow_deletes: int | None = None,
        note: str = "operator",
        luck: Callable[[], float] = random.random,
    ) -> None:
        self._target = target
        self._api = api
        self._gathered = gathered
        self._safe = safe
        self._writer = writer
        self._leads = leads
        self._telling = telling
        self._metrics = metrics
        self._sealer = sealer
        self._allow_deletes = allow_deletes
        self._luck = luck
        self._passing = Passing(target, note)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="target")
        self._dirty = asyncio.Event()
        self._woken_at = 0.0
        self._backoff = Backoff(*(target.manner.backoff_s if target.manner.backoff_s[0] else BACKOFF_S))
        self._passed: Passed | None = None
        self._reported: Reported | None = None
        self._touched: set[Key] = set()
        self._all = True
        self._pending = Pending()
        self._leaving = Leaving()
        self._asked_moved_at = 0.0

    @property
    def dirty(self) -> int:
        """How many objects have changed and wait for the next pass."""
        return len(self._touched | self._gathered.touched)

    def wake(self) -> None:
        """Something has changed: a pass is due."""
        self._woken_at = time.monotonic()
        self._dirty.set()

    def start_over(self) -> None:
        """Everything is to be applied and told: another leader may have done who knows what."""
        self._all = True
        self.wake()

    async def run(self, stop: asyncio.Event) -> None:
        """Pass after pass until `stop` is set."""
        stopping = asyncio.create_task(stop.wait())
        stopping.add_done_callback(lambda _: self._target.give_up())  # a server may take its time
        try:
            while not stop.is_set():
                await self._sleep(stopping)
                if stop.is_set() or not self._leads():
                    continue
                if self._dirty.is_set():
                    await self._settled(stopping)
                    await self._pass()
                else:
                    await self._look()
        finally:
            stopping.cancel()
            self._thread.shutdown(wait=True)

    async def _sleep(self, stopping: asyncio.Task[Any]) -> None:
        """Until something is to be done: news, the end of a pause, or the next look at the bridges."""
        now = time.monotonic()
        if not self._leads():
            self._gathered.stand_by()
            await asyncio.wait({stopping}, timeout=0.2)
        elif not self._backoff.is_over(now):
            await asyncio.wait({stopping}, timeout=self._backoff.until - now)
        elif not self._dirty.is_set():
            waking, due_at = asyncio.ensure_future(self._dirty.wait()), self._leaving.due_at()
            pause_s = self._pending.pause_s(now)
            pause_s = pause_s if due_at is None else min(pause_s, max(0.0, due_at - now))
            await asyncio.wait({stopping, waking}, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
            waking.cancel()
            if due_at is not None and time.monotonic() >= due_at:
                self.wake()

    async def _settled(self, stopping: asyncio.Task[Any]) -> None:
        """Wait for the end of a burst."""
        began = time.monotonic()
        while not stopping.done():
            now = time.monotonic()
            wait_s = min(self._woken_at + QUIET_S, began + BURST_S_MAX) - now
            if wait_s <= 0:
                return
            await asyncio.wait({stopping}, timeout=wait_s)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _pass(self) -> None:
        self._dirty.clear()
        self._touched |= self._gathered.touched
        self._gathered.touched.clear()
        began = time.monotonic()
        self._leaving.note(self._gathered.departed, began)
        self._gathered.departed.clear()
        files = self._leaving.with_them(self._gathered.files(), began)
        allowed = allowances(self._gathered, self._allow_deletes)
        try:
            await self._fetch_secrets(self._safe.want(files))
            declared = Declared(files, secrets=self._secrets())
            passed = await self._in_thread(partial(self._passing.apply, declared, allowed))
            if passed.planned.cut is not None:
                raise passed.planned.cut
            keys = self._affected(passed)
            self._reported, found = await self._in_thread(partial(self._ask, keys))
        except (StoreError, SecretKeyError, ReconcileError, NoAnswer, Refused) as error:
            self._failed(error)
            return
        took_s = time.monotonic() - began
        if passed.planned.left:
            self._backoff.failed(time.monotonic(), self._luck())
            self._dirty.set()
        else:
            self._backoff.worked()
        published = {(change.kind, change.id) for change in passed.planned.plan.changes} - passed.held
        self._passed, self._all = passed, False
        self._touched.clear()
        self._pending.again(published)
        whole = not (passed.planned.left or passed.planned.refused or passed.kept)
        self._metrics.passed(took_s, passed.planned.revision, whole=whole)
        self._telling.passed(passed, self._gathered, keys, took_s)
        self._wish(found)

    def _secrets(self) -> Secrets:
        secrets = self._safe.secrets(None)
        if any(isinstance(value, bytes) for value in secrets.found.values()):
            return self._safe.secrets(self._sealer())
        return secrets

    async def _fetch_secrets(self, names: Sequence[tuple[str, str]]) -> None:
        """Ask for Secrets of which nothing is known yet. Raises NoAnswer, Refused."""
        slots = asyncio.Semaphore(FETCHES_AT_ONCE)

        async def fetch(namespace: str, name: str) -> None:
            async with slots:
                status, body = await self._api.ask("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")
            if status == 404:
                self._safe.miss((namespace, name))
            elif status == 200:
                self._safe.put(body)
            elif status == 403:  # that hurts who refers to it, and nobody else
                self._safe.refuse((namespace, name), str(body.get("message", ""))[:300])
            else:
                raise Refused(status, f"the Secret {namespace}/{name} cannot be read: {body.get('message', '')}")

        await asyncio.gather(*(fetch(*name) for name in names))

    def _affected(self, passed: Passed) -> set[Key]:
        """The objects whose status may be another one after this pass."""
        keys = {(change.kind, change.id) for change in passed.planned.plan.changes}
        keys |= self._touched | self._pending.since.keys() | passed.planned.desired.verdicts.keys() | passed.held
        keys |= {one.key for one in self._gathered if is_held_by_us(one)}
        if self._passed is not None:
            keys |= self._passed.planned.desired.verdicts.keys() | self._passed.held
        if self._all:
            keys |= {one.key for one in self._gathered}
        return keys

    def _ask(self, keys: Iterable[Key]) -> tuple[Reported, dict[Key, Found]]:
        reported = self._target.reported()
        return reported, {key: reported.of(key) for key in keys}

    async def _look(self) -> None:
        """Look at what the bridges say, and, seldom, whether somebody else has changed what is live."""
        now = time.monotonic()
        try:
            if now >= self._asked_moved_at + MOVED_EVERY_S:
                self._asked_moved_at = now
                if moved_by := await self._in_thread(self._target.moved_by):
                    self._telling.moved(moved_by)
                    self.start_over()
                    return
            if self._reported is None or self._reported.state is None:
                return
            before = self._reported
            reported, _ = await self._in_thread(partial(self._ask, ()))
            if reported.state == before.state and not self._pending.due(now):
                return
            keys: set[Key] = set(self._pending.since)
            if other_bridges(before.state, reported.state):  # type: ignore[arg-type]  # a tuple of them, where there is one
                keys = {one.key for one in self._gathered}
            self._reported, found = await self._in_thread(partial(self._ask, keys))
        except (StoreError, ReconcileError) as error:
            self._telling.trouble(str(error))
            self._metrics.failed(error)
            return
        self._wish(found)

    def _wish(self, found: dict[Key, Found]) -> None:
        """Have written what was found."""
        if self._passed is None:
            return
        now, wall = time.monotonic(), utc_now()
        for key, one in found.items():
            seen = self._gathered.get(key)
            if seen is None:
                self._pending.forget(key)
                continue
            verdict, live = self._passed.kept.get(key), self._passed.is_live(key)
            held = verdict is not None or key in self._passed.planned.desired.verdicts or key in self._passed.held
            if held or seen.going:
                self._pending.forget(key)
            elif self._pending.note(key, one[1], now):
                self._writer.wish(key, Wish(seen.told, keep=live))  # the finalizer need not wait
                continue
            self._writer.wish(key, wish_of(seen, one, verdict, live, wall))

    def _failed(self, error: Exception) -> None:
        """Nothing was changed, or not all: say so, in the status of what waits for it, and try again after a pause."""
        self._dirty.set()
        self._backoff.failed(time.monotonic(), self._luck(), error.wait_s if isinstance(error, Away) else 0.0)
        self._telling.trouble(str(error))
        self._metrics.failed(error)
        if isinstance(error, NoAnswer | Refused):  # it is the API server that fails: no status can be written
            return
        wall = utc_now()
        for key in self._touched:
            seen = self._gathered.get(key)
            # What stands in the status of an object that was applied as it is now is as true as it was.
            if seen is not None and (is_held_by_us(seen) or seen.told.generation != seen.generation):
                self._writer.wish(key, wish_unreached(seen, str(error), wall))
