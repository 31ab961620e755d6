"""Offer and answer over the life of a call: re-INVITEs, holds, late offers (RFC 3264 section 8, RFC 6337), and laws."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sip.offer_answer import Codec, LocalMedia, NegotiationFailure, OfferAnswer
from runtime.sip.sdp import parse_sdp
from tests.runtime.sip.offers import AUDIO, LOCAL, OFFER, sdp

# -- a call that is up ------------------------------------------------------------------------------------------------


def test_the_same_offer_again_gets_the_same_bytes():
    call = OfferAnswer()
    assert call.answer(OFFER, LOCAL) == call.answer(OFFER, LOCAL)


def test_the_version_counts_our_changes_and_the_session_id_stays():
    call = OfferAnswer()
    origins = []
    for lines in (AUDIO, (*AUDIO, "a=sendonly"), (*AUDIO, "a=sendonly"), AUDIO, (*AUDIO, "a=ptime:30")):
        body, _ = call.answer(sdp(*lines), LOCAL)
        origins.append(parse_sdp(body).origin)
    assert [origin.version for origin in origins] == ["1", "2", "2", "3", "4"]
    assert {origin.session_id for origin in origins} == {"77"}


def test_hold_and_resume():
    call = OfferAnswer()
    offers_in_turn = [sdp(*AUDIO, f"a={theirs}") for theirs in ("sendrecv", "sendonly", "inactive", "sendrecv")]
    assert [call.answer(offer, LOCAL)[1].direction for offer in offers_in_turn] == [
        "sendrecv",
        "recvonly",
        "inactive",
        "sendrecv",
    ]


def test_a_reinvite_may_change_codec_and_address():
    call = OfferAnswer()
    call.answer(OFFER, LOCAL)
    negotiated = call.answer(sdp("m=audio 6000 RTP/AVP 8", c="IN IP4 203.0.113.1"), LOCAL)[1]
    assert (negotiated.remote_address, negotiated.remote_port, negotiated.codec.name) == ("203.0.113.1", 6000, "pcma")
    assert call.negotiated == negotiated


@pytest.mark.parametrize(
    "bad", [b"", sdp("m=audio 5000 RTP/AVP 18"), sdp(*AUDIO, c="IN IP4 host.example"), sdp("m=video 0 RTP/AVP 31")]
)
def test_a_failed_reoffer_leaves_all_as_it_was(bad):
    call = OfferAnswer()
    before = call.answer(OFFER, LOCAL)
    with pytest.raises(NegotiationFailure):
        call.answer(bad, LOCAL)
    assert call.negotiated == before[1]
    assert call.answer(OFFER, LOCAL) == before


def test_a_stream_that_is_taken_away_goes_to_rest():
    call = OfferAnswer()
    _, before = call.answer(sdp("m=video 1 RTP/AVP 31", *AUDIO), LOCAL)
    body, negotiated = call.answer(sdp("m=audio 0 RTP/AVP 0 8"), LOCAL)
    assert negotiated == replace(before, direction="inactive")
    assert b"m=audio 0 RTP/AVP 0 8\r\n" in body
    assert b"m=audio 40000" in call.offer(LOCAL)


# -- our own offers ---------------------------------------------------------------------------------------------------


def test_our_offer():
    assert OfferAnswer().offer(LOCAL).decode() == (
        "v=0\r\no=- 77 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
        "m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
        "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:60\r\na=sendrecv\r\n"
    )


def test_the_answerers_first_codec_counts():
    call = OfferAnswer()
    call.offer(LOCAL)
    assert call.awaits_answer
    negotiated = call.accept(sdp("m=audio 5000 RTP/AVP 8 0"))
    assert not call.awaits_answer
    assert negotiated.codec == Codec("pcma", 8, 8, 8000)
    assert negotiated == call.negotiated
    assert negotiated.dtmf_payload_type_receive is None


def test_the_answerer_may_number_its_own_side_differently():
    call = OfferAnswer()
    call.offer(LOCAL)
    negotiated = call.accept(
        sdp("m=audio 5000 RTP/AVP 97 96", "a=rtpmap:97 PCMU/8000", "a=rtpmap:96 telephone-event/8000")
    )
    assert negotiated.codec == Codec("pcmu", 97, 0, 8000)
    assert (negotiated.dtmf_payload_type_send, negotiated.dtmf_payload_type_receive) == (96, 101)


def test_a_final_answer_may_follow_an_early_one():
    call = OfferAnswer()
    call.offer(LOCAL)
    call.accept(sdp("m=audio 5000 RTP/AVP 0"))
    assert call.accept(sdp("m=audio 6000 RTP/AVP 8")).remote_port == 6000


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        sdp(),
        sdp(*AUDIO, *AUDIO),
        sdp("m=audio 0 RTP/AVP 0"),
        sdp("m=audio 5000 RTP/AVP 18"),
        sdp("m=video 1 RTP/AVP 0"),
    ],
)
def test_an_answer_that_is_none(answer):
    call = OfferAnswer()
    call.offer(LOCAL)
    with pytest.raises(NegotiationFailure):
        call.accept(answer)
    assert call.negotiated is None


def test_a_later_offer_of_ours_keeps_the_places():
    call = OfferAnswer()
    call.answer(sdp("m=video 1 RTP/AVP 31", *AUDIO), LOCAL)
    offer = call.offer(replace(LOCAL, direction="sendonly"))
    assert [(m.kind, m.port) for m in parse_sdp(offer).media] == [("video", 0), ("audio", 40000)]
    assert parse_sdp(offer).origin.version == "2"
    held = call.accept(sdp("m=video 0 RTP/AVP 31", *AUDIO, "a=recvonly"))
    assert held.direction == "sendonly"


def test_an_answer_without_audio_to_our_reoffer_rests_the_stream():
    call = OfferAnswer()
    call.answer(OFFER, LOCAL)
    call.offer(LOCAL)
    assert call.accept(sdp("m=audio 0 RTP/AVP 0")).direction == "inactive"


def test_an_offer_while_ours_is_out_is_491():
    call = OfferAnswer()
    call.offer(LOCAL)
    with pytest.raises(NegotiationFailure) as caught:
        call.answer(OFFER, LOCAL)
    assert caught.value.status == 491


def test_a_withdrawn_offer_leaves_all_as_it_was():
    call = OfferAnswer()
    before = call.answer(OFFER, LOCAL)
    refused_offer = call.offer(replace(LOCAL, direction="inactive"))
    call.withdraw()
    assert call.answer(OFFER, LOCAL) == before
    again = call.offer(replace(LOCAL, direction="inactive"))
    # The peer has seen version 2, although it refused it: the next change must not look the same.
    assert int(parse_sdp(again).origin.version) > int(parse_sdp(refused_offer).origin.version)


def test_an_answer_without_an_offer_is_our_own_mistake():
    with pytest.raises(AssertionError):
        OfferAnswer().accept(OFFER)


# -- laws -------------------------------------------------------------------------------------------------------------

_encodings = ["PCMU/8000", "PCMA/8000", "G729/8000", "opus/48000/2", "telephone-event/8000", "telephone-event/16000"]


@st.composite
def media_lines(draw):
    numbers = draw(st.lists(st.integers(0, 127), min_size=1, max_size=5, unique=True))
    port = draw(st.integers(0, 65_535))
    kind = draw(st.sampled_from(["audio", "audio", "audio", "video", "image"]))
    protocol = draw(st.sampled_from(["RTP/AVP", "RTP/AVP", "RTP/SAVP", "udptl"]))
    lines = [f"m={kind} {port} {protocol} {' '.join(map(str, numbers))}"]
    if draw(st.booleans()):
        address = draw(st.ip_addresses())
        lines.append(f"c=IN IP{address.version} {address}")
    for number in numbers:
        encoding = draw(st.none() | st.sampled_from(_encodings))
        if encoding:
            lines.append(f"a=rtpmap:{number} {encoding}")
    direction = draw(st.none() | st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"]))
    return [*lines, *([f"a={direction}"] if direction else [])]


offers = st.lists(media_lines(), max_size=5).map(lambda parts: sdp(*(line for part in parts for line in part)))


@given(offers)
def test_an_answer_has_the_offers_m_lines_and_is_repeatable(offer):
    call = OfferAnswer()
    try:
        body, negotiated = call.answer(offer, LOCAL)
    except NegotiationFailure as failure:
        assert_refusal(failure)
        assert call.negotiated is None
        return
    theirs, ours = parse_sdp(offer).media, parse_sdp(body).media
    assert [(m.kind, m.protocol) for m in ours] == [(m.kind, m.protocol) for m in theirs]
    (active,) = (at for at, line in enumerate(ours) if line.port)
    assert set(ours[active].formats) <= set(theirs[active].formats)
    assert all(ours[at].formats == theirs[at].formats for at in range(len(ours)) if at != active)
    assert negotiated.remote_port == theirs[active].port
    assert call.answer(offer, LOCAL) == (body, negotiated)


@given(st.lists(offers, max_size=6))
def test_no_sequence_of_offers_breaks_a_call(sequence):
    call = OfferAnswer()
    versions = [0]
    for offer in sequence:
        before = call.negotiated
        try:
            body, _ = call.answer(offer, LOCAL)
        except NegotiationFailure:
            assert call.negotiated == before
            continue
        versions.append(int(parse_sdp(body).origin.version))
        assert versions[-1] - versions[-2] in (0, 1)


@given(
    st.sampled_from(["pcmu", "pcma"]), st.booleans(), st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"])
)
def test_two_of_us_agree(codec, dtmf, direction):
    caller, called = OfferAnswer(), OfferAnswer()
    theirs = LocalMedia("192.0.2.20", 50_000, (codec,), dtmf, 5)
    offer = caller.offer(replace(LOCAL, direction=direction))
    answer, at_called = called.answer(offer, theirs)
    at_caller = caller.accept(answer)
    assert at_caller.codec == at_called.codec
    assert at_caller.dtmf_payload_type_send == at_called.dtmf_payload_type_receive
    assert {at_caller.direction, at_called.direction} in (
        {"sendrecv"}, {"sendonly", "recvonly"}, {"inactive"},
    )  # fmt: skip
    assert (at_caller.remote_port, at_called.remote_port) == (50_000, 40_000)


def assert_refusal(failure: NegotiationFailure) -> None:
    assert failure.status == 488
    assert failure.text


def test_our_offer_of_all_codecs_names_key_events_for_each_clock():
    wide = replace(LOCAL, codecs=("opus", "g722", "pcmu", "pcma"))
    assert (
        "m=audio 40000 RTP/AVP 111 9 0 8 101 110\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\n"
        "a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
        "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
        "a=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-16\r\na=ptime:20\r\na=maxptime:60\r\na=sendrecv\r\n"
    ) in OfferAnswer().offer(wide).decode()
    call = OfferAnswer()
    call.offer(wide)
    negotiated = call.accept(
        sdp("m=audio 5000 RTP/AVP 96 97", "a=rtpmap:96 opus/48000/2", "a=rtpmap:97 telephone-event/48000")
    )
    assert negotiated.codec == Codec("opus", 96, 111, 48_000)
    assert (negotiated.dtmf_payload_type_send, negotiated.dtmf_payload_type_receive) == (97, 110)
