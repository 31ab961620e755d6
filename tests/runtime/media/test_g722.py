"""G.722: bit by bit what FFmpeg makes of it, and one stream however it is cut."""

from __future__ import annotations

import audioop
from array import array

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.media.codecs.codec import G722
from runtime.media.codecs.coding import make_decoder, make_encoder
from runtime.media.codecs.opus import NO_WISHES
from tests.signals import likeness, speech, ticks, tone

SPEECH = speech(16_000)[:64_000]


def by_ffmpeg(payload: bytes) -> bytes:
    """The samples that another implementation decodes."""
    decoder = av.CodecContext.create("g722", "r")
    decoder.sample_rate, decoder.layout = 16_000, "mono"
    frames = decoder.decode(av.Packet(payload))
    return b"".join(bytes(frame.planes[0])[: 2 * frame.samples] for frame in frames)


def ffmpegs(linear: bytes) -> bytes:
    """The payload that another implementation makes."""
    encoder = av.CodecContext.create("g722", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 16_000, "mono", "s16"
    encoder.open()
    out = b""
    for tick in ticks(linear, 16_000):
        frame = av.AudioFrame(format="s16", layout="mono", samples=320)
        frame.sample_rate = 16_000
        frame.planes[0].update(tick)
        out += b"".join(bytes(packet) for packet in encoder.encode(frame))
    return out + b"".join(bytes(packet) for packet in encoder.encode(None))


def encoded(linear: bytes, rate_hz: int = 16_000) -> bytes:
    encoder = make_encoder(G722, rate_hz, NO_WISHES)
    return b"".join(encoder.encode(tick) for tick in ticks(linear, rate_hz))


@pytest.mark.parametrize("linear", [SPEECH, tone(1000, 16_000), tone(6000, 16_000, amplitude=30_000)])
def test_another_implementation_decodes_what_we_encode(linear: bytes) -> None:
    assert likeness(linear[:32_000], by_ffmpeg(encoded(linear)), 60) > 0.98


@pytest.mark.parametrize("linear", [SPEECH, tone(1000, 16_000), tone(6000, 16_000, amplitude=30_000)])
def test_we_decode_what_another_implementation_encodes_just_as_it_does(linear: bytes) -> None:
    payload = ffmpegs(linear)
    ours, theirs = array("h", make_decoder(G722, 16_000).decode(payload)), array("h", by_ffmpeg(payload))
    assert len(ours) == len(theirs)
    assert max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) <= 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_a_stream_is_the_same_wherever_it_is_cut(sizes: list[int]) -> None:
    payload = encoded(SPEECH[:6400])
    whole, decoder, cut, at = make_decoder(G722, 16_000).decode(payload), make_decoder(G722, 16_000), b"", 0
    for size in (*sizes, len(payload)):
        cut += decoder.decode(payload[at : at + size])
        at += size
    assert cut == whole


def test_a_phone_of_8_khz_hears_the_lower_band_and_is_heard_in_it() -> None:
    heard = make_decoder(G722, 8_000).decode(encoded(SPEECH))
    assert len(heard) == len(SPEECH) // 2
    assert likeness(speech(8_000)[:28_000], heard, 100) > 0.95
    back = make_decoder(G722, 16_000).decode(encoded(speech(8_000), 8_000))
    assert likeness(SPEECH[:56_000], back, 100) > 0.95


def test_silence_comes_to_rest_in_a_decoder_that_was_in_the_middle_of_speech() -> None:
    decoder = make_decoder(G722, 16_000)
    decoder.decode(encoded(SPEECH[:20_000]))
    decoder.decode(G722.silence)
    assert audioop.rms(decoder.decode(G722.silence), 2) <= 33


@given(st.binary(max_size=400))
def test_no_bytes_raise_and_each_is_two_samples(payload: bytes) -> None:
    assert len(make_decoder(G722, 16_000).decode(payload)) == 4 * len(payload)
