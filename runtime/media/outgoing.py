"""The RTP stream that we send on one call: one tick of 20 ms after another (RFC 3550 §5.1, RFC 3551 §4.1).

Called by the session. It promises that the timestamp moves with the clock whether or not anything is sent, that the
first audio packet after silence, hold or digits carries the marker bit, and that digits replace the audio they would
cover.
"""

from __future__ import annotations

from runtime.media import rtp
from runtime.media.codecs import opus_packets
from runtime.media.codecs.codec import TICK_MS, Codec
from runtime.media.dtmf import DigitSender


class OutgoingStream:
    """SSRC, counters and digits of one outgoing stream. `packets` and `octets` count for the sender report (§6.4.1)."""

    __slots__ = (
        "_codec",
        "_held",
        "_held_from",
        "_marker",
        "_step",
        "digits",
        "octets",
        "packets",
        "sequence",
        "ssrc",
        "timestamp",
    )

    def __init__(self, ssrc: int, sequence: int, timestamp: int, codec: Codec, dtmf_clock_hz: int) -> None:
        self.ssrc = ssrc
        self.sequence = sequence & 0xFFFF
        self.timestamp = timestamp & 0xFFFFFFFF
        """The first sample of the coming tick."""
        self.packets = 0
        self.octets = 0
        self.digits = DigitSender(dtmf_clock_hz)
        self._codec, self._step = codec, codec.step
        self._marker = True
        self._held = b""
        self._held_from = 0

    @property
    def clock_hz(self) -> int:
        """What its timestamps count, and the peer's reports of its jitter."""
        return self._codec.clock_hz

    def use(self, codec: Codec, dtmf_clock_hz: int) -> None:
        """Another codec from the coming tick on: the timestamp goes on from where it is, at the new clock."""
        self._codec, self._step = codec, codec.step
        self._held, self._marker = b"", True
        self.digits.use_clock(dtmf_clock_hz)

    def skip(self) -> None:
        """A tick in which nothing may be sent (hold)."""
        self.timestamp = self.timestamp + self._step & 0xFFFFFFFF
        self._marker = True
        self._held = b""
        self.digits.interrupt()

    def tick(self, payload: bytes | None, payload_type: int, digit_type: int | None, ptime_ms: int) -> list[bytes]:
        """The packets of one tick: the payload, or what is due of the digits; none while a longer packet fills.

        `payload` b"": the one before it still lasts. None: it was lost on its way to us.
        """
        timestamp = self.timestamp
        self.timestamp = timestamp + self._step & 0xFFFFFFFF
        if digit_type is not None and self.digits.pending:
            event = self.digits.tick(timestamp)
            if event is not None:
                packets = self._flush(payload_type)
                told, started, marker = event
                packets.append(self._packet(digit_type, marker, started, told))
                self._marker = True
                return packets
        if payload is None:
            packets = self._flush(payload_type)
            self.sequence = self.sequence + 1 & 0xFFFF  # so that who listens knows, and conceals it
            return packets
        if not payload:
            return []
        if ptime_ms == TICK_MS and not self._held:
            marker, self._marker = self._marker, False
            return [self._packet(payload_type, marker, timestamp, payload)]
        return self._gather(payload, timestamp, payload_type, ptime_ms)

    def due(self) -> tuple[str, int] | None:
        """The digit of this tick, and its tone in ms, where digits do not go by this stream. Before `tick`."""
        return self.digits.due(self.timestamp) if self.digits.pending else None

    def _gather(self, payload: bytes, timestamp: int, payload_type: int, ptime_ms: int) -> list[bytes]:
        """Longer or shorter packets for a peer that asked for them (`a=ptime`)."""
        if not self._held:
            self._held_from = timestamp
        if not self._codec.cuttable:
            return self._join(payload, timestamp, payload_type, ptime_ms * self._step // TICK_MS)
        self._held += payload
        wanted = ptime_ms * self._step // TICK_MS
        packets = []
        while len(self._held) >= wanted:
            packets.append(self._cut(payload_type, wanted))
        return packets

    def _join(self, payload: bytes, timestamp: int, payload_type: int, wanted: int) -> list[bytes]:
        """Hold packets until they last long enough; those that cannot be joined go one by one."""
        if wanted < self._step:
            return self._part(payload, timestamp, payload_type)
        packets: list[bytes] = []
        joined = opus_packets.join((self._held, payload)) if self._held else payload
        if joined is None or opus_packets.duration(joined) > wanted:
            packets = self._flush(payload_type)
            joined, self._held_from = payload, timestamp
        self._held = joined
        return packets if opus_packets.duration(joined) < wanted else packets + self._flush(payload_type)

    def _part(self, payload: bytes, timestamp: int, payload_type: int) -> list[bytes]:
        """A packet for each of its frames."""
        packets: list[bytes] = []
        for frame in opus_packets.parted(payload):
            self._held, self._held_from = frame, timestamp
            packets += self._flush(payload_type)
            timestamp = timestamp + opus_packets.duration(frame) & 0xFFFFFFFF
        return packets

    def _flush(self, payload_type: int) -> list[bytes]:
        return [self._cut(payload_type, len(self._held))] if self._held else []

    def _cut(self, payload_type: int, size: int) -> bytes:
        payload, self._held = self._held[:size], self._held[size:]
        timestamp, self._held_from = self._held_from, self._held_from + size & 0xFFFFFFFF
        marker, self._marker = self._marker, False
        return self._packet(payload_type, marker, timestamp, payload)

    def _packet(self, payload_type: int, marker: bool, timestamp: int, payload: bytes) -> bytes:
        head = rtp.header(payload_type, marker, self.sequence, timestamp, self.ssrc)
        self.sequence = self.sequence + 1 & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        return head + payload
