"""A CreateSIPParticipantRequest becomes what the bridge dials, field by field, or is refused by the field's name."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import sip

from runtime.api.livekit import limits
from runtime.api.livekit.dialling import dial_request
from runtime.api.livekit.twirp import JSON, PROTOBUF, Code, TwirpError, decoded
from runtime.api.livekit.values import check_values
from runtime.media.dtmf import DIGITS_QUEUED_MAX
from runtime.routing.dial import DialRequest, InlineTrunk
from schemas.tables.rows import Headers
from tests.runtime.api.livekit.requests import REQUESTS, dialled, refused
from tests.runtime.api.livekit.serving import DIALLER, TABLES

INLINE = {"hostname": "sip.example.com"}


def test_the_least_request_has_livekits_defaults() -> None:
    assert dialled() == DialRequest("+15550100002", "lobby", "shop/dialler")
    asked = dialled()
    assert (asked.ringing_timeout_s, asked.max_call_duration_s) == (180, 86_400)
    assert asked.display_name is None
    assert asked.include_headers is None


def test_every_plain_field_arrives() -> None:
    asked = dialled(
        sip_number="+15550100001",
        to_user_override="front.desk",
        participant_identity="callee",
        participant_name="Ann",
        participant_metadata="line\nbreak",
        participant_attributes={"b": "2", "a": "1\r\n"},
        dtmf="12w*#aD",
        hide_phone_number=True,
        headers={"X-B": "2", "X-A": "1"},
        include_headers=sip.SIP_X_HEADERS,
        ringing_timeout=Duration(seconds=20, nanos=500_000_000),
        max_call_duration=Duration(seconds=60),
        krisp_enabled=True,
        wait_until_answered=True,
        display_name="Ann",
        destination=sip.Destination(city="Paris", country="FR"),
    )
    assert asked == DialRequest(
        call_to="+15550100002",
        room="lobby",
        trunk="shop/dialler",
        caller="+15550100001",
        to_user="front.desk",
        display_name="Ann",
        identity="callee",
        name="Ann",
        metadata="line\nbreak",
        attributes=(("a", "1\r\n"), ("b", "2")),
        dtmf="12w*#aD",
        hide_number=True,
        headers=(("X-A", "1"), ("X-B", "2")),
        include_headers="x",
        ringing_timeout_s=20.5,
        max_call_duration_s=60,
        noise_cancellation=True,
        country="FR",
        wait_until_answered=True,
    )


@pytest.mark.parametrize("field", ["play_dialtone", "play_ringtone"])
def test_both_names_of_the_dialtone_are_one(field: str) -> None:
    assert dialled(**{field: True}).dialtone


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("sip_call_to", "", "required"),
        ("sip_call_to", "ann@example.com", "not a full SIP URI"),
        ("sip_call_to", "sip:ann", "not a full SIP URI"),
        ("sip_call_to", "1" * 201, "longer than 200"),
        ("sip_call_to", "1\x01", "control character"),
        ("sip_number", "tel:+1", "not a full SIP URI"),
        ("sip_number", "a@b", "not a full SIP URI"),
        ("to_user_override", "a b", "phone number or SIP user"),
        ("to_user_override", "a@b", "phone number or SIP user"),
        ("to_user_override", "1" * 201, "longer than 200"),
        ("room_name", "", "required"),
        ("room_name", "r" * 257, "longer than 256 bytes"),
        ("room_name", "é" * 129, "longer than 256 bytes"),
        ("participant_identity", "i" * 257, "longer than 256 bytes"),
        ("participant_name", "n" * 257, "longer than 256 bytes"),
        ("participant_metadata", "m" * ((512 << 10) + 1), "longer than"),
        ("participant_attributes", {"a" * 40_000: "", "b": "b" * 30_000}, "longer than"),
        ("dtmf", "12x", "0-9, *, #, A-D"),
        ("dtmf", "1" * (DIGITS_QUEUED_MAX + 1), "longer than 256 keys"),
        ("ringing_timeout", Duration(seconds=-1), "negative"),
        ("max_call_duration", Duration(nanos=-1), "negative"),
        ("include_headers", 7, "none that is known"),
        ("display_name", "n" * 129, "longer than 128"),
        ("display_name", 'say "hi"', "between quotes"),
        ("display_name", "half\\", "between quotes"),
        ("display_name", "bell\x07", "between quotes"),
        ("display_name", "next\u2028line", "between quotes"),
        ("sip_to_header", sip.SIPNamedDest(raw="sip:a@b"), "to_user_override"),
    ],
)
def test_a_field_that_cannot_be_dialled_is_refused_by_name(field: str, value: object, words: str) -> None:
    argument, msg = refused(**{field: value})
    assert argument == field
    assert words in msg
    assert field in msg


def test_bounds_themselves_are_within() -> None:
    asked = dialled(
        room_name="r" * 256,
        participant_metadata="m" * (512 << 10),
        participant_attributes={"a": "a" * ((64 << 10) - 1)},
        dtmf="w" * DIGITS_QUEUED_MAX,
        display_name="n" * 128,
    )
    assert len(asked.dtmf) == DIGITS_QUEUED_MAX


def test_a_display_name_is_what_stands_between_the_quotes() -> None:
    assert dialled(display_name="").display_name == ""
    assert dialled(display_name="Zoë").display_name == "Zoë"
    assert dialled(display_name=r"say \"hi\" \\").display_name == 'say "hi" \\'


@pytest.mark.parametrize(("field", "most_s"), [("ringing_timeout", 3_600), ("max_call_duration", 86_400)])
def test_a_duration_has_a_most_and_zero_is_the_default(field: str, most_s: int) -> None:
    longest, none = (dialled(**{field: Duration(seconds=seconds)}) for seconds in (10**9, 0))
    assert getattr(longest, f"{field}_s") == most_s
    assert none == dialled()


# -- destination -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [{}, {"region": "eu"}, {"city": "Paris", "region": "eu"}, {"country": "FR"}])
def test_a_destination_that_livekit_takes_is_taken(place: dict[str, str]) -> None:
    assert dialled(destination=sip.Destination(**place)) == replace(dialled(), country=place.get("country", ""))


@pytest.mark.parametrize("place", [{"city": "Paris"}, {"country": "fr"}, {"country": "FRA"}, {"country": "F1"}])
def test_a_destination_needs_a_country_of_two_letters(place: dict[str, str]) -> None:
    assert refused(destination=sip.Destination(**place))[0] == "destination.country"


# -- the trunk ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [DIALLER, "shop/dialler"])
def test_a_trunk_is_named_by_id_or_name(named: str) -> None:
    assert dialled(sip_trunk_id=named).trunk == "shop/dialler"


def test_a_trunk_must_be_live_and_place_calls() -> None:
    for named in ("ST_absent", "absent", DIALLER.lower()):
        assert "does not exist" in refused(Code.NOT_FOUND, sip_trunk_id=named)[1]
    assert "has no `outbound`" in refused(Code.FAILED_PRECONDITION, sip_trunk_id="carrier")[1]


def test_the_number_that_calls_can_tell_the_trunk() -> None:
    asked = dialled(sip_trunk_id="", sip_number="+15550100001")
    assert (asked.trunk, asked.inline, asked.caller) == ("", None, "+15550100001")
    assert refused(sip_trunk_id="")[0] == "sip_trunk_id"


def test_a_trunk_can_come_with_the_request() -> None:
    trunk = sip.SIPOutboundConfig(
        hostname="sip.example.com:5070",
        destination_country="FR",
        transport=sip.SIP_TRANSPORT_TCP,
        auth_username="alice",
        auth_password="open\nsesame",
        headers_to_attributes={"X-Region": "region", "From": "from"},
        attributes_to_headers={"outcome": "X-Outcome"},
        from_host="pbx.example.org",
    )
    asked = dialled(sip_trunk_id="", sip_number="+1", trunk=trunk)
    policy = Headers(
        to_attributes=(("From", "from"), ("X-Region", "region")), from_attributes=(("outcome", "X-Outcome"),)
    )
    assert asked.inline == InlineTrunk(
        "sip.example.com", 5070, "tcp", "alice", b"open\nsesame", policy, "pbx.example.org"
    )
    assert b"sesame" not in repr(asked).encode()
    assert dialled(trunk=trunk).inline is None, "one that is named goes before it"
    assert "no numbers" in refused(Code.FAILED_PRECONDITION, sip_trunk_id="", trunk=trunk)[1]


@pytest.mark.parametrize(
    ("hostname", "host", "port"),
    [
        ("192.0.2.1", "192.0.2.1", None),
        ("192.0.2.1:5061", "192.0.2.1", 5061),
        ("[2001:db8::1]:5061", "2001:db8::1", 5061),
        ("[2001:db8::1]", "2001:db8::1", None),
        ("2001:db8::1", "2001:db8::1", None),
    ],
)
def test_a_host_may_be_an_address_with_a_port(hostname: str, host: str, port: int | None) -> None:
    inline = dialled(sip_trunk_id="", sip_number="+1", trunk={"hostname": hostname}).inline
    assert inline is not None
    assert (inline.host, inline.port) == (host, port)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hostname", ""),
        ("hostname", "sip:example.com"),
        ("hostname", "SIPS:example.com"),
        ("hostname", "http://example.com"),
        ("hostname", "ann@example.com"),
        ("hostname", "example.com;transport=tcp"),
        ("hostname", "example.com:0"),
        ("hostname", "example.com:70000"),
        ("hostname", "example.com:"),
        ("hostname", "exa mple.com"),
        ("hostname", "[::1"),
        ("hostname", "[12:34]"),
        ("hostname", "fe80::1%eth0"),
        ("hostname", "1:2:3"),
        ("hostname", "h" * 263),
        ("from_host", "example.com:5060"),
        ("from_host", "sip:example.com"),
        ("transport", 9),
        ("auth_username", "u" * 257),
        ("auth_password", "p" * 1025),
        ("headers_to_attributes", {"X A": "a"}),
        ("attributes_to_headers", {"a": ""}),
        ("attributes_to_headers", {str(number): "X" for number in range(65)}),
    ],
)
@pytest.mark.parametrize("sip_trunk_id", ["", "shop/dialler"])
def test_a_trunk_of_the_request_is_refused_by_its_field(field: str, value: Any, sip_trunk_id: str) -> None:
    parts: dict[str, Any] = {**INLINE, "auth_username": "alice", "auth_password": "x", field: value}
    argument, _ = refused(sip_trunk_id=sip_trunk_id, sip_number="+1", trunk=sip.SIPOutboundConfig(**parts))
    assert argument == f"trunk.{field}"


@pytest.mark.parametrize("given", ["auth_username", "auth_password"])
def test_a_user_name_and_a_password_come_together(given: str) -> None:
    argument, _ = refused(trunk={**INLINE, given: "x"})
    assert argument == {"auth_username": "trunk.auth_password", "auth_password": "trunk.auth_username"}[given]


# -- laws --------------------------------------------------------------------------------------------------------------


@given(REQUESTS)
def test_any_request_is_dialled_or_refused(request: sip.CreateSIPParticipantRequest) -> None:
    try:
        check_values(request)
        asked = dial_request(request, TABLES)
    except TwirpError:
        return
    assert asked.trunk or asked.inline or asked.caller
    assert len(asked.call_to) <= limits.USER_CHARS_MAX
    for text in (asked.call_to, asked.caller, asked.to_user, *(part for pair in asked.headers for part in pair)):
        assert not set("\r\n\0") & set(text)


@given(st.binary(max_size=300), st.sampled_from([JSON, PROTOBUF]))
def test_any_body_is_dialled_or_refused(body: bytes, form: str) -> None:
    with contextlib.suppress(TwirpError):
        request = decoded(body, form, sip.CreateSIPParticipantRequest)
        check_values(request)
        dial_request(request, TABLES)
