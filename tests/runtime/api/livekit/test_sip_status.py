"""A SIP response that fails a call is told as LiveKit tells it, byte for byte where a program reads it."""

from __future__ import annotations

import base64

import pytest
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import sip

from runtime.api.livekit import sip_status
from runtime.api.livekit.twirp import STATUS

LISTED = {
    **dict.fromkeys(
        (300, 305, 380, 400, 405, 406, 411, 413, 414, 415, 417, 420, 421, 422, 423, 424), "invalid_argument"
    ),
    **dict.fromkeys((425, 429, 430, 439, 469, 484, 485, 488, 489, 493, 505, 513, 606), "invalid_argument"),
    **dict.fromkeys((401, 402, 403, 433, 470, 603, 607, 608), "permission_denied"),
    **dict.fromkeys((407, 428, 436, 437, 438, 494), "unauthenticated"),
    **dict.fromkeys((301, 302, 404, 410, 481, 604), "not_found"),
    **dict.fromkeys((408, 504), "deadline_exceeded"),
    **dict.fromkeys((440, 480, 486, 600), "resource_exhausted"),
    **dict.fromkeys((409, 412, 482, 483, 500, 501, 502, 503), "failed_precondition"),
    **dict.fromkeys((487, 491), "aborted"),
    416: "out_of_range",
}
UNLISTED = {399: "invalid_argument", 499: "invalid_argument", 599: "failed_precondition", 699: "invalid_argument"}


def _rpc_status() -> type[Message]:
    """google.rpc.Status, from its definition."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="google/rpc/status.proto", package="google.rpc", syntax="proto3")
    file.dependency.append(any_pb2.DESCRIPTOR.name)
    message = file.message_type.add(name="Status")
    message.field.add(name="code", number=1, type=kinds.TYPE_INT32, label=kinds.LABEL_OPTIONAL)
    message.field.add(name="message", number=2, type=kinds.TYPE_STRING, label=kinds.LABEL_OPTIONAL)
    details = message.field.add(name="details", number=3, type=kinds.TYPE_MESSAGE, label=kinds.LABEL_REPEATED)
    details.type_name = ".google.protobuf.Any"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(any_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("google.rpc.Status"))


RPC_STATUS = _rpc_status()


@pytest.mark.parametrize(("status", "code"), sorted((LISTED | UNLISTED).items()))
def test_a_status_has_livekits_code(status: int, code: str) -> None:
    assert sip_status.code_of(status) == code


def test_the_table_is_livekits_whole_enum() -> None:
    numbers = {value.number for value in sip.SIPStatusCode.DESCRIPTOR.values}
    assert {number for number in numbers if number >= 300} == set(LISTED)


@given(st.integers(300, 699))
def test_no_answer_of_a_carrier_makes_an_sdk_dial_twice(status: int) -> None:
    assert sip_status.is_failure(status)
    assert STATUS[sip_status.code_of(status)] < 500, "SDKs repeat what failed with a 5xx"


def test_a_status_is_told_in_livekits_words() -> None:
    assert sip_status.sentence(486, "Busy Here") == "sip status 486: Busy Here"
    assert sip_status.sentence(486, "") == "sip status 486: BUSY_HERE"
    assert sip_status.sentence(599, "") == "sip status 599: 599"
    assert sip_status.meta(486, "", "")["sip_status"] == "SIP_STATUS_BUSY_HERE"


@given(st.integers(300, 699), st.text(max_size=200), st.text(max_size=400))
def test_the_details_are_what_a_go_client_unpacks(status: int, reason: str, msg: str) -> None:
    meta = sip_status.meta(status, reason, msg)
    told = RPC_STATUS.FromString(base64.b64decode(meta["error_details"], validate=True))
    assert told.message == msg  # type: ignore[attr-defined]
    [detail] = told.details  # type: ignore[attr-defined]
    assert detail.type_url == "type.googleapis.com/livekit.SIPStatus"
    assert sip.SIPStatus.FromString(detail.value) == sip.SIPStatus(code=status, status=reason)  # type: ignore[arg-type]
    assert int(meta["sip_status_code"]) == status


def test_the_code_in_the_details_is_grpcs() -> None:
    numbers = {
        486: 8, 404: 5, 403: 7, 407: 16, 408: 4, 500: 9, 487: 10, 416: 11, 400: 3,
    }  # fmt: skip
    for status, number in numbers.items():
        details = base64.b64decode(sip_status.meta(status, "", "")["error_details"])
        assert RPC_STATUS.FromString(details).code == number  # type: ignore[attr-defined]
