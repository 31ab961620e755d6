"""EDGE. The listener for probes and scrapers, of both programs: is it alive, can it be used, what has it counted.

    GET /livez     200 while it works; else 503, and the words say what is wrong: start it anew
    GET /readyz    200 while it does what it is there for; else 503, and the words say what it waits for
    GET /metrics   counters and gauges in Prometheus' text format

Nothing it tells names a caller, a number or a secret, so it wants no key; but it is a port more, and only for who asks
for it. A connection is for one request, is closed when that takes too long, and there are few of them at once.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

CONNECTIONS_MAX = 16
"""One more, and the oldest is closed: who holds them open must not keep probes out, or a bridge would be killed."""
KEPT_S = 1.0
"""Scrapes within so long get the same: however many come, counting is done once."""
HEAD_BYTES_MAX = 8 << 10
REQUEST_S_MAX = 5.0
TEXT = "text/plain; charset=utf-8"
METRICS = "text/plain; version=0.0.4; charset=utf-8"

_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


class Monitor:
    """One listener. `alive` and `ready` give "", or what is wrong in words; `metrics` gives the whole exposition."""

    def __init__(self, alive: Callable[[], str], ready: Callable[[], str], metrics: Callable[[], bytes]) -> None:
        self._alive = alive
        self._ready = ready
        self._metrics = metrics
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        """The oldest first."""
        self._told = b""
        self._told_at = -math.inf

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen; OSError when the port is taken. Port 0 takes a free one; the address it then has is returned."""
        self._server = await asyncio.start_server(self._connection, host, port, limit=HEAD_BYTES_MAX)
        bound = self._server.sockets[0].getsockname()
        return bound[0], bound[1]

    async def stop(self) -> None:
        """Close it, and what is open."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._open:
            writer.transport.abort()
        if works := [work for work in self._open.values() if work is not None]:
            await asyncio.wait(works)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= CONNECTIONS_MAX:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
        self._open[writer] = asyncio.current_task()
        try:
            async with asyncio.timeout(REQUEST_S_MAX):
                try:
                    head = await reader.readuntil(b"\r\n\r\n")
                except asyncio.LimitOverrunError:
                    head = b""
                writer.write(self._answer(head))
                await writer.drain()
                writer.write_eof()
                await reader.read(1)  # closed by the peer, which then has the whole answer
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # whoever it was has gone, or takes too long
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    def _answer(self, head: bytes) -> bytes:
        words = head.partition(b"\r\n")[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            return _response(400, "not a request\n")
        if words[0] not in {b"GET", b"HEAD"}:
            return _response(405, "GET alone\n")
        path = words[1].partition(b"?")[0]
        if path == b"/metrics":
            answer = _response(200, self._counted(), METRICS)
        elif path in {b"/livez", b"/readyz"}:
            wrong = self._alive() if path == b"/livez" else self._ready()
            answer = _response(503, f"{wrong}\n") if wrong else _response(200, "ok\n")
        else:
            answer = _response(404, "there are /livez, /readyz and /metrics\n")
        return answer if words[0] == b"GET" else answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"

    def _counted(self) -> bytes:
        now = asyncio.get_running_loop().time()
        if now >= self._told_at + KEPT_S:
            self._told, self._told_at = self._metrics(), now
        return self._told


def _response(status: int, body: str | bytes, kind: str = TEXT) -> bytes:
    raw = body.encode() if isinstance(body, str) else body
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(raw)}\r\n"
        "Connection: close\r\nCache-Control: no-store\r\n\r\n"
    )
    return head.encode() + raw
