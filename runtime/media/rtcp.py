"""RTCP packets (RFC 3550 §6): sender and receiver reports, source descriptions, BYE, XR; whole compounds in and out.

Called by the session's reports, about every five seconds and call. `parse` never raises: a compound that does not
pass the validity checks of appendix A.2 is None, packet types we do not know are stepped over.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from runtime.media.rtcp_xr import VoipMetrics, read_blocks, write_block

COMPOUND_BYTES_MAX: Final = 2048
TEXT_BYTES_MAX: Final = 255
REPORTS_MAX: Final = 31

_SR: Final = 200
_RR: Final = 201
_SDES: Final = 202
_BYE: Final = 203
_XR: Final = 207
_CNAME: Final = 1
_VERSION_2: Final = 0x80
_PADDING: Final = 0x20

_HEAD: Final = Struct("!BBH")
_WORD: Final = Struct("!I")
_SENDER_INFO: Final = Struct("!IQIII")
_BLOCK: Final = Struct("!IIIIII")


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What its sender received from `ssrc`. Jitter in samples; `delay` since the last report in 1/65536 s."""

    ssrc: int
    fraction_lost: int
    """Since the report before, of 256."""
    lost: int
    """In all, signed 24 bit: duplicates make it negative."""
    highest_sequence: int
    jitter: int
    last_report: int
    """The middle 32 bits of the NTP time in the last sender report that arrived; 0 for none."""
    delay: int


@dataclass(frozen=True, slots=True)
class SenderReport:
    """`ntp` is 64 bit: seconds since 1900 and their fraction."""

    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """From who sends nothing at the moment."""

    ssrc: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """The canonical names of sources; the other items (name, phone, …) are not kept."""

    cnames: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Bye:
    """These sources end."""

    ssrcs: tuple[int, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ExtendedReport:
    """What `ssrc` has to say of the streams that it receives (RFC 3611); blocks that we do not know are not kept."""

    ssrc: int
    metrics: tuple[VoipMetrics, ...] = ()


Packet = SenderReport | ReceiverReport | SourceDescription | Bye | ExtendedReport


def parse(data: bytes) -> tuple[Packet, ...] | None:
    """The packets of a compound; None unless it passes RFC 3550 A.2 (it starts with a report, its lengths add up)."""
    size = len(data)
    if size < 8 or size > COMPOUND_BYTES_MAX or size % 4 or data[1] not in (_SR, _RR) or data[0] & _PADDING:
        return None
    packets: list[Packet] = []
    at = 0
    while at < size:
        first, kind, words = _HEAD.unpack_from(data, at)
        end = at + 4 + 4 * words
        if first & 0xC0 != _VERSION_2 or end > size:
            return None
        body = data[at + 4 : end]
        if first & _PADDING:
            # §6.4.1: only the last packet of a compound may be padded.
            if end != size or not body or body[-1] == 0 or body[-1] > len(body):
                return None
            body = body[: -body[-1]]
        reader = _READERS.get(kind)
        if reader is not None:
            packet = reader(body, first & 0x1F)
            if packet is None:
                return None
            packets.append(packet)
        at = end
    return tuple(packets)


def _read_sender_report(body: bytes, count: int) -> SenderReport | None:
    if len(body) < _SENDER_INFO.size + count * _BLOCK.size:
        return None
    ssrc, ntp, timestamp, packets, octets = _SENDER_INFO.unpack_from(body)
    return SenderReport(ssrc, ntp, timestamp, packets, octets, _read_blocks(body, _SENDER_INFO.size, count))


def _read_receiver_report(body: bytes, count: int) -> ReceiverReport | None:
    if len(body) < _WORD.size + count * _BLOCK.size:
        return None
    return ReceiverReport(_WORD.unpack_from(body)[0], _read_blocks(body, _WORD.size, count))


def _read_blocks(body: bytes, start: int, count: int) -> tuple[ReportBlock, ...]:
    blocks = []
    for at in range(start, start + count * _BLOCK.size, _BLOCK.size):
        ssrc, losses, highest, jitter, last_report, delay = _BLOCK.unpack_from(body, at)
        lost = losses & 0xFFFFFF
        if lost > 0x7FFFFF:
            lost -= 0x1000000
        blocks.append(ReportBlock(ssrc, losses >> 24, lost, highest, jitter, last_report, delay))
    return tuple(blocks)


def _read_description(body: bytes, count: int) -> SourceDescription | None:
    """Chunks of an SSRC and items, each chunk ended by a zero byte and filled to a word (§6.5)."""
    names = []
    at = 0
    for _ in range(count):
        if at + 4 > len(body):
            return None
        (ssrc,) = _WORD.unpack_from(body, at)
        at += 4
        while at < len(body) and body[at] != 0:
            if at + 2 > len(body) or at + 2 + body[at + 1] > len(body):
                return None
            if body[at] == _CNAME:
                names.append((ssrc, body[at + 2 : at + 2 + body[at + 1]].decode("utf-8", "replace")))
            at += 2 + body[at + 1]
        if at >= len(body):
            return None
        at = (at | 3) + 1
    return SourceDescription(tuple(names))


def _read_bye(body: bytes, count: int) -> Bye | None:
    end = 4 * count
    if len(body) < end:
        return None
    ssrcs = tuple(_WORD.unpack_from(body, at)[0] for at in range(0, end, 4))
    reason = b""
    if len(body) > end:
        reason = body[end + 1 : end + 1 + body[end]]
        if len(reason) != body[end]:
            return None
    return Bye(ssrcs, reason.decode("utf-8", "replace"))


def _read_extended_report(body: bytes, _count: int) -> ExtendedReport | None:
    if len(body) < _WORD.size:
        return None
    metrics = read_blocks(body[_WORD.size :])
    return None if metrics is None else ExtendedReport(_WORD.unpack_from(body)[0], metrics)


_READERS: Final = {
    _SR: _read_sender_report,
    _RR: _read_receiver_report,
    _SDES: _read_description,
    _BYE: _read_bye,
    _XR: _read_extended_report,
}


def write(packets: tuple[Packet, ...]) -> bytes:
    """The compound; the caller puts a report first (§6.1)."""
    return b"".join(map(_write_one, packets))


def _write_one(packet: Packet) -> bytes:
    match packet:
        case SenderReport():
            info = _SENDER_INFO.pack(packet.ssrc, packet.ntp, packet.timestamp, packet.packets, packet.octets)
            return _packed(_SR, len(packet.reports), info + _blocks(packet.reports))
        case ReceiverReport():
            return _packed(_RR, len(packet.reports), _WORD.pack(packet.ssrc) + _blocks(packet.reports))
        case SourceDescription():
            return _packed(_SDES, len(packet.cnames), b"".join(_chunk(ssrc, name) for ssrc, name in packet.cnames))
        case Bye():
            ssrcs = b"".join(map(_WORD.pack, packet.ssrcs))
            return _packed(_BYE, len(packet.ssrcs), ssrcs + (_text(packet.reason) if packet.reason else b""))
        case ExtendedReport():
            return _packed(_XR, 0, _WORD.pack(packet.ssrc) + b"".join(map(write_block, packet.metrics)))


def _packed(kind: int, count: int, body: bytes) -> bytes:
    assert count <= REPORTS_MAX
    body += bytes(-len(body) % 4)
    return _HEAD.pack(_VERSION_2 | count, kind, len(body) // 4) + body


def _blocks(reports: tuple[ReportBlock, ...]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            r.ssrc, r.fraction_lost << 24 | r.lost & 0xFFFFFF, r.highest_sequence, r.jitter, r.last_report, r.delay
        )
        for r in reports
    )


def _chunk(ssrc: int, cname: str) -> bytes:
    items = _WORD.pack(ssrc) + bytes([_CNAME]) + _text(cname)
    return items + bytes(4 - len(items) % 4)


def _text(text: str) -> bytes:
    encoded = text.encode()
    assert len(encoded) <= TEXT_BYTES_MAX
    return bytes([len(encoded)]) + encoded
