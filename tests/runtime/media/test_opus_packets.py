"""Opus packets taken apart and joined: libopus itself is the judge."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import native
from runtime.media.codecs import opus_packets
from runtime.media.codecs.opus import OpusDecoder, OpusEncoder
from tests.signals import speech, ticks

LIBRARY = native.load("opus", "opus_packet_get_nb_samples", "opus_packet_parse")


def packets(milliseconds: int, rate_hz: int = 16_000) -> list[bytes]:
    encoder, size = OpusEncoder(rate_hz), rate_hz * milliseconds // 500
    linear = speech(rate_hz)[: rate_hz * 2]
    return [encoder._frame(linear[at : at + size]) for at in range(0, len(linear) - size + 1, size)]


@given(st.binary(max_size=40))
def test_libopus_agrees_on_how_long_any_bytes_last(data: bytes) -> None:
    theirs = LIBRARY.opus_packet_get_nb_samples(data, len(data), 48_000)
    assert opus_packets.duration(data) == max(0, theirs)


@given(st.binary(min_size=1, max_size=60))
def test_libopus_agrees_on_what_any_bytes_hold(data: bytes) -> None:
    sizes, frames, toc = (ctypes.c_short * 48)(), (ctypes.c_void_p * 48)(), ctypes.c_ubyte()
    count = LIBRARY.opus_packet_parse(data, len(data), ctypes.byref(toc), frames, sizes, None)
    apart = opus_packets.take_apart(data)
    assert (None if apart is None else [len(frame) for frame in apart.frames]) == (
        None if count <= 0 else list(sizes[:count])
    )


@pytest.mark.parametrize("milliseconds", [10, 20, 40, 60])
def test_packets_of_every_length_are_told(milliseconds: int) -> None:
    assert {opus_packets.duration(packet) for packet in packets(milliseconds)} == {48 * milliseconds}


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 48_000])
def test_joined_packets_sound_as_they_did_one_by_one(rate_hz: int) -> None:
    one, joined, count = OpusDecoder(rate_hz), OpusDecoder(rate_hz), 0
    short = packets(10, rate_hz)
    for first, second in zip(short[::2], short[1::2], strict=False):
        both = opus_packets.join((first, second))
        apart = one.decode(first) + one.decode(second)
        if both is None:  # the encoder has changed its mind between the two
            assert first[0] & 0xFC != second[0] & 0xFC
            joined.decode(first)
            joined.decode(second)
            continue
        count += 1
        assert joined.decode(both) == apart
        assert opus_packets.parted(both) == (first, second)
    assert count > 20


def test_more_than_120_ms_is_no_packet() -> None:
    twenty = packets(20)[20]
    assert opus_packets.join([twenty] * 6) is not None
    assert opus_packets.join([twenty] * 7) is None


def test_a_tick_of_speech_is_a_packet_of_its_length() -> None:
    for rate_hz in (8_000, 16_000, 48_000):
        encoder = OpusEncoder(rate_hz)
        assert {opus_packets.duration(encoder.encode(tick)) for tick in ticks(speech(rate_hz), rate_hz)} == {960}


def test_what_would_be_fragmented_is_not_joined() -> None:
    large = b"\xf8" + bytes(700)  # 20 ms of CELT
    assert opus_packets.join([large]) == large
    assert opus_packets.join([large, large]) is None
