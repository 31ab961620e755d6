"""A reverse proxy in front of an API server that answers 429, doubles and drops events, and cuts connections."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from types import TracebackType

import aiohttp
from aiohttp import web

from tests.kubernetes.cluster import AnyCluster
from tests.peers import free_port

Fault = Callable[[web.Request], web.Response | None]


class Faulty:
    """Passes everything on to `cluster`, as faults leave it.

    `fault` may answer a request in the server's place; `copies` is how often each event of a watch is passed on, 0: it
    is lost; `cut` ends all watches.
    """

    def __init__(self, cluster: AnyCluster) -> None:
        self._cluster = cluster
        self.port = free_port(socket.SOCK_STREAM)
        self.fault: Fault = lambda _: None
        self.copies = 1
        self.requests: list[tuple[str, str]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._watches: set[asyncio.Task[object]] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Faulty:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, tb: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    def cut(self) -> None:
        """End every watch, as a load balancer does."""
        self._loop.call_soon_threadsafe(lambda: [watch.cancel() for watch in self._watches])

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._run())
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    async def _run(self) -> None:
        connector = aiohttp.TCPConnector(limit=0, ssl=self._cluster.context() or True)
        async with aiohttp.ClientSession(connector=connector) as session:
            self._session = session
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", self._pass_on)
            runner = web.AppRunner(app, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self.port).start()
            self._ready.set()
            await self._stop.wait()
            await runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path))
        if (answer := self.fault(request)) is not None:
            return answer
        headers = {name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers}
        url = self._cluster.url + str(request.rel_url)
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.request(
            request.method, url, headers=headers, data=await request.read(), timeout=timeout
        ) as answered:
            told = web.StreamResponse(status=answered.status)
            told.content_type = "application/json"
            await told.prepare(request)
            if "watch" in request.query:
                await self._events(answered, told)
            else:
                await told.write(await answered.read())
            return told

    async def _events(self, answered: aiohttp.ClientResponse, told: web.StreamResponse) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._watches.add(task)
        try:
            async for line in answered.content:
                for _ in range(self.copies):
                    await told.write(line)
        finally:
            self._watches.discard(task)


def too_many(*, wait_s: int = 1) -> web.Response:
    """429, as an API server that is busy answers."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "too many requests", "code": 429}
    return web.json_response(body, status=429, headers={"Retry-After": str(wait_s)})
