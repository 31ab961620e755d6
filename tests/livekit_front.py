"""A front before a genuine livekit-server's signalling: it can be cut and stay cut, and play an older server.

An older one has no `/rtc/v1`: the front answers 404 there and passes all else on. It runs in a thread of its own, so
that tests with and without an event loop can use it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

from runtime.settings import LiveKitServer
from tests.livekit_peers import KEY, SECRET, LiveKit

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Front:
    """See the module; `older` may be changed while it runs. `paths` are those that were asked for, in order."""

    def __init__(self, server: LiveKit, *, older: bool = False) -> None:
        self.server, self.older, self.open = server, older, True
        self.paths: list[str] = []
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Front:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def settings(self) -> LiveKitServer:
        return LiveKitServer(f"ws://127.0.0.1:{self.port}", KEY, SECRET)

    @property
    def environment(self) -> dict[str, str]:
        """What a bridge must know of it."""
        return {**self.server.environment, "LIVEKIT_URL": self.settings.url}

    @property
    def sessions(self) -> int:
        """How many WebSockets were asked for."""
        return len([path for path in self.paths if path in ("/rtc", "/rtc/v1")])

    def cut(self) -> None:
        """Break what is open."""
        self._do(self._cut())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        await self._cut()
        await asyncio.sleep(0.05)  # for the ends of those that were cut

    async def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.open:
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].split(b"?")[0].decode()
            self.paths.append(path)
            if self.older and path.startswith("/rtc/v1"):
                writer.write(NOT_FOUND)
                writer.close()
                return
            if b"\r\nupgrade:" not in head.lower():  # or a WebSocket could come by the same connection, unseen
                head = head.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"
            there, back = await asyncio.open_connection("127.0.0.1", self.server.port)
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()
            return
        self._writers.add(back)
        back.write(head)
        await asyncio.gather(self._carry(reader, back), self._carry(there, writer))
        self._writers -= {writer, back}

    @staticmethod
    async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
        except OSError:
            pass
        writer.close()
