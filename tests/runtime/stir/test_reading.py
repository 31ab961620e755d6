"""Identity headers, PASSporTs, numbers and places of certificates, as strangers write them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.stir.header import IdentityHeader, read_identity_header
from runtime.stir.numbers import canonical_number
from runtime.stir.passport import PassportError, expand_passport, read_passport
from runtime.stir.place import is_allowed, read_place

RFC8225_HEADER = (
    "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9"
)
RFC8225_PAYLOAD = (
    "eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0s"
    "ImlhdCI6MTQ3MTM3NTQxOCwib3JpZyI6eyJ0biI6IjEyMTU1NTUxMjEyIn19"
)
RFC8225_SIGNATURE = "VLBCIVDCaeK6M4hLJb6SHQvacAQVvoiiEOWQ_iUkqk79UD81fHQ0E1b3_GluIkba7UWYRM47ZbNFdOJquE35cw"
"""Appendix A: a PASSporT from a number to a URI."""

INFO = "https://cert.example.org/passport.cer"
RFC8588 = {
    "attest": "A",
    "dest": {"tn": ["12125551213"]},
    "iat": 1443208345,
    "orig": {"tn": "12155551212"},
    "origid": "123e4567-e89b-12d3-a456-426655440000",
}
"""Section 3: the claims of its example; its header is `SHAKEN_HEADER`."""
SHAKEN_HEADER = {"alg": "ES256", "typ": "passport", "ppt": "shaken", "x5u": INFO}


def b64(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def header(head: object = SHAKEN_HEADER, claims: object = RFC8588, **more: Any) -> IdentityHeader:
    fields = {"info": INFO, "alg": "ES256", "ppt": "shaken", "signature": b64(bytes(64)), **more}
    return IdentityHeader(b64(head), b64(claims), **fields)


def test_the_example_of_rfc_8588() -> None:
    passport = read_passport(header())
    assert (passport.caller, passport.called, passport.iat) == ("12155551212", ("12125551213",), 1443208345)
    assert (passport.attestation, passport.origid) == ("A", RFC8588["origid"])
    assert passport.url == INFO


def test_the_example_of_rfc_8225_is_read_up_to_its_uri() -> None:
    value = f"{RFC8225_HEADER}.{RFC8225_PAYLOAD}.{RFC8225_SIGNATURE};info=<{INFO}>"
    found = read_identity_header(value)
    assert found == IdentityHeader(RFC8225_HEADER, RFC8225_PAYLOAD, RFC8225_SIGNATURE, INFO)
    assert found is not None
    with pytest.raises(PassportError, match="to no telephone number"):
        read_passport(found)


def test_the_compact_form_is_written_as_rfc_8225_writes_it() -> None:
    found = read_identity_header(f"..{RFC8225_SIGNATURE};info=<{INFO}>;alg=ES256")
    assert found is not None
    assert found.is_compact
    passport = expand_passport(found, "12155551212", "12125551213", 1471375418)
    assert passport.signed.decode().split(".")[0] == RFC8225_HEADER
    claims = base64.urlsafe_b64decode(passport.signed.decode().split(".")[1] + "==")
    assert claims == b'{"dest":{"tn":["12125551213"]},"iat":1471375418,"orig":{"tn":"12155551212"}}'


@pytest.mark.parametrize(
    "value",
    [
        'a.b.c;info=<https://c.example/c>;ppt="shaken"',
        "a.b.c ; info = <https://c.example/c> ; ppt=shaken",
        "a.b.c;PPT=shaken;INFO=<https://c.example/c>",
    ],
)
def test_spellings_of_one_header(value: str) -> None:
    assert read_identity_header(value) == IdentityHeader("a", "b", "c", "https://c.example/c", None, "shaken")


@pytest.mark.parametrize(
    "value",
    [
        "", "a", "a.b", "a.b.c", "a.b.;info=<x>", ".b.c;info=<x>", "a..c;info=<x>", "a.b.c;info", "a.b.c;info=<>",
        "a.b.c;info=<x", "a.b.c;info=<x>;info=<y>", "a.b.c,d.e.f;info=<x>", "a.b.c;info=<x>, a.b.c;info=<x>",
        "a.b.c;info=<x> y", "a.b.c;info=<x\x00>", "ä.b.c;info=<x>", "a.b.c;info=<x>" + ";a=b" * 9,
        f"{'a' * 9000}.b.c;info=<x>", f"a.b.c;info=<{'x' * 20_000}>",
    ],
)  # fmt: skip
def test_what_is_no_identity_header(value: str) -> None:
    assert read_identity_header(value) is None


BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("another type", {"head": {**SHAKEN_HEADER, "typ": "JWT"}}),
    ("another algorithm", {"head": {**SHAKEN_HEADER, "alg": "none"}}),
    ("another algorithm", {"head": {**SHAKEN_HEADER, "alg": "HS256"}}),
    ("another algorithm", {"alg": "RS256"}),
    ("another kind", {"ppt": None}),
    ("another kind", {"head": {k: v for k, v in SHAKEN_HEADER.items() if k != "ppt"}}),
    ("certificate elsewhere", {"info": "https://other.example/c"}),
    ("crit", {"head": {**SHAKEN_HEADER, "crit": ["b64"], "b64": False}}),
    ("no JSON in its header", {"head": b"{"}),
    ("no JSON in its payload", {"claims": b"\xff"}),
    ("no JSON in its payload", {"claims": b"[" * 3000}),
    ("no JSON in its payload", {"claims": b'{"iat":1,"iat":2}'}),
    ("no JSON in its payload", {"claims": b'{"iat":NaN}'}),
    ("no JSON object", {"claims": [1]}),
    ("iat", {"claims": {**RFC8588, "iat": "1443208345"}}),
    ("iat", {"claims": {**RFC8588, "iat": True}}),
    ("iat", {"claims": {**RFC8588, "iat": 1.5}}),
    ("iat", {"claims": {**RFC8588, "iat": -1}}),
    ("iat", {"claims": {**RFC8588, "iat": 1 << 60}}),
    ("orig", {"claims": {**RFC8588, "orig": {"uri": "sip:a@b"}}}),
    ("orig", {"claims": {**RFC8588, "orig": "12155551212"}}),
    ("orig", {"claims": {**RFC8588, "orig": {"tn": ["12155551212"]}}}),
    ("dest", {"claims": {**RFC8588, "dest": {"tn": "12125551213"}}}),
    ("dest", {"claims": {**RFC8588, "dest": {"tn": []}}}),
    ("dest", {"claims": {**RFC8588, "dest": {"tn": ["alice"]}}}),
    ("dest", {"claims": {**RFC8588, "dest": {"tn": ["1"] * 65}}}),
    ("attest", {"claims": {**RFC8588, "attest": "D"}}),
    ("attest", {"claims": {**RFC8588, "attest": "AB"}}),
    ("attest", {"claims": {**RFC8588, "attest": ""}}),
    ("origid", {"claims": {**RFC8588, "origid": ""}}),
    ("origid", {"claims": {**RFC8588, "origid": "\x1b[2J"}}),
    ("origid", {"claims": {**RFC8588, "origid": "x" * 129}}),
    ("signature", {"signature": b64(bytes(63))}),
    ("base64url", {"signature": b64(bytes(64))[:-1] + "B"}),
    ("base64url", {"signature": "A"}),
]


@pytest.mark.parametrize(("why", "wrong"), BROKEN)
def test_what_is_no_passport(why: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(PassportError) as caught:
        read_passport(header(**wrong))
    assert why in caught.value.words


def test_claims_that_are_not_known_are_left_alone() -> None:
    assert read_passport(header(claims={**RFC8588, "rcd": {"nam": "Ada"}, "mky": []})).attestation == "A"


def test_a_shaken_passport_has_no_compact_form() -> None:
    compact = IdentityHeader("", "", b64(bytes(64)), INFO, None, "shaken")
    with pytest.raises(PassportError):
        expand_passport(compact, "1", "2", 3)
    plain = IdentityHeader("", "", b64(bytes(64)), INFO)
    for missing in (("", "2", 3), ("1", "", 3), ("1", "2", None)):
        with pytest.raises(PassportError, match="no Date"):
            expand_passport(plain, *missing)


@pytest.mark.parametrize(
    ("user", "number"),
    [
        ("+12155551212", "12155551212"),
        ("+1-215-555-1212", "12155551212"),
        ("(215) 555.1212", "2155551212"),
        ("*67", "*67"),
        ("#31#", "#31#"),
        ("911", "911"),
        ("anonymous", ""),
        ("", ""),
        ("+", ""),
        ("++1", ""),
        ("1+2", ""),
        ("\N{ARABIC-INDIC DIGIT ONE}23", ""),
        ("1" * 16, ""),
        ("1-" * 65, ""),
    ],
)
def test_numbers_have_one_form(user: str, number: str) -> None:
    assert canonical_number(user) == number


@given(st.from_regex(r"[0-9*#]{1,15}", fullmatch=True), st.integers(0, 14), st.sampled_from("-.() "))
def test_separators_make_no_difference(number: str, at: int, separator: str) -> None:
    spelled = "+" + number[:at] + separator + number[at:]
    assert canonical_number(spelled) == number == canonical_number(canonical_number(spelled))


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://Cert.Example.org/c.pem", "cert.example.org", 443),
        ("HTTPS://c.example:8443/c?x=1", "c.example", 8443),
        ("https://[2001:db8::1]/c", "2001:db8::1", 443),
        ("https://192.0.2.1:443/", "192.0.2.1", 443),
    ],
)
def test_places(url: str, host: str, port: int) -> None:
    place = read_place(url)
    assert not isinstance(place, str)
    assert (place.url, place.host, place.port) == (url, host, port)


@pytest.mark.parametrize(
    "url",
    [
        "", "c.pem", "http://c.example/c", "ftp://c.example/c", "file:///etc/passwd", "https://", "https:///c",
        "https://a@c.example/c", "https://c.example:0/", "https://c.example:99999/", "https://c.example/c#x",
        "https://c.exa mple/", "https://c.example/\r\nX: y", "https://[::1/", "https://c.example\\@169.254.169.254/",
        "https://\N{CYRILLIC SMALL LETTER ES}.example/", "https://c.example/" + "x" * 600, "https://-c.example/",
        "https://c.example./", "data:text/plain,x", "//c.example/c", "https:c.example",
    ],
)  # fmt: skip
def test_what_is_never_asked(url: str) -> None:
    assert isinstance(read_place(url), str)


@pytest.mark.parametrize(
    ("url", "entry", "allowed"),
    [
        ("https://c.example/x", "c.example", True),
        ("https://c.example/x", "C.EXAMPLE", True),
        ("https://c.example:8443/x", "c.example", False),
        ("https://c.example:8443/x", "c.example:8443", True),
        ("https://c.example/x", "c.example:8443", False),
        ("https://a.c.example/x", "c.example", False),
        ("https://a.c.example/x", "*.c.example", True),
        ("https://b.a.c.example/x", "*.c.example", True),
        ("https://c.example/x", "*.c.example", False),
        ("https://evilc.example/x", "*.c.example", False),
        ("https://a.c.example.evil/x", "*.c.example", False),
        ("https://a.c.example:8443/x", "*.c.example:8443", True),
        ("https://anything.test/x", "*", True),
        ("https://anything.test:8443/x", "*", False),
        ("https://anything.test:8443/x", "*:8443", True),
        ("https://[2001:db8::1]/x", "2001:db8::1", True),
        ("https://[2001:db8::1]:8443/x", "[2001:db8::1]:8443", True),
        ("https://[2001:db8::1]/x", "2001:db8::2", False),
    ],
)
def test_hosts_are_those_that_the_trunk_names(url: str, entry: str, allowed: bool) -> None:
    place = read_place(url)
    assert not isinstance(place, str)
    assert is_allowed(place, [entry]) is allowed
    assert not is_allowed(place, [])
