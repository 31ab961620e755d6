"""A carrier that signs calls, for tests: an authority, certificates with a TNAuthList, and PASSporTs.

Nothing of it is the bridge's: tokens are signed by PyJWT, certificates by `cryptography`, and the TNAuthList is put
together byte by byte from RFC 8226.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier

TN_AUTH_LIST = ObjectIdentifier("1.3.6.1.5.5.7.1.26")
CALLER, CALLED = "12155551212", "12125551213"
URL = "https://cert.example.org/passport.pem"
ORIGID = "123e4567-e89b-12d3-a456-426655440000"

Key = ec.EllipticCurvePrivateKey


def der(tag: int, *parts: bytes) -> bytes:
    """One element."""
    value = b"".join(parts)
    if len(value) < 0x80:
        return bytes([tag, len(value)]) + value
    size = (len(value).bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + len(value).to_bytes(size) + value


def spc(code: str) -> bytes:
    """An entry with a service provider's code."""
    return der(0xA0, der(0x16, code.encode()))


def numbers(first: str, count: int) -> bytes:
    """An entry with a range."""
    return der(0xA1, der(0x30, der(0x16, first.encode()), der(0x02, count.to_bytes(count.bit_length() // 8 + 1))))


def one(number: str) -> bytes:
    """An entry with one number."""
    return der(0xA2, der(0x16, number.encode()))


def tn_auth_list(*entries: bytes) -> bytes:
    """The extension's value."""
    return der(0x30, *entries)


@dataclass
class Issuer:
    """Who issues certificates: `certificate` is its own, signed by itself or by another."""

    name: str
    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        name: str,
        key: Any = None,
        *,
        entries: tuple[bytes, ...] = (),
        is_authority: bool = False,
        path_length: int | None = None,
        begins: datetime | None = None,
        lasts: timedelta = timedelta(days=365),
        signs: bool = True,
        raw_list: bytes | None = None,
    ) -> Issuer:
        """Somebody with a certificate of this one's."""
        return issued(
            self, name, key, entries, is_authority, path_length, begins or BEGAN, lasts, signs=signs, raw_list=raw_list
        )


BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
"""Certificates of tests in virtual time last long."""
LONG = timedelta(days=20_000)


def issued(
    by: Issuer | None,
    name: str,
    key: Any,
    entries: tuple[bytes, ...],
    is_authority: bool,
    path_length: int | None,
    begins: datetime,
    lasts: timedelta,
    *,
    signs: bool = True,
    raw_list: bytes | None = None,
) -> Issuer:
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .issuer_name(by.certificate.subject if by else subject)
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + lasts)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=path_length), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=signs,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=not signs,
                key_cert_sign=is_authority,
                crl_sign=is_authority,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if entries or raw_list is not None:
        value = raw_list if raw_list is not None else tn_auth_list(*entries)
        builder = builder.add_extension(x509.UnrecognizedExtension(TN_AUTH_LIST, value), critical=False)
    return Issuer(name, builder.sign(by.key if by else key, hashes.SHA256()), key)


def root(name: str = "STI-CA root") -> Issuer:
    """An authority of its own."""
    return issued(None, name, None, (), True, None, BEGAN, LONG)


@dataclass
class Carrier:
    """A service provider, its chain, and how it signs."""

    authority: Issuer = field(default_factory=root)
    middle: Issuer | None = None
    own: Issuer = field(init=False)

    def __post_init__(self) -> None:
        self.middle = self.middle or self.authority.issue("STI-CA", is_authority=True, path_length=0, lasts=LONG)
        self.own = self.middle.issue("SHAKEN 709J", entries=(spc("709J"),), lasts=LONG)

    @property
    def chain(self) -> bytes:
        """What is served: its own certificate, and the one above."""
        assert self.middle is not None
        return self.own.pem + self.middle.pem

    def token(
        self,
        iat: float,
        caller: str = CALLER,
        called: str = CALLED,
        *,
        url: str = URL,
        attest: str | None = "A",
        key: Key | None = None,
        headers: Mapping[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """A PASSporT: of SHAKEN, or a plain one where it attests to nothing."""
        head: dict[str, Any] = {"alg": "ES256", "typ": "passport", "x5u": url}
        body: dict[str, Any] = {"dest": {"tn": [called]}, "iat": int(iat), "orig": {"tn": caller}}
        if attest is not None:
            head["ppt"] = "shaken"
            body |= {"attest": attest, "origid": ORIGID}
        return jwt.api_jws.encode(
            json.dumps(body | dict(claims or {}), sort_keys=True, separators=(",", ":")).encode(),
            key or self.own.key,
            algorithm="ES256",
            headers=head | dict(headers or {}),
        )

    def identity(self, iat: float, caller: str = CALLER, called: str = CALLED, **more: Any) -> str:
        """The value of an Identity header."""
        url = more.get("url", URL)
        ppt = "" if more.get("attest", "A") is None else ";ppt=shaken"
        return f"{self.token(iat, caller, called, **more)};info=<{url}>;alg=ES256{ppt}"

    def compact(self, iat: float, caller: str = CALLER, called: str = CALLED, url: str = URL) -> str:
        """The same of a plain PASSporT in compact form."""
        _, _, signature = self.token(iat, caller, called, url=url, attest=None).split(".")
        return f"..{signature};info=<{url}>"
