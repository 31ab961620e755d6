"""The two requests that are made of an INVITE and go the same way: ACK of a non-2xx, and CANCEL.

RFC 3261 section 17.1.1.3 and section 9.1: the INVITE's own top Via, Route, Request-URI, From, Call-ID and CSeq number.
The ACK of a 2xx is another thing: a request of the dialog with a branch of its own (`dialog`).
"""

from __future__ import annotations

from runtime.sip.message import Headers, Request, Response
from runtime.sip.requests import MAX_FORWARDS, Pairs


def ack_of_failure(invite: Request, response: Response) -> Request:
    """The ACK for a response 300 to 699; To comes from the response, with its tag."""
    return _derived(invite, "ACK", response.headers.first("To") or "")


def cancel_of(invite: Request, extra: Pairs = ()) -> Request:
    """The CANCEL of an INVITE without a final response, with `extra` headers; To is the INVITE's, tag or not."""
    return _derived(invite, "CANCEL", invite.headers.first("To") or "", extra)


def _derived(invite: Request, method: str, to: str, extra: Pairs = ()) -> Request:
    old = invite.headers
    number = (old.first("CSeq") or "").split()[0]
    items = [
        ("Via", old.all("Via")[0]),
        ("Max-Forwards", MAX_FORWARDS),
        *(("Route", route) for route in old.all("Route")),
        ("From", old.first("From") or ""),
        ("To", to),
        ("Call-ID", old.first("Call-ID") or ""),
        ("CSeq", f"{number} {method}"),
        *extra,
    ]
    return Request(method, invite.uri, Headers.of_canonical(items))
