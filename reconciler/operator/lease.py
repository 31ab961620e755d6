"""EDGE. Stands for election: reads and writes the Lease at the API server, and knows at any moment whether it leads.

The operator runs one `Candidate` beside its work, asks `leads()` before each publish and each status that it writes,
and is told of changes. Losing an election loses nothing else: publishing is compare-and-swap anyway.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from reconciler.operator.election import (
    Lease,
    Standing,
    Timing,
    Wait,
    leads,
    next_step,
    observed,
    pause_s,
    released,
    stepped_down,
    written,
)

Ask = Callable[[str, str, dict[str, Any] | None], Awaitable[tuple[int, dict[str, Any]]]]
"""Method, path and body of a request to the API server, to its status and body. OSError where there is no answer."""

RELEASE_S_MAX = 2.0
"""So long an operator that ends tries to give its Lease back; else the next leader waits until it has run out."""


def steady() -> float:
    """Seconds of a clock that nobody sets and that goes on while the machine sleeps, where there is one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Candidate:
    """One operator that would lead. `me` names this process alone; `tell` gets what goes wrong, once each.

    `changed(leads)` is called when it begins and ceases to lead; it must return at once.
    """

    def __init__(
        self,
        ask: Ask,
        namespace: str,
        name: str,
        me: str,
        changed: Callable[[bool], None],
        tell: Callable[[str], None],
        timing: Timing | None = None,
        clock: Callable[[], float] = steady,
        luck: Callable[[], float] = random.random,
    ) -> None:
        self._ask = ask
        self._all = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._one = f"{self._all}/{name}"
        self._words = f"Lease {namespace}/{name}"
        self._metadata: dict[str, Any] = {"name": name, "namespace": namespace}
        """As it was read, so that labels and annotations of others stay."""
        self._me = me
        self._changed = changed
        self._tell = tell
        self._timing = timing or Timing()
        self._clock = clock
        self._luck = luck
        self._standing = Standing()
        self._led = False
        self._told = ""
        self._followed = ""
        """Who was told to lead instead."""

    def leads(self) -> bool:
        """Whether this operator leads, at this very moment."""
        return leads(self._standing, self._timing, self._clock())

    async def run(self, stop: asyncio.Event) -> None:
        """Stand for election until `stop` is set; then give the Lease back. End your work as a leader before."""
        try:
            while not stop.is_set():
                await self._turn()
                self._notice()
                await self._pause(stop)
        finally:
            await self._release()

    async def _turn(self) -> None:
        """Renew, acquire or look; what fails is tried again after the pause."""
        try:
            async with asyncio.timeout(self._patience_s()):
                # A leader knows the version that it wrote: it writes over it, and reads only when that was refused.
                if not self.leads() or not await self._step():
                    await self._read()
                    await self._step()
        except (OSError, TimeoutError) as error:
            self._fault(f"the API server does not answer: {str(error) or 'no answer in time'}")
        except _RefusedError as refused:
            self._fault(str(refused))
        else:
            self._told = ""

    def _patience_s(self) -> float:
        """No request keeps a leader longer than it may believe that it is one."""
        return min(self._timing.renew_s / 2, self._left_s())

    def _left_s(self) -> float:
        """How long it may still believe that it leads; infinite for who does not."""
        if not self.leads():
            return math.inf
        assert self._standing.renewed_at is not None, "it leads"
        return self._standing.renewed_at + self._timing.renew_s - self._clock()

    async def _read(self) -> None:
        status, body = await self._ask("GET", self._one, None)
        if status == 404:
            lease = Lease()
            self._metadata = {key: self._metadata[key] for key in ("name", "namespace")}
        elif status == 200:
            lease = _lease(body)
            self._metadata = body["metadata"]
        else:
            raise _RefusedError(status, body, "read")
        self._standing = observed(self._standing, lease, self._clock())
        if lease.holder != self._me:
            self._standing = stepped_down(self._standing)

    async def _step(self) -> bool:
        """Take the next step; whether it was taken by the server. Raises _RefusedError and OSError."""
        sent_at = self._clock()
        step = next_step(self._standing, self._me, self._timing, sent_at, _wall(), self._luck())
        if isinstance(step, Wait):
            self._follow(self._standing.seen.holder)
            return True
        self._followed = ""
        return await self._write(step.lease, sent_at)

    async def _write(self, lease: Lease, sent_at: float) -> bool:
        """Write it, over the version that it carries; False where another was faster."""
        if lease.version:
            status, body = await self._ask("PUT", self._one, _body(lease, self._metadata))
        else:
            status, body = await self._ask("POST", self._all, _body(lease, self._metadata))
        # 404: deleted meanwhile. 409: somebody else has written, or made it.
        if status in {404, 409}:
            return False
        if status not in {200, 201}:
            raise _RefusedError(status, body, "write")
        self._metadata = body["metadata"]
        self._standing = written(_lease(body), sent_at, self._clock())
        return True

    async def _release(self) -> None:
        held = self._standing.seen.holder == self._me
        lease = released(self._standing, _wall())
        self._standing = stepped_down(self._standing)
        self._notice()
        if not held:
            return
        try:
            async with asyncio.timeout(RELEASE_S_MAX):
                await self._ask("PUT", self._one, _body(lease, self._metadata))
        except (OSError, TimeoutError):
            pass  # it runs out by itself

    def _notice(self) -> None:
        if self.leads() != self._led:
            self._led = not self._led
            self._changed(self._led)

    async def _pause(self, stop: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(min(pause_s(self._timing, self._luck()), self._left_s() + 0.001)):
                await stop.wait()
        except TimeoutError:
            pass

    def _follow(self, holder: str) -> None:
        if holder != self._followed:
            self._followed = holder
            self._tell(f"{holder[:100]} leads by the {self._words}: this operator follows, to take over")

    def _fault(self, words: str) -> None:
        if words != self._told:
            self._told = words
            self._tell(f"{self._words}: {words}")


class _RefusedError(Exception):
    def __init__(self, status: int, body: dict[str, Any], verb: str) -> None:
        words = f"HTTP {status}, it cannot be {'read' if verb == 'read' else 'written'}"
        if status == 403:
            words += (
                ": this ServiceAccount needs get, create and update of leases.coordination.k8s.io in this namespace"
            )
        elif isinstance(body.get("message"), str):
            words += f": {body['message'][:300]}"
        super().__init__(words)


def _lease(body: dict[str, Any]) -> Lease:
    spec = body.get("spec") or {}
    return Lease(
        holder=spec.get("holderIdentity") or "",
        duration_s=spec.get("leaseDurationSeconds") or 0,
        acquired=spec.get("acquireTime") or "",
        renewed=spec.get("renewTime") or "",
        transitions=spec.get("leaseTransitions") or 0,
        version=body["metadata"]["resourceVersion"],
    )


def _body(lease: Lease, metadata: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "leaseDurationSeconds": lease.duration_s,
        "acquireTime": lease.acquired,
        "renewTime": lease.renewed,
        "leaseTransitions": lease.transitions,
    }
    if lease.holder:
        spec["holderIdentity"] = lease.holder
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def _wall() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
