"""Ogg pages, and recordings in them, read by who did not write them."""

from __future__ import annotations

import audioop
import io

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.codecs import g711
from runtime.media.ogg import OggOpus, checksum
from runtime.media.recorded import OpusFile, Stereo, WavFile, repaired_wav
from runtime.phone.heard import compare
from tests.sound import SPEECH_PCMU

SAID = g711.decode("pcmu", SPEECH_PCMU)


@given(st.binary(max_size=300))
def test_the_checksum_is_that_of_the_rfc(page: bytes) -> None:
    register = 0
    for byte in page:
        register ^= byte << 24
        for _ in range(8):
            register = (register << 1) ^ (0x104C11DB7 if register & 0x80000000 else 0)
    assert checksum(page) == register


def test_pages_tell_where_they_are() -> None:
    ogg = OggOpus(7, 312)
    pages = ogg.head(2, 8000), ogg.page([b"a" * 300, b"b"], 1920), ogg.end()
    assert pages[0][:4] == pages[1][:4] == b"OggS"
    assert pages[1][6:14] == (1920).to_bytes(8, "little")
    assert pages[1][26:30] == bytes([3, 255, 45, 1])
    assert (pages[0][5], pages[1][5], pages[2][5]) == (2, 0, 4), "the first, the last"


def ticks(rate_hz: int, *, right_hz: int = 8000):
    left = SAID if rate_hz == 8000 else audioop.ratecv(SAID, 2, 1, 8000, rate_hz, None)[0]
    right = audioop.reverse(SAID, 2)
    right = right if right_hz == 8000 else audioop.ratecv(right, 2, 1, 8000, right_hz, None)[0]
    size, other = rate_hz // 25, right_hz // 25
    count = min(len(left) // size, len(right) // other)
    return [
        ((left[n * size : (n + 1) * size], rate_hz), (right[n * other : (n + 1) * other], right_hz) if n % 3 else None)
        for n in range(count)
    ]


@pytest.mark.parametrize(("rate_hz", "right_hz"), [(8000, 8000), (16_000, 8000), (8000, 48_000)])
@pytest.mark.parametrize("kind", ["wav", "opus"])
def test_both_sides_are_read_back_and_as_long_as_the_call(kind: str, rate_hz: int, right_hz: int) -> None:
    file = WavFile(rate_hz) if kind == "wav" else OpusFile(rate_hz, 7)
    stereo, said = Stereo(rate_hz), ticks(rate_hz, right_hz=right_hz)
    data = bytearray(file.begin())
    for at in range(0, len(said), 50):
        data += file.add(stereo.joined(said[at : at + 50]))
    rest, head = file.end()
    data += rest
    data[: len(head)] = head
    with av.open(io.BytesIO(bytes(data))) as read:
        assert read.streams.audio[0].codec_context.layout.nb_channels == 2
        resampler = av.AudioResampler("s16", "stereo", 8000)
        out = b"".join(
            bytes(frame.planes[0])[: 4 * frame.samples]
            for got in read.decode(audio=0)
            for frame in resampler.resample(got)
        )
    left = audioop.tomono(out, 2, 1, 0)
    assert compare(SAID, left).fit > 0.85
    assert audioop.rms(audioop.tomono(out, 2, 0, 1), 2) > 100
    assert abs(len(left) / 16_000 - len(said) / 50) < 0.03


def test_a_wav_that_nobody_has_ended_is_mended() -> None:
    file = WavFile(16_000)
    data = file.begin() + file.add(bytes(64_000)) + b"\0"
    mended = repaired_wav(data[:44], len(data))
    assert mended == file.end()[1]
    assert repaired_wav(file.begin(), 44) is None
