"""What strangers send as audio: payloads of Opus and G.722, to decoders and to whoever takes packets apart."""

from __future__ import annotations

from runtime.media.codecs import opus_packets
from runtime.media.codecs.codec import G722, OPUS, PCMU
from runtime.media.codecs.coding import make_decoder
from runtime.media.codecs.opus import OpusEncoder
from runtime.media.coder import Coder
from runtime.media.voice import Voice

OPUS_WORDS = (b"\xf8\xff\xfe", b"\xfb\x03", b"\x4b\x83\x40", b"\x4b\xc2\xff\xff", b"\x7f\x86", b"\x03\x30", b"\xfc\xfd")
TICK = 320


def fuzz_opus(data: bytes) -> None:
    """Packets in a row, each behind its length: each is decoded or concealed, and lasts as long as it says."""
    decoder, voice, narrow = make_decoder(OPUS, 8_000), Voice(OPUS), Coder(PCMU)
    at = 0
    while at < len(data):
        packet = data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]
        lasts = opus_packets.duration(packet)
        assert 0 <= lasts <= opus_packets.SAMPLES_MAX
        linear = decoder.decode(packet)
        assert 0 < len(linear) <= 2 * 8 * 120
        apart = opus_packets.take_apart(packet)
        if apart is not None:
            assert lasts
            assert sum(map(len, apart.frames)) <= len(packet)
            again = opus_packets.join(opus_packets.parted(packet))
            assert again is not None
            assert opus_packets.take_apart(again) == apart
        frame = voice.frame(packet, 0)
        assert len(frame.linear(8_000)) == TICK
        assert len(narrow.payload(frame) or b"") == TICK // 2
        assert len(voice.lost(packet).linear(8_000)) == TICK


def opus_seeds() -> list[bytes]:
    """Speech-like packets of every length, and silence."""
    seeds = []
    for milliseconds in (10, 20, 40, 60):
        encoder, samples = OpusEncoder(16_000), 16 * milliseconds
        tone = b"".join((9_000 if n // 20 % 2 else -9_000).to_bytes(2, "little", signed=True) for n in range(samples))
        packets = [packet for _ in range(3) if len(packet := encoder._frame(tone)) < 256]
        seeds.append(b"".join(bytes((len(packet),)) + packet for packet in packets))
    short = [bytes((0x48,)) + bytes(20), bytes((0x48,)) + bytes(30)]
    joined = opus_packets.join(short) or b""
    return [*seeds, bytes((3,)) + OPUS.silence, bytes((len(joined),)) + joined]


def fuzz_g722(data: bytes) -> None:
    """Any bytes are speech, two samples each, however they are cut."""
    whole = make_decoder(G722, 16_000).decode(data)
    assert len(whole) == 4 * len(data)
    cut, half = make_decoder(G722, 16_000), len(data) // 2
    assert cut.decode(data[:half]) + cut.decode(data[half:]) == whole
    assert len(make_decoder(G722, 8_000).decode(data)) == 2 * len(data)


def g722_seeds() -> list[bytes]:
    """Silence, and all that a byte can be."""
    return [G722.silence, bytes(range(256)), b"\x00\xff" * 80]
