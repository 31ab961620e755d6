"""WAV files: headers that others read, speech from whatever file a user names, and files that are no such thing."""

from __future__ import annotations

import audioop
import io
import math
import struct
import wave
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media import wav
from runtime.media.codecs import g711
from runtime.media.wav import SLICES_PER_S, WavError, open_wav, pcm16_header, read_sound


def tone(hz: float, rate_hz: int, seconds: float = 1.0, amplitude: int = 12000) -> bytes:
    count = int(rate_hz * seconds)
    return array("h", [round(amplitude * math.sin(2 * math.pi * hz * n / rate_hz)) for n in range(count)]).tobytes()


def file_of(kind: int, bits: int, channels: int, rate_hz: int, body: bytes, *, extra: bytes = b"") -> bytes:
    step = bits // 8 * channels
    layout = struct.pack("<HHIIHH", kind, channels, rate_hz, rate_hz * step, step, bits) + extra
    chunks = b"fmt " + struct.pack("<I", len(layout)) + layout + b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def linear(data: bytes, rate_hz: int = 8000) -> bytes:
    return b"".join(frame.linear(rate_hz) for frame in read_sound(data))


def power_at(hz: float, samples: bytes) -> float:
    """Amplitude of one frequency in 8 kHz samples."""
    values = array("h", samples)
    turn = 2 * math.pi * hz / 8000
    real = sum(value * math.cos(turn * n) for n, value in enumerate(values))
    imaginary = sum(value * math.sin(turn * n) for n, value in enumerate(values))
    return 2 * math.hypot(real, imaginary) / len(values)


@pytest.mark.parametrize(("channels", "rate_hz"), [(1, 8000), (2, 8000), (1, 16000)])
def test_the_standard_library_reads_our_header(channels, rate_hz):
    body = tone(440, 8000)
    data = pcm16_header(len(body), channels=channels, rate_hz=rate_hz) + body
    assert len(data) - len(body) == wav.HEADER_BYTES
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (channels, rate_hz, 2)
        assert file.readframes(10**6) == body


def test_a_recording_whose_header_never_got_its_length_is_read_to_its_end():
    body = tone(440, 8000)
    assert linear(pcm16_header(0) + body) == linear(pcm16_header(len(body)) + body)


def test_a_recording_too_long_for_its_header_says_the_most_it_can():
    assert pcm16_header(10**10)[-4:] == struct.pack("<I", 0xFFFFFFFF - 44)


def test_g711_at_8_khz_goes_through_untouched():
    codes = bytes(code for code in range(256) if code != 0x7F) * 5  # a negative zero is a zero
    for kind, law in ((7, "pcmu"), (6, "pcma")):
        heard = b"".join(frame.in_law(law) for frame in read_sound(file_of(kind, 8, 1, 8000, codes)))
        assert heard[: len(codes)] == codes


def test_the_last_frame_is_filled_with_silence():
    sound = read_sound(file_of(6, 8, 1, 8000, bytes(161)))
    assert [len(frame.linear(8000)) for frame in sound] == [320, 320]
    assert sound[1].linear(8000) == g711.decode("pcma", bytes(1)) + bytes(318)
    assert len(read_sound(file_of(6, 8, 1, 8000, b""))) == 0


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_speech_of_any_rate_keeps_its_pitch_its_level_and_its_length(rate_hz, channels):
    body = tone(1000, rate_hz)
    if channels == 2:
        body = audioop.tostereo(body, 2, 1, 1)
    heard = linear(file_of(1, 16, channels, rate_hz, body))
    assert len(heard) / 16000 == pytest.approx(1.0, abs=0.021)
    assert power_at(1000, heard[1600:-1600]) == pytest.approx(12000, rel=0.05)
    assert power_at(1300, heard[1600:-1600]) < 200


@pytest.mark.parametrize("rate_hz", [16000, 24000, 44100, 48000])
def test_what_is_above_4_khz_does_not_fold_back(rate_hz):
    for hz in (4800, 5500, 7000):
        heard = linear(file_of(1, 16, 1, rate_hz, tone(hz, rate_hz)))
        assert audioop.rms(heard[1600:-1600], 2) < 2


def test_full_scale_does_not_wrap():
    heard = linear(file_of(1, 16, 1, 48000, tone(500, 48000, amplitude=32767)))
    assert power_at(500, heard[1600:-1600]) == pytest.approx(32767, rel=0.05)


def test_stereo_is_the_mean_of_both_sides():
    left = tone(1000, 8000)
    body = audioop.tostereo(left, 2, 1, 0)
    assert power_at(1000, linear(file_of(1, 16, 2, 8000, body))) == pytest.approx(6000, rel=0.05)


def test_extensible_headers_and_other_chunks_are_read():
    body = tone(440, 8000)
    guid = struct.pack("<HHIH", 22, 16, 4, 1) + bytes.fromhex("000000001000800000aa00389b71")
    assert linear(file_of(0xFFFE, 16, 1, 8000, body, extra=guid)) == linear(pcm16_header(len(body)) + body)
    plain = pcm16_header(len(body)) + body
    listed = plain[:12] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + plain[12:]
    assert linear(listed) == linear(plain)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a WAV"),
        (b"ID3\x04 an mp3 file, longer than any header", "not a WAV"),
        (b"RIFF\0\0\0\0WAVE", "format chunk is missing"),
        (b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\1\0", "format chunk is missing or cut short"),
        (file_of(1, 8, 1, 8000, b"abc"), "8-bit samples of format 1"),
        (file_of(3, 32, 1, 8000, b"abcd"), "32-bit samples of format 3"),
        (file_of(0x55, 0, 2, 44100, b"mp3"), "format 85"),
        (file_of(1, 16, 6, 48000, b"abc"), "6 channels"),
        (file_of(1, 16, 0, 48000, b"abc"), "0 channels"),
        (file_of(1, 16, 1, 4000, b"abc"), "4000 samples per second"),
        (file_of(1, 16, 1, 192000, b"abc"), "192000 samples per second"),
        (file_of(1, 16, 1, 8000, b"")[:36], "no audio data"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(data, words):
    with pytest.raises(WavError, match=words):
        read_sound(data)


@given(st.binary(max_size=120), st.integers(0, 300))
def test_no_file_raises_anything_but_a_wav_error(noise, cut):
    whole = file_of(1, 16, 2, 16000, tone(440, 16000, 0.01))
    for data in (noise, b"RIFF\0\0\0\0WAVE" + noise, whole[:cut], whole[:20] + noise + whole[20:]):
        try:
            sound = read_sound(data)
        except WavError:
            continue
        assert all(len(frame.linear(8000)) == 320 for frame in sound)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 44_100, 47_999, 48_000])
def test_no_step_decodes_more_than_a_slice_and_nothing_is_lost(rate_hz: int) -> None:
    data = pcm16_header(4 * rate_hz, rate_hz=rate_hz) + bytes(4 * rate_hz)
    opened = open_wav(data)
    assert opened.length_s == 2
    steps = [samples[8000] for samples in opened.slices() if 8000 in samples]
    assert max(map(len, steps)) <= 2 * 8000 // SLICES_PER_S + 2 * 8000 // 50
    assert 2.0 <= sum(map(len, steps)) / 16000 <= 2.021
