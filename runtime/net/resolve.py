"""Names of hosts as addresses: the machine's own resolver, asked in a thread, with an end to the waiting."""

from __future__ import annotations

import asyncio
import ipaddress
import socket

RESOLVE_S_MAX = 5.0
"""How long a name may take; then it counts as unknown."""

ADDRESSES_MAX = 8
"""Addresses of one name that are tried."""


async def resolve(host: str) -> tuple[str, ...]:
    """The addresses of a host, in the resolver's order; itself where it is one; none where it is not known in time."""
    try:
        return (str(ipaddress.ip_address(host)),)
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_S_MAX):
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, TimeoutError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))[:ADDRESSES_MAX]
