"""All SIP connections of one endpoint, and the bounds that they share.

A stranger can make any number of connections, send half a message, or never read an answer. So there is a bound on
connections, on those with one address, on the time to a first message and to a whole one, on TLS handshakes, on
idleness, on what waits to be sent, and on the messages that one connection may have handled in one turn of the loop.
Strangers have fewer of all. One sweep a second looks after all of them.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque

from runtime.gate.handshakes import Handshakes
from runtime.limits import (
    TCP_CONNECTIONS_MAX,
    TCP_CONNECTIONS_PER_ADDRESS_MAX,
    TCP_CONNECTIONS_PER_STRANGER_MAX,
    TCP_CRUMBS_AT_ONCE,
    TCP_CRUMBS_EVERY_S,
    TCP_FIRST_MESSAGE_S,
    TCP_IDLE_S,
    TCP_READ_BYTES,
    TCP_STRANGERS_MAX,
    TCP_TURN_S_MAX,
)
from runtime.net.connection import Connection
from runtime.net.sip_transport import SipUser
from runtime.sip.auth.lockout import source_of
from runtime.sip.path import Path

SWEEP_S = 1.0


class Connections:
    """All connections of one endpoint. `ended` counts why they ended; `user` is told what they bring."""

    def __init__(self, user: SipUser) -> None:
        self.user = user
        self.ended: Counter[str] = Counter()
        self.read_into = bytearray(TCP_READ_BYTES)
        """What every connection reads into, and has taken before another one does."""
        self._all: set[Connection] = set()
        self._by_path: dict[Path, Connection] = {}
        self._by_address: Counter[str] = Counter()
        self._strangers = 0
        self._sweeping: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._turn_until: float | None = None
        self._waiting: deque[Connection] = deque()
        self._crumbling: deque[Connection] = deque()
        self._handshakes = Handshakes()

    def __len__(self) -> int:
        return len(self._all)

    def find(self, path: Path) -> Connection | None:
        """The connection that a message for this path is written to; the newest, where a peer has made two."""
        return self._by_path.get(path)

    def add(self, connection: Connection) -> bool:
        """Give a connection its place; False where there is none left."""
        path = connection.path
        assert path is not None, "a connection has a path before it has a place"
        address = path.remote[0]
        connection.is_stranger = not self.user.knows(address)
        if self._is_closed or not self._has_room(address, connection.is_stranger):
            self.ended["Too Many Connections"] += 1
            return False
        self._all.add(connection)
        self._strangers += connection.is_stranger
        self._by_path[path] = connection
        self._by_address[address] += 1
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
        return True

    def _has_room(self, address: str, is_stranger: bool) -> bool:
        with_it = self._by_address[address]
        if is_stranger and (with_it >= TCP_CONNECTIONS_PER_STRANGER_MAX or self._strangers >= TCP_STRANGERS_MAX):
            return False
        return with_it < TCP_CONNECTIONS_PER_ADDRESS_MAX and len(self._all) < TCP_CONNECTIONS_MAX

    def unlist(self, connection: Connection) -> None:
        """Nothing is sent along it any more: who waits for an answer by it is told."""
        path = connection.path
        if path is not None and self._by_path.get(path) is connection:
            del self._by_path[path]
            # Not from within: the user may be sending right now.
            asyncio.get_running_loop().call_soon(self.user.connection_failed, path, connection.words)

    def remove(self, connection: Connection) -> None:
        """It is gone."""
        if connection not in self._all:
            return
        self.unlist(connection)
        self._all.remove(connection)
        self._strangers -= connection.is_stranger
        self.ended[connection.why] += 1
        assert connection.path is not None, "it had a place"
        address = connection.path.remote[0]
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]

    def close(self) -> None:
        """Close all of them, and take no more; what was written is sent."""
        self._is_closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None
        for connection in tuple(self._all):
            connection.close("Server Stopped")

    def has_time(self) -> bool:
        """Whether this turn of the event loop has time left for messages: all connections share it."""
        now = time.monotonic()
        if self._turn_until is None:
            self._turn_until = now + TCP_TURN_S_MAX
            asyncio.get_running_loop().call_soon(self._next_turn)
        return now < self._turn_until

    def may_shake_hands(self, connection: Connection) -> bool:
        """Whether this connection, which was accepted, may have its TLS handshake."""
        assert connection.path is not None, "it was accepted"
        source = source_of(connection.path.remote[0])
        return self._handshakes.allows(source, time.monotonic(), is_known=not connection.is_stranger)

    def wait_for_turn(self, connection: Connection) -> None:
        """It has more messages than this turn had time for: it goes on behind those that wait already."""
        self._waiting.append(connection)

    def wait_for_crumbs(self, connection: Connection) -> None:
        """Its message comes in crumbs: it is read once more, some connections at a time."""
        if not self._crumbling:
            asyncio.get_running_loop().call_later(TCP_CRUMBS_EVERY_S, self._read_crumbs)
        self._crumbling.append(connection)

    def _read_crumbs(self) -> None:
        turn = [self._crumbling.popleft() for _ in range(min(TCP_CRUMBS_AT_ONCE, len(self._crumbling)))]
        if self._crumbling:
            asyncio.get_running_loop().call_later(TCP_CRUMBS_EVERY_S, self._read_crumbs)
        for connection in turn:
            connection.read_once_more()

    def _next_turn(self) -> None:
        self._turn_until = None
        for _ in range(len(self._waiting)):
            if not self.has_time():
                return
            self._waiting.popleft().read_on()

    def _is_idle(self, connection: Connection, now: float) -> bool:
        """Whether nothing has come for too long. Who is a stranger is asked anew: the tables may have changed."""
        silent_s = now - connection.heard_at
        if silent_s < TCP_FIRST_MESSAGE_S or connection.path is None:
            return False
        is_known = connection.has_spoken and self.user.knows(connection.path.remote[0])
        return silent_s >= TCP_IDLE_S or not is_known

    def _keeps_alive(self, connection: Connection) -> bool:
        return connection.keeps_alive and connection.path is not None and self.user.knows(connection.path.remote[0])

    def _sweep(self) -> None:
        now = time.monotonic()
        idle, quiet = [], []
        for connection in tuple(self._all):
            connection.check(now)
            if self._is_idle(connection, now):
                idle.append(connection)
            elif connection.wants_ping(now):
                quiet.append(connection)
        needed = self.user.connections_needed() if idle or quiet else ()
        for connection in quiet:
            if connection.path in needed or self._keeps_alive(connection):
                connection.ping(now)
        for connection in idle:
            if connection.path in needed:
                connection.heard_at = now  # asked again when it has been idle for as long once more
            else:
                connection.close("Idle Connection")
        self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep) if self._all else None
