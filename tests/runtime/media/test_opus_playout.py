"""Opus through a call's playout buffer: whatever the packets' length, one frame comes out per tick and none is lost."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.media import rtp
from runtime.media.codecs import opus_packets
from runtime.media.codecs.codec import G722, OPUS, PCMU, Codec
from runtime.media.codecs.coding import make_decoder, make_encoder
from runtime.media.codecs.opus import NO_WISHES, OpusEncoder, OpusWishes
from runtime.media.coder import Coder
from runtime.media.config import StreamConfig
from runtime.media.frame import Frame
from runtime.media.session import MediaSession
from runtime.media.voice import Voice
from runtime.phone.heard import compare
from tests.signals import likeness, speech, ticks

pytestmark = pytest.mark.usefixtures("each_core")

PEER = ("192.0.2.10", 4000)


def call(codec: Codec = OPUS, ptime_ms: int = 20) -> MediaSession:
    opus = OpusWishes(packet_ms=ptime_ms, packet_ms_max=60 if ptime_ms >= 20 else 10)
    config = StreamConfig(codec, 96, 96, None, None, PEER, (PEER[0], 4001), ptime_ms=ptime_ms, opus=opus)
    return MediaSession(config, ssrc=1, sequence=1, timestamp=0xFFFFF000, cname="x", entropy=bytes, now=0.0)


def packets(milliseconds: int) -> list[bytes]:
    encoder, size, linear = OpusEncoder(16_000), 32 * milliseconds, speech(16_000)
    return [encoder._frame(linear[at : at + size]) for at in range(0, len(linear) - size + 1, size)]


def heard(
    media: MediaSession, payloads: list[bytes], milliseconds: int, lost: frozenset[int] = frozenset()
) -> list[Frame]:
    """Packets at their pace, a pull for each tick."""
    out: list[Frame] = []
    for tick in range(len(payloads) * milliseconds // 20 + 10):
        now = tick * 0.02
        for n in range(-(-tick * 20 // milliseconds), -(-(tick + 1) * 20 // milliseconds)):
            if n < len(payloads) and n not in lost:
                head = rtp.header(96, n == 0, n, (0xFFFF0000 + n * 48 * milliseconds) & 0xFFFFFFFF, 9)
                media.receive_rtp(head + payloads[n], PEER, now)
        frame = media.pull(now)
        if frame is not None:
            out.append(frame)
    return out


@pytest.mark.parametrize("milliseconds", [10, 20, 40, 60])
def test_speech_is_heard_whole_from_packets_of_any_length(milliseconds: int) -> None:
    frames = heard(call(), packets(milliseconds), milliseconds)
    assert abs(len(frames) * 20 - len(packets(milliseconds)) * milliseconds) <= 80
    assert compare(speech(8_000), b"".join(frame.linear(8_000) for frame in frames)).fit > 0.93


@pytest.mark.parametrize("milliseconds", [10, 20, 40, 60])
def test_what_goes_through_to_another_phone_of_opus_is_the_same_speech(milliseconds: int) -> None:
    other, decoder = call(), make_decoder(OPUS, 8_000)
    sent = [data for frame in heard(call(), packets(milliseconds), milliseconds) for data, _ in other.push(frame, 0.0)]
    out = [packet for data in sent if (packet := rtp.parse(data)) is not None]
    if milliseconds >= 20:
        assert [packet.payload for packet in out] == packets(milliseconds)[: len(out)], "untouched"
    shifts = [(b.timestamp - a.timestamp - opus_packets.duration(a.payload)) & 0xFFFFFFFF for a, b in pairwise(out)]
    assert len([shift for shift in shifts if shift]) <= 4, "but where the playout buffer has got nearer to the sender"
    assert {(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(out)} == {1}
    assert compare(speech(8_000), b"".join(decoder.decode(packet.payload) for packet in out)).fit > 0.93


def test_a_packet_that_is_lost_leaves_a_hole_in_the_sequence_and_none_in_what_is_heard() -> None:
    frames = heard(call(), packets(20), 20, frozenset({50}))
    assert next(n for n, frame in enumerate(frames) if frame.payload is None) == 50
    assert frames[50].following == packets(20)[51]
    assert all(len(frame.linear(8_000)) == 320 for frame in frames)
    other = call()
    sent = [rtp.parse(data) for frame in frames for data, _ in other.push(frame, 0.0)]
    steps = {(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(sent) if a and b}
    assert steps == {1, 2}


@pytest.mark.parametrize("codec", [PCMU, G722, OPUS], ids=lambda codec: codec.name)
@pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
def test_packets_are_of_the_length_that_the_peer_would_like(codec: Codec, ptime_ms: int) -> None:
    media, voice = call(codec, ptime_ms), Voice()
    said = [voice.speak(tick, 16_000) for tick in ticks(speech(16_000), 16_000)]
    out = [packet for frame in said for data, _ in media.push(frame, 0.0) if (packet := rtp.parse(data)) is not None]
    wanted = ptime_ms if codec.cuttable or ptime_ms != 30 else 20
    steps = [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(out)]
    if codec is OPUS:  # an encoder that changes its mode in between cannot be joined
        assert max(steps) == wanted * 48
        assert steps.count(wanted * 48) > 0.9 * len(steps)
        assert [opus_packets.duration(packet.payload) for packet in out[:-1]] == steps
    else:
        assert set(steps) == {wanted * 8}
        assert {len(packet.payload) for packet in out} == {wanted * 8}
    decoder = make_decoder(codec, codec.rates_hz[0])
    linear = b"".join(decoder.decode(packet.payload) for packet in out)
    assert likeness(speech(8_000)[:40_000], linear, 400) > 0.93


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 3), st.binary(max_size=60)), max_size=40),
    st.sampled_from([OPUS, G722]),
)
def test_nothing_that_a_stranger_sends_raises(sent: list[tuple[int, int, bytes]], codec: Codec) -> None:
    media, good, encoder = call(codec), packets(20), make_encoder(codec, 16_000, NO_WISHES)
    timestamp = 0
    for n, (kind, step, noise) in enumerate(sent):
        timestamp = (timestamp + 960 * step + 17 * (kind == 2)) & 0xFFFFFFFF
        payload = good[n] if kind == 0 and codec is OPUS else encoder.encode(bytes(640)) if kind == 1 else noise
        media.receive_rtp(rtp.header(96, False, n, timestamp, 9) + payload, PEER, n * 0.02)
        frame = media.pull(n * 0.02)
        if frame is not None:
            assert len(frame.linear(8_000)) == 320
            assert len(frame.linear(48_000)) == 1920
        media.push(frame, n * 0.02)


def test_short_packets_of_two_modes_in_one_tick_are_both_heard() -> None:
    """A sender that changes its mode between two packets of 10 ms: they cannot be one packet, and none is left out."""
    narrow, wide = OpusEncoder(16_000), OpusEncoder(48_000, bitrate=64_000)
    high, low = speech(48_000), speech(16_000)
    payloads = [
        narrow._frame(low[320 * n : 320 * n + 320]) if n % 2 else wide._frame(high[960 * n : 960 * n + 960])
        for n in range(len(low) // 320)
    ]
    assert len({payload[0] for payload in payloads[:2]}) == 2, "they are of two modes"
    frames = heard(call(), payloads, 10)
    both = [frame for frame in frames if frame.rest]
    assert len(both) > len(payloads) // 2 - 10
    decoder = make_decoder(OPUS, 16_000)
    expected = b"".join(map(decoder.decode, payloads))
    assert b"".join(frame.linear(16_000) for frame in both[:50]) == expected[: 50 * 640]


def test_two_modes_in_one_tick_are_one_packet_for_who_listens() -> None:
    voice, coder = Voice(OPUS), Coder(OPUS)
    narrow, wide = OpusEncoder(16_000), OpusEncoder(48_000, bitrate=64_000)
    last = narrow._frame(speech(16_000)[:320])
    frame = voice.frame(wide._frame(speech(48_000)[:960]), 0, (last,))
    payload = coder.payload(frame)
    assert payload is not None
    assert opus_packets.duration(payload) == 960
    assert voice.frame(wide._frame(bytes(1920))).before is last, (
        "who begins to decode behind it, is warmed up with its end"
    )
