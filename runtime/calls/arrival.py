"""What an INVITE says about itself, read once at the door: who calls whom, from where (RFC 3261 section 20)."""

from __future__ import annotations

from runtime.routing.route import Arrival
from runtime.sip.errors import SipSyntaxError
from runtime.sip.fields import NameAddr, parse_name_addr
from runtime.sip.identity import Identity, read_identity
from runtime.sip.message import Request
from runtime.sip.path import Path
from runtime.sip.uri import TelUri, parse_uri
from schemas.tables.patterns import received_number
from schemas.tables.rows import Pairs


def read_arrival(request: Request, path: Path) -> Arrival:
    """The facts that routing needs. The called number is the To user, as in LiveKit. SipSyntaxError when unreadable."""
    caller = parse_name_addr(request.headers.first("From") or "", "From")
    called = parse_name_addr(request.headers.first("To") or "", "To")
    caller_user, caller_host = _user_and_host(caller)
    called_user, called_host = _user_and_host(called)
    identity = read_identity(request.headers)
    return Arrival(
        source=path.remote[0],
        called=called_user,
        caller=caller_user,
        caller_host=caller_host,
        called_host=called_host,
        sip_call_id=request.headers.first("Call-ID") or "",
        from_tag=caller.tag or "",
        headers=request.headers.items(),
        asserted=identity.caller,
        private=identity.is_private,
        verstat=identity.verstat,
        told=_told(identity),
    )


def request_user(request: Request) -> str:
    """The user part of the Request-URI, "" where there is none: of a call by a registration, that of our Contact."""
    try:
        return parse_uri(request.uri).user or ""
    except SipSyntaxError:
        return ""


def _told(identity: Identity) -> Pairs:
    """What the participant shows of it."""
    told = {
        "sip.divertedBy": identity.diverted_by,
        "sip.diversionReason": identity.diversion_reason,
        "sip.firstCalled": identity.first_called,
        "sip.privacy": identity.privacy,
    }
    if not identity.is_private:
        told |= {
            "sip.assertedIdentity": identity.asserted.user,
            "sip.assertedName": identity.asserted.name,
            "sip.remotePartyId": identity.remote_party.user,
            "sip.remotePartyName": identity.remote_party.name,
        }
    return tuple(sorted((name, value) for name, value in told.items() if value))


def names_the_called(request: Request, called: str) -> bool:
    """Whether the Request-URI, which a digest is bound to, names the number that the To field does and routing uses."""
    try:
        uri = parse_uri(request.uri)
    except SipSyntaxError:
        return False
    return received_number((uri.user or "").partition(";")[0]) == received_number(called)


def _user_and_host(address: NameAddr) -> tuple[str, str]:
    """The user names a room and an identity and is written into logs: one that could steer a terminal is refused."""
    try:
        uri = parse_uri(address.uri)
    except SipSyntaxError as fault:
        if fault.status == 416:  # a scheme that carries no number: nobody that a number could name
            return "", ""
        raise
    if isinstance(uri, TelUri):
        return uri.user, ""
    # RFC 3261 section 19.1.6: telephone parameters may hide in the user part (`+1555;phone-context=…`).
    user = (uri.user or "").partition(";")[0]
    if not user.isprintable():
        raise SipSyntaxError(400, "Unprintable Character In User")
    return user, uri.host
