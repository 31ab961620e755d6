"""EDGE. What a LiveKit server answers itself, passed on to it and back: requests, and WebSockets message by message.

Neither side is ever read faster than the other takes it, so a slow reader costs its own connection and no memory.
Tokens are the server's to judge: it may have more keys than this bridge knows. Compression is not offered: it would
cost the loop that also carries media its time, and both sides do without.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import (
    ClientError,
    ClientPayloadError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    DummyCookieJar,
    TCPConnector,
    WSMessage,
    WSMsgType,
    WSServerHandshakeError,
    web,
)
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from runtime.api.livekit import limits
from runtime.api.livekit.twirp import Code, TwirpError
from runtime.settings import LiveKitServer

_CHUNK_BYTES = 64 << 10
_OF_ONE_HOP = frozenset(
    {
        "connection",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OF_ONE_WEBSOCKET = frozenset(
    {
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-extensions",
        "sec-websocket-protocol",
        "sec-websocket-accept",
        "content-length",
    }
)
_GOING_AWAY, _ABNORMAL = 1001, 1011

Socket = web.WebSocketResponse | ClientWebSocketResponse


class Proxy:
    """The way to one LiveKit server."""

    def __init__(self, server: LiveKitServer) -> None:
        self._base = "http" + server.url.removeprefix("ws")
        self._session: ClientSession | None = None
        self._sockets: set[web.WebSocketResponse] = set()

    async def start(self) -> None:
        """Make ready; connections are made as requests come."""
        self._session = ClientSession(
            connector=TCPConnector(limit=limits.CONNECTIONS_MAX),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=limits.EXCHANGE_S_MAX, connect=limits.CONNECT_S_MAX),
            auto_decompress=False,
            max_line_size=limits.HEADER_BYTES_MAX,
            max_field_size=limits.HEADER_BYTES_MAX,
        )

    async def stop(self) -> None:
        """End what is under way."""
        for socket in list(self._sockets):
            await socket.close(code=_GOING_AWAY, message=b"the bridge stops")
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def pass_on(self, request: web.BaseRequest, target: str) -> web.StreamResponse:
        """The server's answer to a request for `target` (path and query), or what passes over its WebSocket."""
        assert self._session is not None, "started"
        url = URL(self._base + target, encoded=True)
        try:
            if is_websocket(request):
                return await self._websocket(self._session, request, url)
            return await self._exchange(self._session, request, url)
        except TimeoutError as fault:
            raise TwirpError(Code.UNAVAILABLE, "the LiveKit server did not answer in time") from fault
        except (ClientError, OSError) as fault:
            if isinstance(fault.__cause__, TwirpError):
                raise fault.__cause__ from fault  # the body was at fault: aiohttp tells it as a connection's
            raise TwirpError(Code.UNAVAILABLE, "the LiveKit server cannot be reached by this bridge") from fault

    # -- requests --------------------------------------------------------------------------------------------------

    async def _exchange(self, session: ClientSession, request: web.BaseRequest, url: URL) -> web.StreamResponse:
        if (request.content_length or 0) > limits.BODY_BYTES_MAX:
            raise _too_large()
        headers = onward(request, frozenset({"content-length"}))
        body = _bounded_body(request) if request.can_read_body else None
        async with session.request(
            request.method, url, headers=headers, data=body, allow_redirects=False, skip_auto_headers=_NOT_OURS
        ) as answer:
            response = web.StreamResponse(status=answer.status, reason=answer.reason)
            response.headers.extend(kept(answer.headers))
            await response.prepare(request)
            try:
                await _pass_answer(answer, response)
            except (TimeoutError, ClientError, OSError):
                # Too late for another answer: the client must see that this one is not whole.
                if request.transport is not None:
                    request.transport.abort()
            return response

    # -- WebSockets ------------------------------------------------------------------------------------------------

    async def _websocket(self, session: ClientSession, request: web.BaseRequest, url: URL) -> web.StreamResponse:
        if not web.WebSocketResponse().can_prepare(request):
            return web.Response(status=400, text="this is no WebSocket handshake")
        asked = request.headers.get("Sec-WebSocket-Protocol", "")
        protocols = tuple(name.strip() for name in asked.split(",") if name.strip())
        try:
            async with asyncio.timeout(limits.HANDSHAKE_S_MAX):
                theirs = await session.ws_connect(
                    url,
                    headers=onward(request, _OF_ONE_WEBSOCKET),
                    protocols=protocols,
                    max_msg_size=limits.MESSAGE_BYTES_MAX,
                    autoping=False,
                    autoclose=False,
                )
        except WSServerHandshakeError as refusal:
            status = refusal.status if refusal.status >= 400 else 502
            return web.Response(status=status, text=f"the LiveKit server refused the WebSocket with {refusal.status}")
        chosen = (theirs.protocol,) if theirs.protocol else ()
        ours = web.WebSocketResponse(
            protocols=chosen, max_msg_size=limits.MESSAGE_BYTES_MAX, autoping=False, autoclose=False, compress=False
        )
        try:
            await ours.prepare(request)
            self._sockets.add(ours)
            await splice(ours, theirs)
        finally:
            self._sockets.discard(ours)
            await theirs.close()
        return ours


async def splice(one: Socket, other: Socket) -> None:
    """Carry messages both ways until a side closes; the other is then closed with the same code."""
    heard = asyncio.Event()
    ways = [asyncio.create_task(_carry(one, other, heard)), asyncio.create_task(_carry(other, one, heard))]
    try:
        while True:
            heard.clear()
            ended, _ = await asyncio.wait(ways, timeout=limits.SILENCE_S_MAX, return_when=asyncio.FIRST_COMPLETED)
            if ended or not heard.is_set():
                break
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        code = _close_code(one if one.close_code is not None else other)
        for side in (one, other):
            if not side.closed:
                await side.close(code=code)


async def _carry(source: Socket, sink: Socket, heard: asyncio.Event) -> None:
    while True:
        try:
            message = await source.receive()
            heard.set()
            async with asyncio.timeout(limits.SEND_S_MAX):
                if not await _pass(message, sink):
                    return
        except (TimeoutError, ConnectionError, ClientError):
            return


async def _pass(message: WSMessage, sink: Socket) -> bool:
    """Send one message on; False when it was the last."""
    match message.type:
        case WSMsgType.BINARY:
            await sink.send_bytes(message.data)
        case WSMsgType.TEXT:
            await sink.send_str(message.data)
        case WSMsgType.PING:
            await sink.ping(message.data)
        case WSMsgType.PONG:
            await sink.pong(message.data)
        case _:
            return False
    return True


def _close_code(side: Socket) -> int:
    """The code to close with: some that a side may report must not be sent (RFC 6455, section 7.4.1)."""
    code = side.close_code
    return code if code is not None and (1000 <= code <= 1003 or 1007 <= code <= 1011 or code >= 3000) else _ABNORMAL


# -- heads -------------------------------------------------------------------------------------------------------------

_NOT_OURS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


def is_websocket(request: web.BaseRequest) -> bool:
    """Whether a request asks for a WebSocket."""
    return request.headers.get("Upgrade", "").lower() == "websocket"


def kept(headers: CIMultiDictProxy[str], without: frozenset[str] = frozenset()) -> CIMultiDict[str]:
    """The headers that go on to the next hop: not those about this connection, nor those that `Connection` names."""
    named = {name.strip().lower() for value in headers.getall("Connection", ()) for name in value.split(",")}
    dropped = _OF_ONE_HOP | without | named
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)


def onward(request: web.BaseRequest, without: frozenset[str]) -> CIMultiDict[str]:
    """The headers that the server gets, with the address of who asks: it tells it of participants."""
    headers = kept(request.headers, without)
    if request.remote:
        before = ", ".join(headers.popall("X-Forwarded-For", ()))
        headers["X-Forwarded-For"] = f"{before}, {request.remote}" if before else request.remote
    return headers


async def _pass_answer(answer: ClientResponse, response: web.StreamResponse) -> None:
    passed = 0
    async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
        passed += len(chunk)
        if passed > limits.ANSWER_BYTES_MAX:
            raise ClientPayloadError("the answer is too long")
        await response.write(chunk)
    await response.write_eof()


async def _bounded_body(request: web.BaseRequest) -> AsyncIterator[bytes]:
    passed = 0
    async for chunk in request.content.iter_chunked(_CHUNK_BYTES):
        passed += len(chunk)
        if passed > limits.BODY_BYTES_MAX:
            raise _too_large()
        yield chunk


def _too_large() -> TwirpError:
    return TwirpError(Code.INVALID_ARGUMENT, f"a request has {limits.BODY_BYTES_MAX >> 20} MiB at most")
