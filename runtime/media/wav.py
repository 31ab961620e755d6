"""WAV files, as bytes: headers for recordings, sound from whatever speech file a user names.

Called by the edge that reads and writes the files. Read: 16-bit PCM, µ-law and A-law, mono or stereo, any rate from 8
to 48 kHz; out comes mono at 8 kHz, and at 16 kHz where the file has more than a phone. A file that was cut short, or
whose header never got its length, is read as far as it goes. What cannot be read raises `WavError` with a sentence for
the user. Samples in WAV are little-endian, as is the machine.
"""

from __future__ import annotations

import audioop
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final

from runtime.media.codecs.g711 import SAMPLES_PER_S, Law, decode
from runtime.media.codecs.resampling import Resampler
from runtime.media.sound import RATES_HZ, Sound, gathered

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


def read_sound(data: bytes) -> Sound:
    """The sound of a WAV file."""
    return gathered(open_wav(data).slices())


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

    def slices(self) -> Iterator[dict[int, bytes]]:
        """Its samples by their rates (`RATES_HZ`, or the lower alone); each step decodes a tenth of a second.

        What decodes keeps all other threads of the process waiting: for a millisecond at each step.
        """
        rates_hz = RATES_HZ if self.rate_hz > SAMPLES_PER_S else (SAMPLES_PER_S,)
        per_slice = -(-self.rate_hz // SLICES_PER_S)
        ways = {
            rate_hz: Resampler(self.rate_hz, rate_hz, samples_max=per_slice)
            for rate_hz in rates_hz
            if rate_hz != self.rate_hz
        }
        early = {rate_hz: 2 * way.lag for rate_hz, way in ways.items()}
        for piece in self._pieces():
            linear = self._linear(piece)
            samples = {rate: ways[rate].resample(linear) if rate in ways else linear for rate in rates_hz}
            yield {rate_hz: found[early.get(rate_hz, 0) :] for rate_hz, found in samples.items()}
            early = {rate_hz: max(0, much - len(samples[rate_hz])) for rate_hz, much in early.items()}
        yield {rate_hz: way.rest() for rate_hz, way in ways.items()}

    @property
    def _bytes_per_instant(self) -> int:
        return _BITS_OF[self.kind] // 8 * self.channels

    def _pieces(self) -> Iterator[bytes]:
        step = self.rate_hz // SLICES_PER_S * self._bytes_per_instant
        return (bytes(self.body[at : at + step]) for at in range(0, len(self.body), step))

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
