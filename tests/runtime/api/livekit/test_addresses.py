"""Addresses of a request, raw or in parts, are read whole or refused by their field."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.protocol import sip

from runtime.api.livekit.twirp import TwirpError
from runtime.routing.dial import Destination, NamedAddress
from tests.runtime.api.livekit.requests import dialled, refused


def sent(transport: int = sip.SIP_TRANSPORT_AUTO, **uri: Any) -> Destination | None:
    """Where a call goes whose trunk has this transport."""
    trunk = sip.SIPOutboundConfig(hostname="sip.example.com", transport=transport)  # type: ignore[arg-type]
    asked = dialled(sip_trunk_id="", sip_number="+1", trunk=trunk, sip_request_uri=sip.SIPRequestDest(**uri))
    return asked.request_uri


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("sip:ann@example.com", Destination("ann", "example.com")),
        ("<sip:ann@example.com>", Destination("ann", "example.com")),
        ("<sip:a%40nn@[::1]:5070;transport=TCP>", Destination("a@nn", "::1", 5070, "tcp")),
        ("sips:ann@example.com", Destination("ann", "example.com", None, "tls")),
        ("sips:ann@example.com;transport=tcp", Destination("ann", "example.com", None, "tls")),
    ],
)
def test_a_raw_uri_is_read_into_its_parts(raw: str, found: Destination) -> None:
    assert sent(raw=raw) == found


@pytest.mark.parametrize(
    "raw",
    [
        *("", "ann@example.com", "tel:+1", "sip:example.com", "sip:ann:secret@example.com", "sip:ann@x?Subject=y"),
        *("sip:ann@x;user=phone", "sip:ann@x;transport=sctp", "sips:ann@x;transport=udp", "http://x", "<sip:ann@x"),
        *('"Ann" <sip:ann@x>', "sip:ann@x:70000", f"sip:{'a' * 201}@x", f"sip:ann@{'x' * 2100}", "sip:%01@x"),
    ],
)
def test_a_raw_uri_that_cannot_be_sent_to_is_refused(raw: str) -> None:
    assert refused(sip_request_uri=sip.SIPRequestDest(raw=raw))[0] == "sip_request_uri.raw"
    assert refused(sip_from_header=sip.SIPNamedDest(raw=raw))[0] == "sip_from_header.raw"


def test_the_parts_of_a_uri_are_taken_as_they_are() -> None:
    assert sent(values=sip.SIPUri(user="ann", host="example.com", port=5070)) == Destination("ann", "example.com", 5070)
    assert sent(values=sip.SIPUri(user="ann", ip="192.0.2.1")) == Destination("ann", "192.0.2.1")
    both = sip.SIPUri(user="ann", host="example.com", ip="192.0.2.1")
    assert sent(values=both) == Destination("ann", "example.com"), "as LiveKit has it"


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"host": "example.com"}, "user"),
        ({"user": "ann"}, "host"),
        ({"user": "ann", "host": "example.com:5060"}, "host"),
        ({"user": "ann", "host": "sip:example.com"}, "host"),
        ({"user": "ann", "ip": "example.com"}, "ip"),
        ({"user": "ann", "ip": "fe80::1%1"}, "ip"),
        ({"user": "ann", "host": "example.com", "port": 70_000}, "port"),
        ({"user": "ann", "host": "example.com", "transport": 9}, "transport"),
        ({"user": "a" * 201, "host": "example.com"}, "user"),
    ],
)
def test_parts_that_make_no_uri_are_refused_by_name(parts: dict[str, Any], field: str) -> None:
    values = sip.SIPUri(**parts)
    assert refused(sip_request_uri=sip.SIPRequestDest(values=values))[0] == f"sip_request_uri.values.{field}"
    assert refused(sip_from_header=sip.SIPNamedDest(values=values))[0] == f"sip_from_header.values.{field}"


def test_an_address_and_its_trunk_agree_on_a_transport() -> None:
    udp, tls = sip.SIP_TRANSPORT_UDP, sip.SIP_TRANSPORT_TLS
    here = sip.SIPUri(user="ann", host="x", transport=tls)
    for found in (sent(tls, raw="sip:ann@x"), sent(raw="sip:ann@x;transport=tls"), sent(tls, values=here)):
        assert found == Destination("ann", "x", None, "tls")
    for uri in ({"raw": "sip:ann@x;transport=tls"}, {"values": here}):
        with pytest.raises(TwirpError, match="asks for tls, and its trunk for udp"):
            sent(udp, **uri)
    assert "asks for udp" in refused(sip_from_header=sip.SIPNamedDest(raw="sip:ann@x;transport=udp"))[1], "of the table"


def test_a_from_header_has_a_name_and_an_address() -> None:
    header = sip.SIPNamedDest(display_name=r"Ann \"A\"", values=sip.SIPUri(user="ann", host="example.org"))
    assert dialled(sip_from_header=header).from_ == NamedAddress(
        'Ann "A"', Destination("ann", "example.org", None, "tls")
    )
    bad = sip.SIPNamedDest(display_name='"', raw="sip:ann@x")
    assert refused(sip_from_header=bad)[0] == "sip_from_header.display_name"


def test_an_address_needs_one_of_its_two_forms() -> None:
    assert refused(sip_request_uri=sip.SIPRequestDest())[0] == "sip_request_uri"
    assert refused(sip_from_header=sip.SIPNamedDest(display_name="Ann"))[0] == "sip_from_header"
