"""A caller's frames into a room, and the others' tracks out of it."""

from __future__ import annotations

import audioop
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media import rtcp, rtp
from runtime.media.codecs import g711
from runtime.media.codecs.codec import G722, OPUS, PCMU
from runtime.media.codecs.coding import make_encoder
from runtime.media.codecs.opus import NO_WISHES, OpusDecoder, OpusEncoder
from runtime.media.voice import Voice
from runtime.rooms.livekit.audio import Published, RoomAudio
from runtime.rooms.livekit.description import RoomCodec
from runtime.rooms.livekit.limits import SOURCES_MAX
from tests.frames import coded, frame
from tests.signals import amplitude

pytestmark = pytest.mark.usefixtures("each_core")


def audio() -> RoomAudio:
    return RoomAudio(Published(1, 65_535, 0xFFFFFFF0), "cname", 0.0)


def tone(n: int, hertz: float = 440, rate: int = 8000) -> bytes:
    """The n-th frame of 20 ms."""
    count = rate // 50
    return struct.pack(
        f"={count}h", *(int(9000 * math.sin(2 * math.pi * hertz * (n * count + i) / rate)) for i in range(count))
    )


def feed(room: RoomAudio, ticks: int, *sources: tuple[int, int, list[bytes], int]) -> list[bytes | None]:
    """Sources (ssrc, payload type, payloads, clock step) speak; what is heard in each tick."""
    heard = []
    for n in range(ticks):
        for ssrc, number, payloads, step in sources:
            if n < len(payloads):
                room.receive(rtp.header(number, n == 0, n, 5000 + n * step, ssrc) + payloads[n], n * 0.02)
        heard.append(coded(room.heard(PCMU, n * 0.02)))
    return heard


def test_one_source_of_the_phones_own_law_goes_through_untouched() -> None:
    frames = [g711.encode("pcmu", tone(n)) for n in range(20)]
    heard = [frame for frame in feed(audio(), 24, (7, 0, frames, 160)) if frame]
    assert heard[:18] == frames[:18]


def test_the_other_law_costs_one_look_up() -> None:
    frames = [g711.encode("pcma", tone(n)) for n in range(20)]
    heard = [frame for frame in feed(audio(), 24, (7, 8, frames, 160)) if frame]
    assert heard[:18] == [g711.transcode("pcma", "pcmu", frame) for frame in frames][:18]


def test_opus_arrives_at_the_phones_own_rate() -> None:
    encoder = OpusEncoder(8000)
    packets = [encoder.encode(tone(n)) for n in range(50)]
    heard = [frame for frame in feed(audio(), 54, (7, 111, packets, 960)) if frame]
    linear = g711.decode("pcmu", b"".join(heard[20:40]))
    assert 5000 < audioop.rms(linear, 2) < 8000
    crossings = audioop.cross(linear, 2) / 2 / 0.4
    assert abs(crossings - 440) < 15


def test_several_sources_are_summed_and_one_that_ends_is_not_missed() -> None:
    first = [g711.encode("pcmu", tone(n)) for n in range(40)]
    second = [g711.encode("pcma", tone(n, 700)) for n in range(20)]
    heard = feed(audio(), 40, (7, 0, first, 160), (8, 8, second, 160))
    mixed, alone = heard[15], heard[35]
    assert mixed is not None
    assert audioop.rms(g711.decode("pcmu", mixed), 2) > 1.2 * audioop.rms(tone(0), 2)
    assert alone in first


def test_strangers_streams_leave_bounded_traces() -> None:
    room = audio()
    for ssrc in range(10 * SOURCES_MAX):
        room.receive(rtp.header(0, True, 1, 1, ssrc) + bytes(160), ssrc / 1000)
    assert room.sources == SOURCES_MAX
    room.receive(rtp.header(96, True, 1, 1, 999_999) + bytes(160), 1.0)
    assert room.sources == SOURCES_MAX, "a codec that nobody offered is no source"


@given(st.binary(max_size=300))
def test_no_packet_raises(data: bytes) -> None:
    room = audio()
    room.receive(data, 0.0)
    room.receive(rtp.header(111, True, 1, 1, 9) + data, 0.0)
    coded(room.heard(PCMU, 1.0))


@pytest.mark.parametrize(("codec", "number", "step"), [("pcmu", 0, 160), ("pcma", 8, 160), ("opus", 111, 960)])
def test_the_caller_is_published_as_what_the_server_takes(codec: RoomCodec, number: int, step: int) -> None:
    published = audio().published
    published.use(codec)
    sent = [published.packet(frame(g711.encode("pcmu", tone(n)))) for n in range(30)]
    packets = [rtp.parse(packet) for packet in sent if packet is not None]
    assert len(packets) == 30
    first, second = packets[0], packets[1]
    assert first is not None
    assert second is not None
    assert (first.payload_type, first.marker, second.marker, second.sequence) == (number, True, False, 0)
    assert (second.timestamp - first.timestamp) & 0xFFFFFFFF == step
    if codec == "opus":
        decoder = OpusDecoder(8000)
        decoded = b"".join(decoder.decode(packet.payload) or b"" for packet in packets if packet)
        assert audioop.rms(decoded[8000:], 2) > 5000
    else:
        assert first.payload == g711.transcode("pcmu", codec, g711.encode("pcmu", tone(0)))


def test_a_muted_track_sends_nothing_and_its_clock_goes_on() -> None:
    published = audio().published
    assert published.packet(None) is None, "no codec was agreed on yet"
    published.use("pcmu")
    before = published.timestamp
    published.muted = True
    assert published.packet(None) is None
    published.muted = False
    packet = rtp.parse(published.packet(None) or b"")
    assert packet is not None
    assert packet.marker
    assert packet.timestamp == (before + 160) & 0xFFFFFFFF


def test_reports_tell_what_was_sent_and_what_arrived() -> None:
    room = audio()
    room.published.use("pcmu")
    room.published.packet(None)
    feed(room, 5, (7, 0, [bytes(160)] * 5, 160))
    assert room.report(1.0, 1_800_000_000.0, apart=False) == ()
    [compound] = room.report(5.0, 1_800_000_000.0, apart=False)
    report = rtcp.parse(compound)
    assert report is not None
    head = report[0]
    assert isinstance(head, rtcp.SenderReport)
    assert (head.packets, head.octets, [block.ssrc for block in head.reports]) == (1, 160, [7])


def test_a_phone_of_opus_and_its_room_exchange_the_very_packets() -> None:
    encoder, voice = OpusEncoder(48_000), Voice(OPUS)
    packets = [encoder.encode(tone(n, rate=48_000)) for n in range(30)]
    published = audio().published
    published.use("opus")
    sent = [rtp.parse(published.packet(voice.frame(packet)) or b"") for packet in packets]
    assert [packet.payload for packet in sent if packet] == packets
    room, heard = audio(), []
    for n, packet in enumerate(packets):
        room.receive(rtp.header(111, n == 0, n, n * 960, 7) + packet, n * 0.02)
        frame = room.heard(OPUS, n * 0.02)
        if frame is not None:
            heard.append(frame.payload)
    assert heard[:27] == packets[:27]


def test_a_phone_of_g722_is_published_as_opus_with_all_that_it_has() -> None:
    voice, encoder = Voice(G722), make_encoder(G722, 16_000, NO_WISHES)
    published, decoder = audio().published, OpusDecoder(16_000)
    published.use("opus")
    heard = b""
    for n in range(50):
        packet = rtp.parse(published.packet(voice.frame(encoder.encode(tone(n, 5_000, 16_000)))) or b"")
        assert packet is not None
        heard += decoder.decode(packet.payload)
    assert amplitude(heard[16_000:], 5_000, 16_000) > 5_000
