"""Calls and transfers that somebody asks for and waits for: between the API's coroutines and the switchboard's events.

It looks up what takes time (a trunk's caller ids, the addresses of hosts) and keeps who waits. What becomes of a call
is decided by the switchboard; a waiter that goes away leaves the call as it is.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from runtime.calls.board import Now
from runtime.calls.switchboard import Switchboard
from runtime.routing.dial import (
    Dialled,
    DialRequest,
    Failure,
    FailureKind,
    Transferred,
    TransferRequest,
    Way,
)
from runtime.routing.place import Placement, caller_ids
from runtime.workers.hops import HopFinder
from schemas.ids import random_id
from schemas.tables.tables import Tables

ID_BYTES = 16

STEER_S = 8.0
"""How long the HTTP API waits for a phone to agree to what is asked of it."""


class CallControl:
    """One per worker. `drain` has the worker carry out what was told, `log(words, **fields)` is where news go."""

    def __init__(
        self, switchboard: Switchboard, hops: HopFinder, drain: Callable[[], None], log: Callable[..., None]
    ) -> None:
        self._switchboard = switchboard
        self._hops = hops
        self._drain = drain
        self._log = log
        self._numbers: dict[str, Sequence[str]] = {}
        self._dials: dict[str, asyncio.Future[Dialled | Failure]] = {}
        self._transfers: dict[str, asyncio.Future[Transferred]] = {}
        self._finding: set[asyncio.Task[None]] = set()
        self._holds: dict[str, asyncio.Future[bool | Failure]] = {}

    # -- what the API asks -----------------------------------------------------------------------------------------

    async def dial(self, request: DialRequest) -> Dialled | Failure:
        """Place a call; see `runtime.api.livekit.control`."""
        call_id = random_id("SCL", os.urandom(ID_BYTES))
        outcome = await self._dial(call_id, request)
        if isinstance(outcome, Failure):
            self._switchboard.not_placed(call_id, request, outcome, _now())
            self._drain()
            return outcome
        return await asyncio.shield(outcome)

    async def _dial(self, call_id: str, request: DialRequest) -> asyncio.Future[Dialled | Failure] | Failure:
        """What to wait for, or why nothing is dialled."""
        tables, revision = self._switchboard.tables, self._switchboard.revision  # the call keeps them, whatever comes
        numbers = await self._numbers_of(tables, request.trunk) if request.trunk and not request.caller else ()
        placement = self._switchboard.place(tables, revision, call_id, request, numbers)
        if isinstance(placement, Failure):
            return placement
        ways = await self._ways(placement)
        if isinstance(ways, Failure):
            return ways
        failure = self._switchboard.dial(call_id, placement, ways, _now())
        if failure is not None:
            return failure
        waiting = self._dials[call_id] = asyncio.get_running_loop().create_future()
        self._drain()
        return waiting

    async def transfer(self, request: TransferRequest) -> Transferred | Failure:
        """Send a caller on; see `runtime.api.livekit.control`."""
        begun = self._switchboard.transfer(request, _now())
        if isinstance(begun, Failure):
            return begun
        waiting = self._transfers.get(begun)
        if waiting is None:
            waiting = self._transfers[begun] = asyncio.get_running_loop().create_future()
        self._drain()
        return await asyncio.shield(waiting)

    async def hold(self, call_id: str, *, on: bool) -> bool | Failure:
        """Put a phone on hold, or take it back: whether it is held now, once the phone has agreed; or why not."""
        failure = self._switchboard.hold(call_id, _now(), on=on)
        if failure is not None:
            return failure
        waiting = self._holds.get(call_id)
        if waiting is None:
            waiting = self._holds[call_id] = asyncio.get_running_loop().create_future()
        self._drain()
        return await asyncio.shield(waiting)

    async def answer(self, call_id: str) -> Failure | None:
        """Answer a phone that rings."""
        failure = self._switchboard.answer_asked(call_id, _now())
        self._drain()
        return failure

    async def steer(self, call_id: str, verb: str) -> dict[str, Any] | tuple[int, str]:
        """What the HTTP API asks of a call, once it is so: the JSON to answer with, or a status and words."""
        asked: Awaitable[bool | Failure | None]
        match verb:
            case "answer":
                asked = self.answer(call_id)
            case "keep":
                asked = self.cancel_transfer(call_id)
            case _:
                asked = self.hold(call_id, on=verb == "hold")
        try:
            done = await asyncio.wait_for(asked, STEER_S)
        except TimeoutError:
            return 504, f"the phone has not answered for {STEER_S:.0f} s; `bridge calls` shows when it does"
        if isinstance(done, Failure):
            return (404 if done.kind is FailureKind.NOT_FOUND else 409), done.words
        live = self._switchboard.get(call_id)
        return {"formatVersion": 1, "callId": call_id, "hold": live.hold if live is not None else ""}

    async def cancel_transfer(self, call_id: str) -> Failure | None:
        """Wait no more for a transfer of a call."""
        failure = self._switchboard.cancel_transfer(call_id)
        self._drain()
        return failure

    # -- what the switchboard tells --------------------------------------------------------------------------------

    def dial_settled(self, call_id: str, outcome: Dialled | Failure) -> None:
        """What became of a call."""
        waiting = self._dials.pop(call_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(outcome)

    def hold_settled(self, call_id: str, held: bool, failure: Failure | None) -> None:
        """What became of a hold."""
        waiting = self._holds.pop(call_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(failure or held)

    def transfer_settled(self, outcome: Transferred) -> None:
        """What became of a transfer."""
        waiting = self._transfers.pop(outcome.transfer_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(outcome)

    def find_ways(self, call_id: str, placement: Placement) -> None:
        """Look up where a phone may be sent on to, and tell the switchboard."""
        task = asyncio.get_running_loop().create_task(self._find(call_id, placement))
        self._finding.add(task)
        task.add_done_callback(self._finding.discard)

    async def _find(self, call_id: str, placement: Placement) -> None:
        self._switchboard.ways_found(call_id, await self._ways(placement), _now())
        self._drain()

    def forget_numbers(self) -> None:
        """There are new tables."""
        self._numbers.clear()

    # -- what takes time -------------------------------------------------------------------------------------------

    async def _numbers_of(self, tables: Tables, trunk: str) -> Sequence[str]:
        """A trunk's caller ids: a pass over all numbers, once for each trunk and revision."""
        known = self._numbers.get(trunk)
        if known is not None:
            return known
        found = await asyncio.to_thread(caller_ids, tables, trunk)
        if tables is self._switchboard.tables and tables.trunk(trunk) is not None:
            self._numbers[trunk] = found
        return found

    async def _ways(self, placement: Placement) -> list[Way] | Failure:
        """Where the call may go, in the order in which it is tried."""
        found = await self._hops.find(placement.destinations, placement.trunk.id if placement.shows_certificate else "")
        if found.ways:
            return found.ways
        if found.unknown:
            return Failure(FailureKind.FAILED_PRECONDITION, f"no address is known for {', '.join(found.unknown)}")
        wanted = " or ".join(dict.fromkeys(place.first_hop.host for place in placement.destinations))
        words = f"no --listen of this bridge reaches {wanted}: it needs the same transport, and the same version of IP"
        return Failure(FailureKind.FAILED_PRECONDITION, words)


def _now() -> Now:
    return Now(time.monotonic(), time.time())
