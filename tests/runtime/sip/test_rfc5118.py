"""The IPv6 torture messages of RFC 5118: what is read of each, and what parser and validation say together.

They are the RFC's; its Content-Length figures do not fit its bodies, so those are counted.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.sip.errors import SipSyntaxError
from runtime.sip.fields import parse_addresses, parse_vias
from runtime.sip.incoming import read_request
from runtime.sip.message import Request
from runtime.sip.parser import parse_message
from runtime.sip.path import Path as Way
from runtime.sip.sdp import parse_sdp
from runtime.sip.uri import Uri, parse_uri
from runtime.sip.validate import validate_request

VECTORS = Path(__file__).parents[2] / "vectors" / "rfc5118"
WAY = Way("udp", ("2001:db8::10", 5060), ("2001:db8::9:1", 5060))
ACCEPTED: dict[str, tuple[str, int | None]] = {
    "ipv6-good": ("2001:db8::10", None),
    "port-ambiguous": ("2001:db8::10:5070", None),
    "port-unambiguous": ("2001:db8::10", 5070),
    "via-received-param-with-delim": ("2001:db8::10", None),
    "via-received-param-no-delim": ("2001:db8::10", None),
    "ipv6-in-sdp": ("2001:db8::10", None),
    "mult-ip-in-header": ("host.example.net", None),
    "mult-ip-in-sdp": ("2001:db8::10", None),
    "ipv4-mapped-ipv6": ("example.com", None),
    "ipv6-correct-abnf-2-colons": ("2001:db8::192.0.2.1", None),
}
"""The host and port of the Request-URI."""

REFUSED = ("ipv6-bad", "ipv6-bug-abnf-3-colons")


def read(name: str) -> Request:
    message = parse_message((VECTORS / f"{name}.dat").read_bytes())
    assert isinstance(message, Request)
    return message


def test_every_vector_has_a_verdict() -> None:
    assert {path.stem for path in VECTORS.glob("*.dat")} == {*ACCEPTED, *REFUSED}


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_right_is_taken_as_it_is_meant(name: str) -> None:
    request = read(name)
    uri = parse_uri(request.uri)
    assert isinstance(uri, Uri)
    assert (uri.host, uri.port) == ACCEPTED[name]
    assert str(uri) == request.uri
    assert read_request(request, WAY).via.host
    assert validate_request(request) is None


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_refused_with_400(name: str) -> None:
    try:
        rejection = validate_request(read(name))
        status = rejection.status if rejection is not None else 0
    except SipSyntaxError as fault:
        status = fault.status
    assert status == 400


def test_the_address_of_a_via_is_read_with_and_without_brackets() -> None:
    """Section 4.5: liberal in what is accepted; what the top Via says of itself is overwritten by what is seen."""
    for name in ("via-received-param-with-delim", "via-received-param-no-delim"):
        incoming = read_request(read(name), Way("udp", WAY.local, ("2001:db8::9:7", 5060)))
        assert incoming.via.host == "2001:db8::9:1"
        assert ";received=2001:db8::9:7" in (incoming.request.headers.first("Via") or "")


def test_both_versions_stand_beside_each_other() -> None:
    vias = parse_vias(read("mult-ip-in-header").headers)
    assert [(via.host, via.port) for via in vias] == [
        ("2001:db8::9:1", 6050), ("192.0.2.1", None), ("2001:db8::9:255", None),
    ]  # fmt: skip
    description = parse_sdp(read("mult-ip-in-sdp").body)
    found = [description.connection_of(media) for media in description.media]
    assert [connection.address for connection in found if connection is not None] == ["192.0.2.1", "2001:db8::1"]
    mapped = read("ipv4-mapped-ipv6")
    assert [via.host for via in parse_vias(mapped.headers)] == ["::ffff:192.0.2.10", "::ffff:192.0.2.2"]
    [contact] = parse_addresses(mapped.headers, "Contact")
    assert contact.uri == "sip:ted@[::ffff:192.0.2.2]"
