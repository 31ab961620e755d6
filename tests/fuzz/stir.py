"""What a caller can write into its Identity header, and what can lie at the place that it names."""

from __future__ import annotations

import base64
from contextlib import suppress
from functools import cache

from cryptography.hazmat.primitives import serialization

from runtime.stir.header import IdentityHeader, read_identity_header
from runtime.stir.limits import TN_DIGITS_MAX, URL_CHARS_MAX
from runtime.stir.passport import PassportError, read_passport
from runtime.stir.signer import Authorities, Signer, read_signer
from runtime.stir.tn_auth_list import TnAuthListError, read_tn_auth_list
from runtime.stir.verdict import Refusal, Verified
from runtime.stir.verification import Claimed, Inquiry, begin, date_of
from tests.stir_carrier import CALLED, CALLER, URL, Carrier, numbers, one, spc, tn_auth_list

WORDS = (
    b";info=<https://", b";alg=ES256", b";ppt=shaken", b"..", b"eyJ", b'{"alg":"ES256","typ":"passport"}', b'"tn":[',
    b'"attest":"A"', b'"origid":"', b"-----BEGIN CERTIFICATE-----\n", b"\x30\x82", b"\xa0\x06\x16\x04", b"\xa1",
    b"\x00",
)  # fmt: skip
SEPARATOR = b"\x00\x00"
"""Between the header, the Date and what is at the certificate's place."""
AT = 1_790_000_000.0


@cache
def carrier() -> Carrier:
    return Carrier()


@cache
def trusted() -> Authorities:
    return Authorities.read(carrier().authority.pem)


def fuzz_stir(data: bytes) -> None:
    """Nobody is verified but who has signed; whatever comes is a verdict with words that can be shown."""
    head, _, rest = data.partition(SEPARATOR)
    date, _, certificate = rest.partition(SEPARATOR)
    value = head.decode("utf-8", "replace")
    signer = read_signer(certificate or carrier().chain, trusted(), AT)
    told = date.decode("latin-1")
    step = begin(Claimed([value], told, f"+{CALLER}", f"+{CALLED}"), ["*.example.org", "*:8443"], AT)
    while isinstance(step, Inquiry):
        assert len(step.place.url) <= URL_CHARS_MAX
        assert step.place.url.lower().startswith("https://")
        assert step.place.host.endswith(".example.org") or step.place.port == 8443
        step = step.found(signer, AT)
    if isinstance(step, Refusal):
        assert step.words
        assert step.words.isprintable()
        assert 400 <= step.answer[0] < 500
    else:
        assert isinstance(step, Verified)
        assert isinstance(signer, Signer)
        assert _payload(value) in _signed(), "nobody else can sign"
    date_of(told)
    _parts(value, certificate)
    _claims(head)


def _claims(data: bytes) -> None:
    """The same with JSON as it is, which no mutant of base64 would be: the header's, a line feed, the payload's."""
    head, _, payload = data.partition(b"\n")
    header = IdentityHeader(_base64(head), _base64(payload), _base64(bytes(64)), URL, "ES256", "shaken")
    with suppress(PassportError):
        passport = read_passport(header)
        assert passport.attestation in ("A", "B", "C")
        assert passport.origid.isprintable()
        assert passport.iat >= 0


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _parts(value: str, certificate: bytes) -> None:
    header = read_identity_header(value)
    if header is not None and not header.is_compact:
        with suppress(PassportError):
            passport = read_passport(header)
            assert 0 < len(passport.caller) <= TN_DIGITS_MAX
            assert len(passport.signature) == 64
    try:
        found = read_tn_auth_list(certificate)
    except TnAuthListError:
        return
    assert found.codes or found.ranges
    found.covers(CALLER)


def _payload(value: str) -> str:
    """What was signed, however the parameters behind it are spelled."""
    return value.partition(";")[0].strip().rpartition(".")[0]


@cache
def _headers() -> tuple[str, ...]:
    here = carrier()
    return here.identity(AT), here.identity(AT, attest=None), here.compact(int(AT))


@cache
def _signed() -> frozenset[str]:
    return frozenset(map(_payload, _headers()))


def stir_seeds() -> list[bytes]:
    """Headers that hold, one that does not, and what may be at their places."""
    here = carrier()
    date = b"Mon, 21 Sep 2026 14:13:20 GMT"
    der = here.own.certificate.public_bytes(serialization.Encoding.DER)
    head, payload = (base64.urlsafe_b64decode(part + "==") for part in _headers()[0].split(".")[:2])
    return [
        head + b"\n" + payload,
        *(SEPARATOR.join((header.encode(), date, b"")) for header in _headers()),
        SEPARATOR.join((_headers()[0].encode(), date, here.chain)),
        SEPARATOR.join((_headers()[0].encode(), b"", der)),
        SEPARATOR.join((here.identity(AT - 100, url=URL.replace("https", "http")).encode(), date, b"")),
        SEPARATOR.join((b"", b"", tn_auth_list(spc("709J"), numbers("12155551200", 100), one("*67")))),
    ]
