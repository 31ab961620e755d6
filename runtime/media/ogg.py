"""Ogg Opus (RFC 3533, RFC 7845): packets of libopus in pages, for a recording.

Called by whoever writes a recording: the two header pages first, then a page for every second or so. Each page is whole
in itself, so a file that was cut off anywhere is good up to its last whole page.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from struct import Struct
from typing import Final

GRANULES_PER_S: Final = 48_000
"""RFC 7845 section 4: granule positions count samples at this rate, whatever was encoded."""
PACKETS_PER_PAGE_MAX: Final = 50
VENDOR: Final = b"dialplane"

_PAGE: Final = Struct("<4sBBqIIIB")
_CHECKSUM_AT: Final = 22
_HEAD: Final = Struct("<8sBBHIhB")
_LENGTH: Final = Struct("<I")
_FIRST: Final = 2
_LAST: Final = 4
_LACING: Final = 255
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class OggOpus:
    """One logical stream. `serial` tells it from others in one file; `skip` samples of 48 kHz are not to be played."""

    __slots__ = ("_granule", "_packets", "_sequence", "_serial", "_skip")

    def __init__(self, serial: int, skip: int) -> None:
        self._serial = serial
        self._skip = skip
        self._sequence = 0
        self._granule = 0

    def head(self, channels: int, rate_hz: int) -> bytes:
        """The first two pages (RFC 7845 section 5); `rate_hz` is what the sound had before it was encoded."""
        head = _HEAD.pack(b"OpusHead", 1, channels, self._skip, rate_hz, 0, 0)
        tags = b"OpusTags" + _LENGTH.pack(len(VENDOR)) + VENDOR + _LENGTH.pack(0)
        return self._page([head], 0, _FIRST) + self._page([tags], 0, 0)

    def page(self, packets: Sequence[bytes], granules: int) -> bytes:
        """The next page: so many packets, which last for `granules` samples of 48 kHz together."""
        assert 0 < len(packets) <= PACKETS_PER_PAGE_MAX
        self._granule += granules
        return self._page(packets, self._granule, 0)

    def end(self) -> bytes:
        """The last page, which holds nothing: the stream ends where the page before it ended."""
        return self._page([], self._granule, _LAST)

    def _page(self, packets: Sequence[bytes], granule: int, kind: int) -> bytes:
        laces = b"".join(
            bytes([_LACING]) * (len(packet) // _LACING) + bytes([len(packet) % _LACING]) for packet in packets
        )
        assert len(laces) <= _LACING, "a page has 255 segments at most"
        head = _PAGE.pack(b"OggS", 0, kind, granule, self._serial, self._sequence, 0, len(laces))
        self._sequence += 1
        page = bytearray(head + laces + b"".join(packets))
        page[_CHECKSUM_AT : _CHECKSUM_AT + 4] = checksum(page).to_bytes(4, "little")
        return bytes(page)


def checksum(page: bytes | bytearray) -> int:
    """RFC 3533 section 6: the CRC-32 of Ethernet, but with the bits of each byte the other way round and from zero."""
    mirrored = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_REVERSED), "big")
