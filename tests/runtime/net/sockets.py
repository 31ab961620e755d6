"""SIP sockets on loopback with a user that keeps what it is told, on the loop that the bridge uses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import uvloop

from runtime.net.sip_sockets import SipSockets
from runtime.net.tls_contexts import TlsContexts
from runtime.settings import Listen
from runtime.sip.errors import Fault
from runtime.sip.path import Path

LOOPBACK = "127.0.0.1"


def run(test: Callable[[], Awaitable[None]]) -> None:
    """An asynchronous test, on uvloop."""

    async def main() -> None:
        await asyncio.wait_for(test(), 20)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def until(what: Callable[[], object], why: str = "it", within_s: float = 10.0) -> None:
    """Wait until `what()` is true."""
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, f"waited {within_s} s for {why}"
        await asyncio.sleep(0.002)


class User:
    """Keeps messages and failures; `answer`, where given, is called for every message."""

    def __init__(self, tls: TlsContexts | None = None) -> None:
        self.messages: list[tuple[bytes, Path]] = []
        self.faults: list[Fault] = []
        self.failures: list[tuple[Path, str]] = []
        self.needed: set[Path] = set()
        self.times_asked = 0
        """How often somebody wanted to know which connections are needed: a quiet one was found."""
        self.strangers: set[str] = set()
        self.rests: list[float] = []
        self.answer: Callable[[bytes, Path], None] | None = None
        self.sockets = SipSockets(self, tls, ws_origins=("https://phone.example",))

    def received(self, data: bytes, path: Path, framing_fault: Fault | None = None) -> None:
        self.messages.append((data, path))
        if framing_fault is not None:
            self.faults.append(framing_fault)
        if self.answer is not None:
            self.answer(data, path)

    def connection_failed(self, path: Path, why: str) -> None:
        self.failures.append((path, why))

    def knows(self, address: str) -> bool:
        return address not in self.strangers

    def rest_s(self, address: str) -> float:
        return self.rests.pop() if self.rests else 0.0

    def connections_needed(self) -> set[Path]:
        self.times_asked += 1
        return self.needed

    async def open(self, *transports: str) -> None:
        """Listen on ports of the kernel's choice."""
        await self.sockets.open([Listen(transport, LOOPBACK, 0) for transport in transports or ("tcp",)])

    def port(self, transport: str = "tcp") -> int:
        return next(listen.port for listen in self.sockets.listening if listen.transport == transport)

    def datas(self) -> list[bytes]:
        return [data for data, _ in self.messages]


@contextmanager
def users(count: int = 1) -> Iterator[list[User]]:
    """So many users, closed at the end; opened by the test."""
    made = [User() for _ in range(count)]
    try:
        yield made
    finally:
        for user in made:
            user.sockets.close()


class Client:
    """A plain TCP peer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, user: User, source: str = LOOPBACK) -> Client:
        return cls(*await asyncio.open_connection(LOOPBACK, user.port(), local_addr=(source, 0)))

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.writer.get_extra_info("sockname")[:2]
        return host, port

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def ended(self) -> bytes:
        """All that still comes, until the other side closes."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b""

    def close(self) -> None:
        self.writer.close()
