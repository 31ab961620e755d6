"""WAV files, as bytes: headers for recordings, frames of G.711 from whatever speech file a user names.

Called by the edge that reads and writes the files. Read: 16-bit PCM, µ-law and A-law, mono or stereo, any rate from 8
to 48 kHz; out come frames of 160 bytes at 8 kHz mono. Speech above 4 kHz is filtered out before the rate goes down,
else it would fold back as hiss. A file that was cut short, or whose header never got its length, is read as far as it
goes. What cannot be read raises `WavError` with a sentence for the user. Samples in WAV are little-endian, as is the
machine.
"""

from __future__ import annotations

import audioop
import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final

from runtime.media.codecs.g711 import FRAME_BYTES, SAMPLES_PER_S, SILENCE_BYTE, Law, decode, encode

HEADER_BYTES: Final = 44
RATE_HZ_MAX: Final = 48_000

SLICES_PER_S: Final = 10
"""Slices that a second of sound is decoded in."""

CHUNKS_MAX: Final = 100
"""Chunks looked at for the one with the sound."""

_FORMAT_PCM: Final = 1
_FORMAT_A_LAW: Final = 6
_FORMAT_MU_LAW: Final = 7
_FORMAT_EXTENSIBLE: Final = 0xFFFE
_LAW_OF: Final[dict[int, Law]] = {_FORMAT_A_LAW: "pcma", _FORMAT_MU_LAW: "pcmu"}
_BITS_OF: Final = {_FORMAT_PCM: 16, _FORMAT_A_LAW: 8, _FORMAT_MU_LAW: 8}

_RIFF: Final = Struct("<4sI4s")
_CHUNK: Final = Struct("<4sI")
_FORMAT: Final = Struct("<HHIIHH")
_SUBFORMAT_AT: Final = 24
_SIZE_MAX: Final = 0xFFFFFFFF

_CUTOFF_HZ: Final = 3700
_TAPS_PER_FACTOR: Final = 12
"""Length of one side of the filter, for each whole multiple of 8 kHz: the transition is about 1 kHz wide."""
_HEADROOM: Final = 8


class WavError(ValueError):
    """The file is no WAV that we read; the text says why, in words for a user."""


def pcm16_header(data_bytes: int, *, channels: int = 1, rate_hz: int = SAMPLES_PER_S) -> bytes:
    """The first 44 bytes of a file with so many bytes of 16-bit samples; give 0 while the length is unknown."""
    size = min(data_bytes, _SIZE_MAX - HEADER_BYTES)
    bytes_per_instant = 2 * channels
    return (
        _RIFF.pack(b"RIFF", HEADER_BYTES - _CHUNK.size + size, b"WAVE")
        + _CHUNK.pack(b"fmt ", _FORMAT.size)
        + _FORMAT.pack(_FORMAT_PCM, channels, rate_hz, rate_hz * bytes_per_instant, bytes_per_instant, 16)
        + _CHUNK.pack(b"data", size)
    )


def read_frames(data: bytes, law: Law) -> list[bytes]:
    """The speech of a WAV file as frames of 160 bytes in `law`; the last one is filled up with silence."""
    return [frame for piece in open_wav(data).slices((law,)) for frame in piece[law]]


@dataclass(frozen=True, slots=True)
class Wav:
    """A file that can be read. Nothing of its sound has been decoded yet."""

    kind: int
    channels: int
    rate_hz: int
    body: memoryview

    @property
    def length_s(self) -> float:
        """How long it sounds."""
        return len(self.body) / self._bytes_per_instant / self.rate_hz

    def slices(self, laws: Iterable[Law]) -> Iterator[dict[Law, list[bytes]]]:
        """Its frames in several laws, for little more than one costs; each step decodes a tenth of a second.

        What decodes keeps all other threads of the process waiting: for a millisecond or two at each step.
        """
        rest = dict.fromkeys(laws, b"")
        for encoded in self._encoded(tuple(rest)):
            frames = {}
            for law, piece in encoded.items():
                whole = rest[law] + piece
                end = len(whole) - len(whole) % FRAME_BYTES
                rest[law] = whole[end:]
                frames[law] = [whole[at : at + FRAME_BYTES] for at in range(0, end, FRAME_BYTES)]
            yield frames
        yield {law: [last.ljust(FRAME_BYTES, bytes([SILENCE_BYTE[law]]))] if last else [] for law, last in rest.items()}

    @property
    def _bytes_per_instant(self) -> int:
        return _BITS_OF[self.kind] // 8 * self.channels

    def _pieces(self) -> Iterator[bytes]:
        step = self.rate_hz // SLICES_PER_S * self._bytes_per_instant
        return (bytes(self.body[at : at + step]) for at in range(0, len(self.body), step))

    def _encoded(self, laws: tuple[Law, ...]) -> Iterator[dict[Law, bytes]]:
        native = _LAW_OF.get(self.kind) if self.channels == 1 and self.rate_hz == SAMPLES_PER_S else None
        if native is None:
            for linear in _to_8_khz(map(self._linear, self._pieces()), self.rate_hz):
                yield {law: encode(law, linear) for law in laws}
            return
        for piece in self._pieces():
            linear = decode(native, piece)
            yield {law: piece if law == native else encode(law, linear) for law in laws}

    def _linear(self, piece: bytes) -> bytes:
        linear = piece if self.kind == _FORMAT_PCM else decode(_LAW_OF[self.kind], piece)
        return audioop.tomono(linear, 2, 0.5, 0.5) if self.channels == 2 else linear


def open_wav(data: bytes) -> Wav:
    """A file that is good in format, channels and rate."""
    chunks = _chunks(data)
    layout = chunks.get(b"fmt ", memoryview(b""))
    if len(layout) < _FORMAT.size:
        raise WavError("its format chunk is missing or cut short")
    kind, channels, rate_hz, _, _, bits = _FORMAT.unpack_from(layout)
    if kind == _FORMAT_EXTENSIBLE and len(layout) >= _SUBFORMAT_AT + 2:
        kind = int.from_bytes(layout[_SUBFORMAT_AT : _SUBFORMAT_AT + 2], "little")
    if kind not in _BITS_OF or bits != _BITS_OF[kind]:
        raise WavError(f"it holds {bits}-bit samples of format {kind}; 16-bit PCM, µ-law and A-law can be read")
    if channels not in (1, 2):
        raise WavError(f"it has {channels} channels; one or two can be read")
    if not SAMPLES_PER_S <= rate_hz <= RATE_HZ_MAX:
        raise WavError(f"it has {rate_hz} samples per second; 8,000 to 48,000 can be read")
    if b"data" not in chunks:
        raise WavError("it holds no audio data")
    body = chunks[b"data"]
    return Wav(kind, channels, rate_hz, body[: len(body) - len(body) % (bits // 8 * channels)])


def _chunks(data: bytes) -> dict[bytes, memoryview]:
    """The first chunk of each name. A last chunk with a length of nothing, or of too much, reaches to the end."""
    if len(data) < _RIFF.size or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise WavError("it is not a WAV file")
    view = memoryview(data)
    chunks: dict[bytes, memoryview] = {}
    at = _RIFF.size
    for _ in range(CHUNKS_MAX):
        if at + _CHUNK.size > len(data) or b"data" in chunks:
            break
        name, size = _CHUNK.unpack_from(data, at)
        at += _CHUNK.size
        end = len(data) if name == b"data" and size == 0 else at + size
        chunks.setdefault(name, view[at:end])
        at = end + size % 2
    return chunks


def _to_8_khz(pieces: Iterable[bytes], rate_hz: int) -> Iterator[bytes]:
    """Resample 16-bit mono: up to a multiple of 8 kHz where needed, then filtered down."""
    factor = -(-rate_hz // SAMPLES_PER_S)
    if rate_hz != factor * SAMPLES_PER_S:
        pieces = _up(pieces, rate_hz, factor * SAMPLES_PER_S)
    return iter(pieces) if factor == 1 else _decimate(pieces, factor)


def _up(pieces: Iterable[bytes], rate_hz: int, wanted_hz: int) -> Iterator[bytes]:
    state = None
    for piece in pieces:
        linear, state = audioop.ratecv(piece, 2, 1, rate_hz, wanted_hz, state)
        yield linear


def _decimate(pieces: Iterable[bytes], factor: int) -> Iterator[bytes]:
    """Every `factor`-th sample of the low-passed signal (a windowed sinc). A sample waits for those that it needs."""
    side = _TAPS_PER_FACTOR * factor
    taps = _low_pass(side, factor)
    edge = bytes(4 * side)
    wide, came, went = edge, 0, 0
    for piece in pieces:
        came += len(piece) // 2
        wide += audioop.mul(audioop.lin2lin(piece, 2, 4), 4, 1 / _HEADROOM)
        count = max(0, (len(wide) // 4 - 2 * side) // factor)
        yield _filtered(wide, count, factor, taps)
        wide, went = wide[4 * count * factor :], went + count
    yield _filtered(wide + edge, came // factor - went, factor, taps)


def _filtered(wide: bytes, count: int, factor: int, taps: list[float]) -> bytes:
    """So many samples, one tap of all of them at a time. The first is as far from the beginning as there are taps."""
    side = len(taps) - 1
    samples = array("i", wide)

    def shifted(by: int) -> bytes:
        return samples[side + by : side + by + count * factor : factor].tobytes()

    total = audioop.mul(shifted(0), 4, taps[0])
    for distance in range(1, side + 1):
        pair = audioop.add(shifted(-distance), shifted(distance), 4)
        total = audioop.add(total, audioop.mul(pair, 4, taps[distance]), 4)
    return audioop.lin2lin(audioop.mul(total, 4, _HEADROOM), 4, 2)


def _low_pass(side: int, factor: int) -> list[float]:
    """The middle tap and one side of a Hamming-windowed sinc; the whole has gain 1 at zero frequency."""
    cutoff = 2 * _CUTOFF_HZ / (SAMPLES_PER_S * factor)
    taps = [cutoff]
    for distance in range(1, side + 1):
        window = 0.54 + 0.46 * math.cos(math.pi * distance / (side + 1))
        taps.append(window * math.sin(math.pi * cutoff * distance) / (math.pi * distance))
    gain = taps[0] + 2 * sum(taps[1:])
    return [tap / gain for tap in taps]
