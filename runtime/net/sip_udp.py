"""SIP over UDP: one bound socket, datagrams in with their path, datagrams out.

The kernel's buffer is the queue: one turn of the event loop reads some datagrams and leaves the rest for the next, so
that a source which sends all it may at once cannot hold up the media clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

from runtime.limits import UDP_DATAGRAMS_PER_TURN_MAX, UDP_TURN_S_MAX
from runtime.net.sip_transport import MAPPED, Bound, SipUser, bound_socket, unmapped
from runtime.settings import Listen
from runtime.sip.path import Address, Path

SOCKET_BUFFER_BYTES = 4 << 20
DATAGRAM_BYTES_MAX = 65_535


class SipUdp:
    """One UDP listener."""

    def __init__(self, listen: Listen, user: SipUser) -> None:
        self._listen = listen
        self._user = user
        self._sock: socket.socket | None = None
        self._bound: Bound | None = None

    @property
    def listen(self) -> Listen:
        """Where it listens, with the port that it got."""
        assert self._bound is not None
        return Listen("udp", self._bound.host, self._bound.port)

    async def open(self) -> None:
        """Bind."""
        self._sock = bound_socket(self._listen, socket.SOCK_DGRAM, SOCKET_BUFFER_BYTES)
        self._bound = Bound(self._sock)
        asyncio.get_running_loop().add_reader(self._sock, self._read)

    def reaches(self, address: str) -> bool:
        """Whether it hears the address's version of IP."""
        return self._bound is not None and self._bound.reaches(address)

    def path_to(self, remote: Address) -> Path:
        """The path to and from a peer."""
        assert self._bound is not None
        return Path("udp", self._bound.local_for(remote[0]), remote)

    def owns(self, path: Path) -> bool:
        """Whether a path is one of this listener's."""
        return path.transport == "udp" and self._bound is not None and self._bound.is_at(path.local)

    def is_open(self, path: Path) -> bool:
        """Datagrams need no connection."""
        return True

    def send(self, data: bytes, path: Path) -> None:
        """Send one datagram."""
        if self._sock is not None:
            # An address that no socket takes is a peer's fault, a full buffer the network's: one lost datagram, never
            # the end of the rest.
            with contextlib.suppress(OSError, ValueError, OverflowError):
                self._sock.sendto(data, self._addressed(path.remote))

    def _addressed(self, remote: Address) -> Address:
        """A peer as this socket writes it."""
        assert self._bound is not None, "it is bound"
        return (f"{MAPPED}{remote[0]}", remote[1]) if self._bound.is_ipv6 and ":" not in remote[0] else remote

    def close(self) -> None:
        """Stop listening."""
        if self._sock is not None:
            asyncio.get_running_loop().remove_reader(self._sock)
            self._sock.close()
            self._sock = None

    def _read(self) -> None:
        """One turn: so many datagrams, or those of so many milliseconds."""
        until = time.monotonic() + UDP_TURN_S_MAX
        for _ in range(UDP_DATAGRAMS_PER_TURN_MAX):
            if self._sock is None:
                return
            try:
                data, address = self._sock.recvfrom(DATAGRAM_BYTES_MAX)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of something sent earlier: the transaction's own timers deal with it
                continue
            self._user.received(data, self.path_to((unmapped(address[0]), address[1])))
            if time.monotonic() >= until:
                return
