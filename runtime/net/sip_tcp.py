"""SIP over TCP, TLS and WebSocket: one listener, and connections to where none is open (RFC 3261 section 18).

A message goes along the connection of its path while that is open, else a new one is made to the path's remote
address. Which path that is has been decided by the core.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import replace

from runtime.limits import TCP_BACKLOG, TCP_CONNECT_S
from runtime.net.connection import CLOSED, Connection
from runtime.net.connections import Connections
from runtime.net.framing import Framing, PlainFraming
from runtime.net.sip_transport import Bound, bind_error, bound_socket
from runtime.net.tls_contexts import TlsContexts
from runtime.net.tls_stream import TlsError, TlsStream
from runtime.net.ws_stream import WsClient, WsServer
from runtime.settings import Listen
from runtime.sip.path import RESOURCE_DEFAULT, SECURE_TRANSPORTS, Address, Path

CONNECTION_REFUSED = "Connection Refused"
"""The reason phrase where nobody listens."""


class SipTcp:
    """One TCP listener. Its connections are in a table that it shares with all others of the endpoint."""

    transport = "tcp"

    def __init__(self, listen: Listen, connections: Connections) -> None:
        self._listen = listen
        self._connections = connections
        self._server: asyncio.Server | None = None
        self._reserved: socket.socket | None = None
        self._bound: Bound | None = None
        self._connecting: set[asyncio.Task[None]] = set()

    @property
    def listen(self) -> Listen:
        """Where it listens, with the port that it got."""
        assert self._bound is not None
        return Listen(self.transport, self._bound.host, self._bound.port)

    async def open(self) -> None:
        """Bind and listen."""
        sock = bound_socket(self._listen, socket.SOCK_STREAM)
        self._bound = Bound(sock)
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._accepted, sock=sock, backlog=TCP_BACKLOG)
        except OSError as fault:  # SO_REUSEADDR lets two programs bind, and only one of them listen
            sock.close()
            raise bind_error(self._listen, fault) from fault

    def reserve(self) -> None:
        """Bind alone: nobody is heard, and the port is ours all the same. It stands in Via and Contact."""
        self._reserved = bound_socket(self._listen, socket.SOCK_STREAM)
        self._bound = Bound(self._reserved)

    def reaches(self, address: str) -> bool:
        """Whether it hears the address's version of IP."""
        return self._bound is not None and self._bound.reaches(address)

    def path_to(self, remote: Address) -> Path:
        """The path for a request of ours."""
        assert self._bound is not None
        return Path(self.transport, self._bound.local_for(remote[0]), remote)

    def owns(self, path: Path) -> bool:
        """Whether a path is one of this listener's."""
        return path.transport == self.transport and self._bound is not None and self._bound.is_at(path.local)

    def is_open(self, path: Path) -> bool:
        """Whether its connection is there, or being made."""
        return self._connections.find(path) is not None

    def send(self, data: bytes, path: Path) -> None:
        """Write to the path's connection; one that is not there is made."""
        connection = self._connections.find(path)
        if connection is None:
            connection = Connection(self._connections, self.transport, path, framing=self._spoken(path))
            if not self._connections.add(connection):
                why = "Too Many Connections"
                asyncio.get_running_loop().call_soon(self._connections.user.connection_failed, path, why)
                return
            task = asyncio.get_running_loop().create_task(self._connect(connection, path))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)
        connection.send(data)

    def close(self) -> None:
        """Stop listening and connecting. The table closes the connections."""
        if self._server is not None:
            self._server.close()
        if self._reserved is not None:
            self._reserved.close()
        for task in self._connecting:
            task.cancel()

    def _accepted(self) -> Connection:
        """A connection that comes in."""
        return Connection(self._connections, self.transport, framing=self._heard())

    def _heard(self) -> Framing:
        """How messages stand in a stream that comes in."""
        return PlainFraming()

    def _spoken(self, path: Path) -> Framing:
        """How they stand in one of ours."""
        return PlainFraming()

    async def _prepare(self, connection: Connection, path: Path) -> None:
        """What a connection of ours needs before it is made. TlsError where that cannot be had."""

    async def _connect(self, connection: Connection, path: Path) -> None:
        try:
            await asyncio.wait_for(self._made(connection, path), TCP_CONNECT_S)
        except TimeoutError:
            why = "Connection Timed Out"
        except ConnectionRefusedError:
            why = CONNECTION_REFUSED
        except TlsError as fault:
            why = str(fault)
        except (OSError, ValueError, OverflowError):  # an address that no socket takes is a peer's fault, too
            why = "Cannot Connect"
        else:
            return
        connection.abort(why)
        self._connections.remove(connection)

    async def _made(self, connection: Connection, path: Path) -> None:
        await self._prepare(connection, path)
        # From the address that the peer knows us by; the port is any.
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: connection, *path.remote, local_addr=(path.local[0], 0))


class SipTls(SipTcp):
    """One TLS listener, or way out by TLS."""

    transport = "tls"

    def __init__(self, listen: Listen, connections: Connections, contexts: TlsContexts) -> None:
        super().__init__(listen, connections)
        self._contexts = contexts

    def _accepted(self) -> Connection:
        assert self._contexts.server is not None, "whoever listens by TLS has a certificate"
        tls = TlsStream(self._contexts.server, server_side=True)
        return Connection(self._connections, self.transport, tls=tls, framing=self._heard())

    async def _prepare(self, connection: Connection, path: Path) -> None:
        context = await self._contexts.client(path.identity)
        connection.secure(TlsStream(context, server_side=False, name=path.name))


class _WebSockets(SipTcp):
    """What WebSockets have of their own. `_origins`: the web pages that may connect.

    Who has come by one cannot be connected to (RFC 7118 section 5): what has lost its connection has lost its peer,
    until that comes again. Only a path with a resource leads to a server.
    """

    _origins: Sequence[str]

    def path_to(self, remote: Address) -> Path:
        """The path for a request of ours, to whatever is at the root."""
        return replace(super().path_to(remote), resource=RESOURCE_DEFAULT)

    def send(self, data: bytes, path: Path) -> None:
        """Write to the path's connection; one that is not there is made where that can be."""
        if path.resource or self.is_open(path):
            super().send(data, path)
        else:
            asyncio.get_running_loop().call_soon(self._connections.user.connection_failed, path, CLOSED)

    def _heard(self) -> Framing:
        return WsServer(self._origins)

    def _spoken(self, path: Path) -> Framing:
        host, port = path.remote
        return WsClient(path.name or host, port, path.resource, secure=path.transport in SECURE_TRANSPORTS)


class SipWs(_WebSockets):
    """One WebSocket listener, or way out by WebSocket."""

    transport = "ws"

    def __init__(self, listen: Listen, connections: Connections, origins: Sequence[str]) -> None:
        super().__init__(listen, connections)
        self._origins = origins


class SipWss(_WebSockets, SipTls):
    """The same over TLS, with the certificate of TLS listeners."""

    transport = "wss"

    def __init__(self, listen: Listen, connections: Connections, contexts: TlsContexts, origins: Sequence[str]) -> None:
        super().__init__(listen, connections, contexts)
        self._origins = origins
