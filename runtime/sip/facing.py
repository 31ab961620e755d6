"""Which address of ours a peer is told: our own, or behind NAT the one that the world sees (RFC 3261 section 18.1.1).

Via, Contact and SDP name it. Peers on local networks reach us as we are; all others by the external address, where
there is one of the same version of IP. Media may have another one than signalling.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runtime.sip.path import Path
from schemas.tables.networks import NetworkSet, compile_networks, parse_address

LOCAL_NETWORKS = (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
    "fc00::/7", "fe80::/10", "::1/128",
)  # fmt: skip
"""Where an external address is not needed, unless somebody says otherwise."""

_PRIVATE = compile_networks(LOCAL_NETWORKS)


@dataclass(frozen=True, slots=True)
class Facing:
    """External addresses of signalling and media, one of each version of IP at most; none: we are seen as we are."""

    signalling: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    local: NetworkSet = _PRIVATE

    def host(self, path: Path) -> str:
        """What Via and Contact name towards the peer of this path."""
        return self._named(self.signalling, path)

    def media_host(self, path: Path) -> str:
        """What SDP names towards it."""
        return self._named(self.media or self.signalling, path)

    def is_media(self, address: str) -> bool:
        """Whether this is an external address that our media have."""
        return address in (self.media or self.signalling)

    def _named(self, external: Iterable[str], path: Path) -> str:
        own = path.local[0]
        if not external or self.local.holds(parse_address(path.remote[0])):
            return own
        return next((address for address in external if (":" in address) == (":" in own)), own)


UNSEEN = Facing()
"""Behind no NAT."""
