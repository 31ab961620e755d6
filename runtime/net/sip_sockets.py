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
            await self._open_ways_out(listens)
        except BaseException:
            self.close()
            raise

    def path_to(self, transport: str, remote: Address) -> Path | None:
        """The path for a request of ours; None where no listener of this transport can reach such an address."""
        found = self._for(transport, remote[0])
        return None if found is None else found.path_to(remote)

    def local_for(self, transport: str, remote: Address) -> Address | None:
        """Our address as `remote` reaches it by this transport; None where we do not speak it."""
        path = self.path_to(transport, remote)
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
        if transport in FLOW_TRANSPORTS:
            return None
        for found in self._transports:
            if found.listen.transport == transport and found.reaches(address):
                return found
        return None

    async def _open_ways_out(self, listens: Sequence[Listen]) -> None:
        """Calls may go out over TLS where nobody can call in by it: to listen needs a certificate, to call does not."""
        if self._tls is None or any(listen.transport == "tls" for listen in listens):
            return
        by_host = {listen.host: replace(listen, transport="tls", port=0) for listen in reversed(listens)}
        for way_out in reversed(by_host.values()):
            transport = SipTls(way_out, self.connections, self._tls)
            await transport.open()
            self._transports.append(transport)
            self._ways_out.append(transport)

    def _made(self, listen: Listen) -> SipTransport:
        if listen.transport == "udp":
            return SipUdp(listen, self._user)
        if listen.transport == "ws":
            return SipWs(listen, self.connections, self._ws_origins)
        if listen.transport in SECURE_TRANSPORTS:
            assert self._tls is not None, "whoever listens by TLS says with what"
            if listen.transport == "wss":
                return SipWss(listen, self.connections, self._ws_origins, self._tls)
            return SipTls(listen, self.connections, self._tls)
        return SipTcp(listen, self.connections)

    def _of(self, path: Path) -> SipTransport:
        """The transport that a path belongs to: paths come from nowhere but from here."""
        return next(transport for transport in self._transports if transport.owns(path))
