"""Our responses as messages (RFC 3261 section 8.2.6): what is copied from the request, what is ours, the reasons."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.sip.fields import parse_name_addr
from runtime.sip.message import Headers, Request, Response, canonical_name

REASONS: dict[int, str] = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
    200: "OK", 202: "Accepted", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily",
    305: "Use Proxy", 380: "Alternative Service", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
    407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone", 413: "Request Entity Too Large",
    414: "Request-URI Too Long", 415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 420: "Bad Extension",
    421: "Extension Required", 422: "Session Interval Too Small", 423: "Interval Too Brief",
    428: "Use Identity Header", 436: "Bad Identity Info", 437: "Unsupported Credential", 438: "Invalid Identity Header",
    469: "Bad Info Package", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist",
    482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete", 485: "Ambiguous", 486: "Busy Here",
    487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending",
    493: "Undecipherable",
    500: "Server Internal Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Server Time-out", 505: "Version Not Supported", 513: "Message Too Large", 600: "Busy Everywhere",
    603: "Decline", 604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}  # fmt: skip

_COPIED = ("From", "To", "Call-ID", "CSeq")


def build_response(
    request: Request,
    status: int,
    *,
    to_tag: str | None,
    reason: str = "",
    extra: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    content_type: str = "",
) -> Response:
    """A response to a request whose top Via is stamped. `to_tag` None: To goes back as it came.

    Copies what there is, so that a request with a fault is answered too.
    """
    headers = request.headers
    items = [("Via", via) for via in headers.all("Via")]
    for name in _COPIED:
        value = headers.first(name)
        if value is None:
            continue
        items.append((name, f"{value};tag={to_tag}" if name == "To" and to_tag else value))
    if status == 100:
        # Section 8.2.6.1: a Timestamp goes back in 100 (we add no delay worth telling).
        items += [("Timestamp", value) for value in headers.all("Timestamp")]
    items += [(canonical_name(name), value) for name, value in extra]
    if body and content_type:
        items.append(("Content-Type", content_type))
    return Response(status, reason or REASONS.get(status, "Unknown"), Headers.of_canonical(items), body)


def made_here(response: Response) -> bool:
    """Whether a 503 is of our own making (RFC 3261 section 8.1.3.1): whoever answers names his side of it."""
    return response.status == 503 and parse_name_addr(response.headers.first("To") or "", "To").tag is None
