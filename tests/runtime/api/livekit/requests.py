"""Requests to place and transfer calls: the least one, and any that hypothesis may draw, most near to good ones."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import strategies as st
from livekit.protocol import sip

from runtime.api.livekit.dialling import dial_request
from runtime.api.livekit.twirp import Code, TwirpError
from runtime.api.livekit.values import check_values
from runtime.routing.dial import DialRequest
from tests.runtime.api.livekit.serving import TABLES

LEAST = {"sip_trunk_id": "shop/dialler", "sip_call_to": "+15550100002", "room_name": "lobby"}


def dialled(**fields: Any) -> DialRequest:
    """What a request comes to that has these fields over the least one."""
    request = sip.CreateSIPParticipantRequest(**{**LEAST, **fields})
    check_values(request)
    return dial_request(request, TABLES)


def refused(code: Code = Code.INVALID_ARGUMENT, **fields: Any) -> tuple[str, str]:
    """The argument that is refused, and the words."""
    with pytest.raises(TwirpError) as fault:
        dialled(**fields)
    assert fault.value.code is code
    return fault.value.meta.get("argument", ""), fault.value.msg


# -- any request -------------------------------------------------------------------------------------------------------

_WORDS = st.sampled_from(
    [
        *(
            "",
            "+15550100002",
            "ann",
            "a@b",
            "sip:ann@example.com",
            "<sip:ann@[::1]:5060;transport=tcp>",
            "tel:+1;ext=2",
        ),
        *(
            "sips:ann@x;transport=udp",
            "example.com",
            "example.com:5060",
            "[::1]",
            "::1",
            "1:2",
            "a;b",
            "X-A",
            "To",
            "x y",
        ),
        *("x y", "shop/dialler", "carrier", "ST_x", "FR", "123w", '"', "\\", "a\r\nVia: x", "\0", "é" * 129, "PCMU"),
    ]
)
TEXTS = _WORDS | st.text(max_size=30)
MAPS = st.dictionaries(TEXTS, TEXTS, max_size=3)
DURATIONS = st.builds(Duration, seconds=st.integers(-10, 10**10), nanos=st.integers(-(10**9), 10**9))
_ENUM = st.integers(0, 4)
_URIS = st.builds(sip.SIPUri, user=TEXTS, host=TEXTS, ip=TEXTS, port=st.integers(0, 70_000), transport=_ENUM)
_TARGETS = st.builds(sip.SIPRequestDest, raw=TEXTS) | st.builds(sip.SIPRequestDest, values=_URIS)
_NAMED = st.builds(sip.SIPNamedDest, display_name=TEXTS, raw=TEXTS) | st.builds(sip.SIPNamedDest, values=_URIS)
_TRUNKS = st.builds(
    sip.SIPOutboundConfig,
    hostname=TEXTS,
    transport=_ENUM,
    auth_username=TEXTS,
    auth_password=TEXTS,
    headers_to_attributes=MAPS,
    attributes_to_headers=MAPS,
    from_host=TEXTS,
)
_CODECS = st.builds(sip.SIPCodec, name=TEXTS, rate=st.sampled_from([0, 8000, 48_000]))
_MEDIA = st.builds(
    sip.SIPMediaConfig,
    only_listed_codecs=st.booleans(),
    codecs=st.lists(_CODECS, max_size=3),
    encryption=st.none() | _ENUM,
    media_timeout=st.none() | DURATIONS,
)
REQUESTS = st.builds(
    sip.CreateSIPParticipantRequest,
    sip_trunk_id=TEXTS,
    trunk=st.none() | _TRUNKS,
    sip_request_uri=st.none() | _TARGETS,
    sip_from_header=st.none() | _NAMED,
    sip_call_to=TEXTS,
    to_user_override=st.just("") | TEXTS,
    sip_number=TEXTS,
    room_name=TEXTS,
    participant_attributes=MAPS,
    dtmf=st.just("") | TEXTS,
    headers=st.just({}) | MAPS,
    include_headers=_ENUM,
    ringing_timeout=st.none() | DURATIONS,
    max_call_duration=st.none() | DURATIONS,
    media_encryption=_ENUM,
    media=st.none() | _MEDIA,
    display_name=st.none() | TEXTS,
)
TRANSFERS = st.builds(
    sip.TransferSIPParticipantRequest,
    room_name=TEXTS,
    participant_identity=TEXTS,
    transfer_to=TEXTS,
    headers=st.just({}) | MAPS,
    ringing_timeout=st.none() | DURATIONS,
)
