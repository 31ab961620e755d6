"""Frames, voices and coders: bytes go through where both ends agree, and else every codec is heard in every other."""

from __future__ import annotations

import audioop

import pytest

from runtime.media.codecs.codec import CODECS, G722, OPUS, PCMA, PCMU, Codec
from runtime.media.codecs.coding import make_decoder
from runtime.media.codecs.opus import OpusEncoder, OpusWishes
from runtime.media.coder import Coder
from runtime.media.frame import Frame
from runtime.media.mixer import Mixer
from runtime.media.voice import Voice
from tests.signals import amplitude, likeness, speech, ticks, tone

ALL = list(CODECS.values())


def spoken(codec: Codec, linear: bytes | None = None) -> list[Frame]:
    """The shipped sentence as a peer sends it in this codec."""
    linear = speech(codec.rate_hz) if linear is None else linear
    peer, coder, voice = Voice(), Coder(codec), Voice(codec)
    payloads = [coder.payload(peer.speak(tick, codec.rate_hz)) for tick in ticks(linear, codec.rate_hz)]
    return [voice.frame(payload) for payload in payloads if payload]


def heard(codec: Codec, frames: list[Frame | None], rate_hz: int | None = None) -> bytes:
    """What a listener to this codec hears of frames."""
    coder, decoder = Coder(codec), make_decoder(codec, rate_hz or codec.rate_hz)
    return b"".join(decoder.decode(payload) for frame in frames if (payload := coder.payload(frame)))


@pytest.mark.parametrize("source", ALL, ids=lambda codec: codec.name)
@pytest.mark.parametrize("target", ALL, ids=lambda codec: codec.name)
def test_every_codec_is_heard_in_every_other(source: Codec, target: Codec) -> None:
    back = heard(target, list(spoken(source)))
    assert likeness(speech(target.rate_hz)[: target.rate_hz * 3], back, target.rate_hz // 50) > 0.93


@pytest.mark.parametrize("codec", ALL, ids=lambda codec: codec.name)
def test_the_very_bytes_go_through_where_both_ends_agree(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = spoken(codec)
    monkeypatch.setattr("runtime.media.voice.make_decoder", lambda *_: pytest.fail("decoded"))
    coder = Coder(codec)
    assert all(coder.payload(frame) is frame.payload for frame in frames)


@pytest.mark.parametrize("codec", [G722, OPUS], ids=lambda codec: codec.name)
def test_who_begins_to_listen_in_the_middle_hears_the_same_as_who_always_did(codec: Codec) -> None:
    always, late = spoken(codec), spoken(codec)
    whole = [frame.linear(16_000) for frame in always]
    part = b"".join(frame.linear(16_000) for frame in late[60:80])
    assert likeness(b"".join(whole[61:79]), part, 400) > 0.97


def test_the_first_frame_that_somebody_asks_for_is_decoded_behind_the_one_before_it() -> None:
    whole = [frame.linear(16_000) for frame in spoken(G722)]
    first = [spoken(G722)[at].linear(16_000) for at in range(40, 110, 10)]
    assert likeness(b"".join(whole[40:110:10]), b"".join(first), 0) > 0.8, "0.65 without"


def test_a_frame_is_decoded_once_for_all_who_ask() -> None:
    [frame, *_] = spoken(OPUS)
    assert frame.linear(16_000) is frame.linear(16_000)
    assert frame.in_law("pcmu") is frame.in_law("pcmu")


def test_what_was_lost_is_lost_for_who_listens_in_the_same_codec_and_concealed_for_others() -> None:
    frames, voice = spoken(OPUS), Voice(OPUS)
    again = [voice.frame(frame.payload or b"") for frame in frames[:50]]
    lost = voice.lost(frames[51].payload)
    assert Coder(OPUS).payload(lost) is None
    assert [len(frame.linear(8_000)) for frame in (*again, lost)] == [320] * 51


def test_in_band_redundancy_brings_back_what_was_lost() -> None:
    """Of each tenth packet, by the packet after it; without it a decoder can only go on with what was before."""
    encoder = OpusEncoder(16_000, OpusWishes(fec=True))
    payloads = [encoder.encode(tick) for tick in ticks(speech(16_000), 16_000)]
    whole, with_fec, without = (Voice(OPUS) for _ in range(3))
    said, fit, unfit = b"", b"", b""
    for n, payload in enumerate(payloads[:-1]):
        gone = n % 10 == 5
        true = whole.frame(payload).linear(16_000)
        one = (with_fec.lost(payloads[n + 1]) if gone else with_fec.frame(payload)).linear(16_000)
        other = (without.lost(None) if gone else without.frame(payload)).linear(16_000)
        if gone:
            said, fit, unfit = said + true, fit + one, unfit + other
    assert likeness(said, fit, 0) > likeness(said, unfit, 0) + 0.05


def long_packets(milliseconds: int) -> tuple[list[Frame], list[bytes]]:
    """Speech in packets of several ticks, as frames of one, and the packets."""
    encoder, size, voice = OpusEncoder(16_000), 32 * milliseconds, Voice(OPUS)
    linear = speech(16_000)
    packets = [encoder._frame(linear[at : at + size]) for at in range(0, len(linear) - size + 1, size)]
    return [voice.frame(packet, part) for packet in packets for part in range(milliseconds // 20)], packets


@pytest.mark.parametrize("milliseconds", [40, 60])
def test_a_long_packet_goes_through_whole_at_its_first_tick_and_is_decoded_piece_by_piece(milliseconds: int) -> None:
    frames, packets = long_packets(milliseconds)
    coder = Coder(OPUS)
    sent = [coder.payload(frame) for frame in frames]
    assert [payload for payload in sent if payload] == packets
    assert sent[1] == b""
    assert likeness(speech(8_000)[:40_000], b"".join(frame.linear(8_000) for frame in frames), 400) > 0.93


def test_a_listener_to_shorter_packets_and_one_that_comes_in_the_middle_get_it_encoded_anew() -> None:
    frames, packets = long_packets(60)
    shorter = Coder(OPUS, OpusWishes(packet_ms_max=20))
    assert not {shorter.payload(frame) for frame in frames[:30]} & set(packets)
    late = Coder(OPUS)
    assert late.payload(frames[1]) not in (b"", packets[0])


def test_what_a_listener_to_opus_wishes_is_kept_to() -> None:
    def size(wishes: OpusWishes) -> int:
        coder, voice = Coder(OPUS, wishes), Voice()
        return sum(len(coder.payload(voice.speak(tick, 48_000)) or b"") for tick in ticks(speech(48_000), 48_000))

    assert size(OpusWishes(bitrate=10_000)) < 0.5 * size(OpusWishes())
    narrow, voice = Coder(OPUS, OpusWishes(playback_hz=8_000)), Voice()
    decoder = make_decoder(OPUS, 48_000)
    high = tone(6_000, 48_000, 0.5)
    out = b"".join(decoder.decode(narrow.payload(voice.speak(tick, 48_000)) or b"") for tick in ticks(high, 48_000))
    assert amplitude(out[24_000:], 6_000, 48_000) < 100
    constant, voice = Coder(OPUS, OpusWishes(constant=True)), Voice()
    sizes = {len(constant.payload(voice.speak(tick, 16_000)) or b"") for tick in ticks(speech(16_000), 16_000)}
    assert len(sizes) == 1


@pytest.mark.parametrize("codec", [G722, OPUS], ids=lambda codec: codec.name)
def test_after_speech_comes_silence(codec: Codec) -> None:
    frames: list[Frame | None] = [*spoken(codec)[:70], *[None] * 20]
    tail = heard(codec, frames)[-20 * codec.rate_hz // 50 :]
    assert audioop.rms(tail, 2) <= 40
    linear = Voice()
    mixed: list[Frame | None] = [*(linear.speak(t, 16_000) for t in ticks(speech(16_000), 16_000)[:70]), *[None] * 20]
    assert audioop.rms(heard(codec, mixed)[-20 * codec.rate_hz // 50 :], 2) <= 3


def high_and_low(codec: Codec, low_hz: float) -> list[Frame]:
    """A low tone and one that only a wide codec carries."""
    rate_hz = codec.rate_hz
    return spoken(codec, audioop.add(tone(low_hz, rate_hz), tone(low_hz + 5_000, rate_hz), 2))


def loudness(linear: bytes, hertz: float, rate_hz: int) -> float:
    """Of the second half."""
    return amplitude(linear[len(linear) // 4 * 2 :], hertz, rate_hz)


def test_everybody_hears_a_mix_at_the_best_rate_that_it_can() -> None:
    members = [PCMU, G722, OPUS, PCMA]
    silent = spoken(PCMA, bytes(16_000))
    said = [spoken(PCMU, tone(400, 8_000)), high_and_low(G722, 700), high_and_low(OPUS, 900), silent]
    coders, decoders = [Coder(codec) for codec in members], [make_decoder(codec, codec.rate_hz) for codec in members]
    out, mixer = [b"" for _ in members], Mixer()
    for n in range(45):
        for member, frame in enumerate(mixer.mix([voice[n] for voice in said], members)):
            payload = coders[member].payload(frame)
            assert payload
            out[member] += decoders[member].decode(payload)

    def hears(member: int, *hertz: float) -> list[bool]:
        return [loudness(out[member], hz, members[member].rate_hz) > 5_000 for hz in hertz]

    assert hears(0, 400, 700, 900) == [False, True, True], "nobody hears itself"
    assert hears(1, 400, 700, 900, 5_700, 5_900) == [True, False, True, False, True], "what is wide stays wide"
    assert hears(2, 400, 700, 900, 5_700, 5_900) == [True, True, False, True, False]
    assert hears(3, 400, 700, 900) == [True, True, True]
    for narrow in (0, 3):
        assert all(loudness(out[narrow], hz, 8_000) < 60 for hz in (2_100, 2_300)), "nothing is mirrored"


def test_a_listener_outside_hears_no_more_than_there_is() -> None:
    narrow = [spoken(PCMU)[30], spoken(PCMA)[30]]
    heard_together = Mixer().together(narrow, 48_000)
    assert heard_together is not None
    assert heard_together.rate_hz == 8_000
