"""Media sockets that the clock reads: no packet wakes the event loop, one look finds all that have something.

Whoever owns a socket registers a function that takes one datagram from it. Each tick goes in rounds of one datagram
from each socket that has any, so that a flood at one call waits until the others have been heard, and a tick costs
what its packets cost: a second look tells that all is read, where asking each socket again would be a system call and
an exception for each (3 µs of a call's 60).
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from runtime.limits import PACKETS_PER_TICK_MAX, RTP_READ_S_MAX

Take = Callable[[float, float], None]
"""Takes one datagram; `now` is monotonic seconds, `wall` Unix time. It raises nothing."""


class PolledSockets:
    """The sockets of one owner. `clock` bounds how long a tick reads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Not `selectors`: its loop over what is ready costs as much again. poll (macOS) has the same shape.
        self._poll = select.epoll() if hasattr(select, "epoll") else select.poll()
        self._takes: dict[int, Take] = {}

    def add(self, sock: socket.socket, take: Take) -> None:
        """Read this socket from the next tick on."""
        if sock.fileno() not in self._takes:
            self._poll.register(sock.fileno(), select.POLLIN)
        self._takes[sock.fileno()] = take

    def remove(self, sock: socket.socket) -> None:
        """Read it no more, before it is closed; one that was never added is fine."""
        if self._takes.pop(sock.fileno(), None) is not None:
            self._poll.unregister(sock.fileno())

    def read(self, now: float, wall: float) -> None:
        """Take in what came since the last tick."""
        takes, look = self._takes, self._poll.poll
        until = self._clock() + RTP_READ_S_MAX
        for _ in range(PACKETS_PER_TICK_MAX):
            ready = look(0)
            if not ready:
                return
            for descriptor, _events in ready:
                take = takes.get(descriptor)
                if take is not None:  # else it was closed because of what another one brought
                    take(now, wall)
            if self._clock() >= until:
                return

    def close(self) -> None:
        """After the last socket."""
        if hasattr(self._poll, "close"):
            self._poll.close()
