"""EDGE. The listener of the LiveKit-compatible API. It may be public: it needs keys, and all that comes is bounded.

It is apart from the bridge's own API (`runtime/api/server`), which is for the machine itself. TLS is a proxy's in front
of it, as with LiveKit's own server.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from runtime.api.complaints import complaints_to
from runtime.api.livekit import limits, service
from runtime.api.livekit.control import CallControl, Order
from runtime.api.livekit.grants import grants_of
from runtime.api.livekit.orders import REQUEST_ID, Orders
from runtime.api.livekit.outcomes import told
from runtime.api.livekit.proxy import Proxy
from runtime.api.livekit.routes import OURS, Ours, PassedOn, route
from runtime.api.livekit.twirp import JSON, PROTOBUF, Code, TwirpError, encoded
from runtime.settings import LiveKitApi
from schemas.tables.tables import Tables

STOP_S_MAX = 1.0
"""How long answers under way may take when the bridge stops."""


class LiveKitApiServer:
    """One server. `tables()` are those of this moment; `declared_at` is called in a thread; `control` has the calls.

    `log(event, **fields)` is told of broken requests.
    """

    def __init__(
        self,
        settings: LiveKitApi,
        tables: Callable[[], Tables],
        declared_at: service.DeclaredAt,
        control: CallControl,
        log: Callable[..., None],
    ) -> None:
        self._settings = settings
        self._tables = tables
        self._declared_at = declared_at
        self._orders = Orders(control)
        self._complaints = complaints_to(log, "the LiveKit-compatible API")
        self._proxy = Proxy(settings.server) if settings.server is not None else None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="livekit-api")
        self._server: asyncio.Server | None = None
        self._web: web.Server | None = None
        self._fresh: dict[asyncio.BaseProtocol, asyncio.TimerHandle] = {}

    async def start(self) -> tuple[str, int]:
        """Listen; OSError when the port is taken. The address that it then has."""
        if self._proxy is not None:
            await self._proxy.start()
        self._web = web.Server(
            self._handle,
            access_log=None,
            logger=self._complaints,
            handler_cancellation=True,
            keepalive_timeout=limits.KEEP_ALIVE_S,
            max_line_size=limits.REQUEST_LINE_BYTES_MAX,
            max_field_size=limits.HEADER_BYTES_MAX,
            auto_decompress=False,
        )
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._connection, self._settings.host, self._settings.port)
        except OSError:
            await self.stop()
            raise
        bound = self._server.sockets[0].getsockname()
        return bound[0], bound[1]

    async def stop(self) -> None:
        """Close the server and all that passes through it."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._proxy is not None:
            await self._proxy.stop()
        if self._web is not None:
            await self._web.shutdown(STOP_S_MAX)
            self._web = None
        self._orders.stop()
        for timer in self._fresh.values():
            timer.cancel()
        self._fresh.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    # -- connections -----------------------------------------------------------------------------------------------

    def _connection(self) -> asyncio.BaseProtocol:
        assert self._web is not None, "started"
        if len(self._web.connections) >= limits.CONNECTIONS_MAX:
            return _Refused()
        handler = self._web()
        timer = asyncio.get_running_loop().call_later(limits.FIRST_REQUEST_S_MAX, self._cut, handler)
        self._fresh[handler] = timer
        return handler

    def _cut(self, handler: web.RequestHandler) -> None:
        """End a connection that has not asked for anything yet."""
        self._fresh.pop(handler, None)
        if handler.transport is not None:
            handler.transport.abort()

    # -- requests --------------------------------------------------------------------------------------------------

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        timer = self._fresh.pop(request.protocol, None)
        if timer is not None:
            timer.cancel()
        found = route(request.raw_path)
        try:
            match found:
                case Ours(method) if request.method != "OPTIONS":
                    return await self._answer(request, method)
                case Ours(method):
                    return await self._pass_on(request, PassedOn(f"/twirp/{OURS}/{method}", is_twirp=True))
                case PassedOn():
                    return await self._pass_on(request, found)
                case _:
                    raise TwirpError(Code.BAD_ROUTE, "there is nothing at this path")
        except TwirpError as fault:
            if isinstance(found, PassedOn) and not found.is_twirp:
                return web.Response(status=fault.status, text=fault.msg)
            return web.Response(status=fault.status, body=fault.body(), content_type=JSON)

    async def _pass_on(self, request: web.BaseRequest, found: PassedOn) -> web.StreamResponse:
        if self._proxy is None:
            hint = "name one with LIVEKIT_URL"
            raise TwirpError(Code.UNAVAILABLE, f"this bridge has no LiveKit server behind it: {hint}")
        return await self._proxy.pass_on(request, found.target)

    async def _answer(self, request: web.BaseRequest, method: str) -> web.StreamResponse:
        if request.method != "POST":
            raise TwirpError(Code.BAD_ROUTE, f"unsupported method {request.method}: only POST is allowed")
        form = request.content_type
        if form not in (JSON, PROTOBUF):
            raise TwirpError(Code.BAD_ROUTE, f"unexpected Content-Type: send {JSON} or {PROTOBUF}")
        keys = self._settings
        authorization = request.headers.get("Authorization", "")
        grants = grants_of(authorization, keys.api_key, keys.api_secret, time.time())
        body = await self._body(request)
        asked = service.Asked(grants, self._tables(), self._declared_at)
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._thread, service.answer, method, body, form, asked)
        if not isinstance(answer, bytes):
            answer = await self._carried_out(answer, request, method, form, body)
        return web.Response(body=answer, content_type=form)

    async def _carried_out(self, order: Order, request: web.BaseRequest, method: str, form: str, body: bytes) -> bytes:
        """The answer to an order. A client that hangs up meanwhile cancels this, and not the order."""
        loop = asyncio.get_running_loop()
        fingerprint = await loop.run_in_executor(self._thread, _fingerprint, method, form, body)
        outcome = await self._orders.carry_out(order, request.headers.get(REQUEST_ID, ""), fingerprint)
        return encoded(told(outcome), form)

    async def _body(self, request: web.BaseRequest) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(limits.BODY_S_MAX):
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > limits.SIP_BODY_BYTES_MAX:
                        most = f"{limits.SIP_BODY_BYTES_MAX >> 20} MiB"
                        raise TwirpError(Code.INVALID_ARGUMENT, f"a request to {OURS} has {most} at most")
        except (web.RequestPayloadError, HttpProcessingError) as fault:
            raise TwirpError(Code.MALFORMED, "the request's body breaks off, or its chunks are broken") from fault
        except TimeoutError as fault:
            raise TwirpError(Code.DEADLINE_EXCEEDED, "the request's body did not arrive in time") from fault
        return bytes(body)


def _fingerprint(method: str, form: str, body: bytes) -> bytes:
    """What two requests have in common only if they are the same."""
    return hashlib.sha256(f"{method} {form} ".encode() + body).digest()


class _Refused(asyncio.Protocol):
    """A connection too many: closed as it is made."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        transport.close()
