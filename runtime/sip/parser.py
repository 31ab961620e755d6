"""Bytes of one datagram, or of one message of a stream (`framing`) -> one message (RFC 3261 sections 7 and 18.3).

Called by the endpoint for everything that arrives. Only framing is done here: start line, header lines, body; fields
stay text until `fields` reads them. Line ends are CRLF and nothing else: a header that one side sees and the other
does not is how messages are smuggled.
"""

from __future__ import annotations

import re

from runtime.sip.errors import Fault, SipSyntaxError
from runtime.sip.grammar import TOKEN, has_illegal_control, is_token
from runtime.sip.limits import HEAD_BYTES_MAX, HEADER_CHARS_MAX, HEADERS_MAX, MESSAGE_BYTES_MAX, URI_CHARS_MAX
from runtime.sip.message import CANONICAL, Headers, Message, Request, Response, canonical_name
from runtime.sip.validate import response_fault

__all__ = ["SipSyntaxError", "parse_message"]

_request_line = re.compile(rf"({TOKEN}) ([!-~]+) [sS][iI][pP]/2\.0")
_status_line = re.compile(r"[sS][iI][pP]/2\.0 ([1-6][0-9]{2})(?: (.*))?", re.DOTALL)
_any_request_line = re.compile(rf"({TOKEN})[ \t]+([^ \t].*)[ \t][sS][iI][pP]/([0-9]+\.[0-9]+)[ \t]*", re.DOTALL)
_fold = re.compile(r"\r\n[ \t]+")
_length = re.compile("[0-9]{1,10}")

_VERSION = "2.0"


def parse_message(data: bytes) -> Message:
    """The message in one datagram; what follows its Content-Length is ignored, as is CRLF before it (section 7.5).

    Raises SipSyntaxError: with a partial request where somebody waits for an answer, without one where the datagram is
    to be dropped (a response, a keep-alive, noise).
    """
    fault: Fault | None = None
    if len(data) > MESSAGE_BYTES_MAX:
        fault = 513, "Message Too Large"
        data = data[:MESSAGE_BYTES_MAX]
    if data.startswith(b"\r\n"):
        data = data.lstrip(b"\r\n")
    head, blank_line, rest = data.partition(b"\r\n\r\n")
    if not blank_line:
        fault = fault or (400, "Headers Do Not End")
        head = head.removesuffix(b"\r\n")
    if len(head) > HEAD_BYTES_MAX:
        fault = fault or (513, "Message Headers Too Large")
        head = head[:HEAD_BYTES_MAX]
    start, _, lines = _unfolded(_decoded(head)).partition("\r\n")
    items, lengths, header_fault = _header_lines(lines)
    body, body_fault = _body(rest, lengths)
    headers = Headers.of_canonical(items)
    fault = fault or header_fault or body_fault
    found = _request_line.fullmatch(start)
    if found is not None:
        return _request(found, headers, body, fault)
    found = _status_line.fullmatch(start)
    if found is not None:
        return _response(found, headers, body, fault)
    raise _unreadable_start(start, headers, fault)


def _request(found: re.Match[str], headers: Headers, body: bytes, fault: Fault | None) -> Request:
    if len(found[2]) > URI_CHARS_MAX:
        fault = fault or (414, "Request-URI Too Long")
    request = Request(found[1], found[2], headers, body)
    if fault is not None:
        raise _answerable(fault, request)
    return request


def _response(found: re.Match[str], headers: Headers, body: bytes, fault: Fault | None) -> Response:
    """A response that has all its fields: with a fault in it there is nobody to tell (section 18.3)."""
    reason = found[2] or ""
    if has_illegal_control(reason):
        fault = fault or (400, "Control Character In Reason Phrase")
    response = Response(int(found[1]), reason, headers, body)
    why = fault[1] if fault is not None else response_fault(response)
    if why is not None:
        raise SipSyntaxError(400, why)
    return response


def _unreadable_start(start: str, headers: Headers, fault: Fault | None) -> SipSyntaxError:
    """The fault of a start line that is neither: a request of another version or with odd spaces is answered."""
    found = _any_request_line.fullmatch(start)
    if found is None:
        return SipSyntaxError(400, "Malformed Start Line")
    if found[3] != _VERSION:
        fault = 505, "SIP Version Not Supported"
    return _answerable(fault or (400, "Malformed Request Line"), Request(found[1], found[2].strip(), headers))


def _answerable(fault: Fault, request: Request) -> SipSyntaxError:
    """The fault with the request to answer; without a Via nobody waits for an answer."""
    return SipSyntaxError(*fault, request if "Via" in request.headers else None)


def _decoded(head: bytes) -> str:
    """UTF-8 (section 7.3.1), or Latin-1 where it is not: old gateways write caller names so, and any text is text."""
    try:
        return head.decode()
    except UnicodeDecodeError:
        return head.decode("latin-1")


def _unfolded(text: str) -> str:
    """Header lines that go on in the next one, joined by a space (section 7.3.1)."""
    return _fold.sub(" ", text) if "\r\n " in text or "\r\n\t" in text else text


def _header_lines(text: str) -> tuple[list[tuple[str, str]], list[str], Fault | None]:
    """All readable (canonical name, value) pairs, the Content-Length values apart, and the first fault met."""
    items: list[tuple[str, str]] = []
    lengths: list[str] = []
    fault: Fault | None = None
    lines = text.split("\r\n") if text else []
    if len(lines) > HEADERS_MAX:
        fault = 513, "Too Many Header Lines"
        del lines[HEADERS_MAX:]
    for line in lines:
        name, colon, value = line.partition(":")
        value = value.strip(" \t")
        known = CANONICAL.get(name) if colon else None
        if known is None or len(line) > HEADER_CHARS_MAX or not value.isprintable():
            complaint = _line_fault(line, name, value)
            if complaint is not None:
                fault = fault or complaint
                continue
            known = canonical_name(name.rstrip(" \t"))
        if known == "Content-Length":
            lengths.append(value)
        else:
            items.append((known, value))
    return items, lengths, fault


def _line_fault(line: str, name: str, value: str) -> Fault | None:
    """What is wrong with a header line that is not plainly right."""
    if ":" not in line or not is_token(name.rstrip(" \t")):
        return 400, "Malformed Header Line"
    if len(line) > HEADER_CHARS_MAX:
        return 513, "Header Line Too Long"
    if has_illegal_control(value):
        return 400, "Control Character In Header"
    return None


def _body(rest: bytes, lengths: list[str]) -> tuple[bytes, Fault | None]:
    """The body by its Content-Length; without one, all there is (section 18.3)."""
    if not lengths:
        return rest, None
    if len(lengths) > 1:
        return b"", (400, "More Than One Content-Length")
    if _length.fullmatch(lengths[0]) is None:
        return b"", (400, "Malformed Content-Length")
    length = int(lengths[0])
    if length > len(rest):
        return b"", (400, "Body Shorter Than Content-Length")
    return rest[:length], None
