"""Opus at 8 kHz: what comes back is the speech that went in, and no more is spent on it than is heard."""

from __future__ import annotations

import math
from array import array

from runtime.media.codecs import g711
from runtime.media.codecs.opus import BITRATES, OpusDecoder, OpusEncoder
from tests.sound import SPEECH_PCMU

FRAME = 2 * g711.FRAME_BYTES
SNR_DB_MIN = 10.0
"""Median over the frames that are loud: 11.4 dB with complexity 1, 10.8 dB with 5; noise in the shape of speech."""


def snr_db(said: array[int], heard: array[int]) -> float:
    """The median over loud frames, at the delay that fits best."""
    return max(_snr_db(said, heard, delay) for delay in range(200))


def _snr_db(said: array[int], heard: array[int], delay: int) -> float:
    found = []
    for at in range(0, len(said) - 360, 160):
        voice = said[at : at + 160]
        energy = sum(sample * sample for sample in voice)
        if energy > 160 * 500**2:
            noise = sum((a - b) ** 2 for a, b in zip(voice, heard[at + delay : at + delay + 160], strict=True))
            found.append(10 * math.log10(energy / (noise + 1)))
    return sorted(found)[len(found) // 2]


def test_speech_comes_back_at_no_more_than_the_bitrate() -> None:
    linear = g711.decode("pcmu", SPEECH_PCMU)
    encoder, decoder = OpusEncoder(8000), OpusDecoder(8000)
    packets = [encoder.encode(linear[at : at + FRAME]) for at in range(0, len(linear) - FRAME, FRAME)]
    assert sum(map(len, packets)) * 8 / (len(packets) * 0.02) < 1.1 * BITRATES[8000]
    heard = array("h", b"".join(decoder.decode(packet) or b"" for packet in packets))
    assert snr_db(array("h", linear[: 2 * len(heard)]), heard) > SNR_DB_MIN


def test_what_is_no_opus_is_concealed() -> None:
    decoder = OpusDecoder(8000)
    for payload in (b"", b"\xff\xff\xff", bytes(5000)):
        assert len(decoder.decode(payload)) == FRAME
