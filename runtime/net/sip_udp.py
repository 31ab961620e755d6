"""SIP over UDP: one bound socket, datagrams in with their path, datagrams out."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from runtime.net.sip_transport import Bound, SipUser, bound_socket
from runtime.settings import Listen
from runtime.sip.path import Address, Path

SOCKET_BUFFER_BYTES = 4 << 20


class SipUdp(asyncio.DatagramProtocol):
    """One UDP listener."""

    def __init__(self, listen: Listen, user: SipUser) -> None:
        self._listen = listen
        self._user = user
        self._transport: asyncio.DatagramTransport | None = None
        self._bound: Bound | None = None

    @property
    def listen(self) -> Listen:
        """Where it listens, with the port that it got."""
        assert self._bound is not None
        return Listen("udp", self._bound.host, self._bound.port)

    async def open(self) -> None:
        """Bind."""
        sock = bound_socket(self._listen, socket.SOCK_DGRAM, SOCKET_BUFFER_BYTES)
        self._bound = Bound(sock)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=sock)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to send."""
        assert isinstance(transport, asyncio.DatagramTransport) or hasattr(transport, "sendto")
        self._transport = transport  # type: ignore[assignment]  # uvloop's transport has no asyncio base class

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """One datagram, with the way it took."""
        self._user.received(data, self.path_to((addr[0], addr[1])))

    def error_received(self, exc: Exception) -> None:
        """An ICMP error of something sent earlier: the transaction's own timers deal with it."""

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
        if self._transport is not None and not self._transport.is_closing():
            # An address that no socket takes is a peer's fault and one lost datagram, never the end of the rest.
            with contextlib.suppress(OSError, ValueError):
                self._transport.sendto(data, path.remote)

    def close(self) -> None:
        """Stop listening."""
        if self._transport is not None:
            self._transport.close()
