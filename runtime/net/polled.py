"""Media sockets that the clock reads: no packet wakes the event loop, one look finds all that have something.

Whoever owns a socket registers a function that is handed its datagrams. Each tick goes in rounds of one datagram from
each socket that has any, so that a flood at one call waits until the others have been heard, and a tick costs what its
packets cost: a second look tells that all is read, where asking each socket again would be a system call and an
exception for each (3 µs of a call's 60).

Where there is the native core it makes the rounds, and packets that go on with a stream (`route`) go straight to where
they are played from.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from runtime.limits import PACKETS_PER_TICK_MAX, RTP_READ_S_MAX
from runtime.media import native
from runtime.media.rtp import DATAGRAM_BYTES_MAX
from runtime.media.source import Address

Take = Callable[[bytes, Address, float, float], None]
"""Takes one datagram: what it is, whom from, when it came (monotonic seconds), and Unix time at the tick. It raises
nothing."""

Opened = Callable[[bytes], None]

_SO_TIMESTAMPNS: Final = 35  # Linux; elsewhere the tick's own time is taken
_TIMESPEC: Final = struct.Struct("@qq")
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(_TIMESPEC.size)


class PolledSockets(Protocol):
    """The sockets of one owner."""

    def add(self, sock: socket.socket, take: Take) -> None:
        """Read this socket from the next tick on."""
        ...

    def route(self, sock: socket.socket, inlet: Any, opener: Any = None, opened: Opened | None = None) -> None:
        """Let packets that go on with a stream of the native core's `inlet` go there, and be taken by nobody else.

        None: nothing goes by itself any more. `opener`: they are protected. Those that no stream of the inlet takes are
        handed to `opened`, as it opened them.
        """
        ...

    def remove(self, sock: socket.socket) -> None:
        """Read it no more, before it is closed; one that was never added is fine."""
        ...

    def read(self, now: float, wall: float) -> None:
        """Take in what came since the last tick."""
        ...

    def close(self) -> None:
        """After the last socket."""
        ...


def make_polled(clock: Callable[[], float] = time.monotonic) -> PolledSockets:
    """The native ones where there are any. `clock` bounds how long a tick reads."""
    return _Python(clock) if native.core is None else _Native(clock)


def stamp_arrivals(sock: socket.socket) -> None:
    """Have the kernel say when each datagram came, where it can."""
    if sys.platform == "linux":
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)


class _Python:
    """The reference."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        # Not `selectors`: its loop over what is ready costs as much again. poll (macOS) has the same shape.
        self._poll = select.epoll() if hasattr(select, "epoll") else select.poll()
        self._takes: dict[int, tuple[socket.socket, Take]] = {}

    def add(self, sock: socket.socket, take: Take) -> None:
        if sock.fileno() not in self._takes:
            self._poll.register(sock.fileno(), select.POLLIN)
        self._takes[sock.fileno()] = sock, take

    def route(self, sock: socket.socket, inlet: Any, opener: Any = None, opened: Opened | None = None) -> None:
        raise AssertionError("only the native core has inlets")

    def remove(self, sock: socket.socket) -> None:
        if self._takes.pop(sock.fileno(), None) is not None:
            self._poll.unregister(sock.fileno())

    def read(self, now: float, wall: float) -> None:
        takes, look = self._takes, self._poll.poll
        until = self._clock() + RTP_READ_S_MAX
        for _ in range(PACKETS_PER_TICK_MAX):
            ready = look(0)
            if not ready:
                return
            for descriptor, _events in ready:
                found = takes.get(descriptor)
                if found is None:  # it was closed because of what another one brought
                    continue
                sock, take = found
                try:
                    data, ancillary, _flags, address = sock.recvmsg(DATAGRAM_BYTES_MAX + 1, _ANCILLARY_BYTES)
                except OSError:  # an ICMP error of an earlier packet, or nothing there after all
                    continue
                at = now
                if ancillary and len(ancillary[0][2]) == _TIMESPEC.size:
                    seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
                    at = min(now, now - (wall - seconds - nanoseconds * 1e-9))
                take(data, address[:2], at, wall)
            if self._clock() >= until:
                return

    def close(self) -> None:
        if hasattr(self._poll, "close"):
            self._poll.close()


class _Native:
    """The native core's rounds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        assert native.core is not None
        self._sockets = native.core.Sockets()

    def add(self, sock: socket.socket, take: Take) -> None:
        self._sockets.add(sock.fileno(), take)

    def route(self, sock: socket.socket, inlet: Any, opener: Any = None, opened: Opened | None = None) -> None:
        self._sockets.route(sock.fileno(), inlet, opener, opened)

    def remove(self, sock: socket.socket) -> None:
        self._sockets.remove(sock.fileno())

    def read(self, now: float, wall: float) -> None:
        until = self._clock() + RTP_READ_S_MAX
        for _ in range(PACKETS_PER_TICK_MAX):
            if not self._sockets.read(now, wall) or self._clock() >= until:
                return

    def close(self) -> None:
        """The descriptor goes with the object."""
        del self._sockets
