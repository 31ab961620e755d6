"""Where a phone that answers 3xx may send a call of ours (RFC 3261 section 8.1.3.4): to its trunk, and nowhere else.

Whoever answers a call could have it placed anywhere at the trunk's expense. So the new target has to be at one of the
addresses that the trunk names, at which its password may be shown; what is dialled is held against
`allowedDestinations` to the letter, as the request was; and there are `REDIRECTS_MAX` of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.routing.dial import Way
from runtime.routing.place import not_allowed
from runtime.sip.errors import SipSyntaxError
from runtime.sip.fields import NameAddr, parse_addresses
from runtime.sip.message import Response
from runtime.sip.path import default_port
from runtime.sip.uri import TelUri, Uri, parse_uri
from schemas.printable import printable
from schemas.tables.rows import Outbound

FOLLOWED = frozenset({300, 301, 302})
"""305 names a proxy and 380 another service: neither is another place for the same call."""

REDIRECTS_MAX = 3
"""How often one call is sent on."""

USER_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Redirect:
    """Dial `user` there."""

    user: str
    way: Way


def redirect_of(
    response: Response, outbound: Outbound, ways: Sequence[Way], last: Way, seen: frozenset[Redirect], count: int
) -> Redirect | str:
    """Where to dial next, or why nowhere, in words.

    `seen` are those that were dialled, `last` is the newest way; the call was sent on `count` times before.
    """
    if response.status not in FOLLOWED:
        return "such an answer is not followed"
    if count >= REDIRECTS_MAX:
        return f"it was sent on {REDIRECTS_MAX} times"
    try:
        contacts = parse_addresses(response.headers, "Contact")
    except SipSyntaxError as fault:
        return f"its Contact cannot be read: {fault.reason}"
    words = "it names no other place"
    for contact in sorted(contacts, key=_preference, reverse=True):
        found = _judged(contact, outbound, ways, last)
        if isinstance(found, Redirect) and found not in seen:
            return found
        words = found if isinstance(found, str) else "it was dialled there already"
    return words


def _judged(contact: NameAddr, outbound: Outbound, ways: Sequence[Way], last: Way) -> Redirect | str:
    try:
        uri = parse_uri(contact.uri)
    except SipSyntaxError as fault:
        return f"{_shown(contact.uri)}: {fault.reason}"
    if isinstance(uri, TelUri):
        way, user = last, uri.number
        plain = not uri.params
    else:
        found = _way_to(uri, ways)
        if found is None:
            return f"{_shown(contact.uri)} is at none of the trunk's addresses"
        way, user = found, uri.user or ""
        plain = uri.scheme == "sip" and not uri.headers and uri.password is None
    if not plain or not user or len(user) > USER_CHARS_MAX or not user.isprintable() or ";" in user:
        return f"{_shown(contact.uri)} says more than a number"
    refused = not_allowed(outbound, user)
    return f"the trunk may not call {_shown(refused)}" if refused else Redirect(user, way)


def _way_to(uri: Uri, ways: Sequence[Way]) -> Way | None:
    """The way to this host, by its name or its address; the port counts, for another one may be another server's."""
    host = uri.host.lower()
    for place, path in ways:
        address = host, uri.port or default_port(path.transport)
        if address == path.remote or (host, uri.port) == (place.host.lower(), place.port):
            return place, path
    return None


def _preference(contact: NameAddr) -> float:
    try:
        return float(contact.param("q") or 1.0)
    except ValueError:
        return 0.0


def _shown(text: str) -> str:
    return printable(text)[:120]
