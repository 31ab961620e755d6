"""What every SIP transport offers to `sip_sockets`, and what each needs: bound sockets, and its own address.

UDP, TCP, TLS and WebSocket fit it; whatever comes next is one more class of this shape and nothing else.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Collection
from typing import Protocol

from runtime.errors import BridgeError
from runtime.settings import Listen
from runtime.sip.errors import Fault
from runtime.sip.path import Address, Path

LOCAL_ADDRESSES_MAX = 4096

MAPPED = "::ffff:"
"""What stands before an IPv4 address on a socket of both versions."""


class SipUser(Protocol):
    """Who is told of what comes in: the worker, or the test phone, each with its endpoint."""

    def received(self, data: bytes, path: Path, framing_fault: Fault | None = None) -> None:
        """A datagram, or one message of a stream; with a fault it is the last of its stream."""

    def connection_failed(self, path: Path, why: str) -> None:
        """A connection could not be made, or has closed; `why` is a reason phrase."""

    def knows(self, address: str) -> bool:
        """Whether a trunk names this address; a stranger is given few connections."""

    def rest_s(self, address: str) -> float:
        """How long the streams of this address are not read before their next message; 0 for not at all."""

    def connections_needed(self) -> Collection[Path]:
        """The connections that may not be closed for being idle."""


class SipTransport(Protocol):
    """One listener, and the way out that belongs to it."""

    @property
    def listen(self) -> Listen:
        """Where it listens, with the port that it got."""

    async def open(self) -> None:
        """Bind and listen. BridgeError with what to do when the port is taken or the address is not ours."""

    def reaches(self, address: str) -> bool:
        """Whether it hears, and speaks, the address's version of IP."""

    def path_to(self, remote: Address) -> Path:
        """The path for a request of ours."""

    def owns(self, path: Path) -> bool:
        """Whether a path is one of this listener's."""

    def is_open(self, path: Path) -> bool:
        """Whether a message can go along this path without a new connection."""

    def send(self, data: bytes, path: Path) -> None:
        """Send one message; what becomes of it is not known here."""

    def close(self) -> None:
        """Stop listening, and close every connection."""


class Bound:
    """Where one listener is bound, and by which of our addresses a peer reaches it.

    When the socket listens on every address, the path still names the address that the peer really reaches, because it
    goes into Contact and SDP: the routing table is asked once per peer and the answer remembered.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.host, self.port = str(sock.getsockname()[0]), int(sock.getsockname()[1])
        self.is_wildcard = ipaddress.ip_address(self.host).is_unspecified
        self.is_ipv6 = sock.family is socket.AF_INET6
        self.is_dual = self.is_ipv6 and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        self._local_for: dict[str, str] = {}

    def is_at(self, local: Address) -> bool:
        """Whether this address is reached here; one that listens on every address is at all of them."""
        return local[1] == self.port and (local[0] == self.host or (self.is_wildcard and self.reaches(local[0])))

    def reaches(self, address: str) -> bool:
        """Whether this version of IP is heard here."""
        return self.is_dual or (":" in address) == self.is_ipv6

    def local_for(self, remote: str) -> Address:
        """Our address as this peer reaches it."""
        if not self.is_wildcard:
            return self.host, self.port
        found = self._local_for.get(remote)
        if found is None:
            if len(self._local_for) >= LOCAL_ADDRESSES_MAX:
                self._local_for.clear()
            found = self._local_for[remote] = _local_address_for(remote) or self.host
        return found, self.port


def bound_socket(listen: Listen, kind: socket.SocketKind, receive_buffer_bytes: int = 0) -> socket.socket:
    """A non-blocking socket on the listener's address. BridgeError where it cannot be had."""
    sock = socket.socket(socket.AF_INET6 if ":" in listen.host else socket.AF_INET, kind)
    try:
        if kind is socket.SOCK_STREAM:
            # Connections of the last run that still wait out their time do not keep the port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family is socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not listen.dual)  # else the machine's choice
        if receive_buffer_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        sock.bind((listen.host, listen.port))
        sock.setblocking(False)
    except OSError as fault:
        sock.close()
        raise bind_error(listen, fault) from fault
    return sock


def unmapped(address: str) -> str:
    """An IPv4 address as itself, which a socket of both versions writes as one of IPv6 (RFC 4291 section 2.5.5.2)."""
    return address.removeprefix(MAPPED) if "." in address else address


def bind_error(listen: Listen, fault: OSError) -> BridgeError:
    """Which listener could not be had, why, and what to do."""
    where = f"{listen.transport} port {listen.port} on {listen.host}"
    if fault.errno == errno.EADDRINUSE:
        host = f"[{listen.host}]" if ":" in listen.host else listen.host
        free = " ".join(f"--listen {transport}://{host}:{listen.port + 10}" for transport in ("udp", "tcp"))
        return BridgeError(
            f"{where} is taken by another program (a second bridge? another SIP server?)",
            f"stop it, or listen elsewhere: {free}   (make run LISTEN=udp://{host}:{listen.port + 10})",
        )
    if fault.errno == errno.EACCES:
        return BridgeError(f"this user may not listen on {where}", "take a port from 1024 upward, e.g. 5060")
    return BridgeError(f"cannot listen on {where}: {fault.strerror}", "use an address of this machine")


def _local_address_for(remote: str) -> str | None:
    """Our address on the way to `remote`, by the kernel's routing table; nothing is sent."""
    family = socket.AF_INET6 if ":" in remote else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((remote, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None
