"""EDGE. The operator from start to stop: follows the cluster, stands for election, applies, writes.

Everything is listed before anything is applied, so that what is not known yet is never taken for deleted. kopf follows
the cluster from then on; a list at times, and whenever a watch had to begin anew, finds what its events left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from reconciler.backoff import Backoff
from reconciler.errors import ReconcileError
from reconciler.operator.api import Api, NoAnswer, Refused
from reconciler.operator.gathered import Gathered, list_version
from reconciler.operator.lease import Candidate
from reconciler.operator.metrics import Look, Metrics, conditions_of
from reconciler.operator.objects import PLURALS
from reconciler.operator.safe import Safe
from reconciler.operator.telling import OperatorTelling
from reconciler.operator.watching import Watching
from reconciler.operator.work import Work
from reconciler.operator.writing import Writer
from reconciler.settings import METRICS_EXAMPLE
from reconciler.targets.target import Planned, Target
from schemas.monitor import Monitor
from schemas.resources.base import API_VERSION
from schemas.seal import Sealer

LIST_EVERY_S = 300.0
"""What was lost on the way is found after so long at the latest."""
STOP_S_MAX = 10.0
"""So long it is waited for work that is under way, and then for the Lease to be given back."""
SILENT_S_MAX = 3 * LIST_EVERY_S
"""Lists alone are to be heard three times in so long."""
LIST_OFTEN_S = 10.0
"""The same while the cluster cannot be followed."""
STEADY_S = 30.0
"""A watch that has lasted so long is no trouble any more."""
RELIST_AFTER_S = 2.0
"""kopf lists anew after a watch was broken; when its events have come, we do, too."""
TRY_AGAIN_S = (1.0, 15.0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to operate: `namespaces` (none = all), the Lease (name, namespace; "" = our own), deletions allowed.

    `metrics`: the IP address and port where probes and scrapers are answered; None: nowhere.
    """

    namespaces: tuple[str, ...] = ()
    lease: str = "dialplane-operator"
    lease_namespace: str = ""
    allow_deletes: int | None = None
    metrics: tuple[str, int] | None = None


class Operator:
    """One operator. `say` gets its log, `account` what was done, `sealer` the key for secrets."""

    def __init__(
        self,
        wanted: Wanted,
        target: Target,
        say: Callable[[str], None],
        account: Callable[[Planned], None],
        sealer: Callable[[], Sealer],
        luck: Callable[[], float] = random.random,
    ) -> None:
        self._wanted = wanted
        self._target = target
        self._say = say
        self._account = account
        self._sealer = sealer
        self._luck = luck
        self._gathered = Gathered()
        self._safe = Safe()
        self._metrics = Metrics(version("dialplane"), self._look)
        self._monitor = Monitor(self._not_alive, self._not_ready, self._metrics.exposition)
        self._heard_at = (time.monotonic(), 0.0)
        """When the API server was last heard of, by the steady clock and in Unix seconds (0 = never)."""
        self._listed = False
        self._list_due = asyncio.Event()
        self._trouble = ""
        """Why the cluster cannot be listed."""
        self._watch_trouble = ""
        self._watch_began = 0.0
        self._watch_backoff = Backoff(*TRY_AGAIN_S)

    async def run(self, stop: asyncio.Event) -> None:
        """Operate until `stop` is set."""
        async with Api() as api:
            self._api = api
            me = f"{socket.gethostname()}_{os.getpid()}_{os.urandom(4).hex()}"
            namespace = self._wanted.lease_namespace or api.namespace
            self._candidate = Candidate(api.ask, namespace, self._wanted.lease, me, self._led, self._say)
            self._writer = Writer(api, self._gathered, self._may_write, self._take, self._say, me)
            telling = OperatorTelling(self._target.manner, self._say, self._account)
            self._work = Work(
                self._target, api, self._gathered, self._safe, self._writer, self._may_write, telling, self._metrics,
                self._sealer, self._wanted.allow_deletes,
            )  # fmt: skip
            loop = asyncio.get_running_loop()

            def heard(type_: str | None, body: dict[str, Any]) -> None:
                with contextlib.suppress(RuntimeError):  # our loop has ended
                    loop.call_soon_threadsafe(self._hear, type_, body)

            def ended(why: str) -> None:
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._watch_ended, why)

            self._watching = Watching(self._wanted.namespaces, heard, ended)
            await self._start_monitor()
            try:
                await self._until(stop)
            finally:
                await self._monitor.stop()
                await asyncio.to_thread(self._watching.stop)

    async def _start_monitor(self) -> None:
        if self._wanted.metrics is None:
            return
        host, port = self._wanted.metrics
        try:
            bound = await self._monitor.start(host, port)
        except OSError as fault:
            words = f"--metrics cannot listen on {host}:{port}: {fault.strerror}"
            raise ReconcileError(words, f"choose another address: --metrics {METRICS_EXAMPLE}") from fault
        self._say(f"metrics and probes are answered on {bound[0]}:{bound[1]}")

    def _may_write(self) -> bool:
        return self._listed and self._candidate.leads()

    def _not_alive(self) -> str:
        """What a new process would mend: that we hear nothing any more, and do not even know why."""
        silent_s = time.monotonic() - self._heard_at[0]
        if self._trouble or silent_s < SILENT_S_MAX:
            return ""
        return f"the API server was not heard of for {silent_s:.0f} s"

    def _not_ready(self) -> str:
        unknown = "" if self._listed else "the objects of the cluster are not known yet"
        return self._trouble or self._watch_trouble or unknown

    def _look(self) -> Look:
        done = self._writer.done
        return Look(
            leads=self._candidate.leads(),
            dirty=self._work.dirty,
            to_write=self._writer.waiting,
            conditions=conditions_of(self._gathered),
            written=asdict(done),
            heard_at=self._heard_at[1],
        )

    async def _until(self, stop: asyncio.Event) -> None:
        """Run all of it until `stop` is set, or one of them fails. Who leads resigns when its work has ended."""
        resign = asyncio.Event()
        works = (self._writer.run(), self._candidate.run(resign), self._work.run(stop), self._follow(stop))
        tasks = [asyncio.create_task(work) for work in works]
        stopping = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        writer, candidate, *others = tasks
        await asyncio.wait(others, timeout=STOP_S_MAX)
        resign.set()
        await asyncio.wait({candidate}, timeout=STOP_S_MAX)
        for task in (writer, stopping, candidate, *others):
            task.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)
        for task in done - {stopping}:
            task.result()

    def _led(self, leads: bool) -> None:
        self._say("this operator leads" if leads else "this operator leads no more")
        if leads:
            self._work.start_over()

    def _hear(self, type_: str | None, body: dict[str, Any]) -> None:
        """An event from kopf; one without a type tells that it has listed (anew)."""
        self._heard_at = (time.monotonic(), time.time())
        if type_ is None:
            self._list_due.set()
        if body.get("kind") == "Secret":
            changed = self._safe.remove(body) if type_ == "DELETED" else self._safe.put(body)
        elif type_ == "DELETED":
            changed = self._gathered.remove(body)
        else:
            changed = self._gathered.put(body)
        if changed:
            self._work.wake()

    def _take(self, body: dict[str, Any]) -> None:
        if self._gathered.put(body):
            self._work.wake()

    def _watch_ended(self, why: str) -> None:
        now = time.monotonic()
        if now - self._watch_began > STEADY_S:
            self._watch_backoff.worked()
        self._watch_backoff.failed(now, self._luck())
        words = f"the cluster is not followed just now, and listed instead: {why}"
        if words != self._watch_trouble:
            self._watch_trouble = words
            self._say(words)
        self._list_due.set()

    async def _follow(self, stop: asyncio.Event) -> None:
        """List, have kopf follow, and list again when it is due."""
        backoff = Backoff(*TRY_AGAIN_S)
        while not stop.is_set():
            self._list_due.clear()
            try:
                await self._list()
            except (NoAnswer, Refused) as error:
                self._tell(_in_words(error, self._api.server))
                backoff.failed(time.monotonic(), self._luck())
                await _pause(stop, backoff.until - time.monotonic())
                continue
            backoff.worked()
            self._trouble = ""
            now = time.monotonic()
            if not self._watching.is_running and self._watch_backoff.is_over(now):
                self._watch_began = now
                self._watching.start()
            elif self._watching.is_running and now - self._watch_began > STEADY_S:
                self._watch_trouble = ""
            await self._until_list_is_due(stop)

    async def _until_list_is_due(self, stop: asyncio.Event) -> None:
        waking = asyncio.ensure_future(self._list_due.wait())
        stopping = asyncio.ensure_future(stop.wait())
        try:
            wait_s = LIST_EVERY_S if self._watching.is_running and not self._watch_trouble else LIST_OFTEN_S
            await asyncio.wait({waking, stopping}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()
            stopping.cancel()
        await _pause(stop, RELIST_AFTER_S)

    async def _list(self) -> None:
        """Take in all objects as they are now. Raises NoAnswer, Refused."""
        changed = False
        for kind, plural in PLURALS.items():
            for namespace in self._wanted.namespaces or ("",):
                within = f"namespaces/{namespace}/" if namespace else ""
                bodies, page = await self._api.listed(f"/apis/{API_VERSION}/{within}{plural}")
                changed |= self._gathered.replace(
                    bodies,
                    list_version(page),
                    lambda key, kind=kind, namespace=namespace: (  # type: ignore[misc]  # bound as they are now
                        key[0] is kind and (not namespace or key[1].startswith(f"{namespace}/"))
                    ),
                )
        self._heard_at = (time.monotonic(), time.time())
        if changed or not self._listed:
            self._listed = True
            self._work.wake()

    def _tell(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._say(trouble)


def _in_words(error: Exception, server: str) -> str:
    if isinstance(error, Refused) and error.status == 404:
        return f"{server} does not know our kinds: kubectl apply -k schemas/published, in a checkout of dialplane"
    if isinstance(error, Refused) and error.status in {401, 403}:
        return f"{server} does not let us list objects, give this user what examples/kubernetes/base has: {error}"
    return f"{server} does not answer, it is asked again: {error}"


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
