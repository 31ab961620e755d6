"""SIP connections: each splits its stream and writes what it is given; the table bounds them all.

A stranger can make any number of connections, send half a message, or never read an answer. So there is a bound on
connections, on those with one address, on the time to a first message and to a whole one, on idleness, on what waits
to be sent, and on the messages that one connection may have handled in one turn of the loop. Strangers have fewer of
all. One sweep a second looks after all of them; no connection has a timer of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque

from runtime.limits import (
    TCP_CONNECTIONS_MAX,
    TCP_CONNECTIONS_PER_ADDRESS_MAX,
    TCP_CONNECTIONS_PER_STRANGER_MAX,
    TCP_CRUMBS_AT_ONCE,
    TCP_CRUMBS_EVERY_S,
    TCP_FIRST_MESSAGE_S,
    TCP_IDLE_S,
    TCP_LINGER_S,
    TCP_MESSAGES_PER_TURN_MAX,
    TCP_READS_PER_MESSAGE_MAX,
    TCP_STRANGERS_MAX,
    TCP_TURN_S_MAX,
    TCP_UNSENT_BYTES_MAX,
)
from runtime.net.sip_transport import SipUser
from runtime.sip.framing import PONG, Framed, Ping, StreamSplitter
from runtime.sip.path import Path

SWEEP_S = 1.0
REST_S_MIN = 0.01
"""A stream that has used up its rate rests at least so long: one wake-up for some messages, not one for each."""


class Connection(asyncio.Protocol):
    """One connection, accepted (`path` None until it is made) or of our own making.

    What is sent before it is made waits. `why` is the reason phrase of its end, `is_stranger` who made it then.
    """

    def __init__(self, table: Connections, transport_name: str, path: Path | None = None) -> None:
        self.path = path
        self.why = "Connection Closed"
        self.heard_at = time.monotonic()
        self.has_spoken = False
        self.is_stranger = False
        self._table = table
        self._name = transport_name
        self._splitter = StreamSplitter()
        self._transport: asyncio.Transport | None = None
        self._unsent = bytearray()
        self._is_paused = False
        self._crumbs = 0
        self._over_at: float | None = None

    # -- asyncio.Protocol ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there: an accepted one asks the table for its place, one of ours sends what has waited."""
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]  # uvloop's transport has no asyncio base class
        if self._over_at is not None:
            self.abort(self.why)
        elif self.path is None:
            self._accept(transport)
        elif self._unsent:
            waiting, self._unsent = bytes(self._unsent), bytearray()
            self.send(waiting)

    def data_received(self, data: bytes) -> None:
        """Some bytes of the stream."""
        if self._over_at is not None:
            return
        self.heard_at = time.monotonic()
        self._splitter.receive(data)
        self._crumbs += 1
        if not self._is_paused:
            self.read_on()

    def eof_received(self) -> None:
        """The peer sends no more: the connection is closed when what we have written is sent."""
        broken = self._splitter.end()
        if broken is not None and self._over_at is None:
            self._take(broken)
        self.close(self.why)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._transport = None
        self._finish(self.why)
        self._table.remove(self)

    # -- what the table and the transport want ---------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Write, or keep until the connection is made. A peer that lets too much of it pile up is cut off."""
        if self._transport is None:
            self._unsent += data
            waiting = len(self._unsent)
        else:
            self._transport.write(data)
            waiting = self._transport.get_write_buffer_size()
        if waiting > TCP_UNSENT_BYTES_MAX:
            self.abort("Peer Does Not Read")

    def check(self, now: float) -> None:
        """Once a second: a message that takes too long, and an end that does (a peer that does not read stops that)."""
        if self._over_at is None:
            late = self._splitter.check(now)
            if late is not None:
                self._take(late)
        elif now >= self._over_at + TCP_LINGER_S:
            self.abort(self.why)

    def close(self, why: str) -> None:
        """Close when everything that was written is sent."""
        self._finish(why)
        if self._transport is not None:
            self._transport.close()

    def abort(self, why: str) -> None:
        """Close at once."""
        self._finish(why)
        if self._transport is not None:
            self._transport.abort()

    def _finish(self, why: str) -> None:
        """Nothing more goes in or out."""
        if self._over_at is None:
            self._over_at = time.monotonic()
        self.why = why
        self._table.unlist(self)

    def _accept(self, transport: asyncio.BaseTransport) -> None:
        local, remote = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        if not local or not remote:  # gone before it was accepted
            self.abort(self.why)
            return
        self.path = Path(self._name, (str(local[0]), int(local[1])), (str(remote[0]), int(remote[1])))
        if not self._table.add(self):
            self.abort("Too Many Connections")

    # -- the stream ------------------------------------------------------------------------------------------------

    def read_on(self) -> None:
        """Handle what is here, some messages at a time: between two times the loop may tick and hear others."""
        assert self.path is not None, "data comes from a connection that was made"
        for _ in range(TCP_MESSAGES_PER_TURN_MAX):
            if not self._table.has_time():
                break
            rest_s = self._table.user.rest_s(self.path.remote[0])
            if rest_s > 0 and self._over_at is None:
                self._pause(True)
                asyncio.get_running_loop().call_later(max(rest_s, REST_S_MIN), self.read_on)
                return
            item = self._splitter.next_item(time.monotonic()) if self._over_at is None else None
            if item is None:
                self._rest_from_crumbs()
                return
            if isinstance(item, Framed):
                self._crumbs = 0
            self._take(item)
        self._pause(True)
        self._table.wait_for_turn(self)

    def _rest_from_crumbs(self) -> None:
        """Read again: at once, or in turn where the message that has begun comes in ever more parts."""
        if self._crumbs < TCP_READS_PER_MESSAGE_MAX or self._over_at is not None:
            self._pause(False)
        elif not self._is_paused:
            self._pause(True)
            self._table.wait_for_crumbs(self)

    def read_once_more(self) -> None:
        """The turn of a connection that brings crumbs: for one read."""
        self._crumbs = TCP_READS_PER_MESSAGE_MAX - 1
        self.read_on()

    def _pause(self, wanted: bool) -> None:
        """Read no more from the socket for now, or read again."""
        if wanted is self._is_paused or self._transport is None or self._transport.is_closing():
            return
        self._is_paused = wanted
        if wanted:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _take(self, item: Framed | Ping) -> None:
        if isinstance(item, Ping):
            self.has_spoken = True
            self.send(PONG)
            return
        assert self.path is not None, "data comes from a connection that was made"
        self._table.user.received(item.data, self.path, item.fault)
        if item.fault is None:
            self.has_spoken = True
        else:
            self._linger(item.fault[1])

    def _linger(self, why: str) -> None:
        """The stream is lost: the answer has been written, and the peer gets a moment to read it.

        Closing at once would reset the connection while the peer still sends, and destroy the answer on its way.
        """
        self._finish(why)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write_eof()


class Connections:
    """All connections of one endpoint. `ended` counts why they ended; `user` is told what they bring."""

    def __init__(self, user: SipUser) -> None:
        self.user = user
        self.ended: Counter[str] = Counter()
        self._all: set[Connection] = set()
        self._by_path: dict[Path, Connection] = {}
        self._by_address: Counter[str] = Counter()
        self._strangers = 0
        self._sweeping: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._turn_until: float | None = None
        self._waiting: deque[Connection] = deque()
        self._crumbling: deque[Connection] = deque()

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
            asyncio.get_running_loop().call_soon(self.user.connection_failed, path, connection.why)

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

    def _sweep(self) -> None:
        now = time.monotonic()
        idle = []
        for connection in tuple(self._all):
            connection.check(now)
            if self._is_idle(connection, now):
                idle.append(connection)
        needed = self.user.connections_needed() if idle else ()
        for connection in idle:
            if connection.path in needed:
                connection.heard_at = now  # asked again when it has been idle for as long once more
            else:
                connection.close("Idle Connection")
        self._sweeping = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep) if self._all else None
