"""A TransferSIPParticipantRequest becomes a REFER's contents, or is refused by the field's name."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from livekit.protocol import sip

from runtime.api.livekit.transferring import transfer_request
from runtime.api.livekit.twirp import Code, TwirpError
from runtime.api.livekit.values import check_values
from runtime.routing.dial import TransferRequest
from runtime.sip.fields import parse_name_addr
from runtime.sip.uri import parse_uri
from tests.runtime.api.livekit.requests import TRANSFERS

LEAST = {"room_name": "lobby", "participant_identity": "sip_1", "transfer_to": "tel:+15550100002"}


def transferred(**fields: Any) -> TransferRequest:
    request = sip.TransferSIPParticipantRequest(**{**LEAST, **fields})
    check_values(request)
    return transfer_request(request)


def test_the_least_request_has_livekits_defaults() -> None:
    assert transferred() == TransferRequest("lobby", "sip_1", "tel:+15550100002")
    assert transferred(ringing_timeout=Duration()).ringing_timeout_s == 30


def test_every_field_arrives() -> None:
    asked = transferred(play_dialtone=True, headers={"X-B": "2", "X-A": "1"}, ringing_timeout=Duration(seconds=7))
    assert asked == TransferRequest("lobby", "sip_1", "tel:+15550100002", True, (("X-A", "1"), ("X-B", "2")), 7)
    assert transferred(ringing_timeout=Duration(seconds=10**9)).ringing_timeout_s == 3_600


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("sip:ann@example.com", "<sip:ann@example.com>"),
        ("<sip:ann@example.com;transport=tcp>", "<sip:ann@example.com;transport=tcp>"),
        ("sips:ann@example.com?Replaces=x", "<sips:ann@example.com?Replaces=x>"),
        ("tel:+1-555", "tel:+1-555"),
        ("<tel:+1555>", "tel:+1555"),
        ("tel:+1555;ext=2", "<tel:+1555;ext=2>"),
    ],
)
def test_a_target_is_written_as_livekit_writes_it(asked: str, sent: str) -> None:
    assert transferred(transfer_to=asked).refer_to == sent


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("room_name", ""),
        ("room_name", "r" * 257),
        ("participant_identity", ""),
        ("participant_identity", "i" * 257),
        ("transfer_to", ""),
        ("transfer_to", "+15550100002"),
        ("transfer_to", "ann@example.com"),
        ("transfer_to", "http://example.com"),
        ("transfer_to", "sip:"),
        ("transfer_to", "tel:abc xyz"),
        ("transfer_to", "<sip:ann@x"),
        ("transfer_to", "sip:ann@x>,<sip:bob@x"),
        ("transfer_to", "sip:ann@x\r\nVia: y"),
        ("transfer_to", f"sip:ann@{'x' * 2100}"),
        ("ringing_timeout", Duration(seconds=-1)),
        ("headers", {"Refer-To": "<sip:x@y>"}),
        ("headers", {"X-A": "1\r\n"}),
    ],
)
def test_a_field_that_cannot_be_sent_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(TwirpError) as fault:
        transferred(**{field: value})
    assert fault.value.code is Code.INVALID_ARGUMENT
    assert fault.value.meta == {"argument": field}


@given(TRANSFERS)
def test_any_request_is_one_address_or_refused(request: sip.TransferSIPParticipantRequest) -> None:
    try:
        check_values(request)
        asked = transfer_request(request)
    except TwirpError:
        return
    parse_uri(asked.refer_to.removeprefix("<").removesuffix(">"))
    assert not parse_name_addr(asked.refer_to).params
