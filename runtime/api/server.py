"""The bridge's own HTTP API: health for probes, and the calls for `bridge calls`.

    GET /healthz     no key; 200 while the bridge takes calls, else 503 (no tables yet, stopping)
    GET /v1/calls    Authorization: Bearer KEY; live calls, the newest ended ones, counters

It listens on loopback by default; the key lies in the state folder. Answers are JSON with a `formatVersion`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

from aiohttp import web

BODY_BYTES_MAX = 64 << 10


class Api:
    """One server. `calls()` and `health()` give JSON-able values."""

    def __init__(self, key: str, calls: Callable[[], dict[str, Any]], health: Callable[[], dict[str, Any]]) -> None:
        self._key = key
        self._calls = calls
        self._health = health
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; OSError when the port is taken. Port 0 takes a free one; the address it then has is returned."""
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[self._guard])
        app.router.add_get("/healthz", self._get_health)
        app.router.add_get("/v1/calls", self._get_calls)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError:
            await self.stop()
            raise
        bound = self._runner.addresses[0]
        return bound[0], bound[1]

    async def stop(self) -> None:
        """Close the server."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        if request.path != "/healthz":
            given = request.headers.get("Authorization", "")
            if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), f"Bearer {self._key}".encode()):
                hint = "send `Authorization: Bearer KEY` with the key from the state folder's api.key"
                return web.json_response({"error": "unauthorized", "hint": hint}, status=401)
        response: web.StreamResponse = await handler(request)
        return response

    async def _get_health(self, _request: web.Request) -> web.Response:
        health = self._health()
        return web.json_response(health, status=200 if health["status"] == "ok" else 503)

    async def _get_calls(self, _request: web.Request) -> web.Response:
        return web.json_response(self._calls())
