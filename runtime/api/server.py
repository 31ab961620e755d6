"""The bridge's own HTTP API: health for probes, and the calls for `bridge calls`.

    GET /healthz     no key; 200 while the bridge takes calls, else 503 (no tables yet, stopping)
    GET /v1/calls    Authorization: Bearer KEY; live calls, the newest ended ones, counters
    GET /v1/status   the same key; listeners, tables, trunks, registrations, rooms, and what is wrong
    POST /v1/calls/CALL/hold, …/resume, …/answer, …/keep    the same key; what a room may ask of its phones

It listens on loopback by default, and then answers nobody who names it otherwise; the key lies in the state folder.
Answers are JSON with a `formatVersion`. A connection is for one request and is cut off when that takes too long.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import urllib.parse
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from runtime.api.complaints import complaints_to
from runtime.limits import API_CONNECTION_S, API_CONNECTIONS_MAX, API_HEAD_S

Steer = Callable[[str, str], Awaitable[dict[str, Any] | tuple[int, str]]]

BODY_BYTES_MAX = 64 << 10


class Api:
    """One server. `calls()`, `health()` and `status()` give JSON-able values.

    `log(event, **fields)` is told of broken requests.

    `steer(call, verb)` does what is asked: the JSON to answer with, or the status and the words of a refusal.
    """

    def __init__(
        self,
        key: str,
        calls: Callable[[], dict[str, Any]],
        health: Callable[[], dict[str, Any]],
        status: Callable[[], Awaitable[dict[str, Any]]],
        log: Callable[..., None],
        steer: Steer,
    ) -> None:
        self._key = key
        self._steer = steer
        self._calls = calls
        self._health = health
        self._status = status
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._is_loopback = True
        self._silent: dict[asyncio.BaseProtocol, None] = {}
        """Connections on which no whole head has come, the oldest first."""
        self._complaints = complaints_to(log, "the HTTP API")

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; OSError when the port is taken. Port 0 takes a free one; the address it then has is returned."""
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[self._guard])
        app.router.add_get("/healthz", self._get_health)
        app.router.add_get("/v1/calls", self._get_calls)
        app.router.add_get("/v1/status", self._get_status)
        app.router.add_post("/v1/calls/{call}/{verb:hold|resume|answer|keep}", self._post_verb)
        self._runner = web.AppRunner(app, access_log=None, logger=self._complaints)
        await self._runner.setup()
        try:
            self._server = await asyncio.get_running_loop().create_server(self._connection, host, port)
        except OSError:
            await self.stop()
            raise
        bound = self._server.sockets[0].getsockname()
        self._is_loopback = ipaddress.ip_address(bound[0]).is_loopback
        return bound[0], bound[1]

    async def stop(self) -> None:
        """Close the server."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _connection(self) -> asyncio.BaseProtocol:
        """One more connection, for one request: there are few, and none lasts.

        Where there is no place left, the one that has been silent longest makes room: who only connects and says
        nothing cannot keep out a probe.
        """
        assert self._runner is not None
        server = self._runner.server
        assert server is not None, "the runner is set up"
        if len(server.connections) >= API_CONNECTIONS_MAX:
            if not self._silent:
                return _Refused()
            self._cut_silent(next(iter(self._silent)))
        handler = server()
        self._silent[handler] = None
        loop = asyncio.get_running_loop()
        loop.call_later(API_HEAD_S, self._cut_silent, handler)
        loop.call_later(API_CONNECTION_S, _cut, handler)
        return handler

    def _cut_silent(self, handler: asyncio.BaseProtocol) -> None:
        if handler in self._silent:
            del self._silent[handler]
            _cut(handler)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        self._silent.pop(request.protocol, None)
        if self._is_loopback and not _is_local(request.host):
            # A web page whose name has been pointed at this address (DNS rebinding) names itself here.
            hint = "name the API by its loopback address, or localhost"
            return web.json_response({"error": "misdirected request", "hint": hint}, status=421)
        if request.path != "/healthz":
            given = request.headers.get("Authorization", "")
            if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), f"Bearer {self._key}".encode()):
                hint = "send `Authorization: Bearer KEY` with the key from the state folder's api.key"
                return web.json_response({"error": "unauthorized", "hint": hint}, status=401)
        response: web.StreamResponse = await handler(request)
        response.force_close()
        return response

    async def _get_health(self, _request: web.Request) -> web.Response:
        health = self._health()
        return web.json_response(health, status=200 if health["status"] == "ok" else 503)

    async def _get_calls(self, _request: web.Request) -> web.Response:
        return web.json_response(self._calls())

    async def _get_status(self, _request: web.Request) -> web.Response:
        return web.json_response(await self._status())

    async def _post_verb(self, request: web.Request) -> web.Response:
        told = await self._steer(request.match_info["call"], request.match_info["verb"])
        if isinstance(told, tuple):
            status, words = told
            hint = "which calls there are: bridge calls" if status == 404 else "what it does: bridge calls -o json"
            return web.json_response({"error": words, "hint": hint}, status=status)
        return web.json_response(told)


class _Refused(asyncio.Protocol):
    """A connection too many: closed as it is made."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        transport.close()


def _cut(handler: asyncio.BaseProtocol) -> None:
    assert isinstance(handler, web.RequestHandler), "the server makes no others"
    if handler.transport is not None:
        handler.transport.abort()


def _is_local(host: str) -> bool:
    """Whether a Host header names this machine's loopback."""
    try:
        name = urllib.parse.urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
