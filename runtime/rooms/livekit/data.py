"""The data channels of one media path: SCTP (aiortc's) over our own DTLS. An edge between two other libraries' shapes.

LiveKit expects two channels that we open where we publish, `_reliable` and `_lossy`; on a single connection the server
answers on the same ones. Where we only subscribe the server opens them, and nothing of ours goes there. aiortc's
association is made for its own DTLS transport; `_Carrier` is as much of that as it asks for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport

from runtime.gate.bucket import TokenBucket
from runtime.limits import TICK_S
from runtime.rooms.livekit.limits import ACKNOWLEDGED_S_MAX, DATA_BYTES_MAX, DATA_RECORDS_BURST, DATA_RECORDS_PER_S

PORT: Final = 5000


class _Carrier:
    """What aiortc's association knows of DTLS."""

    def __init__(self, send: Callable[[bytes], None], *, client: bool) -> None:
        self.state = "connected"
        self._role = "client" if client else "server"
        self._send = send
        self.receiver: Any = None

    async def _send_data(self, data: bytes) -> None:
        if self.state == "connected":
            self._send(data)

    def _register_data_receiver(self, receiver: Any) -> None:
        self.receiver = receiver

    def _unregister_data_receiver(self, _receiver: Any) -> None:
        self.receiver = None


class DataChannels:
    """See the module. `take(message)` gets every message; messages sent before it stands wait in the association."""

    def __init__(
        self,
        send: Callable[[bytes], None],
        take: Callable[[bytes], None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        *,
        client: bool,
        ours: bool,
    ) -> None:
        self._carrier = _Carrier(send, client=client)
        self._spawn = spawn
        self._take = take
        self._rate = TokenBucket(DATA_RECORDS_PER_S, DATA_RECORDS_BURST, time.monotonic())
        self._sctp = RTCSctpTransport(cast(RTCDtlsTransport, self._carrier), PORT)
        self._waiting: list[bytes] = []
        self._reliable: RTCDataChannel | None = None
        if ours:
            self._reliable = self._open(RTCDataChannelParameters(label="_reliable", ordered=True))
            self._reliable.on("open", self._flush)
            self._open(RTCDataChannelParameters(label="_lossy", ordered=False, maxRetransmits=0))
        else:
            self._sctp.on("datachannel", self._listen)
        spawn(self._guarded(self._sctp.start(RTCSctpCapabilities(maxMessageSize=DATA_BYTES_MAX), PORT)))

    def send(self, message: bytes) -> None:
        """Send reliably, where the channels are ours; dropped when they are closed already."""
        reliable = self._reliable
        if reliable is None:
            return
        if reliable.readyState == "open":
            reliable.send(message)
        elif reliable.readyState == "connecting":
            self._waiting.append(message)

    def receive(self, record: bytes) -> None:
        """One SCTP packet."""
        if self._carrier.receiver is not None and self._rate.take(time.monotonic()):
            self._spawn(self._guarded(self._carrier.receiver._handle_data(record)))  # noqa: SLF001 — aiortc's own way in

    async def acknowledged(self) -> None:
        """Wait until the server has all that was sent, `ACKNOWLEDGED_S_MAX` at most."""
        sctp: Any = self._sctp  # aiortc tells of none of these
        waiting = (sctp._data_channel_queue, sctp._outbound_queue, sctp._sent_queue)  # noqa: SLF001
        for _ in range(round(ACKNOWLEDGED_S_MAX / TICK_S)):
            if not any(waiting):
                break
            await asyncio.sleep(TICK_S)

    async def close(self) -> None:
        """End the association, and its timers with it."""
        await self._guarded(self._sctp.stop())
        self._carrier.state = "closed"

    def _open(self, parameters: RTCDataChannelParameters) -> RTCDataChannel:
        channel = RTCDataChannel(self._sctp, parameters)
        self._listen(channel)
        return channel

    def _listen(self, channel: RTCDataChannel) -> None:
        channel.on("message", self._heard)

    def _heard(self, message: object) -> None:
        if isinstance(message, bytes):
            self._take(message)

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            self.send(message)

    @staticmethod
    async def _guarded(work: Coroutine[Any, Any, None]) -> None:
        """A packet that aiortc's asserts do not expect costs a call its data, never its audio."""
        try:
            await work
        except Exception:  # noqa: S110 — whatever a peer can make another library raise
            pass
