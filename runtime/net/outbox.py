"""The datagrams of one tick, sent together.

A send ends in the receiver's wake-up and leaves the processor with the kernel's code and data in its caches: sends in
a row cost a fifth less of a tick than sends between the calls' other work. How long one waits for the others is
bounded by how many wait.
"""

from __future__ import annotations

import socket
from typing import Final

from runtime.media import native
from runtime.media.source import Address

WAITING_MAX: Final = 32
"""Datagrams that wait for each other: about a millisecond of work lies between the first and the last."""


class Outbox:
    """What is to be sent."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[tuple[socket.socket, bytes, Address | None]] = []

    def add(self, sock: socket.socket, data: bytes, address: Address | None = None) -> None:
        """Send this soon, at the latest with `flush`; without an address to whom the socket is connected to."""
        waiting = self._waiting
        waiting.append((sock, data, address))
        if len(waiting) >= WAITING_MAX:
            self.flush()

    def flush(self) -> None:
        """Send what waits. A full buffer, an unreachable peer, no port at all: one lost packet, as on any network."""
        for sock, data, address in self._waiting:
            try:
                if address is None:
                    sock.send(data)
                else:
                    sock.sendto(data, address)
            except (OSError, OverflowError):
                pass
        self._waiting.clear()


def make_outbox() -> Outbox:
    """The native one where there is one."""
    made: Outbox = native.core.Outbox() if native.core is not None else Outbox()
    return made
