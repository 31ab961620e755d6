"""The RTP stream that we send on one call: one tick of 20 ms after another (RFC 3550 §5.1, RFC 3551 §4.1).

Called by the session. It promises that the timestamp moves with the clock whether or not anything is sent, that the
first audio packet after silence, hold or digits carries the marker bit, and that digits replace the audio they would
cover.
"""

from __future__ import annotations

from typing import Final

from runtime.media import rtp
from runtime.media.codecs.g711 import FRAME_BYTES, FRAME_MS
from runtime.media.dtmf import DigitSender

FRAMES_PER_PACKET_MAX: Final = 3


class OutgoingStream:
    """SSRC, counters and digits of one outgoing stream. `packets` and `octets` count for the sender report (§6.4.1)."""

    __slots__ = ("_held", "_held_from", "_marker", "digits", "octets", "packets", "sequence", "ssrc", "timestamp")

    def __init__(self, ssrc: int, sequence: int, timestamp: int) -> None:
        self.ssrc = ssrc
        self.sequence = sequence & 0xFFFF
        self.timestamp = timestamp & 0xFFFFFFFF
        """The first sample of the coming tick."""
        self.packets = 0
        self.octets = 0
        self.digits = DigitSender()
        self._marker = True
        self._held = b""
        self._held_from = 0

    def skip(self) -> None:
        """A tick in which nothing may be sent (hold)."""
        self.timestamp = self.timestamp + FRAME_BYTES & 0xFFFFFFFF
        self._marker = True
        self._held = b""
        self.digits.interrupt()

    def tick(self, frame: bytes, payload_type: int, digit_type: int | None, ptime_ms: int) -> list[bytes]:
        """The packets of one tick: the frame, or what is due of the digits; none while a longer packet fills."""
        timestamp = self.timestamp
        self.timestamp = timestamp + FRAME_BYTES & 0xFFFFFFFF
        if digit_type is not None and self.digits.pending:
            event = self.digits.tick(timestamp)
            if event is not None:
                packets = self._flush(payload_type)
                payload, started, marker = event
                packets.append(self._packet(digit_type, marker, started, payload))
                self._marker = True
                return packets
        if ptime_ms < 2 * FRAME_MS and not self._held:
            marker, self._marker = self._marker, False
            return [self._packet(payload_type, marker, timestamp, frame)]
        return self._gather(frame, timestamp, payload_type, min(ptime_ms // FRAME_MS, FRAMES_PER_PACKET_MAX))

    def due(self) -> tuple[str, int] | None:
        """The digit of this tick, and its tone in ms, where digits do not go by this stream. Before `tick`."""
        return self.digits.due(self.timestamp) if self.digits.pending else None

    def _gather(self, frame: bytes, timestamp: int, payload_type: int, frames: int) -> list[bytes]:
        """Longer packets for a peer that asked for them (`a=ptime`)."""
        if not self._held:
            self._held_from = timestamp
        self._held += frame
        return self._flush(payload_type) if len(self._held) >= frames * FRAME_BYTES else []

    def _flush(self, payload_type: int) -> list[bytes]:
        if not self._held:
            return []
        held, self._held = self._held, b""
        marker, self._marker = self._marker, False
        return [self._packet(payload_type, marker, self._held_from, held)]

    def _packet(self, payload_type: int, marker: bool, timestamp: int, payload: bytes) -> bytes:
        head = rtp.header(payload_type, marker, self.sequence, timestamp, self.ssrc)
        self.sequence = self.sequence + 1 & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        return head + payload
