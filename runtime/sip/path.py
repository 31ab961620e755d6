"""Where a message came from or goes to: transport, our address, the peer's address.

Made by the socket edge for every datagram that arrives, handed back by the endpoint with every datagram to send.
"""

from __future__ import annotations

from dataclasses import dataclass

Address = tuple[str, int]
"""IP address as text (IPv6 without brackets) and port."""

PORT_DEFAULT = 5060
"""RFC 3261 section 19.1.2: the port of `sip:` where none is written."""

RELIABLE_TRANSPORTS = frozenset({"tcp", "tls", "ws", "wss", "sctp"})


@dataclass(frozen=True, slots=True)
class Path:
    """One way between us (`local`) and a peer (`remote`). `transport` in small letters; only "udp" is served now."""

    transport: str
    local: Address
    remote: Address

    @property
    def reliable(self) -> bool:
        """Whether the transport repeats lost messages by itself (RFC 3261 section 17: then most timers are not)."""
        return self.transport in RELIABLE_TRANSPORTS
