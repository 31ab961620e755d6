"""What an Opus packet is made of (RFC 6716 section 3): how long it lasts, and how short ones are joined to one.

Nothing is decoded here. A packet begins with a byte that says mode, bandwidth and the length of its frames (TOC); all
its frames are alike, so only packets of one TOC can be joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

CLOCK_PER_S: Final = 48_000
"""RTP timestamps of Opus count at this rate, whatever was encoded (RFC 7587 section 4.1)."""
STEPS_PER_MS: Final = CLOCK_PER_S // 1000
SAMPLES_MAX: Final = CLOCK_PER_S * 120 // 1000
"""The longest packet holds 120 ms."""
FRAME_BYTES_MAX: Final = 1275
JOINED_BYTES_MAX: Final = 1_276
"""What is joined to more would be cut into fragments on its way; one packet of a peer's came whole, and goes on."""

_SILK: Final = (480, 960, 1920, 2880)
_HYBRID: Final = (480, 960)
_CELT: Final = (120, 240, 480, 960)
_LENGTHS: Final = (*_SILK * 3, *_HYBRID * 2, *_CELT * 4)
"""Samples of a frame, by the upper five bits of the TOC (section 3.1, table 2)."""
_SHORT: Final = 252
"""A frame's length below this takes one byte (section 3.2.1)."""


class Frames(NamedTuple):
    """A packet taken apart; `toc` without the two bits that say how many frames there are."""

    toc: int
    frames: tuple[bytes, ...]


def duration(packet: bytes) -> int:
    """How long a packet lasts, in steps of the clock; 0 for what is none."""
    if not packet:
        return 0
    toc = packet[0]
    count = (1, 2, 2, 0)[toc & 3]
    if not count:
        count = packet[1] & 0x3F if len(packet) > 1 else 0
    samples = count * _LENGTHS[toc >> 3]
    return samples if samples <= SAMPLES_MAX else 0


def take_apart(packet: bytes) -> Frames | None:
    """The frames of a packet; None where its lengths do not add up."""
    if not duration(packet):
        return None
    toc, rest = packet[0] & 0xFC, packet[1:]
    code = packet[0] & 3
    if code == 0:
        found: tuple[bytes, ...] | None = (rest,)
    elif code == 1:
        found = _equal(rest, 2)
    elif code == 2:
        found = _of_lengths(rest, 2)
    else:
        found = _many(rest)
    if found is None or any(len(frame) > FRAME_BYTES_MAX for frame in found):
        return None
    return Frames(toc, found)


def join(packets: Sequence[bytes]) -> bytes | None:
    """One packet of all frames in their order; None where they are not alike, or too many or too large."""
    if len(packets) == 1:
        return packets[0]
    apart = [take_apart(packet) for packet in packets]
    first = apart[0]
    frames: list[bytes] = []
    for one in apart:
        if one is None or first is None or one.toc != first.toc:
            return None
        frames += one.frames
    assert first is not None
    if len(frames) * _LENGTHS[first.toc >> 3] > SAMPLES_MAX:
        return None
    lengths = b"".join(_length(len(frame)) for frame in frames[:-1])
    joined = bytes((first.toc | 3, 0x80 | len(frames))) + lengths + b"".join(frames)
    return joined if len(joined) <= JOINED_BYTES_MAX else None


def parted(packet: bytes) -> tuple[bytes, ...]:
    """A packet for each frame; the packet itself where it cannot be read."""
    apart = take_apart(packet)
    return (packet,) if apart is None else tuple(bytes((apart.toc,)) + frame for frame in apart.frames)


def _equal(rest: bytes, count: int) -> tuple[bytes, ...] | None:
    size, over = divmod(len(rest), count)
    return None if over else tuple(rest[at * size : (at + 1) * size] for at in range(count))


def _of_lengths(rest: bytes, count: int) -> tuple[bytes, ...] | None:
    """All but the last frame say how long they are."""
    at, sizes = 0, []
    for _ in range(count - 1):
        if at >= len(rest):
            return None
        size = rest[at]
        at += 1
        if size >= _SHORT:
            if at >= len(rest):
                return None
            size += 4 * rest[at]
            at += 1
        sizes.append(size)
    sizes.append(len(rest) - at - sum(sizes))
    if sizes[-1] < 0:
        return None
    found = []
    for size in sizes:
        found.append(rest[at : at + size])
        at += size
    return tuple(found)


def _many(rest: bytes) -> tuple[bytes, ...] | None:
    """Code 3: a byte that says how many, with padding and with lengths or without (section 3.2.5)."""
    head, rest = rest[0], rest[1:]
    if head & 0x40:
        padding = 0
        while True:
            if not rest:
                return None
            step, rest = rest[0], rest[1:]
            padding += min(step, 254)
            if step < 255:
                break
        if padding > len(rest):
            return None
        rest = rest[: len(rest) - padding]
    count = head & 0x3F
    return _of_lengths(rest, count) if head & 0x80 else _equal(rest, count)


def _length(size: int) -> bytes:
    if size < _SHORT:
        return bytes((size,))
    first = _SHORT + (size & 3)
    return bytes((first, (size - first) // 4))
