"""Which SIP headers a trunk sets and reads, and the grammar of header names and values (RFC 3261 25.1).

The names that carry the transaction, the dialog or the body belong to the bridge and are refused in `headers`, in
their long and compact forms; in the two maps between headers and attributes only the grammar is checked.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from schemas.ids import VERIFIED_ATTRIBUTES
from schemas.resources import bounds
from schemas.resources.base import Maybe, Part
from schemas.resources.values import (
    ATTRIBUTE_NAME_SCHEMA,
    AttributeName,
    at_most,
    bounded,
    map_schema,
    refuse,
    shown,
    text_of,
    yaml_word,
)

_TOKEN = re.compile(r"[-A-Za-z0-9.!%*_+`'~]+")
_CREDENTIAL = re.compile(r"authorization|token|key|secret|passw|credential", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

BRIDGE_HEADERS = frozenset(
    {
        *("accept", "accept-encoding", "accept-language", "allow", "allow-events", "call-id", "contact"),
        *("content-encoding", "content-length", "content-type", "cseq", "event", "expires", "from", "max-forwards"),
        *("record-route", "refer-to", "reply-to", "to", "via"),
        *("authorization", "proxy-authorization", "replaces", "join", "target-dialog", "refer-sub", "rack", "rseq"),
        *("min-se", "session-expires", "subscription-state", "recv-info", "info-package"),
        *"abcdefijklmnorstuvxy",
    }
)
"""Header names that only the bridge writes; the single letters are RFC 3261's compact forms."""


def header_name(value: object) -> str:
    """A SIP header's name: token characters, at most 255."""
    name = bounded(text_of(value), bounds.HEADER_NAME_CHARS_MAX)
    if not _TOKEN.fullmatch(name):
        raise refuse(
            "bad-header", f"{shown(name)} is not a header's name", "use letters, digits and `-`, like X-Tenant"
        )
    return name


def settable_header_name(value: object) -> str:
    """A header's name that a person may set: not one of those that the bridge itself writes."""
    name = header_name(value)
    if name.lower() in BRIDGE_HEADERS:
        raise refuse("bad-header", f"the header {shown(name)} is written by the bridge", "choose another name")
    return name


def attribute_of_header(value: object) -> str:
    """An attribute that a header may make: none that says what was verified."""
    name = at_most(bounds.ATTRIBUTE_NAME_CHARS_MAX, empty=False)(value)
    if name in VERIFIED_ATTRIBUTES:
        what = f"the attribute {shown(name)} says what the bridge has verified, and a header says what somebody claims"
        raise refuse("bad-attribute", what, "choose another name")
    return name


def names_a_credential(header: str) -> bool:
    """Whether a header's name says that its value gives a right to whoever knows it: `Authorization`, `X-Api-Key`."""
    return _CREDENTIAL.search(header) is not None


def header_value(value: object) -> str:
    """A header's value: printable ASCII, tab and anything beyond ASCII, at most 1024 characters; may be empty."""
    if not isinstance(value, str):
        # A header may carry a key, so the complaint has not the code that invites to show what is written.
        raise refuse("bad-header", f"this must be a text, not {yaml_word(value)}", "put it in quotes")
    text = bounded(value, bounds.HEADER_VALUE_CHARS_MAX)
    if _CONTROL.search(text):
        raise refuse("bad-header", "this holds a line break or control character", "write it in one line")
    return text


_NAME_SCHEMA = {
    "type": "string",
    "minLength": 1,
    "maxLength": bounds.HEADER_NAME_CHARS_MAX,
    "pattern": r"^[-A-Za-z0-9.!%*_+`'~]+$",
}
HeaderName = Annotated[str, PlainValidator(header_name), WithJsonSchema(_NAME_SCHEMA)]
SettableHeaderName = Annotated[str, PlainValidator(settable_header_name), WithJsonSchema(_NAME_SCHEMA)]
_VALUE_SCHEMA = {"type": "string", "maxLength": bounds.HEADER_VALUE_CHARS_MAX}
_CLAIMED_SCHEMA = {**ATTRIBUTE_NAME_SCHEMA, "not": {"enum": sorted(VERIFIED_ATTRIBUTES)}}
AttributeOfHeader = Annotated[str, PlainValidator(attribute_of_header), WithJsonSchema(_CLAIMED_SCHEMA)]
HeaderValue = Annotated[str, PlainValidator(header_value), WithJsonSchema(_VALUE_SCHEMA)]
FixedHeaders = Annotated[
    dict[SettableHeaderName, HeaderValue],
    Field(max_length=bounds.HEADERS_MAX),
    map_schema(_NAME_SCHEMA, _VALUE_SCHEMA, bounds.HEADERS_MAX),
]
HeadersToAttributes = Annotated[
    dict[HeaderName, AttributeOfHeader],
    Field(max_length=bounds.HEADERS_MAX),
    map_schema(_NAME_SCHEMA, _CLAIMED_SCHEMA, bounds.HEADERS_MAX),
]
AttributesToHeaders = Annotated[
    dict[AttributeName, HeaderName],
    Field(max_length=bounds.HEADERS_MAX),
    map_schema(ATTRIBUTE_NAME_SCHEMA, _NAME_SCHEMA, bounds.HEADERS_MAX),
]


class HeaderPolicy(Part):
    """The header fields that both halves of a trunk have."""

    headers: Maybe[FixedHeaders] = Field(None, description="Fixed headers: on the 200 OK inbound, the INVITE outbound.")
    headers_to_attributes: Maybe[HeadersToAttributes] = Field(
        None, description="Participant attributes from headers of the INVITE (inbound) or the 200 OK (outbound)."
    )
    attributes_to_headers: Maybe[AttributesToHeaders] = Field(
        None, description="Headers of the bridge's messages from participant attributes."
    )
    include_headers: Literal["none", "x", "all"] = Field(
        "none", description="Which headers become `sip.h.*` attributes: none, those beginning with X-, or all."
    )
