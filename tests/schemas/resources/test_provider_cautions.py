"""What `validate` says of a Trunk beside what is known of its provider."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.providers.profiles import profile
from schemas.resources.provider_cautions import provider_cautions
from tests.schemas.resources import given

TWILIO = profile("twilio")
assert TWILIO is not None
ALL_OF_TWILIO = [*TWILIO.facts.signalling.value]


def told(provider: str, **spec: Any) -> dict[str, str]:
    """Dotted path -> `what, hint` of every caution."""
    document = given.accepted(given.document("Trunk", {"provider": provider, **spec}))
    found = list(provider_cautions(document))
    assert all(what and hint for _, what, hint in found)
    return {".".join(map(str, path)): f"{what}, {hint}" for path, what, hint in found}


LOGIN = {"username": "a", "passwordFrom": {"env": "P"}}
SOUND: dict[str, dict[str, Any]] = {
    "twilio": {"inbound": {"allowedAddresses": ALL_OF_TWILIO}, "outbound": {"addresses": ["acme.pstn.twilio.com"]}},
    "telnyx": {
        "inbound": {"allowedAddresses": ["192.76.120.10", "64.16.250.10"]},
        "outbound": {"addresses": ["sip.telnyx.com", "192.76.120.10:5060"], "limits": {"callsPerSecond": 20}},
        "media": {"codecs": ["g722", "pcmu"]},
    },
    "plivo": {
        "inbound": {"allowedAddresses": ["203.0.113.7"]},
        "outbound": {"addresses": ["1.zt.plivo.com:5061"], "transport": "tls"},
        "media": {"encryption": "require"},
    },
    "exotel": {"outbound": {"addresses": ["pstn.in2.exotel.com:5070"], "transport": "tcp"}},
    "wavix": {"outbound": {"addresses": ["us.wavix.net"], "register": {}, "auth": LOGIN, "transport": "udp"}},
    "generic": {"outbound": {"addresses": ["10.0.0.1:7"], "transport": "tls"}, "media": {"codecs": ["opus"]}},
}


@pytest.mark.parametrize("provider", SOUND)
def test_a_trunk_that_fits_its_provider_is_not_warned_about(provider: str) -> None:
    assert told(provider, **SOUND[provider]) == {}


def inbound(*networks: str, **more: Any) -> dict[str, Any]:
    return {"inbound": {"allowedAddresses": [*networks], **more}}


def outbound(address: str, **more: Any) -> dict[str, Any]:
    return {"outbound": {"addresses": [address], **more}}


@pytest.mark.parametrize(
    ("provider", "spec", "path", "words"),
    [
        ("twilio", inbound(*ALL_OF_TWILIO, "203.0.113.0/24"), "inbound.allowedAddresses.8", "none of the addresses"),
        ("twilio", inbound(*ALL_OF_TWILIO[:7]), "inbound.allowedAddresses", "may come from 177.71.206.192/30 too"),
        ("telnyx", inbound("192.76.120.0/24"), "inbound.allowedAddresses.0", "none of the addresses"),
        ("telnyx", inbound("2001:db8::/32"), "inbound.allowedAddresses.0", "none of the addresses"),
        (
            "twilio",
            inbound(*ALL_OF_TWILIO, auth=LOGIN),
            "inbound.auth",
            "answers no challenge",
        ),
        ("exotel", outbound("pstn.in2.exotel.com", transport="udp"), "outbound.transport", "write tcp or tls"),
        (
            "exotel",
            outbound("pstn.in2.exotel.com:5060"),
            "outbound.addresses.0",
            "5070 by TCP or 443 by TLS, not at 5060",
        ),
        ("exotel", outbound("pstn.in2.exotel.com:443", transport="tcp"), "outbound.addresses.0", "not at 443"),
        ("twilio", outbound("sip.example.com"), "outbound.addresses.0", "no host or address of Twilio"),
        ("twilio", outbound("pstn.twilio.com.example.com"), "outbound.addresses.0", "no host or address of Twilio"),
        ("telnyx", outbound("198.51.100.7"), "outbound.addresses.0", "no host or address of Telnyx"),
        ("plivo", outbound("1.zt.plivo.com", register={}, auth=LOGIN), "outbound.register", "takes no REGISTER"),
        (
            "plivo",
            outbound("1.zt.plivo.com", limits={"callsPerSecond": 3}),
            "outbound.limits.callsPerSecond",
            "takes 2",
        ),
        ("plivo", outbound("1.zt.plivo.com") | {"limits": {"callsPerSecond": 3}}, "limits.callsPerSecond", "takes 2"),
        ("plivo", outbound("1.zt.plivo.com") | {"media": {"codecs": ["pcmu", "g722"]}}, "media.codecs.1", "take g722"),
        ("plivo", outbound("1.zt.plivo.com") | {"media": {"dtmf": ["info"]}}, "media.dtmf.0", "write rfc4733"),
        ("exotel", outbound("pstn.in2.exotel.com", transport="tls"), "outbound.transport", "`encryption: require`"),
        (
            "twilio",
            inbound(*ALL_OF_TWILIO) | {"mediaAddresses": ["168.86.128.0/18", "203.0.113.0/24"]},
            "mediaAddresses.1",
            "none of the addresses of media that Twilio Elastic SIP Trunking publishes, it publishes 168.86.128.0/18",
        ),
        (
            "exotel",
            outbound("pstn.in2.exotel.com", transport="tcp") | {"mediaAddresses": ["182.76.143.61"]},
            "mediaAddresses",
            "may come from 122.15.8.184/32, 14.194.10.247/32, 61.246.82.75/32 too",
        ),
        (
            "exotel",
            outbound("pstn.in2.exotel.com", transport="tcp") | {"media": {"encryption": "require"}},
            "media.encryption",
            "`transport: tls`",
        ),
    ],
)
def test_what_does_not_fit_is_told_at_its_place(provider: str, spec: Any, path: str, words: str) -> None:
    found = told(provider, **spec)
    assert words in found[f"spec.{path}"], found
    assert [*found] == [f"spec.{path}"], "nothing else is wrong"


def test_a_sentence_says_where_its_fact_is_from_or_that_nobody_verified_it() -> None:
    verified = told("exotel", **outbound("pstn.in2.exotel.com", transport="udp"))["spec.outbound.transport"]
    assert verified.endswith("(https://developer.exotel.com/docs/vsip/master-guide, 2026-11-27)")
    unverified = told("wavix", **outbound("sip.example.com"))["spec.outbound.addresses.0"]
    assert unverified.endswith("(unverified)")
