"""The two sides of a call as one stereo file, as bytes: what the phone said left, what it heard right.

Called by whoever writes recordings, with a second or so at a time and on a thread of its own. Both kinds of file can be
read as far as they go when nobody has ended them: a WAV whose header says nothing of its length, an Ogg stream page by
page.

Linear samples are signed 16 bit, machine byte order.
"""

from __future__ import annotations

import audioop
from collections.abc import Sequence
from typing import Any, Final, Protocol

from runtime.media.codecs.codec import TICKS_PER_S
from runtime.media.codecs.opus import OpusEncoder
from runtime.media.ogg import GRANULES_PER_S, PACKETS_PER_PAGE_MAX, OggOpus
from runtime.media.wav import HEADER_BYTES, pcm16_header

CHANNELS: Final = 2
OPUS_BITRATE: Final = 32_000
WAV_BYTES_MAX: Final = 0xFFFFFFFF - HEADER_BYTES
"""What a WAV file can say of its length."""

Side = tuple[bytes, int] | None
"""One tick of one side: mono samples and their rate; None for silence."""


class StereoFile(Protocol):
    """A file that grows."""

    def begin(self) -> bytes:
        """What it begins with."""
        ...

    def add(self, stereo: bytes) -> bytes:
        """What so many ticks add to it; some may be kept back."""
        ...

    def end(self) -> tuple[bytes, bytes]:
        """What it ends with, and what it begins with now that its length is known: in place of as many bytes."""
        ...


class WavFile:
    """16-bit samples."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._bytes = 0

    def begin(self) -> bytes:
        """A header without a length."""
        return pcm16_header(0, channels=CHANNELS, rate_hz=self._rate_hz)

    def add(self, stereo: bytes) -> bytes:
        """The very samples."""
        self._bytes += len(stereo)
        return stereo

    def end(self) -> tuple[bytes, bytes]:
        """A header with the length."""
        return b"", pcm16_header(self._bytes, channels=CHANNELS, rate_hz=self._rate_hz)


class OpusFile:
    """Ogg Opus. `serial` is any number; `rate_hz` 8, 16 or 48 kHz."""

    def __init__(self, rate_hz: int, serial: int) -> None:
        self._rate_hz = rate_hz
        self._encoder = OpusEncoder(rate_hz, channels=CHANNELS, bitrate=OPUS_BITRATE)
        self._ogg = OggOpus(serial, self._encoder.lookahead * GRANULES_PER_S // rate_hz)
        self._tick_bytes = 2 * CHANNELS * rate_hz // TICKS_PER_S

    def begin(self) -> bytes:
        """Its headers."""
        return self._ogg.head(CHANNELS, self._rate_hz)

    def add(self, stereo: bytes) -> bytes:
        """Pages, of a second each at most."""
        packets = [
            self._encoder.encode(stereo[at : at + self._tick_bytes]) for at in range(0, len(stereo), self._tick_bytes)
        ]
        pages = b""
        for at in range(0, len(packets), PACKETS_PER_PAGE_MAX):
            page = packets[at : at + PACKETS_PER_PAGE_MAX]
            pages += self._ogg.page(page, len(page) * GRANULES_PER_S // TICKS_PER_S)
        return pages

    def end(self) -> tuple[bytes, bytes]:
        """The last page; what it began with stays."""
        return self._ogg.end(), b""


class Stereo:
    """Brings the ticks of both sides to one rate and together. What a side had before is kept, so that none jumps."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._silence = bytes(2 * rate_hz // TICKS_PER_S)
        self._states: list[tuple[int, Any] | None] = [None, None]

    def joined(self, ticks: Sequence[tuple[Side, Side]]) -> bytes:
        """Stereo samples, left and right in turn."""
        left, right = (b"".join(self._at_rate(side, tick[side]) for tick in ticks) for side in (0, 1))
        return audioop.add(audioop.tostereo(left, 2, 1, 0), audioop.tostereo(right, 2, 0, 1), 2)

    def _at_rate(self, side: int, tick: Side) -> bytes:
        if tick is None:
            return self._silence
        samples, rate_hz = tick
        if rate_hz == self._rate_hz:
            return samples
        before = self._states[side]
        state = before[1] if before is not None and before[0] == rate_hz else None
        samples, state = audioop.ratecv(samples, 2, 1, rate_hz, self._rate_hz, state)
        self._states[side] = rate_hz, state
        return samples[: len(self._silence)].ljust(len(self._silence), b"\0")


def repaired_wav(head: bytes, size: int) -> bytes | None:
    """The header of a WAV of ours that nobody has ended, by the size of its file; None where it holds no sound."""
    if size <= HEADER_BYTES or len(head) < HEADER_BYTES:
        return None
    rate_hz = int.from_bytes(head[24:28], "little")
    return pcm16_header((size - HEADER_BYTES) // (2 * CHANNELS) * 2 * CHANNELS, channels=CHANNELS, rate_hz=rate_hz)
