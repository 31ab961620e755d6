"""What is refused before anybody looks at what a request asks for (RFC 3261 sections 8.2.2, 16.3 and 21.4).

`validate_request` is for every request, called by the endpoint; `validate_invite` is for the call layer, which knows
that a session description is all we can take. `response_fault` is the parser's, since a broken response has no answer.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from runtime.sip.errors import SipSyntaxError
from runtime.sip.fields import (
    parse_addresses,
    parse_cseq,
    parse_media_type,
    parse_name_addr,
    parse_token_list,
    parse_vias,
)
from runtime.sip.grammar import elements
from runtime.sip.limits import MAX_FORWARDS_MAX
from runtime.sip.message import Headers, Request, Response
from runtime.sip.uri import Uri, parse_uri

SDP_TYPE = "application/sdp"

_MANDATORY = ("Via", "From", "To", "Call-ID", "CSeq")

# Fields of one value: two of them leave it to chance which one counts (RFC 4475 section 3.3.8).
_SINGLE = (
    "From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Type", "Content-Disposition", "Event", "Expires",
    "Min-SE", "Refer-To", "Referred-By", "Replaces", "Reply-To", "Retry-After", "RSeq", "RAck", "Session-Expires",
)  # fmt: skip

_call_id = re.compile(r"[!-~]+")
_max_forwards = re.compile("[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class Rejection:
    """The answer to a request that is refused: status, reason phrase, and the headers that the status asks for."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()


def validate_request(request: Request, supported: Collection[str] = ()) -> Rejection | None:
    """Why this request is refused, or None.

    In the order of section 8.2: 400 for what cannot be read, 416 for a Request-URI that names nothing we know, 420
    with Unsupported where Require asks for an option tag outside `supported`. ACK and CANCEL require nothing
    (section 8.2.2.3). The method itself is the endpoint's to judge.
    """
    try:
        _check_fields(request)
        uri = parse_uri(request.uri)
        if isinstance(uri, Uri) and uri.headers:
            return Rejection(400, "Headers In Request-URI")
        required = () if request.method in ("ACK", "CANCEL") else parse_token_list(request.headers, "Require")
    except SipSyntaxError as fault:
        return Rejection(fault.status, fault.reason)
    known = {tag.lower() for tag in supported}
    unsupported = [tag for tag in required if tag.lower() not in known]
    if unsupported:
        return Rejection(420, "Bad Extension", (("Unsupported", ", ".join(unsupported)),))
    return None


def validate_invite(request: Request) -> Rejection | None:
    """Why the body of an INVITE (or UPDATE) is refused, or None; no body is a late offer.

    415 for anything but a plain session description, naming what we take; 406 when the peer could not read our answer.
    """
    headers = request.headers
    try:
        if request.body:
            rejection = _body_rejection(headers)
            if rejection is not None:
                return rejection
        if not _accepts_sdp(headers):
            return Rejection(406, "Not Acceptable")
    except SipSyntaxError as fault:
        return Rejection(fault.status, fault.reason)
    return None


def response_fault(response: Response) -> str | None:
    """Why a response is dropped: a mandatory field is missing, doubled or broken; None when it is whole."""
    headers = response.headers
    try:
        _check_mandatory(headers)
        parse_cseq(headers)
    except SipSyntaxError as fault:
        return fault.reason
    return None


def _check_fields(request: Request) -> None:
    """Raises the first fault of the fields that transactions and dialogs are built on."""
    headers = request.headers
    _check_mandatory(headers)
    for name in _SINGLE:
        if len(headers.all(name)) > 1:
            raise SipSyntaxError(400, f"More Than One {name}")
    if parse_cseq(headers).method != request.method:
        raise SipSyntaxError(400, "CSeq Method Does Not Match")
    hops = headers.first("Max-Forwards")
    if hops is not None and (_max_forwards.fullmatch(hops) is None or int(hops) > MAX_FORWARDS_MAX):
        raise SipSyntaxError(400, "Malformed Max-Forwards")
    for name in ("Record-Route", "Route"):
        if name in headers:
            parse_addresses(headers, name)
    if headers.all("Contact") not in ((), ("*",)):
        parse_addresses(headers, "Contact")


def _check_mandatory(headers: Headers) -> None:
    """Raises where Via, From, To, Call-ID or CSeq is missing, doubled or broken (CSeq only when missing)."""
    for name in _MANDATORY:
        values = headers.all(name)
        if not values or not values[0]:
            raise SipSyntaxError(400, f"Missing {name}")
        if len(values) > 1 and name != "Via":
            raise SipSyntaxError(400, f"More Than One {name}")
    parse_vias(headers)
    for name in ("From", "To"):
        parse_name_addr(headers.all(name)[0], name)
    if _call_id.fullmatch(headers.all("Call-ID")[0]) is None:
        raise SipSyntaxError(400, "Malformed Call-ID")


def _body_rejection(headers: Headers) -> Rejection | None:
    content_type = headers.first("Content-Type")
    if not content_type:
        return Rejection(400, "Missing Content-Type")
    kind = parse_media_type(content_type)
    if f"{kind.type}/{kind.subtype}" != SDP_TYPE:
        return Rejection(415, "Unsupported Media Type", (("Accept", SDP_TYPE),))
    if any(coding.lower() != "identity" for coding in parse_token_list(headers, "Content-Encoding")):
        return Rejection(415, "Unsupported Media Type", (("Accept-Encoding", "identity"),))
    return None


def _accepts_sdp(headers: Headers) -> bool:
    """Whether Accept lets us send a session description; without the field it is understood (section 20.1)."""
    lines = headers.all("Accept")
    if not lines:
        return True
    for text in elements(lines):
        if not text:
            continue
        wanted = parse_media_type(text, "Accept")
        if f"{wanted.type}/{wanted.subtype}" in (SDP_TYPE, "application/*", "*/*"):
            return True
    return False
