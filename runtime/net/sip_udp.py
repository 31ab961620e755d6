"""SIP over UDP: one bound socket, datagrams in with their path, datagrams out.

When the socket listens on every address, the path still names the address that the peer really reaches, because it goes
into Contact and SDP: the routing table is asked once per peer and the answer remembered.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Callable

from runtime.errors import BridgeError
from runtime.sip.path import Path

LOCAL_ADDRESSES_MAX = 4096
SOCKET_BUFFER_BYTES = 4 << 20


class SipUdp(asyncio.DatagramProtocol):
    """One UDP listener. `receive(data, path)` is called for every datagram."""

    def __init__(self, receive: Callable[[bytes, Path], None]) -> None:
        self._receive = receive
        self._transport: asyncio.DatagramTransport | None = None
        self._bound: tuple[str, int] = ("", 0)
        self._wildcard = False
        self._local_for: dict[str, str] = {}

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._bound

    async def open(self, host: str, port: int) -> None:
        """Bind. BridgeError with what to do when the port is taken or the address is not ours."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
            sock.bind((host, port))
            sock.setblocking(False)
        except OSError as fault:
            sock.close()
            raise _bind_error(host, port, fault) from fault
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=sock)
        self._bound = sock.getsockname()[:2]
        self._wildcard = ipaddress.ip_address(self._bound[0]).is_unspecified

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to send."""
        assert isinstance(transport, asyncio.DatagramTransport) or hasattr(transport, "sendto")
        self._transport = transport  # type: ignore[assignment]  # uvloop's transport has no asyncio base class

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """One datagram, with the way it took."""
        remote = (addr[0], addr[1])
        self._receive(data, Path("udp", (self._local(remote[0]), self._bound[1]), remote))

    def error_received(self, exc: Exception) -> None:
        """An ICMP error of something sent earlier: the transaction's own timers deal with it."""

    def path_to(self, remote: tuple[str, int]) -> Path:
        """The path for a request of ours."""
        return Path("udp", (self._local(remote[0]), self._bound[1]), remote)

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

    def _local(self, remote: str) -> str:
        if not self._wildcard:
            return self._bound[0]
        found = self._local_for.get(remote)
        if found is None:
            if len(self._local_for) >= LOCAL_ADDRESSES_MAX:
                self._local_for.clear()
            found = self._local_for[remote] = _local_address_for(remote) or self._bound[0]
        return found


def _local_address_for(remote: str) -> str | None:
    """Our address on the way to `remote`, by the kernel's routing table; nothing is sent."""
    family = socket.AF_INET6 if ":" in remote else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((remote, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None


def _bind_error(host: str, port: int, fault: OSError) -> BridgeError:
    if fault.errno == errno.EADDRINUSE:
        free = f"udp://{host}:{port + 10}"
        return BridgeError(
            f"port {port} on {host} is taken by another program (a second bridge? another SIP server?)",
            f"stop it, or listen elsewhere: bridge up --listen {free}   (make run LISTEN={free})",
        )
    if fault.errno == errno.EACCES:
        return BridgeError(f"this user may not listen on port {port}", "take a port from 1024 upward, e.g. 5060")
    return BridgeError(f"cannot listen on {host}:{port}: {fault.strerror}", "use an address of this machine")
