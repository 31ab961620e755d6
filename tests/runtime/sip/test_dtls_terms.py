"""DTLS-SRTP in SDP: who is named how, who begins, and what offers and answers come to."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sip.dtls_terms import FINGERPRINTS_MAX, IceLogin, read_dtls, write_dtls
from runtime.sip.keying import Encryption, Policy, Way
from runtime.sip.offer_answer import LocalMedia, NegotiationFailure, OfferAnswer
from runtime.sip.sdp import MediaDescription, parse_sdp
from tests.runtime.sip.offers import LOCAL, sdp

OURS = (("sha-256", bytes(range(32))),)
HEX = ":".join(f"{n:02X}" for n in range(32))
NAMED = f"a=fingerprint:sha-256 {HEX}"
ICE = ("a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901")


def local(policy: Policy = "require", seed: int = 0, *ways: Way) -> LocalMedia:
    return replace(LOCAL, encryption=Encryption(policy, Random(seed).randbytes, ways or ("sdes", "dtls"), OURS))


def offer(*lines: str, protocol: str = "UDP/TLS/RTP/SAVPF", port: int = 5000, session: tuple[str, ...] = ()) -> bytes:
    return sdp(f"m=audio {port} {protocol} 0", *lines, session=session)


def audio(body: bytes) -> MediaDescription:
    return parse_sdp(body).media[0]


BROWSER = offer(NAMED, "a=setup:actpass", "a=rtcp-mux", "a=mid:0", *ICE, "a=candidate:1 1 udp 1 10.0.0.1 9 typ host")


@pytest.mark.parametrize(("setup", "ours"), [("actpass", "passive"), ("active", "passive"), ("passive", "active")])
@pytest.mark.parametrize("protocol", ["UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"])
@pytest.mark.parametrize("policy", ["allow", "require"])
def test_an_offer_is_answered_with_who_begins(policy: Policy, protocol: str, setup: str, ours: str) -> None:
    body, negotiated = OfferAnswer().answer(offer(NAMED, f"a=setup:{setup}", protocol=protocol), local(policy))
    line = audio(body)
    assert (line.protocol, line.attribute("setup")) == (protocol, ours)
    assert line.attribute("fingerprint") == f"sha-256 {HEX}"
    assert line.attribute("ice-ufrag") is None
    assert line.attribute("rtcp-mux") is None
    assert negotiated.dtls is not None
    assert (negotiated.dtls.client, negotiated.dtls.theirs.hashes) == (ours == "active", OURS)
    assert negotiated.keys is None


def test_a_browser_is_answered_as_who_only_answers_checks() -> None:
    body, negotiated = OfferAnswer().answer(BROWSER, local())
    description = parse_sdp(body)
    line = description.media[0]
    assert ("ice-lite", None) in description.attributes
    assert (line.attribute("rtcp-mux"), line.attribute("mid")) == ("", "0")
    assert line.all("candidate") == (f"1 1 udp 2130706431 {LOCAL.address} {LOCAL.port} typ host",)
    assert negotiated.dtls is not None
    assert negotiated.dtls.ice is not None
    assert line.attribute("ice-ufrag") == negotiated.dtls.ice.ufrag
    assert line.attribute("ice-pwd") == negotiated.dtls.ice.password
    assert len(negotiated.dtls.ice.ufrag) >= 4
    assert len(negotiated.dtls.ice.password) >= 22


@pytest.mark.parametrize("c", ["IN IP4 0.0.0.0", "IN IP6 ::", "IN IP4 phone.local", "IN IP6 2001:db8::1"])
def test_with_ice_the_address_in_the_offer_means_nothing(c: str) -> None:
    body = sdp("m=audio 9 UDP/TLS/RTP/SAVPF 0", NAMED, "a=setup:actpass", "a=rtcp-mux", *ICE, c=c)
    _, negotiated = OfferAnswer().answer(body, local())
    assert negotiated.direction == "sendrecv", "0.0.0.0 is no hold"


def test_rtcp_of_its_own_has_a_candidate_of_its_own() -> None:
    body, _ = OfferAnswer().answer(offer(NAMED, "a=setup:actpass", *ICE), local())
    assert [text.split()[1:6:4] for text in audio(body).all("candidate")] == [
        ["1", str(LOCAL.port)],
        ["2", str(LOCAL.port + 1)],
    ]


@pytest.mark.parametrize(
    ("body", "encryption", "words"),
    [
        (BROWSER, local("disable"), "this trunk has no encrypted media"),
        (BROWSER, local("allow", 0, "sdes"), "takes keys by SDES alone"),
        (BROWSER, replace(LOCAL, encryption=Encryption("allow", bytes)), "takes keys by"),
        (offer("a=setup:actpass"), local(), "names no certificate"),
        (offer("a=fingerprint:sha-1 " + HEX[:59], "a=setup:actpass"), local(), "names no certificate"),
        (offer(NAMED, "a=setup:holdconn"), local(), "names no certificate"),
        (sdp("m=audio 5000 RTP/AVP 0"), local("require", 0, "dtls"), "by DTLS is required"),
    ],
)
def test_what_is_refused(body: bytes, encryption: LocalMedia, words: str) -> None:
    with pytest.raises(NegotiationFailure) as refused:
        OfferAnswer().answer(body, encryption)
    assert (refused.value.status, words in refused.value.text) == (488, True), refused.value.text


def test_two_of_us_agree_whoever_offers() -> None:
    mine, theirs = OfferAnswer(), OfferAnswer()
    body = mine.offer(local("require", 1, "dtls"))
    assert (audio(body).protocol, audio(body).attribute("setup")) == ("UDP/TLS/RTP/SAVPF", "actpass")
    answer, heard = theirs.answer(body, local("allow", 2))
    agreed = mine.accept(answer)
    assert agreed.dtls is not None
    assert heard.dtls is not None
    assert agreed.dtls.client != heard.dtls.client


def test_who_takes_no_dtls_is_offered_plain_media_where_that_is_allowed() -> None:
    mine = OfferAnswer()
    mine.offer(local("allow", 1, "dtls"))
    body = mine.insist()
    assert body is not None
    assert (audio(body).protocol, audio(body).attribute("fingerprint")) == ("RTP/AVP", None)
    assert mine.insist() is None
    firm = OfferAnswer()
    firm.offer(local("require", 1, "dtls"))
    assert firm.insist() is None


@pytest.mark.parametrize("lines", [(), (NAMED, "a=setup:actpass"), ("a=setup:active",)])
def test_an_answer_that_does_not_say_who_and_how_is_no_agreement(lines: tuple[str, ...]) -> None:
    mine = OfferAnswer()
    mine.offer(local("require", 1, "dtls"))
    with pytest.raises(NegotiationFailure):
        mine.accept(offer(*lines))


def test_an_answer_without_ice_or_mux_is_taken_as_it_is() -> None:
    mine = OfferAnswer()
    mine.offer(local("require", 1, "dtls"))
    agreed = mine.accept(offer(NAMED, "a=setup:active"))
    assert agreed.dtls is not None
    assert (agreed.dtls.ice, agreed.dtls.ours.mux, agreed.dtls.client) == (None, False, False)


def test_hold_keeps_roles_and_names() -> None:
    mine = OfferAnswer()
    _, before = mine.answer(BROWSER, local(seed=1))
    _, after = mine.answer(BROWSER + b"a=sendonly\r\n", local(seed=2))
    assert after.dtls == before.dtls
    ours = audio(mine.offer(local(seed=3)))
    assert before.dtls is not None
    assert before.dtls.ice is not None
    assert (ours.attribute("ice-ufrag"), ours.attribute("mid")) == (before.dtls.ice.ufrag, "0")
    passive = offer(NAMED, "a=setup:passive")
    waiting = OfferAnswer()
    _, before = waiting.answer(passive, local())
    _, after = waiting.answer(offer(NAMED, "a=setup:actpass"), local())
    assert before.dtls is not None
    assert after.dtls is not None
    assert (before.dtls.client, after.dtls.client) == (True, True)


def test_new_names_of_the_phone_get_new_names_of_ours() -> None:
    mine, encryption = OfferAnswer(), local(seed=1)
    _, before = mine.answer(BROWSER, encryption)
    _, after = mine.answer(BROWSER.replace(b"abcd", b"efgh"), encryption)
    assert before.dtls is not None
    assert after.dtls is not None
    assert before.dtls.ice != after.dtls.ice


def test_terms_of_the_session_count_for_the_line() -> None:
    head = (f"fingerprint:SHA-256 {HEX.lower()}", "setup:active", "ice-ufrag:abcd", "ice-pwd:" + "x" * 22)
    description = parse_sdp(offer(session=head))
    terms = read_dtls(description, description.media[0])
    assert terms is not None
    assert (terms.hashes, terms.setup, terms.ufrag) == (OURS, "active", "abcd")


def test_two_that_only_answer_do_without_ice() -> None:
    description = parse_sdp(offer(NAMED, "a=setup:actpass", *ICE, session=("ice-lite",)))
    terms = read_dtls(description, description.media[0])
    assert terms is not None
    assert terms.ufrag == ""


def test_fingerprints_are_bounded() -> None:
    description = parse_sdp(offer(*[NAMED] * 30, "a=setup:active"))
    terms = read_dtls(description, description.media[0])
    assert terms is not None
    assert len(terms.hashes) == FINGERPRINTS_MAX


@given(st.text(max_size=120), st.text(max_size=40), st.text(max_size=40))
def test_no_text_raises(fingerprint: str, setup: str, ufrag: str) -> None:
    media = MediaDescription(
        "audio", 9, "UDP/TLS/RTP/SAVPF", ("0",), None,
        (("fingerprint", fingerprint), ("fingerprint", f"sha-256 {HEX}"), ("setup", setup), ("ice-ufrag", ufrag),
         ("ice-pwd", ufrag), ("mid", setup)),
    )  # fmt: skip
    description = parse_sdp(offer())
    terms = read_dtls(description, media)
    if terms is not None:
        write_dtls(terms, IceLogin("abcd", "x" * 22), "192.0.2.1", 4000)


def test_no_password_is_shown() -> None:
    assert "xxx" not in repr(IceLogin("abcd", "x" * 22))
