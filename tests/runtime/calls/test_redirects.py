"""Where an answer sends a call on to, by the ways that its trunk has."""

from __future__ import annotations

import pytest

from runtime.calls.redirects import Redirect, redirect_of
from runtime.routing.dial import Destination
from runtime.sip.message import Response
from runtime.sip.path import Path, default_port
from schemas.tables.rows import Outbound
from tests.runtime.sip.raw import read, request, response

THERE = "198.51.100.9"


@pytest.mark.parametrize(
    ("transport", "contact", "is_there"),
    [
        ("udp", f"<sip:+1555@{THERE}>", True),
        ("udp", f"<sip:+1555@{THERE}:5061>", False),
        ("tls", f"<sip:+1555@{THERE}>", True),
        ("tls", f"<sip:+1555@{THERE}:5061>", True),
        ("tls", f"<sip:+1555@{THERE}:5060>", False),
    ],
)
def test_no_port_means_that_of_the_way_s_transport(transport: str, contact: str, is_there: bool) -> None:
    way = Destination("", "carrier.example"), Path(transport, ("192.0.2.99", 5060), (THERE, default_port(transport)))
    answer = read(response(read(request("INVITE")), 302, extra=(f"Contact: {contact}",)))  # type: ignore[arg-type]
    assert isinstance(answer, Response)
    found = redirect_of(answer, Outbound((THERE,)), [way], way, frozenset(), 0)
    assert found == Redirect("+1555", way) if is_there else "none of the trunk's addresses" in str(found)
