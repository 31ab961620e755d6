"""Who calls, and by whose doing the call came here, as carriers tell it beside From.

P-Asserted-Identity and Privacy (RFC 3325, RFC 3323), Remote-Party-ID (draft-ietf-sip-privacy-04), Diversion (RFC 5806)
and History-Info (RFC 7044). None of it can fail a call: what cannot be read is as if it were not there. Whether it is
believed is not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from runtime.sip.errors import SipSyntaxError
from runtime.sip.fields import NameAddr, parse_addresses
from runtime.sip.message import Headers
from runtime.sip.uri import TelUri, Uri, parse_uri

ELEMENTS_READ_MAX: Final = 16
"""Of each field; a call that was sent on more often has loops to care about."""

TEXT_CHARS_MAX: Final = 128
"""Of a number, a name or a reason; a longer one is left out."""

_HIDING: Final = frozenset({"id", "user", "header"})
"""Values of Privacy that ask for the caller to be hidden (RFC 3323 section 4.2, RFC 3325 section 9.3)."""

_HIDDEN: Final = frozenset({"full", "name", "uri"})
"""The same of the `privacy` parameter of Remote-Party-ID and Diversion."""


_VERSTAT: Final = re.compile(r"(?:TN-Validation-(?:Passed|Failed)|No-TN-Validation)(?:-[ABC])?")


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody: the user part or number ("" = none that can be told), and a display name."""

    user: str
    name: str = ""


NOBODY: Final = Party("")


@dataclass(frozen=True, slots=True)
class Identity:
    """What an INVITE says of its caller and its way beyond From and To; "" and `NOBODY` where it says nothing."""

    asserted: Party = NOBODY
    """P-Asserted-Identity: its `tel:` where it has one, else the first."""
    remote_party: Party = NOBODY
    """Remote-Party-ID of the calling party."""
    diverted_by: str = ""
    """The number that sent the call here: the newest Diversion, else by History-Info."""
    diversion_reason: str = ""
    first_called: str = ""
    """The number that the caller dialled: the oldest Diversion, else by History-Info."""
    privacy: str = ""
    """The values of Privacy, in small letters, with `;` between them."""
    is_private: bool = False
    """The caller wants its number hidden."""
    verstat: str = ""
    """What the carrier says of having verified the caller (TS 24.229): of P-Asserted-Identity, else of From."""

    @property
    def caller(self) -> str:
        """The number of the caller as its carrier vouches for it; "" where it does not."""
        return self.asserted.user or self.remote_party.user


def read_identity(headers: Headers) -> Identity:
    """All that is told."""
    wanted = _privacy(headers)
    party, hidden = _remote_party(headers)
    diverted_by, reason, first_called = _diversions(headers)
    if not first_called:
        diverted_by, first_called = _history(headers)
    return Identity(
        asserted=_asserted(headers),
        remote_party=party,
        diverted_by=diverted_by,
        diversion_reason=reason,
        first_called=first_called,
        privacy=";".join(wanted),
        is_private=hidden or not _HIDING.isdisjoint(wanted),
        verstat=_verstat(headers),
    )


def _privacy(headers: Headers) -> list[str]:
    text = ";".join(headers.all("Privacy")).replace(",", ";").lower()
    values = (value.strip() for value in text.split(";")[:ELEMENTS_READ_MAX])
    return [value for value in values if value and _shown(value)]


def _asserted(headers: Headers) -> Party:
    found = [(_is_tel(address), _party(address)) for address in _addresses(headers, "P-Asserted-Identity")]
    told = [(is_tel, party) for is_tel, party in found if party.user]
    if not told:
        return NOBODY
    _, best = next((each for each in told if each[0]), told[0])
    name = best.name or next((party.name for _, party in told if party.name), "")
    return Party(best.user, name)


def _verstat(headers: Headers) -> str:
    """Of the first P-Asserted-Identity that has one; of From only where there is none, for a caller may write that."""
    name = "P-Asserted-Identity" if "P-Asserted-Identity" in headers else "From"
    return next((found for address in _addresses(headers, name) if (found := _verstat_of(address))), "")


def _verstat_of(address: NameAddr) -> str:
    """A parameter of the tel: URI, or of the number in a sip: URI; some write it behind the host, or the `>`."""
    uri = _uri_of(address)
    told = [address.param("verstat"), None if uri is None else uri.param("verstat")]
    if isinstance(uri, Uri):
        params = (param.partition("=") for param in (uri.user or "").split(";")[1:])
        told += [value for name, _, value in params if name.lower() == "verstat"]
    return next((value for value in told if value and _VERSTAT.fullmatch(value)), "")


def _remote_party(headers: Headers) -> tuple[Party, bool]:
    """The calling party, and whether it wants to be hidden."""
    for address in _addresses(headers, "Remote-Party-ID"):
        if (address.param("party") or "calling").lower() == "calling":
            return _party(address), (address.param("privacy") or "").lower() in _HIDDEN
    return NOBODY, False


def _diversions(headers: Headers) -> tuple[str, str, str]:
    """Who sent the call here, why, and who was called first; the newest comes first in the message."""
    found = list(_addresses(headers, "Diversion"))
    if not found:
        return "", "", ""
    newest, oldest = found[0], found[-1]
    return _unless_hidden(newest), _shown(newest.param("reason") or ""), _unless_hidden(oldest)


def _unless_hidden(address: NameAddr) -> str:
    return "" if (address.param("privacy") or "").lower() in _HIDDEN else _party(address).user


def _history(headers: Headers) -> tuple[str, str]:
    """The same two by History-Info, whose last entry is where the call is now (RFC 7044 section 5)."""
    found = list(_addresses(headers, "History-Info"))
    if len(found) < 2:
        return "", ""
    return _of_history(found[-2]), _of_history(found[0])


def _of_history(address: NameAddr) -> str:
    uri = _uri_of(address)
    if uri is None or isinstance(uri, TelUri):
        return "" if uri is None else _shown(uri.user)
    if any(name.lower() == "privacy" and value.lower() != "none" for name, value in uri.headers):
        return ""
    return _party(address).user


def _party(address: NameAddr) -> Party:
    uri = _uri_of(address)
    if uri is None:
        return NOBODY
    user = uri.user if isinstance(uri, TelUri) else (uri.user or "").partition(";")[0]
    return Party(_shown(user), _shown(address.display))


def _addresses(headers: Headers, name: str) -> Iterator[NameAddr]:
    try:
        yield from parse_addresses(headers, name)[:ELEMENTS_READ_MAX]
    except SipSyntaxError:
        return


def _is_tel(address: NameAddr) -> bool:
    return address.uri[:4].lower() == "tel:"


def _uri_of(address: NameAddr) -> Uri | TelUri | None:
    try:
        return parse_uri(address.uri)
    except SipSyntaxError:
        return None


def _shown(text: str) -> str:
    """The text where it can be shown in one short line, else nothing."""
    return text if len(text) <= TEXT_CHARS_MAX and text.isprintable() else ""
