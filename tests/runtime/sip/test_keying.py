"""Keys by signalling: what is offered and answered by each policy, and which keys change when."""

from __future__ import annotations

import base64
from dataclasses import replace
from random import Random

import pytest

from runtime.sip.crypto_lines import read_crypto
from runtime.sip.keying import OFFERED, Encryption, Policy
from runtime.sip.offer_answer import LocalMedia, NegotiationFailure, OfferAnswer
from runtime.sip.sdp import MediaDescription, parse_sdp
from tests.runtime.sip.offers import LOCAL, sdp

SUITE = "AES_CM_128_HMAC_SHA1_80"


def key(n: int, size: int = 30) -> str:
    return base64.b64encode(bytes([n]) * size).decode()


def crypto(n: int = 1, tag: int = 1, suite: str = SUITE, more: str = "") -> str:
    return f"a=crypto:{tag} {suite} inline:{key(n)}{more}"


def local(policy: Policy, seed: int = 0) -> LocalMedia:
    return replace(LOCAL, encryption=Encryption(policy, Random(seed).randbytes))


def offer(protocol: str, *lines: str, port: int = 5000) -> bytes:
    return sdp(f"m=audio {port} {protocol} 0", *lines)


def audio(body: bytes) -> MediaDescription:
    return parse_sdp(body).media[0]


PLAIN, OPTIONAL, SECURE = offer("RTP/AVP"), offer("RTP/AVP", crypto()), offer("RTP/SAVP", crypto())
NO_KEYS = offer("RTP/SAVP")
UNKNOWN = offer("RTP/SAVP", crypto(suite="F8_128_HMAC_SHA1_80"))


@pytest.mark.parametrize(
    ("policy", "theirs", "suite"),
    [
        ("disable", PLAIN, ""), ("disable", OPTIONAL, ""), ("allow", PLAIN, ""), ("allow", OPTIONAL, SUITE),
        ("allow", SECURE, SUITE), ("allow", offer("RTP/AVP", crypto(suite="F8_128_HMAC_SHA1_80")), ""),
        ("allow", offer("RTP/SAVPF", crypto()), SUITE), ("require", OPTIONAL, SUITE), ("require", SECURE, SUITE),
    ],
)  # fmt: skip
def test_what_is_answered(policy: Policy, theirs: bytes, suite: str) -> None:
    body, negotiated = OfferAnswer().answer(theirs, local(policy))
    line = audio(body)
    assert line.protocol == audio(theirs).protocol
    if not suite:
        assert (negotiated.keys, line.attribute("crypto")) == (None, None)
        return
    assert negotiated.keys is not None
    (theirs_key,) = negotiated.keys.theirs
    assert (negotiated.keys.suite, theirs_key.key) == (SUITE, bytes([1]) * 30)
    ours = read_crypto(line.attribute("crypto") or "")
    assert ours is not None
    assert (ours.tag, ours.suite, ours.keys) == (1, SUITE, (negotiated.keys.ours,))
    assert negotiated.keys.ours.key != theirs_key.key


@pytest.mark.parametrize(
    ("policy", "theirs", "words"),
    [
        ("disable", SECURE, "this trunk has no encrypted media"),
        ("allow", NO_KEYS, "has no keys"),
        ("require", PLAIN, "encrypted media is required"),
        ("require", NO_KEYS, "has no keys"),
        ("require", UNKNOWN, "no way to encrypt in common"),
    ],
)
def test_what_is_refused(policy: Policy, theirs: bytes, words: str) -> None:
    with pytest.raises(NegotiationFailure) as refused:
        OfferAnswer().answer(theirs, local(policy))
    assert (refused.value.status, words in refused.value.text) == (488, True)


def test_the_peers_first_usable_line_is_taken_under_its_tag() -> None:
    theirs = offer(
        "RTP/SAVP", crypto(1, 1, more=" UNENCRYPTED_SRTP"), crypto(2, 4, "AES_CM_128_HMAC_SHA1_32"), crypto(3, 5)
    )
    body, negotiated = OfferAnswer().answer(theirs, local("require"))
    assert negotiated.keys is not None
    assert negotiated.keys.suite == "AES_CM_128_HMAC_SHA1_32"
    assert (audio(body).attribute("crypto") or "").startswith("4 AES_CM_128_HMAC_SHA1_32 ")
    assert len(audio(body).all("crypto")) == 1


@pytest.mark.parametrize("policy", ["allow", "require"])
def test_of_two_lines_the_encrypted_one_is_taken(policy: Policy) -> None:
    theirs = sdp("m=audio 5000 RTP/AVP 0", "m=audio 5002 RTP/SAVP 0", crypto())
    body, negotiated = OfferAnswer().answer(theirs, local(policy))
    assert [line.port for line in parse_sdp(body).media] == [0, LOCAL.port]
    assert negotiated.remote_port == 5002


def test_who_names_its_keys_is_answered_with_a_named_key() -> None:
    body, negotiated = OfferAnswer().answer(offer("RTP/SAVP", crypto(more="|2^31|5:4")), local("allow"))
    assert negotiated.keys is not None
    assert (negotiated.keys.theirs[0].mki, negotiated.keys.ours.mki) == (b"\0\0\0\5", b"\0\0\0\1")
    assert (audio(body).attribute("crypto") or "").endswith("|1:4")


@pytest.mark.parametrize(
    ("policy", "protocol"), [("disable", "RTP/AVP"), ("allow", "RTP/AVP"), ("require", "RTP/SAVP")]
)
def test_what_is_offered(policy: Policy, protocol: str) -> None:
    ours = audio(OfferAnswer().offer(local(policy)))
    assert ours.protocol == protocol
    lines = [read_crypto(text) for text in ours.all("crypto")]
    assert [line.suite for line in lines if line] == ([] if policy == "disable" else list(OFFERED))
    assert len({line.keys for line in lines if line}) == len(lines), "each line has a key of its own"


def answered(mine: OfferAnswer, theirs: OfferAnswer, policies: tuple[Policy, Policy]) -> str:
    """What two sides agree on; "" = plain."""
    body, heard = theirs.answer(mine.offer(local(policies[0], 1)), local(policies[1], 2))
    agreed = mine.accept(body)
    if agreed.keys is None or heard.keys is None:
        assert agreed.keys == heard.keys
        return ""
    assert (agreed.keys.ours, agreed.keys.theirs) == (heard.keys.theirs[0], (heard.keys.ours,))
    return agreed.keys.suite


@pytest.mark.parametrize(
    ("policies", "suite"),
    [
        (("disable", "disable"), ""), (("disable", "allow"), ""), (("allow", "disable"), ""),
        (("allow", "allow"), OFFERED[0]), (("allow", "require"), OFFERED[0]), (("require", "allow"), OFFERED[0]),
        (("require", "require"), OFFERED[0]),
    ],
)  # fmt: skip
def test_two_of_us_agree(policies: tuple[Policy, Policy], suite: str) -> None:
    assert answered(OfferAnswer(), OfferAnswer(), policies) == suite


@pytest.mark.parametrize("policies", [("disable", "require"), ("require", "disable")])
def test_two_of_us_do_not_agree(policies: tuple[Policy, Policy]) -> None:
    with pytest.raises(NegotiationFailure, match="488"):
        answered(OfferAnswer(), OfferAnswer(), policies)


@pytest.mark.parametrize(
    "answer",
    [
        offer("RTP/SAVP"),
        offer("RTP/AVP"),
        offer("RTP/SAVP", crypto(tag=9)),
        offer("RTP/SAVP", crypto(tag=1)),  # the tag of another suite
        offer("RTP/SAVP", crypto(1, 3), crypto(2, 3)),
    ],
)
def test_an_answer_that_is_none_of_what_was_offered_is_no_agreement(answer: bytes) -> None:
    mine = OfferAnswer()
    mine.offer(local("require"))
    with pytest.raises(NegotiationFailure):
        mine.accept(answer)
    assert mine.negotiated is None


def test_an_optional_offer_answered_with_broken_keys_is_no_agreement() -> None:
    mine = OfferAnswer()
    mine.offer(local("allow"))
    with pytest.raises(NegotiationFailure, match="none of those"):
        mine.accept(offer("RTP/AVP", "a=crypto:1 x y"))


def test_keys_stay_while_a_call_is_held_by_either_side() -> None:
    mine, theirs = OfferAnswer(), OfferAnswer()
    body, first = theirs.answer(mine.offer(local("require", 1)), local("require", 2))
    agreed = mine.accept(body)
    held = replace(local("require", 3), direction="sendonly")
    again, heard = theirs.answer(mine.offer(held), local("require", 4))
    assert mine.accept(again).keys == agreed.keys
    assert heard.keys == first.keys


def test_a_peer_that_changes_its_key_alone_gets_ours_as_it_was() -> None:
    mine = OfferAnswer()
    _, before = mine.answer(offer("RTP/SAVP", crypto(1)), local("allow"))
    _, after = mine.answer(offer("RTP/SAVP", crypto(2)), local("allow"))
    assert before.keys is not None
    assert after.keys is not None
    assert after.keys.theirs != before.keys.theirs
    assert after.keys.ours == before.keys.ours


@pytest.mark.parametrize("change", ["place", "suite", "name"])
def test_where_there_may_be_another_device_our_key_is_new(change: str) -> None:
    mine = OfferAnswer()
    encryption = local("allow")
    _, before = mine.answer(offer("RTP/SAVP", crypto(1)), encryption)
    changed = {
        "place": offer("RTP/SAVP", crypto(2), port=7000),
        "suite": offer("RTP/SAVP", crypto(2, suite="AES_CM_128_HMAC_SHA1_32")),
        "name": offer("RTP/SAVP", crypto(2, more="|1:1")),
    }[change]
    _, after = mine.answer(changed, encryption)
    assert before.keys is not None
    assert after.keys is not None
    assert after.keys.ours.key != before.keys.ours.key


def test_an_offer_that_is_asked_for_in_a_call_has_new_keys_of_all_suites() -> None:
    mine, theirs = OfferAnswer(), OfferAnswer()
    encryption = local("require", 1)
    body, _ = theirs.answer(mine.offer(encryption), local("require", 2))
    before = mine.accept(body)
    assert before.keys is not None
    ours = audio(mine.offer(encryption, anew=True))
    lines = [line for text in ours.all("crypto") if (line := read_crypto(text)) is not None]
    assert [line.suite for line in lines] == list(OFFERED)
    assert before.keys.ours not in [each for line in lines for each in line.keys]


def test_a_call_that_is_plain_by_agreement_is_not_offered_keys_when_it_is_held() -> None:
    mine, theirs = OfferAnswer(), OfferAnswer()
    body, _ = theirs.answer(mine.offer(local("allow")), local("disable"))
    assert mine.accept(body).keys is None
    assert audio(mine.offer(local("allow"))).attribute("crypto") is None


def test_a_required_call_cannot_be_made_plain_by_a_reinvite() -> None:
    mine = OfferAnswer()
    _, before = mine.answer(SECURE, local("require"))
    with pytest.raises(NegotiationFailure) as refused:
        mine.answer(PLAIN, local("require"))
    assert refused.value.status == 488
    assert mine.negotiated == before


def test_no_key_is_in_a_repr() -> None:
    _, negotiated = OfferAnswer().answer(SECURE, local("allow"))
    assert "key=" not in repr(negotiated).replace("keys=", "")
