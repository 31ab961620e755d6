"""CORE. Headers that a request sets, and maps between headers and attributes.

The rules are LiveKit's; what the bridge itself writes into a message (`routing/headers`) is refused as well, where
LiveKit still lets some of it pass with a warning.
"""

from __future__ import annotations

from collections.abc import Mapping

from runtime.api.livekit.limits import HEADERS_MAX
from runtime.api.livekit.values import invalid
from runtime.routing.headers import NAME_CHARS_MAX, VALUE_CHARS_MAX, is_settable, vouches
from runtime.sip.grammar import is_token
from schemas.tables.rows import Pairs

_INSTEAD = {"to": "set to_user_override", "from": "set sip_number, display_name or sip_from_header"}
"""What to do in place of a header that the bridge writes."""


def settable(headers: Mapping[str, str], argument: str) -> Pairs:
    """Headers for a message of ours. TwirpError for one that cannot be set."""
    _check_count(headers, argument)
    for name, value in headers.items():
        _check_name(name, argument)
        if vouches(name):
            raise invalid(argument, f"must not set {name}, which carriers believe: set it in the Trunk's `headers`")
        if not is_settable(name, ""):
            instead = _INSTEAD.get(name.lower(), "leave it out")
            raise invalid(argument, f"must not set {name}, which the bridge writes itself: {instead}")
        if len(value) > VALUE_CHARS_MAX:
            raise invalid(argument, f"has a value of {name} that is longer than {VALUE_CHARS_MAX} characters")
        if not is_settable(name, value):
            raise invalid(argument, f"has a value of {name} with a control character")
    if len({name.lower() for name in headers}) != len(headers):
        raise invalid(argument, "sets one header twice: names are compared without regard to case")
    return tuple(sorted(headers.items()))


def to_attributes(names: Mapping[str, str], argument: str) -> Pairs:
    """A map of header names to attributes: the syntax of the names alone is checked, as LiveKit does."""
    _check_count(names, argument)
    for name in names:
        _check_name(name, argument)
    return tuple(sorted(names.items()))


def from_attributes(names: Mapping[str, str], argument: str) -> Pairs:
    """A map of attributes to header names, likewise."""
    _check_count(names, argument)
    for name in names.values():
        _check_name(name, argument)
    return tuple(sorted(names.items()))


def _check_count(entries: Mapping[str, str], argument: str) -> None:
    if len(entries) > HEADERS_MAX:
        raise invalid(argument, f"has more than {HEADERS_MAX} entries")


def _check_name(name: str, argument: str) -> None:
    if len(name) > NAME_CHARS_MAX:
        raise invalid(argument, f"has a header name that is longer than {NAME_CHARS_MAX} characters")
    if not is_token(name):
        shown = name if name.isprintable() and len(name) <= 64 else name[:64].encode("unicode-escape").decode()
        raise invalid(argument, f"has a header name that is none, {shown!r}: letters, digits and -.!%*_+`'~")
