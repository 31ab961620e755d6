"""Where a message came from or goes to: transport, our address, the peer's address.

Made by the socket edge for everything that arrives, handed back by the endpoint with everything to send.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Address = tuple[str, int]
"""IP address as text (IPv6 without brackets) and port."""

PORT_DEFAULT = 5060
"""RFC 3261 section 19.1.2: the port of `sip:` where none is written."""

PORT_DEFAULT_TLS = 5061
"""The same of `sips:`, and of `sip:` over TLS (RFC 3261 section 18.2.2, RFC 3263 section 4.2)."""

PORTS_DEFAULT = {"tls": PORT_DEFAULT_TLS, "ws": 80, "wss": 443}
"""Those that are not `PORT_DEFAULT`; of WebSockets by RFC 7118 section 10."""

TRANSPORT_DEFAULT = "udp"
"""RFC 3263 section 4.1: the transport of `sip:` where none is written."""

RELIABLE_TRANSPORTS = frozenset({"tcp", "tls", "ws", "wss", "sctp"})

SECURE_TRANSPORTS = frozenset({"tls", "wss"})

FLOW_TRANSPORTS = frozenset({"ws", "wss"})
"""Whose messages go along the connection that one side has made, and nowhere else (RFC 7118 section 5, RFC 5626)."""

NAMED_TRANSPORTS = SECURE_TRANSPORTS | FLOW_TRANSPORTS
"""Those by which a peer is told, or has to prove, the name that was dialled."""

RESOURCE_DEFAULT = "/"
"""What a WebSocket of ours asks for where nobody says more."""


def default_port(transport: str) -> int:
    """The port of a transport where none is written."""
    return PORTS_DEFAULT.get(transport, PORT_DEFAULT)


@dataclass(frozen=True, slots=True)
class Path:
    """One way between us (`local`) and a peer (`remote`). `transport` in small letters.

    On a reliable transport it names one connection; `local` is then where we listen, whoever connected. `again` is
    where a new connection to the same peer is made once that one is gone (RFC 3261 section 18.2.2); it says nothing
    about which connection this is, and so does not count when paths are compared.

    What TLS is to prove is part of which connection it is, so that nobody's call goes along one that has proven another
    thing: `name` is the domain that was dialled, which the peer's certificate must be for ("" = any that is trusted),
    `identity` the trunk whose client certificate we show ("" = none). So is the `resource` that a WebSocket of ours
    asks for ("/path"). A connection that was accepted has none of them.
    """

    transport: str
    local: Address
    remote: Address
    again: Address | None = field(default=None, compare=False)
    name: str = ""
    identity: str = ""
    resource: str = ""

    @property
    def reliable(self) -> bool:
        """Whether the transport repeats lost messages by itself (RFC 3261 section 17: then most timers are not)."""
        return self.transport in RELIABLE_TRANSPORTS
