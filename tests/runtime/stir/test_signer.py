"""Who may sign: chains, keys and lists of telephone numbers, made by other hands than what judges them."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from runtime.stir.signer import Authorities, Signer, read_signer
from runtime.stir.tn_auth_list import TnAuthList, TnAuthListError, read_tn_auth_list
from runtime.stir.verdict import Fault, Refusal
from runtime.stir.verification import Claimed, Inquiry, begin
from tests.stir_carrier import BEGAN, CALLED, CALLER, LONG, Carrier, der, numbers, one, root, spc, tn_auth_list

NOW = BEGAN.timestamp() + 86_400 * 30
CARRIER = Carrier()
TRUSTED = Authorities.read(CARRIER.authority.pem)
SIGNED = dict[str, Any]


def judged(pem: bytes, trusted: Authorities = TRUSTED, now: float = NOW) -> Signer | Refusal:
    return read_signer(pem, trusted, now)


def refused(pem: bytes, words: str, fault: Fault = Fault.UNTRUSTED, **more: Any) -> None:
    found = judged(pem, **more)
    assert isinstance(found, Refusal)
    assert found.fault is fault
    assert words in found.words


def test_a_provider_s_chain() -> None:
    signer = judged(CARRIER.chain)
    assert isinstance(signer, Signer)
    assert (signer.own, signer.others, signer.name) == (TnAuthList(codes=("709J",)), (), "SHAKEN 709J")
    assert signer.is_provider
    assert signer.may_sign_for(CALLER)
    assert signer.is_valid(NOW)
    assert not signer.is_valid(BEGAN.timestamp() - 1)


def test_one_certificate_alone_in_pem_or_der() -> None:
    own = CARRIER.authority.issue("direct", entries=(spc("1234"),))
    assert isinstance(judged(own.pem), Signer)
    assert isinstance(judged(own.certificate.public_bytes(serialization.Encoding.DER)), Signer)


def test_an_intermediate_may_be_an_authority() -> None:
    assert CARRIER.middle is not None
    assert isinstance(judged(CARRIER.own.pem, Authorities.read(CARRIER.middle.pem)), Signer)


def test_chains_that_lead_nowhere() -> None:
    refused(Carrier().chain, "")
    refused(CARRIER.own.pem, "unable to get")
    refused(CARRIER.authority.issue("x", entries=(spc("1"),)).pem, "trusts no authority", trusted=Authorities())
    impostor = CARRIER.own.issue("below a leaf", entries=(spc("1"),))
    assert CARRIER.middle is not None
    refused(impostor.pem + CARRIER.own.pem + CARRIER.middle.pem, "")
    far = CARRIER.middle.issue("CA below a CA of path length 0", is_authority=True)
    refused(far.issue("x", entries=(spc("1"),)).pem + far.pem + CARRIER.middle.pem, "")
    refused(CARRIER.own.pem * 5, "more than 4")


@pytest.mark.parametrize("broken", [b"", b"x", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate(broken: bytes) -> None:
    refused(broken, "there is no certificate", Fault.NO_CERTIFICATE)


def test_dates() -> None:
    old = CARRIER.authority.issue("old", entries=(spc("1"),), lasts=timedelta(days=10))
    refused(old.pem, "expired")
    later = CARRIER.authority.issue("later", entries=(spc("1"),), begins=BEGAN + timedelta(days=60))
    refused(later.pem, "not yet valid")
    begins = BEGAN + timedelta(days=5)
    short = CARRIER.authority.issue("short CA", is_authority=True, begins=begins, lasts=timedelta(days=40))
    signer = judged(short.issue("x", entries=(spc("1"),), lasts=LONG).pem + short.pem)
    assert isinstance(signer, Signer)
    assert signer.valid_until == short.certificate.not_valid_after_utc.timestamp(), "the chain's, not its own"
    assert signer.valid_from == begins.timestamp()


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (ec.generate_private_key(ec.SECP384R1()), "P-256"),
        (rsa.generate_private_key(65537, 2048), "P-256"),
        (ed25519.Ed25519PrivateKey.generate(), "P-256"),
    ],
)
def test_keys(key: Any, words: str) -> None:
    refused(CARRIER.authority.issue("x", key, entries=(spc("1"),)).pem, words)


def test_keys_of_those_who_issue() -> None:
    big = CARRIER.authority.issue("RSA CA", rsa.generate_private_key(65537, 2048), is_authority=True)
    assert isinstance(judged(big.issue("x", entries=(spc("1"),)).pem + big.pem), Signer)
    odd = CARRIER.authority.issue("RSA CA", rsa.generate_private_key(65537, 1024), is_authority=True)
    refused(odd.issue("x", entries=(spc("1"),)).pem + odd.pem, "2048")


def test_a_key_that_may_not_sign() -> None:
    refused(CARRIER.authority.issue("x", entries=(spc("1"),), signs=False).pem, "not meant for signatures")


def test_what_a_certificate_says_is_read_once_somebody_vouches_for_it() -> None:
    refused(root("another").issue("x", entries=(spc("1"),), signs=False).pem, "issuer")


def test_a_certificate_that_says_nothing_of_numbers() -> None:
    refused(CARRIER.authority.issue("a web server").pem, "TNAuthList")
    refused(CARRIER.authority.issue("x", raw_list=b"\x30\x00").pem, "cannot be read: it is empty")


def test_a_part_is_no_more_than_the_whole() -> None:
    delegate = CARRIER.authority.issue("delegate", entries=(numbers("12155551200", 100),), is_authority=True)
    greedy = delegate.issue("customer", entries=(one("12155551212"), one("19995551212")))
    signer = judged(greedy.pem + delegate.pem)
    assert isinstance(signer, Signer)
    assert signer.may_sign_for("12155551212")
    assert not signer.may_sign_for("19995551212")
    assert not signer.is_provider


# -- the list ----------------------------------------------------------------------------------------------------------


def test_ranges_and_single_numbers() -> None:
    found = read_tn_auth_list(tn_auth_list(numbers("12155551200", 13), one("*67"), one("442071234567")))
    assert found == TnAuthList((), (("12155551200", 13), ("*67", 1), ("442071234567", 1)))
    for number in ("12155551200", "12155551212", "*67", "442071234567"):
        assert found.covers(number)
    for number in ("12155551213", "12155551199", "2155551200", "012155551200", "*68", ""):
        assert not found.covers(number)


@given(st.integers(10**9, 10**12), st.integers(2, 10**6), st.integers(-10, 10**6 + 10))
def test_a_range_is_what_it_says(first: int, count: int, offset: int) -> None:
    found = read_tn_auth_list(tn_auth_list(numbers(str(first), count)))
    number = str(first + offset)
    assert found.covers(number) is (0 <= offset < count and len(number) == len(str(first)))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x30", b"\x30\x00", b"\x30\x80\x00\x00", b"\x31\x02\x05\x00", tn_auth_list(spc("1")) + b"\x00",
        tn_auth_list(spc("")), tn_auth_list(spc("x" * 33)), tn_auth_list(spc("\x01")), tn_auth_list(one("1" * 16)),
        tn_auth_list(one("alice")), tn_auth_list(der(0xA3, der(0x16, b"1"))), tn_auth_list(der(0xA0, b"1")),
        tn_auth_list(der(0xA1, der(0x30, der(0x16, b"1")))), tn_auth_list(numbers("1", 1)[:-1] + b"\xff"),
        tn_auth_list(der(0xA1, der(0x30, der(0x16, b"1"), der(0x02, b"\x01" * 9)))), b"\x30\x81\x05" + spc("1"),
        b"\x30\x85\x00\x00\x00\x00\x05" + spc("1"), tn_auth_list(*[spc("1")] * 1001),
    ],
)  # fmt: skip
def test_what_is_no_list(data: bytes) -> None:
    with pytest.raises(TnAuthListError):
        read_tn_auth_list(data)


# -- signatures --------------------------------------------------------------------------------------------------------


def test_the_es256_example_of_rfc_7515() -> None:
    """Appendix A.3: a signature that others have made."""
    x, y = (
        int.from_bytes(base64.urlsafe_b64decode(part + "="))
        for part in ("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")
    )
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    signer = Signer(key, 0, 1, TnAuthList())
    signed = (
        b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
        b"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    signature = base64.urlsafe_b64decode(
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q=="
    )
    assert signer.has_signed(signed, signature)
    assert not signer.has_signed(signed + b"x", signature)
    assert not signer.has_signed(signed, bytes(64))
    assert not signer.has_signed(signed, b"\xff" * 64)


def said(carrier: Carrier, entries: tuple[bytes, ...], **more: Any) -> object:
    """What comes of a call that a holder of these entries has signed."""
    holder = carrier.authority.issue("holder", entries=entries)
    signer = judged(holder.pem, Authorities.read(carrier.authority.pem))
    identity = carrier.identity(NOW, key=holder.key, **more)
    inquiry = begin(Claimed([identity], "", f"+{CALLER}", f"+{CALLED}"), ["*"], NOW)
    assert isinstance(inquiry, Inquiry)
    return inquiry.found(signer, NOW)


def test_only_a_provider_attests_and_a_holder_of_numbers_signs_for_those() -> None:
    here = Carrier(root("another"))
    found = said(here, (one(CALLER),))
    assert isinstance(found, Refusal)
    assert "service provider" in found.words
    found = said(here, (numbers("19995550000", 10),), attest=None)
    assert isinstance(found, Refusal)
    assert found.fault is Fault.UNTRUSTED
    assert "not for the caller's number" in found.words
    assert not isinstance(said(here, (numbers("12155551200", 100),), attest=None), Refusal)
    assert not isinstance(said(here, (spc("709J"),)), Refusal)


def test_a_certificate_that_expires_while_it_is_kept_is_not_taken_any_more() -> None:
    holder = CARRIER.authority.issue("short", entries=(spc("1"),), lasts=timedelta(days=40))
    signer = judged(holder.pem)
    later = BEGAN.timestamp() + 86_400 * 41
    identity = CARRIER.identity(later, key=holder.key)
    inquiry = begin(Claimed([identity], "", CALLER, CALLED), ["*"], later)
    assert isinstance(inquiry, Inquiry)
    found = inquiry.found(signer, later)
    assert isinstance(found, Refusal)
    assert found.fault is Fault.UNTRUSTED
    assert "expired" in found.words


def test_who_is_trusted_is_read_from_a_file() -> None:
    both = Authorities.read(CARRIER.authority.pem + root("b").pem)
    assert len(both.certificates) == 2
    for nothing in (b"", b"# nobody\n"):
        with pytest.raises(ValueError, match=r".*"):
            Authorities.read(nothing)


@given(st.binary(max_size=200))
def test_noise_is_no_signer(data: bytes) -> None:
    assert isinstance(judged(data), Refusal)


@given(st.integers(0, 2000), st.integers(0, 255))
def test_a_chain_with_one_byte_changed_is_taken_by_nobody_or_says_the_same(at: int, byte: int) -> None:
    leaf = CARRIER.authority.issue("x", entries=(spc("709J"),), key=KEY).certificate
    data = bytearray(leaf.public_bytes(serialization.Encoding.DER))
    data[at % len(data)] = byte
    found = judged(bytes(data))
    assert isinstance(found, Refusal) or found.own == TnAuthList(codes=("709J",))


KEY = ec.generate_private_key(ec.SECP256R1())
