"""What a trunk's provider fills in, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.compile import trunk_row
from schemas.providers.profiles import NAMES, profile
from schemas.tables.rows import Outbound, TrunkRow
from tests.schemas.resources import given


def row(provider: str, **spec: Any) -> TrunkRow:
    return trunk_row(given.accepted(given.document("Trunk", {"provider": provider, **spec})), 0)


def half(provider: str, address: str, **fields: Any) -> Outbound:
    found = row(provider, outbound={"addresses": [address], **fields}).outbound
    assert found is not None
    return found


LOGIN = {"username": "acme", "passwordFrom": {"env": "P"}}


def test_exotel_is_called_by_tcp_at_its_own_ports() -> None:
    found = half("exotel", "pstn.in2.exotel.com")
    assert (found.transport, found.addresses) == ("tcp", ("pstn.in2.exotel.com:5070",))
    assert half("exotel", "pstn.in2.exotel.com", transport="tls").addresses == ("pstn.in2.exotel.com:443",)
    assert half("exotel", "2001:db8::1", transport="tls").addresses == ("[2001:db8::1]:443",)
    assert half("exotel", "pstn.in2.exotel.com:7", transport="tls").addresses == ("pstn.in2.exotel.com:7",)


def test_plivo_hears_of_transfers_by_sip_uris_takes_g711_alone_and_is_called_by_tcp() -> None:
    found = row("plivo", outbound={"addresses": ["1.zt.plivo.com"]})
    assert found.outbound is not None
    assert (found.outbound.transport, found.outbound.addresses) == ("tcp", ("1.zt.plivo.com",))
    assert (found.media.codecs, found.refer_to) == (("pcmu", "pcma"), "sip")


def test_telnyx_is_told_the_user_name() -> None:
    assert half("telnyx", "sip.telnyx.com", auth=LOGIN).headers.fixed == (("X-Telnyx-Username", "acme"),)
    assert half("telnyx", "sip.telnyx.com").headers.fixed == ()
    kept = half("telnyx", "sip.telnyx.com", auth=LOGIN, headers={"x-telnyx-username": "other", "X-A": "b"})
    assert kept.headers.fixed == (("X-A", "b"), ("x-telnyx-username", "other"))


@pytest.mark.parametrize(("provider", "form"), [("twilio", "+E.164"), ("wavix", "asGiven"), ("generic", "asGiven")])
def test_who_takes_e164_alone_is_shown_a_plus_where_that_was_verified(provider: str, form: str) -> None:
    assert half(provider, "host.example.com").caller_form == form
    assert half(provider, "host.example.com", callerForm="asGiven").caller_form == "asGiven"
    assert half(provider, "host.example.com", callerForm="+E.164").caller_form == "+E.164"


def test_what_is_written_is_left_alone() -> None:
    found = row(
        "plivo",
        outbound={"addresses": ["1.zt.plivo.com"], "transport": "auto"},
        media={"codecs": ["pcma"], "timeout": "20s"},
        referTo="asGiven",
    )
    assert found.outbound is not None
    assert (found.outbound.transport, found.media.codecs, found.refer_to) == ("auto", ("pcma",), "asGiven")
    assert (
        row("plivo", inbound={"allowedAddresses": ["192.0.2.1"]}, media={"timeout": "20s"}).media.timeout_ms == 20_000
    )


@pytest.mark.parametrize("name", NAMES)
def test_nothing_comes_of_what_nobody_verified(name: str) -> None:
    known = profile(name)
    assert known is not None
    found = row(name, outbound={"addresses": ["host.example.com"], "auth": LOGIN})
    assert found.outbound is not None
    if known.facts.codecs.known is None:
        assert found.media.codecs == ()
    if known.facts.refer_to.known is None:
        assert found.refer_to == "asGiven"
    if known.facts.default_transport.known is None:
        assert found.outbound.transport == "auto"


def test_a_provider_limits_no_calls() -> None:
    found = half("plivo", "1.zt.plivo.com")
    assert (found.max_concurrent_calls, found.calls_per_second) == (None, None)
