"""The signalling WebSocket of one connection of one call. An edge: bytes in, bytes out, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

import aiohttp

from runtime.rooms.livekit.limits import CONNECT_S_MAX, MESSAGE_BYTES_MAX, UNSENT_BYTES_MAX
from runtime.rooms.livekit.news import Request

CLOSE_S_MAX: Final = 1.0
Spawn = Callable[[Coroutine[Any, Any, None]], object]

_REFUSALS: Final = {
    400: "the LiveKit server could not read the join (400)",
    401: "the LiveKit server does not accept the API key and secret (401)",
    403: "the LiveKit server does not allow the join (403)",
    404: "the LiveKit server has no such room, and makes none (404)",
    429: "the LiveKit server is at its limits (429)",
}


class SocketUser(Protocol):
    """Who a socket tells; each call names the socket, so that news of an old one are known as such."""

    def socket_refused(self, source: SignalSocket, status: int, words: str) -> None:
        """It could not be opened; `status` is HTTP's, 0 without an answer."""
        ...

    def socket_received(self, source: SignalSocket, data: bytes) -> None:
        """A message came."""
        ...

    def socket_closed(self, source: SignalSocket) -> None:
        """It was open, and is no more."""
        ...


class SignalSocket:
    """See the module."""

    def __init__(self, http: aiohttp.ClientSession, user: SocketUser, spawn: Spawn) -> None:
        self._http = http
        self._user = user
        self._spawn = spawn
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._waiting: list[bytes] = []
        self._unsent_bytes = 0
        self._over = False

    def dial(self, url: str, request: Request, token: str) -> None:
        """Open it."""
        self._spawn(self._run(url, request, token))

    def send(self, data: bytes) -> None:
        """Send a message, once the socket is open."""
        if self._over:
            return
        self._unsent_bytes += len(data)
        if self._unsent_bytes > UNSENT_BYTES_MAX:
            self._end()
        elif self._socket is None:
            self._waiting.append(data)
        else:
            self._spawn(self._send(self._socket, data))

    def hang_up(self) -> None:
        """Close it, after what was sent; nothing is told any more."""
        self._over = True
        if self._socket is not None:
            self._spawn(self._close(self._socket))

    async def _run(self, url: str, request: Request, token: str) -> None:
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                opened = await self._http.ws_connect(
                    f"{url}{request.path}",
                    params=request.query,
                    headers={"Authorization": f"Bearer {token}"},
                    max_msg_size=MESSAGE_BYTES_MAX,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S_MAX),
                )
        except aiohttp.WSServerHandshakeError as fault:
            words = _REFUSALS.get(fault.status, f"the LiveKit server answered {fault.status}")
            self._refused(fault.status, words)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            self._refused(0, f"the LiveKit server at {url} cannot be reached")
        else:
            await self._read(opened)

    async def _read(self, opened: aiohttp.ClientWebSocketResponse) -> None:
        while self._waiting:  # what comes meanwhile goes behind it
            await self._send(opened, self._waiting.pop(0))
        if self._over:  # the call was given up while this was opened, and has said goodbye by now
            await self._close(opened)
            return
        self._socket = opened
        async for message in opened:
            if message.type == aiohttp.WSMsgType.BINARY:
                self._user.socket_received(self, message.data)
            elif message.type != aiohttp.WSMsgType.TEXT:
                break
        await opened.close()
        self._end()

    async def _send(self, opened: aiohttp.ClientWebSocketResponse, data: bytes) -> None:
        try:
            await opened.send_bytes(data)
            self._unsent_bytes -= len(data)
        except (aiohttp.ClientError, OSError):
            self._end()

    async def _close(self, opened: aiohttp.ClientWebSocketResponse) -> None:
        try:
            await opened.close()
        except (aiohttp.ClientError, OSError):
            pass  # it was broken already

    def _refused(self, status: int, words: str) -> None:
        if not self._over:
            self._over = True
            self._user.socket_refused(self, status, words)

    def _end(self) -> None:
        if not self._over:
            self.hang_up()
            self._user.socket_closed(self)
