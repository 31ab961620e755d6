"""Checks of ICE: those of the phone are answered and nominate; nobody else's do, and no datagram raises."""

from __future__ import annotations

import hmac
import zlib
from dataclasses import replace

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.ice_checks import ATTRIBUTES_MAX, IceNames
from runtime.media.ice_lite import CHECKED_MAX, CONSENT_S, IceLite

NAMES = IceNames("ours", "p" * 32, "theirs")
PHONE, OTHER = ("192.0.2.7", 4000), ("192.0.2.8", 4001)


def check(names: IceNames = NAMES, *, nominates: bool = False, priority: int = 100, **more: object) -> bytes:
    """A check as another implementation (aioice) makes it."""
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = f"{names.ufrag}:{names.their_ufrag}"
    message.attributes["PRIORITY"] = priority
    message.attributes["ICE-CONTROLLING"] = 7
    if nominates:
        message.attributes["USE-CANDIDATE"] = None
    for name, value in more.items():
        message.attributes[name.replace("_", "-")] = value
    message.add_message_integrity(names.password.encode())
    return bytes(message)


def test_a_check_is_answered_as_another_implementation_reads_it() -> None:
    for address in (PHONE, ("2001:db8::7", 4000)):
        ice = IceLite(NAMES)
        request = check()
        answer = ice.answer(request, address, 1.0)
        assert answer is not None
        read = stun.parse_message(answer)
        signed = answer[:2] + (len(answer) - 28).to_bytes(2) + answer[4:-32]
        assert read.attributes["MESSAGE-INTEGRITY"] == hmac.digest(NAMES.password.encode(), signed, "sha1")
        assert (read.message_method, read.message_class) == (stun.Method.BINDING, stun.Class.RESPONSE)
        assert read.transaction_id == stun.parse_message(request).transaction_id
        assert read.attributes["XOR-MAPPED-ADDRESS"] == address
        assert "FINGERPRINT" in read.attributes
        assert ice.is_checked(address)
        assert ice.nominated is None


@pytest.mark.parametrize("step", [0, 1], ids=["of-one-name", "of-many"])
def test_of_a_datagram_of_many_attributes_no_more_is_looked_at_than_a_check_has(step: int) -> None:
    def signed(many: int) -> bytes:
        whole = check()
        added = b"".join((0x9000 + number * step).to_bytes(2) + bytes(2) for number in range(many))
        body = added + whole[20:-32]  # without its signature and fingerprint
        head = whole[:2] + (len(body) + 24).to_bytes(2) + whole[4:20]
        before = head + body
        message = before + b"\x00\x08\x00\x14" + hmac.digest(NAMES.password.encode(), before, "sha1")
        message = message[:2] + (len(body) + 32).to_bytes(2) + message[4:]
        return message + b"\x80\x28\x00\x04" + (zlib.crc32(message) ^ 0x5354554E).to_bytes(4)

    assert IceLite(NAMES).answer(signed(ATTRIBUTES_MAX - 5), PHONE, 1.0) is not None
    assert IceLite(NAMES).answer(signed(ATTRIBUTES_MAX - 4), PHONE, 1.0) is None


def test_the_phone_nominates_and_may_change_its_mind() -> None:
    ice = IceLite(NAMES)
    ice.answer(check(nominates=True, priority=10), PHONE, 1.0)
    assert ice.nominated == PHONE
    ice.answer(check(nominates=True, priority=5), OTHER, 1.5)
    assert ice.nominated == PHONE, "not for one of lower priority"
    ice.answer(check(nominates=True, priority=20), OTHER, 2.0)
    assert ice.nominated == OTHER
    ice.answer(check(nominates=True, priority=10), PHONE, 9.0)
    assert ice.nominated == PHONE, "the other one has fallen silent"


def test_consent_ends_with_the_checks() -> None:
    ice = IceLite(NAMES)
    assert not ice.consents(0.0)
    ice.answer(check(nominates=True), PHONE, 1.0)
    assert ice.consents(CONSENT_S)
    assert not ice.consents(CONSENT_S + 1.1)
    ice.answer(check(), PHONE, CONSENT_S + 2)
    assert ice.consents(CONSENT_S + 3)


@pytest.mark.parametrize(
    "names",
    [replace(NAMES, password="q" * 32), replace(NAMES, ufrag="other"), replace(NAMES, their_ufrag="other")],
)
def test_who_does_not_know_the_names_is_not_answered(names: IceNames) -> None:
    ice = IceLite(NAMES)
    assert ice.answer(check(names, nominates=True), PHONE, 1.0) is None
    assert not ice.is_checked(PHONE)


def without(request: bytes, tail: int) -> bytes:
    """The request without what stands at its end, its length put right."""
    cut = request[:-tail]
    return cut[:2] + (len(cut) - 20).to_bytes(2) + cut[4:]


def test_what_is_not_signed_or_not_whole_is_not_answered() -> None:
    ice, request = IceLite(NAMES), check(nominates=True)
    unsigned = without(without(request, 8), 24)
    checksum = (zlib.crc32(unsigned[:2] + (len(unsigned) - 12).to_bytes(2) + unsigned[4:]) ^ 0x5354554E).to_bytes(4)
    signed_late = unsigned[:2] + (len(unsigned) - 12).to_bytes(2) + unsigned[4:] + b"\x80\x28\x00\x04" + checksum
    for broken in (without(request, 8), unsigned, signed_late, request + b"\0\0\0\0", request[:-1], request[:20], b""):
        assert ice.answer(broken, PHONE, 1.0) is None
    assert ice.nominated is None


def test_what_stands_behind_the_signature_does_not_nominate() -> None:
    ice, request = IceLite(NAMES), without(check(), 8)
    longer = request[:2] + (len(request) - 20 + 12).to_bytes(2) + request[4:] + b"\x00\x25\x00\x00"
    whole = longer + b"\x80\x28\x00\x04" + (zlib.crc32(longer) ^ 0x5354554E).to_bytes(4)
    assert ice.answer(whole, PHONE, 1.0) is not None
    assert ice.nominated is None


def test_a_phone_that_would_have_us_decide_is_told_of_the_conflict() -> None:
    ice = IceLite(NAMES)
    answer = ice.answer(check(nominates=True, ICE_CONTROLLED=1), PHONE, 1.0)
    assert answer is not None
    assert stun.parse_message(answer).attributes["ERROR-CODE"][0] == 487
    assert ice.nominated is None


def test_an_attribute_that_must_be_understood_and_is_not_is_named() -> None:
    ice, request = IceLite(NAMES), without(without(check(), 8), 24)
    longer = request[:2] + (len(request) - 20 + 8 + 24).to_bytes(2) + request[4:] + b"\x00\x77\x00\x01x\0\0\0"
    signed = longer + b"\x00\x08\x00\x14" + hmac.digest(NAMES.password.encode(), longer, "sha1")
    signed = signed[:2] + (len(signed) - 20 + 8).to_bytes(2) + signed[4:]
    answer = ice.answer(signed + b"\x80\x28\x00\x04" + (zlib.crc32(signed) ^ 0x5354554E).to_bytes(4), PHONE, 1.0)
    assert answer is not None
    assert b"\x00\x0a\x00\x02\x00\x77" in answer
    assert not ice.is_checked(PHONE)


def test_checked_addresses_are_bounded_and_the_nominated_one_stays() -> None:
    ice = IceLite(NAMES)
    ice.answer(check(nominates=True), PHONE, 0.5)
    for n in range(50):
        ice.answer(check(), ("192.0.2.99", n), 1.0 + n)
    assert ice.is_checked(PHONE)
    assert sum(ice.is_checked(("192.0.2.99", n)) for n in range(50)) == CHECKED_MAX - 1


@given(st.binary(max_size=200))
def test_no_datagram_raises(data: bytes) -> None:
    ice = IceLite(NAMES)
    assert ice.answer(data, PHONE, 1.0) is None
    assert ice.answer(check()[:20] + data, PHONE, 1.0) is None


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_check_with_any_bit_changed_is_not_answered(at: int, change: int) -> None:
    request = bytearray(check(nominates=True))
    request[at % len(request)] ^= change
    assert IceLite(NAMES).answer(bytes(request), PHONE, 1.0) is None


def test_no_password_is_shown() -> None:
    assert "ppp" not in repr(NAMES)
