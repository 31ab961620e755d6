"""Asks STUN servers which address the world sees us at, at the start and again and again; EDGE."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Final

from runtime.sip.stun import MESSAGE_BYTES_MAX, TRANSACTION_ID_BYTES, binding_request, mapped_address

TRIES_MAX: Final = 4
FIRST_WAIT_S: Final = 0.5
"""RFC 8489 section 6.2.1: the first wait, which doubles with each try: 7.5 s in all."""


async def seen_at(host: str, port: int) -> str | None:
    """Our IPv4 or IPv6 address as the STUN server at `host` sees it; None where it does not answer."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(FIRST_WAIT_S * 2**TRIES_MAX):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
            family, *_, address = found[0]
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.setblocking(False)
                sock.connect(address)  # what comes from elsewhere is not heard
                return await _ask(sock)
    except (OSError, TimeoutError, UnicodeError):
        return None


async def _ask(sock: socket.socket) -> str | None:
    loop = asyncio.get_running_loop()
    transaction_id = os.urandom(TRANSACTION_ID_BYTES)
    for attempt in range(TRIES_MAX):
        await loop.sock_sendall(sock, binding_request(transaction_id))
        try:
            async with asyncio.timeout(FIRST_WAIT_S * 2**attempt):
                while True:
                    mapped = mapped_address(await loop.sock_recv(sock, MESSAGE_BYTES_MAX + 1), transaction_id)
                    if mapped is not None:
                        return mapped[0]
        except TimeoutError:
            continue
    return None
