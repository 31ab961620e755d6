"""The listener for probes and scrapers: what it tells, and what strangers can do to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

import pytest

from schemas import monitor
from schemas.monitor import CONNECTIONS_MAX, HEAD_BYTES_MAX, Monitor


def served(scene: Callable[[str, int], Awaitable[None]], alive: str = "", ready: str = "") -> None:
    async def run() -> None:
        it = Monitor(lambda: alive, lambda: ready, lambda: b"calls 1\n")
        host, port = await it.start("127.0.0.1", 0)
        try:
            await scene(host, port)
        finally:
            await it.stop()

    asyncio.run(run())


async def sent(host: str, port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()


def get(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: there\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        (get("/livez"), 200, b"ok\n"),
        (get("/readyz?verbose"), 503, b"there are no tables yet\n"),
        (get("/metrics"), 200, b"calls 1\n"),
        (get("/metrics", "HEAD"), 200, b""),
        (get("/metrics", "POST"), 405, b"GET alone\n"),
        (get("/../etc/passwd"), 404, b"there are /livez, /readyz and /metrics\n"),
        (b"\x16\x03\x01\r\n\r\n", 400, b"not a request\n"),
        (b"GET /livez HTTP/1.1\r\nCookie: " + b"x" * (3 * HEAD_BYTES_MAX), 400, b"not a request\n"),
    ],
)
def test_what_is_answered(request_: bytes, status: int, body: bytes) -> None:
    async def scene(host: str, port: int) -> None:
        head, _, told = (await sent(host, port, request_)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert told == body

    served(scene, ready="there are no tables yet")


def test_who_connects_and_says_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "REQUEST_S_MAX", 0.2)

    async def scene(host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()

    served(scene)


def test_a_probe_is_answered_whoever_holds_connections_open() -> None:
    async def scene(host: str, port: int) -> None:
        with contextlib.ExitStack() as held:
            silent = []
            for _ in range(3 * CONNECTIONS_MAX):
                silent.append(held.enter_context(socket.create_connection((host, port))))
                await asyncio.sleep(0.01)
            assert (await sent(host, port, get("/livez"))).endswith(b"ok\n")
            silent[0].settimeout(5)
            assert silent[0].recv(1) == b"", "the oldest made room"

    served(scene)


def test_however_many_scrape_it_is_counted_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []

    async def run() -> None:
        it = Monitor(lambda: "", lambda: "", lambda: _count(counted))
        host, port = await it.start("127.0.0.1", 0)
        for _ in range(5):
            assert (await sent(host, port, get("/metrics"))).endswith(b"calls 1\n")
        monkeypatch.setattr(monitor, "KEPT_S", 0.0)
        assert (await sent(host, port, get("/metrics"))).endswith(b"calls 2\n")
        await it.stop()

    asyncio.run(run())


def _count(counted: list[int]) -> bytes:
    counted.append(1)
    return b"calls %d\n" % len(counted)
