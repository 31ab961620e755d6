"""Rooms on a LiveKit server, as the bridge drives them: calls come and go, one clock ticks them all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import aiohttp

from runtime.calls.reasons import EndReason
from runtime.errors import BridgeError
from runtime.limits import TICK_S
from runtime.media.codecs import opus
from runtime.media.dtls import new_identity
from runtime.net.outbox import make_outbox
from runtime.net.polled import make_polled
from runtime.rooms.adapter import Leg, Participant, RoomEvents
from runtime.rooms.livekit.connection import RoomConnection, Shared
from runtime.rooms.livekit.limits import CONNECT_S_MAX
from runtime.rooms.livekit.modes import KnownMode
from runtime.rooms.livekit.token import check_token
from runtime.settings import LiveKitServer
from schemas.tables.rows import Pairs

SLOW_TICKS = 5
"""Timers are looked after every 100 ms."""
LEAVE_S_MAX = 2.0
"""How long a stopping bridge waits until all its calls have left their rooms."""
assert SLOW_TICKS * TICK_S == 0.1


class LiveKitRooms:
    """All rooms of one bridge that are on a LiveKit server; used from the event loop's thread only."""

    def __init__(self, server: LiveKitServer, events: RoomEvents) -> None:
        self._server = server
        self._events = events
        self._calls: dict[str, RoomConnection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._polled = make_polled()
        self._outbox = make_outbox()
        self._shared: Shared | None = None
        self._ticks = 0

    async def start(self) -> str:
        """Make ready; "" or the words for a server that cannot be reached now. BridgeError when it refuses the key."""
        opus.library()
        http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )
        identity = new_identity(datetime.now(UTC))
        self._shared = Shared(
            self._server, http, identity, self._events, self._spawn, KnownMode(), self._polled, self._outbox
        )
        try:
            return await self._check(http)
        except BaseException:
            await http.close()
            raise

    async def check(self) -> str:
        """Whether the server answers, and takes the key: "" or why not."""
        assert self._shared is not None, "it is started"
        try:
            return await self._check(self._shared.http)
        except BridgeError as refused:
            return refused.what

    async def close(self) -> None:
        """Leave all rooms, and let the goodbyes go out."""
        for call_id in list(self._calls):
            self.leave(call_id, EndReason.SHUTDOWN)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LEAVE_S_MAX)
        for task in self._tasks:
            task.cancel()
        if self._shared is not None:
            await self._shared.http.close()

    @property
    def busy(self) -> int:
        """How many tasks are under way: a few per call, and the goodbyes of those that are gone."""
        return len(self._tasks)

    # -- Rooms -----------------------------------------------------------------------------------------------------

    def join(self, room: str, participant: Participant, leg: Leg, now: float) -> None:
        """Bring a call into a room; the phone rings until somebody is there."""
        assert self._shared is not None, "started before the first call"
        connection = self._calls[participant.call_id] = RoomConnection(self._shared, room, participant, leg, now)
        self._events.waiting(participant.call_id)
        connection.start(now)

    def leave(self, call_id: str, reason: str = EndReason.HANGUP) -> None:
        """Take a call out of its room; unknown calls are fine. Others are told LiveKit's word for `reason`."""
        connection = self._calls.pop(call_id, None)
        if connection is not None:
            connection.leave(reason)

    def set_attributes(self, call_id: str, changes: Pairs) -> None:
        """Change attributes of a call's participant."""
        connection = self._calls.get(call_id)
        if connection is not None:
            connection.set_attributes(changes)

    def show_headers(self, call_id: str, headers: Pairs) -> None:
        """What lk.sip.GetRemoteHeaders may tell from now on."""
        connection = self._calls.get(call_id)
        if connection is not None:
            connection.show_headers(headers)

    def digit(self, call_id: str, digit: str, now: float) -> None:
        """Tell the room of a key that a phone pressed."""
        connection = self._calls.get(call_id)
        if connection is not None:
            connection.digit(digit)

    def message(self, call_id: str, method: str, content_type: str, body: bytes) -> None:
        """Tell the room what a phone wrote."""
        connection = self._calls.get(call_id)
        if connection is not None:
            connection.message(method, content_type, body)

    def tick(self, now: float) -> None:
        """One 20 ms step of every call."""
        wall_s = time.time()
        self._polled.read(now, wall_s)
        connections = list(self._calls.values())
        for connection in connections:
            connection.tick(now)
        self._outbox.flush()
        self._ticks += 1
        if self._ticks % SLOW_TICKS == 0:
            for connection in connections:
                connection.handle_timer(now, wall_s)

    # -- parts -----------------------------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _check(self, http: aiohttp.ClientSession) -> str:
        address = "http" + self._server.url.removeprefix("ws")
        headers = {"Authorization": f"Bearer {check_token(self._server)}"}
        try:
            timeout = aiohttp.ClientTimeout(total=CONNECT_S_MAX)
            async with http.get(f"{address}/rtc/validate", headers=headers, timeout=timeout) as answer:
                status = answer.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            return f"the LiveKit server at {self._server.url} cannot be reached: until it is, calls get their fallback"
        if status in (401, 403):
            raise BridgeError(
                f"the LiveKit server at {self._server.url} does not accept the API key {self._server.api_key}",
                "check LIVEKIT_API_KEY and LIVEKIT_API_SECRET, one pair of its keys, and this machine's clock",
            )
        return ""
