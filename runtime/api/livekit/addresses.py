"""CORE. SIP addresses of a request: users, hosts, `SIPRequestDest` and `SIPNamedDest`.

Whoever asks writes them as a raw URI or as its parts. What the bridge's own `Destination` has no place for is refused
rather than left out: a call must not go elsewhere than it was sent.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from livekit.protocol import sip

from runtime.api.livekit.limits import DISPLAY_NAME_CHARS_MAX, HOST_CHARS_MAX, USER_CHARS_MAX
from runtime.api.livekit.values import invalid
from runtime.routing.dial import Destination, NamedAddress
from runtime.sip.errors import SipSyntaxError
from runtime.sip.grammar import HOST, QUOTED, is_token, parse_host, parse_port, unquote
from runtime.sip.uri import TelUri, Uri, parse_uri

T = TypeVar("T")

AUTO = "auto"
_TRANSPORT = {
    sip.SIP_TRANSPORT_AUTO: AUTO,
    sip.SIP_TRANSPORT_UDP: "udp",
    sip.SIP_TRANSPORT_TCP: "tcp",
    sip.SIP_TRANSPORT_TLS: "tls",
}
_SCHEMES = ("sip:", "sips:", "tel:")
_host_port = re.compile(rf"({HOST})(?::([0-9]+))?")
_quoted = re.compile(QUOTED)
_unseen = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\u0085\u2028\u2029]")
PORT_MAX = 65_535


def user(text: str, argument: str) -> str:
    """A number or user by itself, "" where there is none."""
    if "@" in text or text.lower().startswith(_SCHEMES):
        raise invalid(argument, "should be a phone number or SIP user, not a full SIP URI")
    return _bounded_user(text, argument)


def to_user(text: str, argument: str) -> str:
    """A user that stands in To alone: LiveKit takes the characters of a token."""
    if text and not is_token(text):
        raise invalid(argument, "should be a phone number or SIP user: letters, digits and -.!%*_+`'~")
    return _bounded_user(text, argument)


def _bounded_user(text: str, argument: str) -> str:
    if len(text) > USER_CHARS_MAX:
        raise invalid(argument, f"is longer than {USER_CHARS_MAX} characters")
    if not text.isprintable():
        raise invalid(argument, "must not contain a control character, or another that cannot be printed")
    return text


def display_name(text: str, argument: str) -> str:
    r"""A name as it stands between quotes, so `\"` is a quote in it; without them, as the bridge keeps it."""
    if len(text) > DISPLAY_NAME_CHARS_MAX:
        raise invalid(argument, f"is longer than {DISPLAY_NAME_CHARS_MAX} characters")
    quoted = f'"{text}"'
    if _unseen.search(text) or _quoted.fullmatch(quoted) is None:
        raise invalid(argument, r'must be valid between quotes: a " or a \ in it is written \" or \\')
    return unquote(quoted)


def host_port(text: str, argument: str) -> tuple[str, int | None]:
    """`host` or `host:port`; an IPv6 address in brackets, or bare where no port follows."""
    if len(text) > HOST_CHARS_MAX:
        raise invalid(argument, f"is longer than {HOST_CHARS_MAX} characters")
    if any(mark in text for mark in ("@", ";", "=", "://")) or text.lower().startswith(("sip:", "sips:")):
        raise invalid(argument, "should be a hostname or IP address, not a SIP URI: `transport` says the rest")
    if text.count(":") > 1 and not text.startswith("["):
        return _ip_address(text, argument), None
    found = _host_port.fullmatch(text)
    if found is None:
        raise invalid(argument, "should be a hostname or IP address, with `:port` behind it or without")
    return _read(lambda: (parse_host(found[1]), parse_port(found[2])), argument)


def host(text: str, argument: str) -> str:
    """A host without a port."""
    name, port = host_port(text, argument)
    if port is not None:
        raise invalid(argument, "must not contain a port")
    return name


def transport(value: sip.SIPTransport, argument: str) -> str:
    """The bridge's word for a transport."""
    known = _TRANSPORT.get(value)
    if known is None:
        raise invalid(argument, f"is not a transport: {value}")
    return known


def request_destination(asked: sip.SIPRequestDest, of_trunk: str, argument: str) -> Destination:
    """Where an INVITE goes, by the transport that this address and the trunk agree on."""
    if not asked.HasField("uri"):
        raise invalid(argument, "needs `raw` or `values`")
    found = _from_raw(asked.raw, f"{argument}.raw") if asked.HasField("raw") else _from_values(asked.values, argument)
    return _agreed(found, of_trunk, argument)


def named_address(asked: sip.SIPNamedDest, of_trunk: str, argument: str) -> NamedAddress:
    """A From header, likewise."""
    if not asked.HasField("uri"):
        raise invalid(argument, "needs `raw` or `values`")
    name = display_name(asked.display_name, f"{argument}.display_name")
    found = _from_raw(asked.raw, f"{argument}.raw") if asked.HasField("raw") else _from_values(asked.values, argument)
    return NamedAddress(name, _agreed(found, of_trunk, argument))


def read_uri(text: str, argument: str) -> Uri | TelUri:
    """A URI of the schemes sip, sips and tel."""
    return _read(lambda: parse_uri(text), argument)


def _from_values(values: sip.SIPUri, argument: str) -> Destination:
    argument = f"{argument}.values"
    if not values.user:
        raise invalid(f"{argument}.user", "is required: a username or number")
    if not values.host and not values.ip:
        raise invalid(f"{argument}.host", "or ip is required")
    if values.port > PORT_MAX:
        raise invalid(f"{argument}.port", f"is beyond {PORT_MAX}")
    return Destination(
        _bounded_user(values.user, f"{argument}.user"),
        host(values.host, f"{argument}.host") if values.host else _ip_address(values.ip, f"{argument}.ip"),
        values.port or None,
        transport(values.transport, f"{argument}.transport"),
    )


def _from_raw(raw: str, argument: str) -> Destination:
    text = raw[1:-1] if raw.startswith("<") and raw.endswith(">") else raw
    uri = read_uri(text, argument)
    if isinstance(uri, TelUri):
        raise invalid(argument, "is a tel URI: it tells no host to send to, write sip:user@host")
    if not uri.user:
        raise invalid(argument, "has no user: write sip:user@host")
    if uri.password is not None or uri.headers:
        raise invalid(argument, "must not contain a password or headers")
    if any(name.lower() != "transport" for name, _ in uri.params):
        raise invalid(argument, "must not have a parameter other than transport")
    return Destination(_bounded_user(uri.user, argument), uri.host, uri.port, _transport_of(uri, argument))


def _transport_of(uri: Uri, argument: str) -> str:
    named = (uri.param("transport") or AUTO).lower()
    if named not in _TRANSPORT.values():
        raise invalid(argument, "has a transport that is none of udp, tcp and tls")
    if uri.scheme == "sip":
        return named
    if named == "udp":
        raise invalid(argument, "is a sips URI, which goes over TLS, and asks for udp")
    return "tls"  # RFC 3261 section 26.2.2: `sips:…;transport=tcp` is TLS on TCP


def _agreed(found: Destination, of_trunk: str, argument: str) -> Destination:
    """LiveKit's rule: two transports that are both named must be one."""
    if of_trunk == AUTO or found.transport == of_trunk:
        return found
    if found.transport != AUTO:
        raise invalid(argument, f"asks for {found.transport}, and its trunk for {of_trunk}: name one transport")
    return replace(found, transport=of_trunk)


def _ip_address(text: str, argument: str) -> str:
    try:
        found = ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise invalid(argument, "is not an IP address") from None
    if "%" in text:  # a zone names an interface of one machine
        raise invalid(argument, "must not contain a zone")
    return str(found)


def _read(read: Callable[[], T], argument: str) -> T:
    try:
        return read()
    except SipSyntaxError as fault:
        raise invalid(argument, f"is not a SIP address: {fault.reason}") from fault
