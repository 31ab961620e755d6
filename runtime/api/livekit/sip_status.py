"""CORE. The final SIP response of a call that failed, as LiveKit's SDKs read it from a Twirp error.

Which code a status is, is LiveKit's table (livekit-protocol, `sipCodeToGRPCCode`). What matters most in it: a 5xx from
a carrier is no 5xx of ours, since an SDK repeats what failed with one, and would dial twice. `error_details` is what a
Go client unpacks: a google.rpc.Status in base64 that holds the SIPStatus. That message is three fields, written here by
hand, as the package it comes in is not needed for anything else.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from google.protobuf.any_pb2 import Any
from livekit.protocol import sip

from runtime.api.livekit.twirp import Code

_CODES: Mapping[Code, tuple[int, ...]] = {
    Code.PERMISSION_DENIED: (401, 402, 403, 433, 470, 603, 607, 608),
    Code.UNAUTHENTICATED: (407, 428, 436, 437, 438, 494),
    Code.NOT_FOUND: (301, 302, 404, 410, 481, 604),
    Code.DEADLINE_EXCEEDED: (408, 504),
    Code.RESOURCE_EXHAUSTED: (440, 480, 486, 600),
    Code.FAILED_PRECONDITION: (409, 412, 482, 483),
    Code.ABORTED: (487, 491),
    Code.OUT_OF_RANGE: (416,),
    Code.INVALID_ARGUMENT: (505, 513),
}
_CODE_OF = {status: code for code, statuses in _CODES.items() for status in statuses}
_GRPC = {
    Code.INVALID_ARGUMENT: 3,
    Code.DEADLINE_EXCEEDED: 4,
    Code.NOT_FOUND: 5,
    Code.PERMISSION_DENIED: 7,
    Code.RESOURCE_EXHAUSTED: 8,
    Code.FAILED_PRECONDITION: 9,
    Code.ABORTED: 10,
    Code.OUT_OF_RANGE: 11,
    Code.UNAUTHENTICATED: 16,
}
"""google.rpc.Code of the codes that a SIP status may have."""


def is_failure(status: int) -> bool:
    """Whether this is a SIP response that ends an attempt; 0 = there was none."""
    return 300 <= status < 700


def code_of(status: int) -> Code:
    """The Twirp code of such a response."""
    assert is_failure(status), "nothing else fails a call"
    usual = Code.FAILED_PRECONDITION if 500 <= status < 600 else Code.INVALID_ARGUMENT
    return _CODE_OF.get(status, usual)


def sip_status(status: int, reason: str) -> sip.SIPStatus:
    """LiveKit's message for it; its enum is open, so any status goes through."""
    return sip.SIPStatus(code=status, status=reason)  # type: ignore[arg-type]


def sentence(status: int, reason: str) -> str:
    """What LiveKit says of it: `sip status 486: Busy Here`."""
    return f"sip status {status}: {reason or _name(status).removeprefix('SIP_STATUS_')}"


def meta(status: int, reason: str, msg: str) -> dict[str, str]:
    """The metadata of the error `msg` that SDKs look for."""
    return {
        "sip_status_code": str(status),
        "sip_status": reason or _name(status),
        "error_details": base64.b64encode(_details(status, reason, msg)).decode(),
    }


def _name(status: int) -> str:
    """The name of LiveKit's enum, or the number where it has none."""
    known = sip.SIPStatusCode.DESCRIPTOR.values_by_number.get(status)
    return known.name if known is not None else str(status)


def _details(status: int, reason: str, msg: str) -> bytes:
    """google.rpc.Status: int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3."""
    detail = Any()
    detail.Pack(sip_status(status, reason))
    code = b"\x08" + _varint(_GRPC[code_of(status)])
    return code + _delimited(2, msg.encode()) + _delimited(3, detail.SerializeToString())


def _delimited(field: int, value: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
