"""Headers of an INVITE as attributes of its participant, and attributes as headers of our answers and BYEs.

Both as LiveKit maps them. What a caller wrote comes from a stranger: its size is bounded, credentials stay here, and a
rule that hides the number hides every header that tells it. What goes out comes from the room, from strangers too: a
value that would break out of its header, or a name that only the bridge writes, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from schemas.ids import VERIFIED_ATTRIBUTES
from schemas.tables.rows import Headers, Pairs

NAME_CHARS_MAX: Final = 255
VALUE_CHARS_MAX: Final = 1_024
HEADERS_MAX: Final = 64
"""Of one INVITE that become attributes; those beyond do not."""

_TOKEN: Final = re.compile(r"[-A-Za-z0-9.!%*_+`'~]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\u0085\u2028\u2029]")
_CREDENTIALS: Final = frozenset({"authorization", "proxy-authorization"})
_TELLS_THE_CALLER: Final = frozenset(
    {
        *("from", "contact", "p-asserted-identity", "p-preferred-identity", "remote-party-id", "diversion"),
        *("history-info", "reply-to", "referred-by", "identity", "via", "record-route"),
    }
)
_HOP: Final = frozenset(
    {
        *("route", "record-route", "via", "supported", "accept", "allow", "allow-events", "content-type"),
        *("content-length", "content-encoding", "content-disposition", "cseq", "event", "expires"),
        *("session-expires", "min-se", "max-forwards"),
    }
)
"""What lk.sip.GetRemoteHeaders leaves out: it says something of this hop, not of the caller."""
_BRIDGES_OWN: Final = frozenset(
    {
        *("accept", "accept-encoding", "accept-language", "allow", "allow-events", "call-id", "contact"),
        *("content-encoding", "content-length", "content-type", "cseq", "event", "expires", "from", "max-forwards"),
        *("record-route", "refer-to", "reply-to", "to", "via", "route", "require", "supported"),
        *("authorization", "proxy-authorization", "replaces", "join", "target-dialog", "refer-sub", "rack", "rseq"),
        *("min-se", "session-expires", "subscription-state", "recv-info", "info-package"),
        *"abcdefijklmnorstuvxy",
    }
)
"""The single letters are compact forms."""
_VOUCHES: Final = frozenset(
    {
        *("p-asserted-identity", "p-preferred-identity", "remote-party-id", "privacy", "diversion", "history-info"),
        *("identity", "identity-info", "referred-by", "p-charge-info", "p-charging-vector"),
        *("p-access-network-info", "p-visited-network-id", "proxy-require"),
    }
)
"""Carriers believe who writes these: a trunk's manifest may, a request to the API or a room may not."""
_PROVIDERS: Final = {
    "x-twilio-accountsid": "sip.twilio.accountSid",
    "x-twilio-callsid": "sip.twilio.callSid",
    "x-call_leg_id": "sip.telnyx.callLegID",
    "x-call_session_id": "sip.telnyx.callSessionID",
    "x-amzn-connectcontactid": "sip.amazon.contactId",
    "x-amzn-connectinitialcontactid": "sip.amazon.initialContactId",
    "x-amzn-sourceaccount": "sip.amazon.sourceAccount",
    "x-amzn-sourcearn": "sip.amazon.sourceArn",
    "x-amzn-targetarn": "sip.amazon.targetArn",
    "x-lk-test-id": "lktest.id",
}


def readable(headers: Iterable[tuple[str, str]], *, hide_caller: bool) -> Pairs:
    """The headers that may leave the bridge, the first of each name, in order."""
    found: dict[str, tuple[str, str]] = {}
    for name, value in headers:
        key = name.lower()
        kept_back = key in _CREDENTIALS or (hide_caller and key in _TELLS_THE_CALLER)
        if not kept_back and len(name) <= NAME_CHARS_MAX and len(value) <= VALUE_CHARS_MAX and len(found) < HEADERS_MAX:
            found.setdefault(key, (name, value))
    return tuple(found.values())


def attributes_from(headers: Pairs, policy: Headers) -> dict[str, str]:
    """What a trunk's header policy makes of them: in bulk, of known providers, by name; later ones win.

    What the bridge itself says of having verified the caller is no header's to say.
    """
    by_key = {name.lower(): value for name, value in headers}
    found: dict[str, str] = {}
    for key, value in by_key.items():
        if policy.include == "all" or (policy.include == "x" and key.startswith("x-")):
            found[f"sip.h.{key}"] = value
    found |= {attribute: by_key[key] for key, attribute in _PROVIDERS.items() if key in by_key}
    return found | {
        attribute: by_key[name.lower()]
        for name, attribute in policy.to_attributes
        if name.lower() in by_key and attribute not in VERIFIED_ATTRIBUTES
    }


def remote_headers(headers: Pairs) -> Pairs:
    """Those that lk.sip.GetRemoteHeaders may tell."""
    return tuple((name, value) for name, value in headers if name.lower() not in _HOP)


def headers_from(attributes: Mapping[str, str], policy: Headers) -> Pairs:
    """The headers that a trunk's policy makes of a participant's attributes."""
    wanted = (
        (header, attributes[attribute]) for attribute, header in policy.from_attributes if attribute in attributes
    )
    return declared(wanted)


def own_headers(policy: Headers, attributes: Mapping[str, str]) -> Pairs:
    """What a trunk puts on the answer to a call: its fixed headers, then those of attributes, which replace them."""
    return merged(declared(policy.fixed), headers_from(attributes, policy))


def bye_headers(policy: Headers, attributes: Mapping[str, str], asked: Iterable[tuple[str, str]], reason: str) -> Pairs:
    """What goes on a BYE of ours: attributes' headers, those that the room asked for, and why (RFC 3326)."""
    return merged((("Reason", reason),), headers_from(attributes, policy), settable(asked))


def declared(headers: Iterable[tuple[str, str]]) -> Pairs:
    """Those that may be put into a message of ours because a trunk says so."""
    return tuple((name, value) for name, value in headers if _is_sound(name, value))


def settable(headers: Iterable[tuple[str, str]]) -> Pairs:
    """Those that may be put into a message of ours because somebody asks for it."""
    return tuple((name, value) for name, value in headers if is_settable(name, value))


def merged(*sources: Iterable[tuple[str, str]]) -> Pairs:
    """One header of each name; later sources win."""
    found: dict[str, tuple[str, str]] = {}
    for source in sources:
        for name, value in source:
            found[name.lower()] = (name, value)
    return tuple(found.values())


def is_settable(name: str, value: str) -> bool:
    """Whether somebody may ask for this in a message of ours: see `vouches` too."""
    return not vouches(name) and _is_sound(name, value)


def vouches(name: str) -> bool:
    """Whether a header of this name is believed, so that only a trunk's manifest may write it."""
    return name.lower() in _VOUCHES


def _is_sound(name: str, value: str) -> bool:
    """A name that is not the bridge's own, a value of one line."""
    return (
        len(name) <= NAME_CHARS_MAX
        and len(value) <= VALUE_CHARS_MAX
        and _TOKEN.fullmatch(name) is not None
        and name.lower() not in _BRIDGES_OWN
        and _CONTROL.search(value) is None
    )
