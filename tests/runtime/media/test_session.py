"""One call's media as the bridge drives it: packets and ticks in, packets and events out."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.media import dtmf, incoming, rtcp, rtp, session
from runtime.media.codecs import g711
from runtime.media.codecs.codec import OPUS, PCMA, PCMU
from runtime.media.config import StreamConfig
from runtime.media.events import DigitReceived, MediaTimedOut, RemoteBye, SourceLocked
from runtime.media.rtcp import Bye, ReceiverReport, ReportBlock, SenderReport, SourceDescription
from runtime.media.rtcp_xr import VoipMetrics
from runtime.media.session import MediaSession
from runtime.media.source import Peer
from schemas.tables.networks import compile_networks
from tests.frames import coded, frame

pytestmark = pytest.mark.usefixtures("each_core")

SDP = ("192.0.2.10", 4000)
SDP_RTCP = ("192.0.2.10", 4001)
NATTED = ("198.51.100.7", 61000)
ATTACKER = ("203.0.113.66", 5555)
CONFIG = StreamConfig(PCMU, 0, 0, 101, 96, SDP, SDP_RTCP)
OURS, THEIRS = 0xAAAAAAAA, 0xBBBBBBBB
TICK_S = 0.02
WALL_S = 1_700_000_000.0


def call(config: StreamConfig = CONFIG, **changes) -> MediaSession:
    return MediaSession(
        replace(config, **changes),
        ssrc=OURS,
        sequence=0xFFFE,
        timestamp=0xFFFFFF00,
        cname="bridge",
        entropy=lambda count: b"\x80" + bytes(count - 1),
        now=0.0,
    )


def speech(number: int) -> bytes:
    return number.to_bytes(4, "big") + bytes([0x10]) * 156


def audio(number: int, *, ssrc: int = THEIRS, payload_type: int = 0, payload: bytes | None = None) -> bytes:
    packet = rtp.header(payload_type, number == 0, number & 0xFFFF, number * 160 & 0xFFFFFFFF, ssrc)
    return packet + (speech(number) if payload is None else payload)


def heard(media: MediaSession, now: float) -> bytes | None:
    return coded(media.pull(now), media.codec.law)


def key(code: int, timestamp: int, sequence: int, *, ssrc: int = THEIRS, end: bool = False) -> bytes:
    payload = bytes([code, 0x8A if end else 0x0A]) + (160).to_bytes(2, "big")
    return rtp.header(96, not end, sequence & 0xFFFF, timestamp, ssrc) + payload


def events(media: MediaSession) -> list[session.Event]:
    out = []
    while (event := media.next_event()) is not None:
        out.append(event)
    return out


def run(media: MediaSession, ticks: int, *, start: int = 0, address=SDP, ssrc: int = THEIRS) -> list[bytes | None]:
    """Tick by tick: a packet in, a frame out."""
    out = []
    for tick in range(start, start + ticks):
        media.receive_rtp(audio(tick, ssrc=ssrc), address, tick * TICK_S)
        out.append(heard(media, tick * TICK_S))
    return out


def pushed(media: MediaSession, ticks: int, payload: bytes | None = None) -> list[rtp.RtpPacket]:
    packets = []
    for tick in range(ticks):
        packets += [rtp.parse(data) for data, _ in media.push(frame(payload, media.codec.law), tick * TICK_S)]
    return packets


# -- audio in ----------------------------------------------------------------------------------------------------------


def test_a_frame_comes_out_as_the_peer_encoded_it():
    media = call()
    out = run(media, 50)
    assert [payload for payload in out if payload is not None] == [speech(number) for number in range(49)]
    assert media.stats.received == 50
    assert media.codec.name == "pcmu"


def test_the_negotiated_payload_type_is_played_and_others_are_counted():
    media = call(payload_type_receive=8, codec=PCMA)
    media.receive_rtp(audio(0, payload_type=8), SDP, 0.0)
    media.receive_rtp(audio(1, payload_type=0), SDP, 0.02)
    media.receive_rtp(audio(2, payload_type=incoming.COMFORT_NOISE, payload=b"\x40"), SDP, 0.04)
    assert heard(media, 0.1) == speech(0)
    assert len(heard(media, 0.12) or b"") == 160, "the noise that was said"
    assert media.stats.unknown_payload_type == 1
    assert media.stats.lost == 0


def test_duplicates_on_the_network_are_played_once():
    media = call()
    for tick in range(50):
        for _ in range(2):
            media.receive_rtp(audio(tick), SDP, tick * TICK_S)
        heard(media, tick * TICK_S)
    stats = media.stats
    assert (stats.duplicates, stats.lost, stats.late, stats.frames_concealed) == (50, 0, 0, 0)


def test_a_peer_that_restarts_its_sequence_is_heard_again():
    media = call()
    run(media, 20)
    out = []
    for tick in range(20):
        shifted = rtp.header(0, False, 40_000 + tick, 9_000_000 + 160 * tick, THEIRS) + speech(1000 + tick)
        media.receive_rtp(shifted, SDP, 0.4 + tick * TICK_S)
        out.append(heard(media, 0.4 + tick * TICK_S))
    assert speech(1002) in out
    assert media.stats.streams == 2


# -- source ------------------------------------------------------------------------------------------------------------


def test_an_injector_is_not_heard_and_gets_no_audio():
    media = call()
    run(media, 50)
    for number in range(100):
        media.receive_rtp(audio(50 + number, payload=b"\x66" * 160), ATTACKER, 1.0)
    out = run(media, 50, start=50)
    assert b"\x66" * 160 not in out
    assert media.stats.rejected_source == 100
    assert {to for _, to in media.push(None, 2.0)} == {SDP}


def test_audio_goes_to_the_sdp_until_a_learned_source_is_locked():
    media = call()
    run(media, 20, address=NATTED)
    assert media.push(None, 0.4)[0][1] == SDP
    assert events(media) == []
    run(media, 20, start=20, address=NATTED)
    assert events(media) == [SourceLocked(NATTED)]
    assert media.push(None, 0.8)[0][1] == NATTED
    assert media.remote == NATTED


def test_the_lock_on_the_sdp_s_address_is_told_once():
    media = call()
    run(media, 50)
    assert events(media) == [SourceLocked(SDP)]


def test_addresses_of_ipv6_sockets_are_taken():
    remote = ("2001:db8::7", 4000)
    media = call(remote=remote)
    media.receive_rtp(audio(0), (*remote, 0, 0), 0.0)
    assert events(media) == [SourceLocked(remote)]


def test_a_new_ssrc_from_the_locked_address_is_a_new_stream():
    media = call()
    run(media, 50)
    out = run(media, 50, start=50, ssrc=0x1234)
    assert speech(98) in out
    assert media.stats.streams == 2
    assert media.stats.rejected_source == 0


def test_a_re_invite_that_moves_the_remote_is_learned_anew_and_sent_to_at_once():
    media = call()
    run(media, 50)
    pushed(media, 3)
    moved = ("192.0.2.99", 7000)
    media.reconfigure(replace(CONFIG, remote=moved, remote_rtcp=(moved[0], 7001)), 1.0)
    packet, to = media.push(None, 1.0)[0]
    assert to == moved
    assert rtp.parse(packet).sequence == 1  # 0xFFFE + 3, wrapped: the stream goes on
    run(media, 20, start=50, address=moved)
    events_now = events(media)
    assert events_now[-1] == SourceLocked(moved)
    media.receive_rtp(audio(70), SDP, 1.4)
    assert media.stats.rejected_source == 1


def test_a_re_invite_that_changes_nothing_keeps_the_lock():
    media = call()
    run(media, 50, address=NATTED)
    media.reconfigure(replace(CONFIG), 1.0)
    assert media.push(None, 1.0)[0][1] == NATTED


def test_a_re_invite_that_changes_the_codec_changes_the_law():
    media = call()
    run(media, 10)
    media.reconfigure(replace(CONFIG, codec=PCMA, payload_type_send=8, payload_type_receive=8), 0.2)
    assert media.codec.name == "pcma"
    packet = rtp.parse(media.push(None, 0.2)[0][0])
    assert (packet.payload_type, packet.payload) == (8, g711.SILENCE["pcma"])
    assert heard(media, 0.2) is None


def test_fifty_calls_from_one_address_do_not_disturb_each_other():
    calls = [call() for _ in range(50)]
    for tick in range(20):
        for index, media in enumerate(calls):
            media.receive_rtp(audio(tick, ssrc=index, payload=bytes([index]) * 160), SDP, tick * TICK_S)
            frame = heard(media, tick * TICK_S)
            assert frame in (None, bytes([index]) * 160)


# -- audio out ---------------------------------------------------------------------------------------------------------


def test_sequence_and_timestamp_go_on_from_where_the_caller_started_them():
    packets = pushed(call(), 4, speech(1))
    assert [packet.sequence for packet in packets] == [0xFFFE, 0xFFFF, 0, 1]
    assert [packet.timestamp for packet in packets] == [0xFFFFFF00, 0xFFFFFFA0, 0x40, 0xE0]
    assert [packet.marker for packet in packets] == [True, False, False, False]
    assert {packet.ssrc for packet in packets} == {OURS}
    assert packets[0].payload == speech(1)


def test_nothing_to_say_is_sent_as_silence():
    packet = pushed(call(codec=PCMA, payload_type_send=8), 1)[0]
    assert packet.payload == g711.SILENCE["pcma"]


def test_on_hold_nothing_goes_out_and_the_timestamp_goes_on():
    media = call()
    first = pushed(media, 1)[0]
    media.reconfigure(replace(CONFIG, send=False), 0.02)
    media.send_digits("1", 0.02)
    assert pushed(media, 10, speech(1)) == []
    assert media.digits_pending
    media.reconfigure(CONFIG, 0.22)
    after = pushed(media, 30, speech(2))
    assert [packet.payload_type for packet in after[:15]] == [101] * 15
    assert after[0].timestamp == (first.timestamp + 11 * 160) & 0xFFFFFFFF
    assert after[0].sequence == (first.sequence + 1) & 0xFFFF
    assert after[15].marker


def test_a_digit_that_hold_interrupts_is_not_taken_up_again():
    media = call()
    media.send_digits("12", 0.0)
    assert pushed(media, 3)[-1].payload[:1] == b"\x01"
    media.reconfigure(replace(CONFIG, send=False), 0.06)
    pushed(media, 100)
    media.reconfigure(CONFIG, 2.06)
    after = [packet for packet in pushed(media, 60) if packet.payload_type == 101]
    assert {packet.payload[0] for packet in after} == {2}
    assert len(after) == 15


@pytest.mark.parametrize(("ptime_ms", "size"), [(10, 80), (20, 160), (30, 240), (40, 320), (50, 400), (60, 480)])
def test_packets_of_another_length_are_sent_to_a_peer_that_asks_for_them(ptime_ms, size):
    packets = pushed(call(ptime_ms=ptime_ms), 30, speech(1))
    assert {len(packet.payload) for packet in packets} == {size}
    assert len(packets) == 30 * 160 // size
    steps = {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(packets)}
    assert steps == {size}


def test_a_packet_half_filled_goes_out_before_a_digit():
    media = call(ptime_ms=60)
    pushed(media, 2, speech(1))
    media.send_digits("1", 0.0)
    first, digit = pushed(media, 1, speech(1))
    assert (len(first.payload), first.payload_type) == (320, 0)
    assert digit.payload_type == 101


# -- digits ------------------------------------------------------------------------------------------------------------


def test_a_digit_replaces_audio_and_audio_comes_back_with_a_marker():
    media = call()
    pushed(media, 5)
    assert media.send_digits("7", 0.1)
    packets = pushed(media, 25, speech(1))
    assert [packet.payload_type for packet in packets] == [101] * 15 + [0] * 10
    assert packets[0].marker
    assert packets[15].marker
    assert sum(packet.marker for packet in packets) == 2
    assert [packet.sequence for packet in packets] == [(3 + n) & 0xFFFF for n in range(25)]
    assert packets[15].timestamp == (packets[0].timestamp + 15 * 160) & 0xFFFFFFFF
    assert not media.digits_pending


def test_digits_sent_by_one_session_arrive_at_another():
    here, there = call(), call(dtmf_receive=101)
    here.send_digits("0123456789*#ABCDw9", 0.0)
    for tick in range(18 * 30):
        for data, _ in here.push(None, tick * TICK_S):
            there.receive_rtp(data, SDP, tick * TICK_S)
    told = [event.digit for event in events(there) if isinstance(event, DigitReceived)]
    assert "".join(told) == "0123456789*#ABCD9"
    assert there.stats.lost == 0


def test_a_peer_without_telephone_events_gets_no_digits():
    media = call(dtmf_send=None)
    assert not media.send_digits("1", 0.0)
    assert not media.digits_pending
    assert pushed(media, 1)[0].payload_type == 0


def test_digits_left_over_when_the_peer_stops_taking_them_do_not_stop_the_audio():
    media = call()
    media.send_digits("123", 0.0)
    pushed(media, 5)
    media.reconfigure(replace(CONFIG, dtmf_send=None), 0.1)
    assert [packet.payload_type for packet in pushed(media, 5)] == [0] * 5
    assert not media.digits_pending


def test_too_many_digits_are_refused():
    media = call()
    assert media.send_digits("1" * dtmf.DIGITS_QUEUED_MAX, 0.0)
    assert not media.send_digits("1", 0.0)


def test_a_digit_under_an_ssrc_of_its_own_is_told_once_and_the_audio_goes_on():
    media = call()
    run(media, 20)
    out = []
    for number in range(20, 40):
        media.receive_rtp(audio(number), SDP, number * TICK_S)
        media.receive_rtp(key(5, 77_000, number, ssrc=0x5555, end=number > 35), SDP, number * TICK_S)
        out.append(heard(media, number * TICK_S))
    assert [event for event in events(media) if isinstance(event, DigitReceived)] == [DigitReceived("5")]
    assert None not in out
    assert media.stats.streams == 1


def test_a_digit_whose_ssrc_takes_the_stream_over_is_told_once():
    media = call()
    run(media, 20)
    for number in range(8):
        media.receive_rtp(key(5, 77_000, number, ssrc=0x5555, end=number > 4), SDP, 0.4)
    assert [event for event in events(media) if isinstance(event, DigitReceived)] == [DigitReceived("5")]


def test_a_digit_of_a_new_stream_is_told_though_its_timestamp_is_older():
    media = call()
    run(media, 20)
    media.receive_rtp(key(1, 500_000, 20), SDP, 0.4)
    run(media, 3, start=21, ssrc=0x5555)
    media.receive_rtp(key(2, 450_000, 24, ssrc=0x5555), SDP, 0.5)
    told = [event.digit for event in events(media) if isinstance(event, DigitReceived)]
    assert told == ["1", "2"]


def test_a_flood_of_digits_is_bounded():
    media = call()
    for number in range(1000):
        media.receive_rtp(key(number % 10, 10_000 * number, number), SDP, 0.0)
    assert len(events(media)) == session.EVENTS_MAX
    assert media.stats.events_dropped > 900


# -- time-out ----------------------------------------------------------------------------------------------------------


def test_a_peer_that_never_sends_times_out_once():
    media = call()
    for now in (29.9, 30.0, 45.0):
        media.check(now)
    assert events(media) == [MediaTimedOut(initial=True, silent_s=30.0)]


def test_a_peer_that_falls_silent_times_out_sooner():
    media = call()
    media.receive_rtp(audio(0), SDP, 5.0)
    events(media)
    media.check(19.9)
    assert events(media) == []
    media.check(20.5)
    assert events(media) == [MediaTimedOut(initial=False, silent_s=15.5)]


@pytest.mark.parametrize("sign_of_life", [audio(1, payload_type=77), audio(1, payload_type=13), key(1, 0, 1)])
def test_any_rtp_from_the_source_is_life(sign_of_life):
    media = call()
    media.receive_rtp(audio(0), SDP, 0.0)
    media.receive_rtp(sign_of_life, SDP, 14.0)
    media.check(20.0)
    assert not any(isinstance(event, MediaTimedOut) for event in events(media))


def test_a_stranger_s_packets_and_noise_are_no_life():
    media = call()
    media.receive_rtp(audio(0), SDP, 0.0)
    media.receive_rtp(audio(1), ATTACKER, 14.0)
    media.receive_rtp(b"\x80", SDP, 14.0)
    media.check(15.0)
    assert any(isinstance(event, MediaTimedOut) for event in events(media))


def test_a_held_call_of_which_nothing_is_heard_ends_at_last_and_rtcp_is_a_sign_of_life():
    media = call()
    media.receive_rtp(audio(0), SDP, 0.0)
    media.reconfigure(replace(CONFIG, receive=False), 1.0)
    media.check(600.0)
    media.receive_rtcp(rtcp.write((ReceiverReport(THEIRS),)), SDP_RTCP, 600.0, WALL_S)
    media.check(1199.0)
    assert not any(isinstance(event, MediaTimedOut) for event in events(media))
    media.reconfigure(replace(CONFIG, receive=False), 1199.0)
    media.check(1798.0)
    assert events(media) == []
    media.check(1799.0)
    assert events(media) == [MediaTimedOut(initial=False, silent_s=600.0)]


def test_nothing_times_out_soon_on_hold_and_the_time_starts_anew_after_it():
    media = call()
    media.receive_rtp(audio(0), SDP, 0.0)
    media.reconfigure(replace(CONFIG, receive=False), 1.0)
    media.check(500.0)
    media.reconfigure(CONFIG, 500.0)
    media.check(510.0)
    assert not any(isinstance(event, MediaTimedOut) for event in events(media))
    media.check(515.0)
    assert any(isinstance(event, MediaTimedOut) for event in events(media))


def test_what_a_held_peer_sends_is_not_played_and_not_lost():
    media = call()
    run(media, 10)
    media.reconfigure(replace(CONFIG, receive=False), 0.2)
    assert run(media, 50, start=10) == [None] * 50
    media.receive_rtp(key(1, 10_000, 60), SDP, 1.2)
    media.reconfigure(CONFIG, 1.22)
    out = run(media, 20, start=61)
    assert speech(78) in out
    assert media.stats.lost == 0
    assert not any(isinstance(event, DigitReceived) for event in events(media))


# -- RTCP --------------------------------------------------------------------------------------------------------------


def due_times(media: MediaSession, seconds: int) -> list[float]:
    return [tick * TICK_S for tick in range(seconds * 50) if media.rtcp_due(tick * TICK_S, WALL_S + tick * TICK_S)]


def test_reports_are_due_about_every_five_seconds_spread_by_entropy():
    chance = random.Random(3)
    media = MediaSession(CONFIG, ssrc=1, sequence=0, timestamp=0, cname="c", entropy=chance.randbytes, now=0.0)
    times = due_times(media, 1000)
    assert 0.5 * 2.5 / 1.2183 <= times[0] <= 1.5 * 2.5 / 1.2183 + TICK_S
    steps = [b - a for a, b in pairwise(times)]
    # RFC 3550 §6.3.1: 5 s, times 0.5 to 1.5, divided by e - 1.5.
    assert min(steps) >= 0.5 * 5 / 1.2183 - TICK_S
    assert max(steps) <= 1.5 * 5 / 1.2183 + TICK_S
    assert len({round(step, 1) for step in steps}) > 20


def test_a_sender_report_tells_what_was_sent_and_received():
    media = call()
    for number in (0, 1, 3):
        media.receive_rtp(audio(number), SDP, number * TICK_S)
    pushed(media, 10, speech(1))
    data, to = media.close(5.0, WALL_S)
    assert to == SDP_RTCP
    report, description, bye = rtcp.parse(data)
    assert isinstance(report, SenderReport)
    assert (report.ssrc, report.packets, report.octets) == (OURS, 10, 1600)
    assert report.ntp >> 32 == int(WALL_S) + 2_208_988_800
    assert report.timestamp == (0xFFFFFF00 + 1600) & 0xFFFFFFFF
    block = report.reports[0]
    assert (block.ssrc, block.lost, block.fraction_lost, block.highest_sequence) == (THEIRS, 1, 64, 3)
    assert description == SourceDescription(((OURS, "bridge"),))
    assert bye == Bye((OURS,))


def test_who_sends_nothing_reports_as_a_receiver():
    media = call(send=False)
    media.receive_rtp(audio(0), SDP, 0.0)
    data, _ = media.rtcp_due(10.0, WALL_S)
    report, _ = rtcp.parse(data)
    assert isinstance(report, ReceiverReport)
    assert report.reports[0].ssrc == THEIRS


def test_round_trip_jitter_and_loss_are_learned_from_the_peer():
    here, there = call(), call()
    there_ssrc = rtp.header(0, False, 0, 0, OURS) + speech(0)
    for tick in range(50):
        here.receive_rtp(audio(tick), SDP, tick * TICK_S)
        here.push(None, tick * TICK_S)
        there.receive_rtp(there_ssrc[:2] + tick.to_bytes(2, "big") + there_ssrc[4:], SDP, tick * TICK_S)
    assert here.stats.rtt_ms is None
    report, _ = here.rtcp_due(10.0, WALL_S + 10.0)
    there.receive_rtcp(report, SDP_RTCP, 100.0, 0.0)
    answer, _ = there.close(102.0, 0.0)
    here.receive_rtcp(answer, SDP_RTCP, 12.08, WALL_S + 12.08)
    assert here.stats.rtt_ms == pytest.approx(80, abs=1)
    assert here.stats.remote_lost == 0
    block = ReportBlock(OURS, 128, 25, 50, 80, 0, 0)
    here.receive_rtcp(rtcp.write((ReceiverReport(THEIRS, (block,)),)), SDP_RTCP, 13.0, WALL_S + 13.0)
    stats = here.stats
    assert (stats.remote_lost, stats.remote_fraction_lost, stats.remote_jitter_ms) == (25, 0.5, 10.0)
    assert stats.rtt_ms == pytest.approx(80, abs=1)


def test_jitter_that_a_peer_reports_is_in_the_clock_of_what_it_hears():
    media = call(codec=OPUS)
    block = ReportBlock(OURS, 0, 0, 50, 480, 0, 0)
    media.receive_rtcp(rtcp.write((ReceiverReport(THEIRS, (block,)),)), SDP_RTCP, 1.0, WALL_S + 1.0)
    assert media.stats.remote_jitter_ms == 10.0


NTP_MIDDLE = (int(WALL_S) + 2_208_988_800 & 0xFFFF) << 16


@pytest.mark.parametrize(
    ("last_report", "delay"), [(0x12345678, 0), (0x12345678, 0xFFFFFFFF), (NTP_MIDDLE, 0x10000), (0, NTP_MIDDLE)]
)
def test_an_absurd_round_trip_is_not_believed(last_report, delay):
    media = call()
    block = ReportBlock(OURS, 0, 0, 0, 0, last_report, delay)
    media.receive_rtcp(rtcp.write((ReceiverReport(THEIRS, (block,)),)), SDP_RTCP, 1.0, WALL_S)
    assert media.stats.rtt_ms is None


def test_the_peer_s_bye_is_told_and_another_s_is_not():
    media = call()
    media.receive_rtp(audio(0), SDP, 0.0)
    events(media)
    media.receive_rtcp(rtcp.write((ReceiverReport(1), Bye((0x1234,)))), SDP_RTCP, 1.0, WALL_S)
    assert events(media) == []
    media.receive_rtcp(rtcp.write((ReceiverReport(THEIRS), Bye((THEIRS,)))), SDP_RTCP, 1.0, WALL_S)
    assert events(media) == [RemoteBye()]


def test_rtcp_of_a_stranger_is_refused():
    media = call()
    media.receive_rtp(audio(0), SDP, 0.0)
    events(media)
    media.receive_rtcp(rtcp.write((ReceiverReport(THEIRS), Bye((THEIRS,)))), ATTACKER, 1.0, WALL_S)
    assert events(media) == []
    assert media.stats.rejected_source == 1


def test_reports_go_where_the_peer_s_come_from():
    media = call()
    run(media, 40, address=NATTED)
    assert media.close(1.0, WALL_S)[1] == (NATTED[0], NATTED[1] + 1)
    media.receive_rtcp(rtcp.write((ReceiverReport(THEIRS),)), (NATTED[0], 50_000), 1.0, WALL_S)
    assert media.close(1.0, WALL_S)[1] == (NATTED[0], 50_000)


def test_nothing_goes_to_where_the_trunk_s_media_may_not_be_until_somebody_from_its_networks_was_heard():
    media = call(peer=Peer(SDP[0], compile_networks(["198.51.100.0/24"])))
    run(media, 100)
    assert media.push(None, 2.0) == []
    assert media.rtcp_due(20.0, WALL_S) is None
    media.receive_rtcp(rtcp.write((ReceiverReport(THEIRS),)), SDP_RTCP, 2.0, WALL_S)
    assert media.close(2.0, WALL_S) is None
    assert (media.stats.received, media.stats.rejected_source) == (0, 101)
    media.check(31.0)
    assert events(media) == [MediaTimedOut(True, 31.0, SDP[0])]
    assert any(run(media, 40, start=1600, address=NATTED)), "heard at once"
    assert [address for _, address in media.push(None, 33.0)] == [NATTED]


def test_reports_are_not_turned_to_another_port_of_the_peer_s_host():
    report = rtcp.write((ReceiverReport(THEIRS),))
    media = call(peer=Peer(NATTED[0]))
    run(media, 40, address=NATTED)
    first, second, beside = ((NATTED[0], port) for port in (50_000, 50_002, NATTED[1] + 1))
    media.receive_rtcp(report, first, 1.0, WALL_S)
    media.receive_rtcp(report, second, 1.0, WALL_S)
    assert media.close(1.0, WALL_S)[1] == first
    assert media.stats.rejected_source == 1
    media.receive_rtcp(report, beside, 1.0, WALL_S)
    media.receive_rtcp(report, first, 1.0, WALL_S)
    assert media.close(1.0, WALL_S)[1] == beside, "who is named by signalling or RTP is the peer, however late"


# -- hostile -----------------------------------------------------------------------------------------------------------

DATAGRAMS = st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=300).map(lambda tail: b"\x80" + tail),
    st.tuples(
        st.sampled_from([0, 8, 13, 96, 101, 72]),
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.sampled_from([THEIRS, 1, 2]),
        st.binary(max_size=500),
    ).map(lambda p: rtp.header(p[0], False, p[1], p[2], p[3]) + p[4]),
)


@settings(max_examples=150)
@given(st.lists(st.tuples(DATAGRAMS, st.sampled_from([SDP, NATTED, ATTACKER]), st.booleans()), max_size=80))
def test_no_datagrams_raise_and_what_is_pulled_is_a_frame(datagrams):
    media = call()
    for tick, (data, address, is_rtp) in enumerate(datagrams):
        now = tick * 0.01
        if is_rtp:
            media.receive_rtp(data, address, now)
        else:
            media.receive_rtcp(data, address, now, WALL_S)
        pulled = heard(media, now)
        assert pulled is None or len(pulled) == 160
        assert len(media.push(frame(pulled, media.codec.law), now)) == 1
        media.check(now)
        media.rtcp_due(now, WALL_S)
    stats = media.stats
    assert stats.lost >= 0
    assert stats.jitter_ms >= 0


def test_every_truncation_of_a_packet_is_counted_or_played():
    media = call()
    whole = audio(0)
    for size in range(len(whole)):
        media.receive_rtp(whole[:size], SDP, 0.0)
    assert media.stats.malformed == rtp.HEADER_BYTES


def test_a_peer_that_asks_is_told_how_it_is_heard():
    media = call(wants_metrics=True)
    for tick in range(400):
        if tick % 10 != 5:
            media.receive_rtp(audio(tick), SDP, tick * TICK_S)
        media.pull(tick * TICK_S)
    data, _ = media.rtcp_due(8.0, WALL_S)
    [extended] = [packet for packet in rtcp.parse(data) if isinstance(packet, rtcp.ExtendedReport)]
    [metrics] = extended.metrics
    assert (extended.ssrc, metrics.ssrc) == (OURS, THEIRS)
    assert metrics.lost == pytest.approx(0.1, abs=0.01)
    assert (metrics.discarded, metrics.gap_packets_min) == (0, 16)
    assert metrics.r_factor == pytest.approx(93.2 - 95 * 10 / (10 + 25.1), abs=2)
    assert metrics.mos_conversational == pytest.approx(media.stats.mos, abs=0.06)
    plain, _ = call().close(8.0, WALL_S)
    assert not any(isinstance(packet, rtcp.ExtendedReport) for packet in rtcp.parse(plain))


def test_how_the_peer_hears_us_is_what_it_says_itself():
    media = call()
    run(media, 20)
    for _ in range(100):
        media.push(None, 0.4)
    assert media.stats.remote_mos is None, "it has said nothing yet"
    media.receive_rtcp(
        rtcp.write((ReceiverReport(THEIRS, (ReportBlock(OURS, 20, 8, 1, 0, 0, 0),)),)), SDP_RTCP, 1.0, WALL_S
    )
    by_loss = media.stats.remote_mos
    assert 2.5 < by_loss < 3.9
    said = VoipMetrics(OURS, 0.0, 0.0, 0.0, 0.0, 0, 0, 0, 0, 60, 3.3, 3.1, 40, 80, 240)
    report = (
        ReceiverReport(THEIRS),
        rtcp.ExtendedReport(THEIRS, (said, replace(said, ssrc=9, mos_conversational=1.0))),
    )
    media.receive_rtcp(rtcp.write(report), SDP_RTCP, 2.0, WALL_S)
    assert media.stats.remote_mos == pytest.approx(3.1)


def test_a_call_without_loss_is_as_good_as_its_codec_and_one_that_was_not_heard_has_no_score():
    media = call()
    assert media.stats.mos is None
    run(media, 200)
    assert media.stats.mos == pytest.approx(4.41, abs=0.01)
