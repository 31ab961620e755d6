"""The ways to a trunk's addresses: the DNS asked, and our own listeners."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from runtime.net.locator import Locator
from runtime.routing.dial import Destination, Way
from runtime.sip.grammar import is_address
from runtime.sip.locating import Speaks
from runtime.sip.path import NAMED_TRANSPORTS, SECURE_TRANSPORTS, Address, Path


class Sockets(Protocol):
    """The listeners, as far as they are asked for ways."""

    @property
    def speaks(self) -> Speaks:
        """Our transports, and what they reach."""

    def path_to(self, transport: str, remote: Address) -> Path | None:
        """The path for a request of ours; None where no listener reaches such an address."""


@dataclass(frozen=True, slots=True)
class Found:
    """The ways in their order; the hosts of which no address is known."""

    ways: list[Way]
    unknown: list[str]


class HopFinder:
    """One per worker."""

    def __init__(self, locator: Locator, sockets: Sockets) -> None:
        self._locator = locator
        self._sockets = sockets

    async def find(self, destinations: Sequence[Destination], identity: str = "") -> Found:
        """The ways to all of these or to their proxies, the first one's first.

        `identity`: the trunk whose certificate TLS shows there.
        """
        speaks = self._sockets.speaks
        first_hops = [place.first_hop for place in destinations]
        located = await asyncio.gather(
            *(self._locator.locate(hop.host, hop.port, hop.transport, speaks) for hop in first_hops)
        )
        ways = [
            (place, _proven(path, place.first_hop, identity))
            for place, found in zip(destinations, located, strict=True)
            for hop in found.hops
            if (path := self._sockets.path_to(hop.transport, hop.address)) is not None
        ]
        unknown = [hop.host for hop, found in zip(first_hops, located, strict=True) if not found.known]
        return Found(ways, list(dict.fromkeys(unknown)))


def _proven(path: Path, place: Destination, identity: str) -> Path:
    """The path with what TLS is to prove: to us the name that was dialled (RFC 5922 section 4), to them who we are.

    An address proves nothing: whose certificate it shows cannot be wrong. A WebSocket is told the name, and asked for
    the resource.
    """
    if path.transport not in NAMED_TRANSPORTS:
        return path
    name = "" if is_address(place.host) else place.host
    shows = identity if path.transport in SECURE_TRANSPORTS else ""
    return replace(path, name=name, identity=shows, resource=path.resource and (place.resource or path.resource))
