"""Names and listeners in memory: a DNS that is a table, and one listener for IPv4."""

from __future__ import annotations

import asyncio

from runtime.net.dns_client import Reply
from runtime.net.locator import Locator
from runtime.sip.locating import NOTHING, Kind, Question, Records, Speaks
from runtime.sip.path import Address, Path
from runtime.workers.hops import HopFinder

US = ("192.0.2.99", 5060)


class Names:
    """`addresses` by host; a host of `silent` is never answered for."""

    def __init__(self, **addresses: tuple[str, ...]) -> None:
        self.addresses = {host.replace("_", "."): found for host, found in addresses.items()}
        self.silent: set[str] = set()

    async def ask(self, question: Question) -> Reply:
        if question.name in self.silent:
            await asyncio.Future()
        found = self.addresses.get(question.name, ()) if question.kind is Kind.ADDRESS else ()
        return Reply(Records(addresses=found) if found else NOTHING, 60.0)


class Listeners:
    """Our sockets: `transports` of IPv4."""

    def __init__(self, *transports: str) -> None:
        self.speaks = Speaks(transports, lambda transport, address: transport in transports and ":" not in address)

    def path_to(self, transport: str, remote: Address) -> Path | None:
        if not self.speaks.reaches(transport, remote[0]):
            return None
        return Path(transport, US, remote, resource="/" if transport in ("ws", "wss") else "")


def finder(names: Names, *transports: str) -> HopFinder:
    return HopFinder(Locator(names, lambda n: bytes(n)), Listeners(*(transports or ("udp",))))
