"""All SIP listeners of one endpoint: what comes in by any of them, and which of them a message goes out by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runtime.net.connections import Connections
from runtime.net.sip_tcp import SipTcp, SipTls, SipWs, SipWss
from runtime.net.sip_transport import SipTransport, SipUser
from runtime.net.sip_udp import SipUdp
from runtime.net.tls_contexts import TlsContexts
from runtime.settings import TRANSPORTS, Listen
from runtime.sip.locating import Speaks
from runtime.sip.path import FLOW_TRANSPORTS, SECURE_TRANSPORTS, Address, Path


class SipSockets:
    """The transports of one endpoint, and its `Ways` (`runtime.sip.ways`). Without `tls` nobody speaks TLS.

    `ws_origins`: the web pages that may connect by WebSocket.
    """

    def __init__(self, user: SipUser, tls: TlsContexts | None = None, ws_origins: Sequence[str] = ()) -> None:
        self._user = user
        self._tls = tls
        self._ws_origins = ws_origins
        self._transports: list[SipTransport] = []
        self._ways_out: list[SipTransport] = []
        self.connections = Connections(user)

    @property
    def listening(self) -> tuple[Listen, ...]:
        """Where SIP is heard, in the order that was asked for."""
        return tuple(transport.listen for transport in self._transports if transport not in self._ways_out)

    @property
    def speaks(self) -> Speaks:
        """Our transports, the one that is taken where nothing is said first, and what they reach."""
        heard = {transport.listen.transport for transport in self._transports}
        return Speaks(
            tuple(name for name in TRANSPORTS if name in heard),
            lambda transport, address: self._for(transport, address) is not None,
        )

    async def open(self, listens: Sequence[Listen]) -> None:
        """Listen on all of them, or on none: BridgeError names the one that cannot be had."""
        try:
            for listen in listens:
                transport = self._made(listen)
                await transport.open()
                self._transports.append(transport)
            self._open_ways_out(listens)
        except BaseException:
            self.close()
            raise

    def path_to(self, transport: str, remote: Address) -> Path | None:
        """The path for a request of ours; None where no listener of this transport can reach such an address."""
        found = self._for(transport, remote[0])
        return None if found is None else found.path_to(remote)

    def local_for(self, transport: str, remote: Address) -> Address | None:
        """Our address as `remote` reaches it by this transport; None where that does not lead to it from here."""
        path = self.path_to(transport, remote) if transport not in FLOW_TRANSPORTS else None
        return None if path is None else path.local

    def is_open(self, path: Path) -> bool:
        """Whether a message can go along this path without a new connection."""
        return self._of(path).is_open(path)

    def send(self, data: bytes, path: Path) -> None:
        """Send one message."""
        self._of(path).send(data, path)

    def close(self) -> None:
        """Stop listening; what was written is sent."""
        for transport in self._transports:
            transport.close()
        self.connections.close()

    def _for(self, transport: str, address: str) -> SipTransport | None:
        """What can begin to speak to an address."""
        for found in self._transports:
            if found.listen.transport == transport and found.reaches(address):
                return found
        return None

    def _open_ways_out(self, listens: Sequence[Listen]) -> None:
        """Calls may go out over TLS and WebSocket where nobody can call in by them: to listen needs a certificate."""
        by_host = {listen.host: listen for listen in reversed(listens)}
        for name in ("tls", "ws", "wss"):
            if any(listen.transport == name for listen in listens) or (name in SECURE_TRANSPORTS and self._tls is None):
                continue
            for listen in reversed(by_host.values()):
                way_out = self._streams(replace(listen, transport=name, port=0))
                way_out.reserve()
                self._transports.append(way_out)
                self._ways_out.append(way_out)

    def _made(self, listen: Listen) -> SipTransport:
        return SipUdp(listen, self._user) if listen.transport == "udp" else self._streams(listen)

    def _streams(self, listen: Listen) -> SipTcp:
        if listen.transport == "tcp":
            return SipTcp(listen, self.connections)
        if listen.transport == "ws":
            return SipWs(listen, self.connections, self._ws_origins)
        assert self._tls is not None, "whoever speaks TLS says with what"
        if listen.transport == "tls":
            return SipTls(listen, self.connections, self._tls)
        return SipWss(listen, self.connections, self._tls, self._ws_origins)

    def _of(self, path: Path) -> SipTransport:
        """The transport that a path belongs to: paths come from nowhere but from here."""
        return next(transport for transport in self._transports if transport.owns(path))
