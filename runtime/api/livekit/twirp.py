"""CORE. Twirp on the wire: which errors there are, how a body becomes a message and a message a body.

Twirp v7's error codes and their HTTP statuses, and its rule that errors are JSON whatever the request was. The
sentences are ours: they say what to do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

JSON, PROTOBUF = "application/json", "application/protobuf"

M = TypeVar("M", bound=Message)


class Code(StrEnum):
    """Twirp's error codes, as far as this API gives them."""

    CANCELED = "canceled"
    INVALID_ARGUMENT = "invalid_argument"
    MALFORMED = "malformed"
    NOT_FOUND = "not_found"
    BAD_ROUTE = "bad_route"
    ALREADY_EXISTS = "already_exists"
    PERMISSION_DENIED = "permission_denied"
    UNAUTHENTICATED = "unauthenticated"
    RESOURCE_EXHAUSTED = "resource_exhausted"
    FAILED_PRECONDITION = "failed_precondition"
    ABORTED = "aborted"
    OUT_OF_RANGE = "out_of_range"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    UNIMPLEMENTED = "unimplemented"
    INTERNAL = "internal"
    UNAVAILABLE = "unavailable"


STATUS: Mapping[Code, int] = {
    Code.CANCELED: 408,
    Code.INVALID_ARGUMENT: 400,
    Code.MALFORMED: 400,
    Code.NOT_FOUND: 404,
    Code.BAD_ROUTE: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.UNAUTHENTICATED: 401,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 412,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.DEADLINE_EXCEEDED: 408,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
}


class TwirpError(Exception):
    """A request's fault, with the answer to give. `meta` is for programs."""

    def __init__(self, code: Code, msg: str, **meta: str) -> None:
        super().__init__(msg)
        self.code = code
        self.msg = msg
        self.meta = meta

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.code]

    def body(self) -> bytes:
        """The answer's body: JSON."""
        told: dict[str, object] = {"code": self.code, "msg": self.msg}
        if self.meta:
            told["meta"] = self.meta
        return json.dumps(told).encode()


def decoded(body: bytes, form: str, message: type[M]) -> M:
    """The request in a body of the form `JSON` or `PROTOBUF`; fields of a newer LiveKit are passed over."""
    wanted = message()
    try:
        if form == PROTOBUF:
            wanted.ParseFromString(body)
        else:
            json_format.Parse(body.decode() or "{}", wanted, ignore_unknown_fields=True)
    except (DecodeError, json_format.ParseError, UnicodeDecodeError, RecursionError) as fault:
        word = "protobuf" if form == PROTOBUF else "json"
        what = " ".join(str(fault).split())[:200]
        raise TwirpError(Code.MALFORMED, f"the {word} request could not be decoded: {what}") from fault
    return wanted


def encoded(message: Message, form: str) -> bytes:
    """An answer, as the request was: JSON as LiveKit's server writes it, with the proto's own names and empty values.

    A list is written item by item: one `json.dumps` of ten thousand would hold up every thread, the media clock's too.
    """
    if form == PROTOBUF:
        return message.SerializeToString()
    if "items" in message.DESCRIPTOR.fields_by_name:
        items: Sequence[Message] = message.items  # type: ignore[attr-defined]
        return f'{{"items": [{", ".join(map(_as_json, items))}]}}'.encode()
    return _as_json(message).encode()


def _as_json(message: Message) -> str:
    return json_format.MessageToJson(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True, indent=None
    )
