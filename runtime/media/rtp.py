"""The RTP packet (RFC 3550 §5.1): read once at the door, written once at the exit.

Called for every packet of every call, so the common shape (version 2, nothing optional) is read by one `unpack_from`.
It promises that no datagram whatever raises: what is not RTP is None, and the caller counts it.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

DATAGRAM_BYTES_MAX: Final = 2048
"""Longer datagrams are no speech: 200 ms of G.711 are 1,600 bytes, and Ethernet carries 1,500."""
HEADER_BYTES: Final = 12

_HEADER: Final = Struct("!BBHII")
_EXTENSION: Final = Struct("!HH")
_VERSION_2: Final = 0x80
_PADDING: Final = 0x20
_HAS_EXTENSION: Final = 0x10
_CSRC_COUNT: Final = 0x0F
_MARKER: Final = 0x80
_new: Final = tuple.__new__


class RtpPacket(NamedTuple):
    """One RTP packet; padding is not kept. A named tuple, because one is made 50 times a second for each call."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    csrcs: tuple[int, ...] = ()
    extension: tuple[int, bytes] | None = None
    """Profile number and words of the header extension (RFC 3550 §5.3.1); a multiple of 4 bytes."""


def parse(data: bytes) -> RtpPacket | None:
    """The packet in a datagram, None when the datagram is not RTP version 2 or its lengths do not add up."""
    size = len(data)
    if size < HEADER_BYTES or size > DATAGRAM_BYTES_MAX:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first == _VERSION_2:
        fields = (second & 0x7F, second > 0x7F, sequence, timestamp, ssrc, data[HEADER_BYTES:], (), None)
        return _new(RtpPacket, fields)  # calling the class takes three times as long, once per packet
    if first & 0xC0 != _VERSION_2:
        return None
    start = HEADER_BYTES + 4 * (first & _CSRC_COUNT)
    if start > size:
        return None
    csrcs = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(HEADER_BYTES, start, 4))
    extension = None
    if first & _HAS_EXTENSION:
        if start + 4 > size:
            return None
        profile, words = _EXTENSION.unpack_from(data, start)
        start += 4 + 4 * words
        if start > size:
            return None
        extension = (profile, data[start - 4 * words : start])
    if first & _PADDING:
        # §5.1: the last byte counts the padding, itself included.
        padding = data[-1]
        if padding == 0 or start + padding > size:
            return None
        size -= padding
    return RtpPacket(second & 0x7F, second > 0x7F, sequence, timestamp, ssrc, data[start:size], csrcs, extension)


def header(payload_type: int, marker: bool, sequence: int, timestamp: int, ssrc: int) -> bytes:
    """The 12 bytes that go before a payload: no padding, no extension, no contributing source."""
    return _HEADER.pack(_VERSION_2, payload_type | _MARKER if marker else payload_type, sequence, timestamp, ssrc)


def write(packet: RtpPacket) -> bytes:
    """The datagram of a packet, without padding."""
    first = _VERSION_2 | len(packet.csrcs)
    rest = b"".join(csrc.to_bytes(4, "big") for csrc in packet.csrcs)
    if packet.extension is not None:
        profile, words = packet.extension
        assert len(words) % 4 == 0
        first |= _HAS_EXTENSION
        rest += _EXTENSION.pack(profile, len(words) // 4) + words
    plain = header(packet.payload_type, packet.marker, packet.sequence, packet.timestamp, packet.ssrc)
    return bytes([first]) + plain[1:] + rest + packet.payload
