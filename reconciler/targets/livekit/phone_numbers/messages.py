"""CORE. The messages of livekit.PhoneNumberService, which livekit-protocol for Python does not carry yet.

Names, numbers and types of fields are those of LiveKit's `livekit_phone_number.proto`; a test holds them against the
descriptor inside a genuine livekit-server. They live in a pool of their own, so that a livekit-protocol which brings
them some day does not clash.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from google.protobuf import descriptor_pb2, timestamp_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

FILE = "livekit_phone_number.proto"
SERVICE = "PhoneNumberService"


class Status(IntEnum):
    """PhoneNumberStatus. A number that is bound to no rule is offline."""

    UNSPECIFIED = 0
    ACTIVE = 1
    PENDING = 2
    RELEASED = 3
    OFFLINE = 4


class Type(IntEnum):
    """PhoneNumberType."""

    UNKNOWN = 0
    MOBILE = 1
    LOCAL = 2
    TOLL_FREE = 3


FIELDS: dict[str, tuple[tuple[int, str, str], ...]] = {
    "TokenPagination": ((1, "token", "string"),),
    "SearchPhoneNumbersRequest": (
        (1, "country_code", "string"),
        (2, "area_code", "string?"),
        (3, "limit", "int32?"),
        (4, "page_token", "TokenPagination?"),
    ),
    "SearchPhoneNumbersResponse": ((1, "items", "PhoneNumber*"), (2, "next_page_token", "TokenPagination")),
    "PurchasePhoneNumberRequest": ((1, "phone_numbers", "string*"), (2, "sip_dispatch_rule_id", "string?")),
    "PurchasePhoneNumberResponse": ((1, "phone_numbers", "PhoneNumber*"),),
    "ListPhoneNumbersRequest": (
        (1, "limit", "int32?"),
        (2, "statuses", "PhoneNumberStatus*"),
        (3, "page_token", "TokenPagination?"),
        (4, "sip_dispatch_rule_id", "string?"),
    ),
    "ListPhoneNumbersResponse": (
        (1, "items", "PhoneNumber*"),
        (2, "next_page_token", "TokenPagination"),
        (3, "total_count", "int32"),
        (4, "offline_count", "int32"),
    ),
    "GetPhoneNumberRequest": ((1, "id", "string?"), (2, "phone_number", "string?")),
    "GetPhoneNumberResponse": ((1, "phone_number", "PhoneNumber"),),
    "UpdatePhoneNumberRequest": (
        (1, "id", "string?"),
        (2, "phone_number", "string?"),
        (3, "sip_dispatch_rule_id", "string?"),
    ),
    "UpdatePhoneNumberResponse": ((1, "phone_number", "PhoneNumber"),),
    "ReleasePhoneNumbersRequest": ((1, "ids", "string*"), (2, "phone_numbers", "string*")),
    "ReleasePhoneNumbersResponse": (),
    "PhoneNumber": (
        (1, "id", "string"),
        (2, "e164_format", "string"),
        (3, "country_code", "string"),
        (4, "area_code", "string"),
        (5, "number_type", "PhoneNumberType"),
        (6, "locality", "string"),
        (7, "region", "string"),
        (8, "spam_score", "double"),
        (9, "created_at", "Timestamp"),
        (10, "updated_at", "Timestamp"),
        (11, "capabilities", "string*"),
        (12, "status", "PhoneNumberStatus"),
        (13, "assigned_at", "Timestamp"),
        (14, "released_at", "Timestamp"),
        (15, "sip_dispatch_rule_id", "string"),
        (16, "sip_dispatch_rule_ids", "string*"),
    ),
}
"""Each message's fields: number, name, type; `?` one that may be unset, `*` many."""

METHODS: dict[str, tuple[str, str]] = {
    "SearchPhoneNumbers": ("SearchPhoneNumbersRequest", "SearchPhoneNumbersResponse"),
    "PurchasePhoneNumber": ("PurchasePhoneNumberRequest", "PurchasePhoneNumberResponse"),
    "ListPhoneNumbers": ("ListPhoneNumbersRequest", "ListPhoneNumbersResponse"),
    "GetPhoneNumber": ("GetPhoneNumberRequest", "GetPhoneNumberResponse"),
    "UpdatePhoneNumber": ("UpdatePhoneNumberRequest", "UpdatePhoneNumberResponse"),
    "ReleasePhoneNumbers": ("ReleasePhoneNumbersRequest", "ReleasePhoneNumbersResponse"),
}
"""What the service does: a request's message and that of its answer."""

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"string": _Field.TYPE_STRING, "int32": _Field.TYPE_INT32, "double": _Field.TYPE_DOUBLE}
_ENUMS = {"PhoneNumberStatus": (Status, "PHONE_NUMBER_STATUS"), "PhoneNumberType": (Type, "PHONE_NUMBER_TYPE")}


def _descriptor() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name=FILE, package="livekit", syntax="proto3")
    file.dependency.append(timestamp_pb2.DESCRIPTOR.name)
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for number, field_name, form in fields:
            _add(message, number, field_name, form)
    for name, (values, prefix) in _ENUMS.items():
        enum = file.enum_type.add(name=name)
        for value in values:
            enum.value.add(name=f"{prefix}_{value.name}", number=value)
    return file


def _add(message: descriptor_pb2.DescriptorProto, number: int, name: str, form: str) -> None:
    type_name = form.rstrip("?*")
    field = message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
    if form.endswith("*"):
        field.label = _Field.LABEL_REPEATED
    if type_name in _SCALARS:
        field.type = _SCALARS[type_name]
    else:
        field.type = _Field.TYPE_ENUM if type_name in _ENUMS else _Field.TYPE_MESSAGE
        field.type_name = ".google.protobuf.Timestamp" if type_name == "Timestamp" else f".livekit.{type_name}"
    if form.endswith("?"):
        field.proto3_optional = True
        field.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{name}")


_pool = DescriptorPool()
_pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
_file = _pool.AddSerializedFile(_descriptor().SerializeToString())


def message(name: str) -> Any:
    """The class of a message by its name: `PurchasePhoneNumberRequest`."""
    return GetMessageClass(_pool.FindMessageTypeByName(f"livekit.{name}"))
