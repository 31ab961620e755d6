"""The test phone's line: SIP sockets, their endpoint and one timer, for one call. EDGE: no decision is made here."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Collection, Sequence

from runtime.net.sip_sockets import SipSockets
from runtime.net.sip_tcp import CONNECTION_REFUSED
from runtime.net.tls_contexts import TlsContexts
from runtime.phone.one_call import OneCall
from runtime.settings import Listen
from runtime.sip.endpoint import Endpoint, EndpointConfig
from runtime.sip.errors import Fault
from runtime.sip.path import Address, Path

ALLOWED = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REFER")


class Line:
    """One phone's SIP. `open` it, `follow` one call, `close` it."""

    def __init__(self, tls: TlsContexts) -> None:
        self._tls = tls
        self._sip = SipSockets(self, tls)
        config = EndpointConfig(user_agent="dialplane-test-phone", allow=ALLOWED)
        self.endpoint = Endpoint(config, os.urandom, self._sip)
        self._call: OneCall | None = None
        self._over = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._heard_from = False

    async def open(self, listens: Sequence[Listen]) -> tuple[Listen, ...]:
        """Listen; where, with the ports that were got. BridgeError where that cannot be."""
        self._tls.load()
        await self._sip.open(listens)
        return self._sip.listening

    def path_to(self, transport: str, remote: Address) -> Path:
        """The way to a peer, by a listener that was opened for it."""
        path = self._sip.path_to(transport, remote)
        assert path is not None, "the listener is of the peer's own kind"
        return path

    async def follow(self, call: OneCall, within_s: float | None = None) -> None:
        """Carry this call to its end. Where that does not come in time, or who waits gives up, it is hung up."""
        self._call = call
        self._drain()
        try:
            await asyncio.wait_for(self._over.wait(), within_s)
        except TimeoutError:
            pass
        finally:
            self.hang_up(time.monotonic())

    def hang_up(self, now: float) -> None:
        """End the call; one that is over already is no matter."""
        if self._call is not None and not self._call.is_over:
            self._call.hang_up(now)
            self._drain()

    def close(self) -> None:
        """Give the sockets back."""
        if self._timer is not None:
            self._timer.cancel()
        self._sip.close()

    # -- SipUser ---------------------------------------------------------------------------------------------------

    def received(self, data: bytes, path: Path, framing_fault: Fault | None = None) -> None:
        """A message for the endpoint."""
        self._heard_from = True
        if self._call is not None:
            self._call.reached()
        self.endpoint.receive_datagram(data, path, time.monotonic(), framing_fault)
        self._drain()

    def connection_failed(self, path: Path, why: str) -> None:
        """The connection could not be made, or has closed."""
        if self._call is not None and not self._heard_from:
            peer = Listen(path.transport, *path.remote)
            refused = why == CONNECTION_REFUSED
            self._call.not_reached(f"nobody listens at {peer}" if refused else f"no way to {peer}: {why}")
        self.endpoint.connection_failed(path, why, time.monotonic())
        self._drain()

    def knows(self, address: str) -> bool:
        """The phone talks with anybody: nothing depends on it."""
        return True

    def rest_s(self, address: str) -> float:
        """One call is no burst."""
        return 0.0

    def connections_needed(self) -> Collection[Path]:
        """The connection of the call."""
        return self.endpoint.connections()

    # -- the endpoint and its time ---------------------------------------------------------------------------------

    def _drain(self) -> None:
        call = self._call
        if call is None:
            return  # what has come meanwhile is handled when somebody follows it
        while (event := self.endpoint.next_event()) is not None:
            call.handle(event, time.monotonic())
        for data, path in self.endpoint.datagrams_to_send():
            self._sip.send(data, path)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if call.is_over:
            self._over.set()
            return
        deadlines = [due for due in (self.endpoint.next_deadline(), call.next_deadline()) if due is not None]
        if deadlines:
            delay = max(0.0, min(deadlines) - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        now = time.monotonic()
        self.endpoint.handle_timer(now)
        if self._call is not None:
            self._call.handle_timer(now)
        self._drain()
