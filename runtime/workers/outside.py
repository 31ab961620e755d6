"""Keeps the endpoint's addresses those that the world sees: as they were given, or as a STUN server tells them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from runtime.net.external import seen_at
from runtime.settings import Outside
from runtime.sip.facing import Facing
from schemas.tables.networks import compile_networks

ASK_AGAIN_S = 60.0
"""How often a STUN server is asked: a provider may give us another address at any time."""

ASK_SOON_S = 10.0
"""The same where it has not answered yet."""


class OutsideAddresses:
    """One per bridge. `face(facing)` is told which addresses to name; `log(words, **fields)` of what changed."""

    def __init__(self, outside: Outside, face: Callable[[Facing], None], log: Callable[..., None]) -> None:
        self._outside = outside
        self._face = face
        self._log = log
        self._facing = Facing(outside.signalling, outside.media)
        if outside.local_networks:
            self._facing = replace(self._facing, local=compile_networks(outside.local_networks))
        self._asking: asyncio.Task[None] | None = None
        self._told = ""
        self._is_silent = False

    async def start(self) -> None:
        """Name what is known. A STUN server is waited for: the first call is to hear the right address."""
        if self._outside.stun is None:
            self._face(self._facing)
            return
        known = await self._ask()
        self._asking = asyncio.create_task(self._keep_asking(known))

    def stop(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()

    async def _keep_asking(self, known: bool) -> None:
        while True:
            await asyncio.sleep(ASK_AGAIN_S if known else ASK_SOON_S)
            known = await self._ask()

    async def _ask(self) -> bool:
        """Whether there is an answer. Without one what was known stays."""
        assert self._outside.stun is not None, "there is somebody to ask"
        host, port = self._outside.stun
        address = await seen_at(host, port)
        if address is None:
            if not self._is_silent:
                kept = self._told or "our own addresses are named"
                self._log("the STUN server does not answer", server=f"{host}:{port}", meanwhile=kept)
            self._is_silent = True
            return False
        if address != self._told:
            self._told = address
            self._log("the world sees us at another address than before", address=address, server=f"{host}:{port}")
            self._facing = replace(self._facing, signalling=(address,))
            self._face(self._facing)
        elif self._is_silent:
            self._log("the STUN server answers again", address=address, server=f"{host}:{port}")
        self._is_silent = False
        return True
