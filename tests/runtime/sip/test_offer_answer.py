"""One offer and its answer: RFC 3264 sections 5 and 6, each rule of the choice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.sip.offer_answer import Codec, LocalMedia, Negotiated, NegotiationFailure, OfferAnswer
from runtime.sip.sdp import parse_sdp
from tests.runtime.sip.offers import AUDIO, LOCAL, OFFER, sdp


def answered(offer: bytes, local: LocalMedia = LOCAL) -> tuple[str, Negotiated]:
    body, negotiated = OfferAnswer().answer(offer, local)
    return body.decode(), negotiated


def refused(offer: bytes, local: LocalMedia = LOCAL) -> NegotiationFailure:
    with pytest.raises(NegotiationFailure) as caught:
        OfferAnswer().answer(offer, local)
    return caught.value


def test_an_offer_is_answered_with_the_codec_that_we_prefer():
    body, negotiated = answered(OFFER)
    assert body == (
        "v=0\r\no=- 77 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
        "m=audio 40000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
        "a=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:60\r\na=sendrecv\r\n"
    )
    assert negotiated == Negotiated(
        "198.51.100.1", 11424, ("198.51.100.1", 11425), Codec("pcmu", 0, 0, 8000), 101, 101, "sendrecv", 20
    )


def test_our_preference_is_a_setting():
    body, negotiated = answered(OFFER, replace(LOCAL, codecs=("pcma", "pcmu")))
    assert negotiated.codec == Codec("pcma", 8, 8, 8000)
    assert "m=audio 40000 RTP/AVP 8 101\r\n" in body
    assert answered(OFFER, replace(LOCAL, codecs=("pcma",)))[1].codec.name == "pcma"


def test_static_numbers_need_no_rtpmap():
    body, negotiated = answered(sdp("m=audio 5000 RTP/AVP 18 8 0"))
    assert negotiated.codec.name == "pcmu"
    assert negotiated.dtmf_payload_type_send is None
    assert "telephone-event" not in body


def test_the_offerers_numbers_are_kept():
    offer = sdp("m=audio 5000 RTP/AVP 96 97", "a=rtpmap:97 pcmu/8000/1", "a=rtpmap:96 Telephone-Event/8000")
    body, negotiated = answered(offer)
    assert negotiated.codec == Codec("pcmu", 97, 97, 8000)
    assert (negotiated.dtmf_payload_type_send, negotiated.dtmf_payload_type_receive) == (96, 96)
    assert "m=audio 40000 RTP/AVP 97 96\r\na=rtpmap:97 PCMU/8000\r\na=rtpmap:96 telephone-event/8000\r\n" in body


def test_an_rtpmap_wins_over_the_static_meaning_of_a_number():
    assert answered(sdp("m=audio 5000 RTP/AVP 0", "a=rtpmap:0 PCMA/8000"))[1].codec == Codec("pcma", 0, 0, 8000)


@pytest.mark.parametrize(
    "rtpmap", ["101 telephone-event/16000", "101 telephone-event/48000", "101 telephone-event/8000/2"]
)
def test_key_events_count_only_at_the_codecs_clock(rtpmap):
    body, negotiated = answered(sdp("m=audio 5000 RTP/AVP 0 101", f"a=rtpmap:{rtpmap}"))
    assert negotiated.dtmf_payload_type_send is None
    assert "m=audio 40000 RTP/AVP 0\r\n" in body


def test_the_right_one_of_several_key_event_numbers_is_taken():
    offer = sdp(
        "m=audio 5000 RTP/AVP 0 99 101", "a=rtpmap:99 telephone-event/48000", "a=rtpmap:101 telephone-event/8000"
    )
    assert answered(offer)[1].dtmf_payload_type_send == 101


def test_key_events_are_not_answered_where_we_take_none():
    body, negotiated = answered(OFFER, replace(LOCAL, dtmf=False))
    assert negotiated.dtmf_payload_type_receive is None
    assert "telephone-event" not in body


@pytest.mark.parametrize(
    ("attributes", "ptime_ms"),
    [
        ((), 20), (("a=ptime:30",), 30), (("a=ptime:30", "a=maxptime:20"), 20), (("a=maxptime:10",), 10),
        (("a=maxptime:150",), 20), (("a=ptime:0",), 20), (("a=ptime:x",), 20), (("a=ptime:99999",), 20),
        (("a=ptime",), 20),
    ],
)  # fmt: skip
def test_the_peers_packet_length(attributes, ptime_ms):
    assert answered(sdp("m=audio 5000 RTP/AVP 0", *attributes))[1].ptime_ms == ptime_ms


@pytest.mark.parametrize(
    ("theirs", "wanted", "ours"),
    [
        ("sendrecv", "sendrecv", "sendrecv"), ("sendonly", "sendrecv", "recvonly"),
        ("recvonly", "sendrecv", "sendonly"), ("inactive", "sendrecv", "inactive"),
        ("sendrecv", "recvonly", "recvonly"), ("sendrecv", "sendonly", "sendonly"),
        ("sendonly", "sendonly", "inactive"), ("recvonly", "recvonly", "inactive"),
        ("sendrecv", "inactive", "inactive"),
    ],
)  # fmt: skip
def test_directions_mirror_each_other(theirs, wanted, ours):
    for offer in (sdp(*AUDIO, f"a={theirs}"), sdp(*AUDIO, session=(theirs,))):
        body, negotiated = answered(offer, replace(LOCAL, direction=wanted))
        assert negotiated.direction == ours
        assert body.endswith(f"a={ours}\r\n")


@pytest.mark.parametrize(
    ("theirs", "ours"), [("sendrecv", "recvonly"), ("sendonly", "recvonly"), ("inactive", "inactive")]
)
@pytest.mark.parametrize(
    ("c", "local"), [("IN IP4 0.0.0.0", "192.0.2.10"), ("IN IP6 ::", "2001:db8::10"), ("IN IP4 0.0.0.0", "2001:db8::1")]
)
def test_an_unspecified_address_means_do_not_send(theirs, ours, c, local):
    negotiated = answered(sdp(*AUDIO, f"a={theirs}", c=c), replace(LOCAL, address=local))[1]
    assert negotiated.direction == ours


def test_the_streams_own_address_wins():
    assert answered(sdp(*AUDIO, "c=IN IP4 203.0.113.9"))[1].remote_address == "203.0.113.9"
    assert answered(sdp(*AUDIO, "c=IN IP4 203.0.113.9", c=None))[1].remote_rtcp == ("203.0.113.9", 11425)


def test_ipv6_media():
    body, negotiated = answered(sdp(*AUDIO, c="IN IP6 2001:DB8:0::9"), replace(LOCAL, address="2001:db8::10"))
    assert negotiated.remote_address == "2001:db8::9"
    assert "o=- 77 1 IN IP6 2001:db8::10\r\ns=-\r\nc=IN IP6 2001:db8::10\r\n" in body


@pytest.mark.parametrize(
    ("attribute", "rtcp"),
    [
        ("rtcp:53020", ("198.51.100.1", 53020)), ("rtcp:53020 IN IP4 203.0.113.7", ("203.0.113.7", 53020)),
        ("rtcp:53020 IN IP4 rtcp.example.com", ("198.51.100.1", 53020)), ("rtcp:0", ("198.51.100.1", 11425)),
        ("rtcp:53020 IN IP4 224.0.0.1", ("198.51.100.1", 53020)), ("rtcp:5 IN IP6 2001:db8::1", ("198.51.100.1", 5)),
    ],
)  # fmt: skip
def test_where_rtcp_goes(attribute, rtcp):
    assert answered(sdp(*AUDIO, f"a={attribute}"))[1].remote_rtcp == rtcp


def test_the_last_port_has_no_next_one():
    assert answered(sdp("m=audio 65535 RTP/AVP 0"))[1].remote_rtcp == ("198.51.100.1", 65_535)


def test_the_answer_repeats_the_offers_times():
    assert "t=3149328700 0\r\n" in answered(sdp(*AUDIO, t="3149328700 0"))[0]


def test_every_m_line_is_answered_in_its_place():
    offer = sdp(
        "m=video 3227 RTP/AVP 31 32", "a=rtpmap:31 LPC/9000",
        "m=audio 4000 RTP/SAVP 0", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x",
        *AUDIO,
        "m=audio 4002 RTP/AVP 0",
        "m=image 4004 udptl t38",
    )  # fmt: skip
    body, negotiated = answered(offer)
    assert negotiated.remote_port == 11424
    assert [(m.kind, m.port, m.protocol, m.formats) for m in parse_sdp(body.encode()).media] == [
        ("video", 0, "RTP/AVP", ("31", "32")), ("audio", 0, "RTP/SAVP", ("0",)),
        ("audio", 40000, "RTP/AVP", ("0", "101")),
        ("audio", 0, "RTP/AVP", ("0",)), ("image", 0, "udptl", ("t38",)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("offer", "code", "words"),
    [
        (sdp("m=audio 5000 RTP/AVP 18 3", "a=rtpmap:18 G729/8000"), 305, "no codec in common; offered: g729"),
        (sdp("m=audio 5000 RTP/AVP 18 3"), 305, "offered: 18 3; allowed here: pcmu, pcma"),
        (sdp("m=audio 5000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"), 305, "no codec in common"),
        (
            sdp("m=audio 5000 RTP/SAVP 0"),
            302,
            "RTP/SAVP is not served: this trunk has no encrypted media, only RTP/AVP",
        ),
        (sdp("m=audio 5000 UDP/TLS/RTP/SAVPF 0"), 302, "UDP/TLS/RTP/SAVPF is not served"),
        (sdp("m=video 5000 RTP/AVP 31"), 304, "video is not served, only audio"),
        (sdp("m=video 5000 RTP/AVP 31", "m=audio 5000 RTP/AVP 18"), 305, "no codec in common"),
        (sdp(), 304, "no audio is offered"),
        (sdp("m=audio 0 RTP/AVP 0"), 304, "not in use"),
        (sdp(*AUDIO, c="IN IP4 pbx.example.com"), 301, "must be a literal IP: pbx.example.com"),
        (sdp(*AUDIO, c="IN IP4 224.2.1.1/127"), 301, "must be a literal IP"),
        (sdp(*AUDIO, c="IN IP4 224.2.1.1"), 301, "not a unicast media address"),
        (sdp(*AUDIO, c="IN IP4 255.255.255.255"), 301, "not a unicast media address"),
        (sdp(*AUDIO, c="IN IP6 fe80::1%eth0"), 301, "not a unicast media address"),
        (sdp(*AUDIO, c="IN IP6 2001:db8::1"), 301, "no IPv6 media address on our side"),
        (sdp(*AUDIO, c=None), 301, "no connection address"),
    ],
)
def test_an_offer_that_we_cannot_take_is_488_and_says_why(offer, code, words):
    failure = refused(offer)
    assert (failure.status, failure.reason) == (488, "Not Acceptable Here")
    assert words in failure.text
    assert failure.warning.startswith(f'{code} dialplane "')


def test_a_broken_description_is_400():
    failure = refused(b"v=0\r\nnothing\r\n")
    assert (failure.status, failure.reason) == (400, "Malformed Session Description")


def test_what_is_said_of_a_refused_offer_can_be_printed():
    failure = refused(sdp(*AUDIO, c="IN IP4 192.0.2.1\x9b2J"))
    assert failure.text == "the media address must be a literal IP: 192.0.2.1\N{REPLACEMENT CHARACTER}2J"


def test_a_warning_holds_nothing_that_breaks_it():
    failure = refused(sdp(*AUDIO, c='IN IP4 a"b\\ü'))
    assert failure.warning == "301 dialplane \"the media address must be a literal IP: a'b''\""


@pytest.mark.parametrize(("said", "wants"), [("rcvr-rtt=all voip-metrics", True), ("pkt-loss-rle", False)])
def test_voip_metrics_are_agreed_on_where_the_peer_asks_for_them(said, wants):
    body, negotiated = answered(sdp(*AUDIO, f"a=rtcp-xr:{said}"))
    assert negotiated.wants_metrics is wants
    assert ("a=rtcp-xr:voip-metrics\r\n" in body) is wants


# -- codecs beyond G.711 -----------------------------------------------------------------------------------------------

WIDE = replace(LOCAL, codecs=("opus", "g722", "pcmu", "pcma"))
OPUS_LINES = ("a=rtpmap:98 opus/48000/2", "a=fmtp:98 maxplaybackrate=16000; useinbandfec=1;usedtx=1")


def test_opus_is_answered_under_the_number_that_was_offered_with_key_events_at_its_clock():
    events = ("a=rtpmap:99 telephone-event/48000", "a=rtpmap:101 telephone-event/8000")
    body, negotiated = answered(sdp("m=audio 5000 RTP/AVP 0 98 99 101", *OPUS_LINES, *events), WIDE)
    said = (("maxplaybackrate", "16000"), ("useinbandfec", "1"), ("usedtx", "1"))
    assert negotiated.codec == Codec("opus", 98, 98, 48_000, said)
    assert (negotiated.dtmf_payload_type_send, negotiated.dtmf_clock_hz) == (99, 48_000)
    assert (
        "m=audio 40000 RTP/AVP 98 99\r\na=rtpmap:98 opus/48000/2\r\na=fmtp:98 useinbandfec=1\r\n"
        "a=rtpmap:99 telephone-event/48000\r\na=fmtp:99 0-16\r\n"
    ) in body


def test_key_events_at_8_khz_do_where_a_phone_has_no_others_beside_opus():
    offer = sdp("m=audio 5000 RTP/AVP 98 101", *OPUS_LINES, "a=rtpmap:101 telephone-event/8000")
    body, negotiated = answered(offer, WIDE)
    assert (negotiated.dtmf_payload_type_receive, negotiated.dtmf_clock_hz) == (101, 8_000)
    assert "a=rtpmap:101 telephone-event/8000\r\n" in body


@pytest.mark.parametrize("rtpmap", ["opus/48000", "opus/16000/2", "opus/48000/1"])
def test_opus_is_opus_48000_2_and_nothing_else(rtpmap):
    assert answered(sdp("m=audio 5000 RTP/AVP 98 0", f"a=rtpmap:98 {rtpmap}"), WIDE)[1].codec.name == "pcmu"


def test_g722_has_a_number_of_its_own_and_a_clock_of_8_khz():
    body, negotiated = answered(sdp("m=audio 5000 RTP/AVP 0 9 101", "a=rtpmap:101 telephone-event/8000"), WIDE)
    assert negotiated.codec == Codec("g722", 9, 9, 8_000)
    assert negotiated.dtmf_payload_type_send == 101
    assert "m=audio 40000 RTP/AVP 9 101\r\na=rtpmap:9 G722/8000\r\n" in body


@pytest.mark.parametrize(
    ("attributes", "stated"),
    [((), 20), (("a=ptime:10",), 10), (("a=ptime:60",), 60), (("a=ptime:60", "a=maxptime:40"), 40),
     (("a=ptime:35",), 30), (("a=ptime:5",), 10), (("a=ptime:120",), 60)],
)  # fmt: skip
def test_we_would_like_the_packets_that_the_peer_would_like(attributes, stated):
    body, _ = answered(sdp("m=audio 5000 RTP/AVP 0", *attributes))
    assert f"a=ptime:{stated}\r\na=maxptime:60\r\n" in body


@pytest.mark.parametrize(
    ("fmtp", "said"),
    [("98", ()), ("98 ;;=;x", (("x", ""),)), ("99 useinbandfec=1", ()), ("98 CBR=1", (("cbr", "1"),)),
     ("98 " + ";".join(f"p{n}=1" for n in range(50)), tuple((f"p{n}", "1") for n in range(16)))],
)  # fmt: skip
def test_what_is_said_of_a_codec_is_read_as_far_as_it_can_be(fmtp, said):
    offer = sdp("m=audio 5000 RTP/AVP 98", "a=rtpmap:98 opus/48000/2", f"a=fmtp:{fmtp}")
    assert answered(offer, WIDE)[1].codec.parameters == said
