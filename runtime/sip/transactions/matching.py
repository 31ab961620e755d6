"""Which transaction a message belongs to, as keys (RFC 3261 sections 17.1.3, 17.2.3 and 8.2.2.2).

A branch that starts with the magic cookie names the transaction. Peers of RFC 2543 have no such branch, and some send
the cookie with nothing behind it: then the fields that make a request what it is are compared, as 17.2.3 says.
"""

from __future__ import annotations

from runtime.sip.incoming import IncomingRequest, IncomingResponse
from runtime.sip.path import PORT_DEFAULT

MAGIC_COOKIE = "z9hG4bK"
_COOKIE_FOLDED = MAGIC_COOKIE.lower()

Key = tuple[str | int, ...]


def has_cookie(branch: str | None) -> bool:
    """Whether a branch is one of RFC 3261 and unique, so that it alone identifies a transaction."""
    return branch is not None and len(branch) > len(MAGIC_COOKIE) and branch.lower().startswith(_COOKIE_FOLDED)


def server_key(incoming: IncomingRequest, method: str) -> Key:
    """The key of the server transaction of `method` that this request is a part of.

    An ACK looks for the INVITE it acknowledges; a CANCEL is looked up once as itself and once as its INVITE. The To
    tag is left out for RFC 2543 peers, because their ACK has one where the INVITE had none.
    """
    via = incoming.via
    if method == "ACK":
        method = "INVITE"
    branch = via.branch
    if branch is not None and has_cookie(branch):
        return branch.lower(), via.host.lower(), via.port or PORT_DEFAULT, method
    return "", method, incoming.request.uri, incoming.from_tag, incoming.call_id, incoming.cseq, str(via)


def client_key(branch: str, method: str) -> Key:
    """The key of our own transaction with this branch; the method tells CANCEL from its INVITE."""
    return branch.lower(), method


def response_key(incoming: IncomingResponse) -> Key:
    """The key of the client transaction that a response belongs to."""
    return client_key(incoming.via.branch or "", incoming.cseq.method)


def merge_key(incoming: IncomingRequest) -> Key | None:
    """What one request has in common with itself come by another way; None inside a dialog, and for CANCEL."""
    if incoming.to_tag is not None or incoming.request.method == "CANCEL":
        return None
    return incoming.call_id, incoming.from_tag, incoming.cseq, incoming.request.method
