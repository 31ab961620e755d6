"""A front before LiveKit's API that fails as it is told to: what stands behind is a genuine server, or a stand-in.

Calls of `livekit.SIP` are counted from 1. A fault may come before the call is passed on, or after it was done: what the
caller sees is the same, what LiveKit holds is not. The front has a thread and a loop of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from reconciler.settings import LiveKitAccess
from reconciler.targets.livekit.holdings import Info
from tests.livekit_peers import KEY, SECRET
from tests.livekit_stand_in import Refused, StandIn
from tests.livekit_telephony import Telephony


@dataclass(frozen=True)
class Fault:
    """What becomes of one call. `first`: something happens before it; `done`: LiveKit does it before the fault."""

    status: int = 0
    code: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    done: bool = False
    kill: int = 0
    """The process to kill, whatever it is in the middle of."""
    hangs_s: float = 0.0
    first: Callable[[], None] | None = None


Faults = Callable[[int, str], Fault | None]


def at(number: int, fault: Fault) -> Faults:
    """One call of all, by its place."""
    return lambda call, _: fault if call == number else None


def always(method: str, fault: Fault) -> Faults:
    """Each call of a method whose name begins so."""
    return lambda _, called: fault if called.startswith(method) else None


class Front:
    """See the module. `calls` are the methods that were called; `faults` may be changed while it runs."""

    def __init__(self, behind: StandIn | Telephony) -> None:
        self.behind = behind
        self.faults: Faults = lambda _call, _method: None
        self.calls: list[str] = []
        self.times: list[float] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Front:
        self._thread.start()
        self._do(self._begin())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def access(self) -> LiveKitAccess:
        return LiveKitAccess(f"http://127.0.0.1:{self.port}", KEY, SECRET)

    @property
    def environment(self) -> dict[str, str]:
        return {"LIVEKIT_URL": self.access.url, "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}

    def objects(self) -> list[Info]:
        """Everything that is held behind."""
        if isinstance(self.behind, Telephony):
            return self.behind.objects()
        return [type(info).FromString(info.SerializeToString()) for info in self.behind.held.values()]

    def empty(self) -> None:
        """Take everything away, and forget calls and faults."""
        if isinstance(self.behind, Telephony):
            self.behind.empty()
        else:
            self.behind.held.clear()
        self.well()

    def well(self) -> None:
        """Let no call fail any more."""
        self.faults = lambda _call, _method: None
        self.calls, self.times = [], []

    def by_hand(self, method: str, request: Any) -> None:
        """A call as a person would make it, past the front."""
        if isinstance(self.behind, Telephony):
            self._do(self._pass_on(method, request.SerializeToString(), self._own_headers()))
        else:
            self.behind.call(method, request.SerializeToString())

    def down(self) -> None:
        """Nobody listens any more."""
        self._do(self._site.stop())

    def up(self) -> None:
        """Somebody listens again, at the same port."""
        self._do(self._listen())

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _begin(self) -> None:
        self._session = aiohttp.ClientSession()
        app = web.Application()
        app.router.add_post("/twirp/livekit.{service}/{method}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await self._listen()

    async def _listen(self) -> None:
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await self._site.start()
        self.port = self.port or self._runner.addresses[0][1]

    async def _end(self) -> None:
        await self._runner.cleanup()
        await self._session.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        method, body = request.match_info["method"], await request.read()
        self.calls.append(method)
        self.times.append(time.monotonic())
        fault = self.faults(len(self.calls), method)
        if fault is None:
            return await self._pass_on(method, body, dict(request.headers))
        if fault.first is not None:
            await asyncio.to_thread(fault.first)
        answer = None
        if fault.done or not (fault.status or fault.kill or fault.hangs_s):
            answer = await self._pass_on(method, body, dict(request.headers))
        if fault.hangs_s:
            await asyncio.sleep(fault.hangs_s)
        if fault.kill:
            os.kill(fault.kill, signal.SIGKILL)
        if fault.status:
            said = json.dumps({"code": fault.code, "msg": f"the front says {fault.status}"})
            return web.Response(status=fault.status, text=said, content_type="application/json", headers=fault.headers)
        if answer is None or fault.kill:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return answer

    async def _pass_on(self, method: str, body: bytes, headers: dict[str, str]) -> web.Response:
        if isinstance(self.behind, Telephony):
            kept = {name: value for name, value in headers.items() if name.lower() in ("authorization", "content-type")}
            url = f"http://127.0.0.1:{self.behind.port}/twirp/livekit.SIP/{method}"
            async with self._session.post(url, data=body, headers=kept) as response:
                content = response.headers.get("Content-Type", "")
                return web.Response(
                    status=response.status, body=await response.read(), headers={"Content-Type": content}
                )
        try:
            return web.Response(body=self.behind.answer(method, body), content_type="application/protobuf")
        except Refused as refused:
            said = json.dumps({"code": refused.code, "msg": refused.what})
            return web.Response(status=refused.status, text=said, content_type="application/json")

    @staticmethod
    def _own_headers() -> dict[str, str]:
        from livekit import api

        token = api.AccessToken(KEY, SECRET).with_sip_grants(api.SIPGrants(admin=True)).to_jwt()
        return {"Authorization": f"Bearer {token}", "Content-Type": "application/protobuf"}
