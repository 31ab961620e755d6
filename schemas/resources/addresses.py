"""IP networks that calls may come from, and hosts that calls are sent to.

A source is an address or a network, never a name: the only thing about a packet that a stranger cannot choose freely
is where it came from, and a name in a header is the stranger's own word. A malformed entry is an error where it is
declared, so it can never turn into "allow all".
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from schemas.resources import bounds
from schemas.resources.values import bounded, refuse, shown, text_of

_HOST_LABEL = r"[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$){_HOST_LABEL}(\.{_HOST_LABEL})*\.?")
_LOOKS_NUMERIC = re.compile(r"[0-9./:]+")
_PORT = re.compile(r"[0-9]{1,5}")
_PREFIX_LENGTH = re.compile(r"[0-9]*")
_BRACKETED = re.compile(r"\[([^\]]*)\](?::(.*))?")
PORT_MAX = 65_535
PROXY_TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")
_RESOURCE = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*")


def network(value: object) -> str:
    """An address or network in its canonical CIDR writing: `203.0.113.7` becomes `203.0.113.7/32`."""
    text = bounded(text_of(value), bounds.ADDRESS_CHARS_MAX)
    try:
        found = ipaddress.ip_network(text)
    except ValueError:
        raise _not_a_network(text) from None
    if not _PREFIX_LENGTH.fullmatch(text.partition("/")[2]):
        raise refuse("bad-address", f"{shown(text)} has a mask", f"write {found}")
    mapped = found.network_address.ipv4_mapped if isinstance(found, ipaddress.IPv6Network) else None
    if mapped is not None or "%" in text:
        better = f"write {mapped}/{found.prefixlen - 96}" if mapped else "leave out the part from % on"
        raise refuse("bad-address", f"{shown(text)} never is the source of a packet", better)
    return str(found)


def _not_a_network(text: str) -> Exception:
    """Why `text` is no network, and what to write instead."""
    try:
        loose = ipaddress.ip_network(text, strict=False)
    except ValueError:
        pass
    else:
        return refuse(
            "host-bits-set",
            f"{shown(text)} has bits set behind its prefix",
            f"write {loose} for the network or {text.partition('/')[0]} for the one address",
        )
    host, _, _ = text.strip("[").partition("]")
    if text.startswith("[") and _is_ip(host):
        return refuse("bad-address", f"{shown(text)} is not an address", f"write {host}, without brackets or port")
    head, colon, port = text.rpartition(":")
    if colon and _is_ip(head) and _PORT.fullmatch(port):
        return refuse("bad-address", f"{shown(text)} has a port", f"write {head}: every port of it is allowed")
    if _HOST_NAME.fullmatch(text) and not _LOOKS_NUMERIC.fullmatch(text):
        return refuse(
            "host-name",
            f"{shown(text)} is a host name",
            "write the IP addresses or networks that its packets come from: a name proves nothing about a caller",
        )
    return refuse(
        "bad-address", f"{shown(text)} is not an IP address or network", "write it like 203.0.113.7 or 203.0.113.0/24"
    )


def address(value: object) -> str:
    """One IP address, v4 or v6, in its canonical writing."""
    text = bounded(text_of(value), bounds.ADDRESS_CHARS_MAX)
    try:
        if "%" in text:  # a zone names an interface of one machine, not a source that another could see
            raise ValueError(text)
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise refuse("bad-address", f"{shown(text)} is not an IP address", "write it like 203.0.113.7") from None


def host(value: object) -> str:
    """A host name or IP address, without a port."""
    text = bounded(text_of(value), bounds.HOST_CHARS_MAX)
    _refuse_uri_parts(text)
    if not _is_host(text):
        raise refuse("bad-host", f"{shown(text)} is not a host", "write a host name or an IP address, without a port")
    return text


def host_port(value: object) -> str:
    """A host name or IP address, with an optional `:port`; an IPv6 address with a port stands in brackets."""
    text = bounded(text_of(value), bounds.HOST_CHARS_MAX)
    _refuse_uri_parts(text)
    name, port = _split(text)
    if not _is_host(name):
        raise refuse("bad-host", f"{shown(text)} is not a host", "write host or host:port, like sip.example.com:5060")
    if port is not None and not (_PORT.fullmatch(port) and 1 <= int(port) <= PORT_MAX):
        raise refuse("bad-host", f"{shown(text)} has no usable port", f"write a port from 1 to {PORT_MAX}, or none")
    return text


def proxy(value: object) -> str:
    """The URI of a loose-routing proxy (RFC 3261 section 16.12): `sip:host[:port][;transport=…]`, `;lr` written out."""
    text = bounded(text_of(value), bounds.PROXY_CHARS_MAX)
    hint = "write it like sip:proxy.example.com or sip:proxy.example.com:5061;transport=tls"
    if text[:4].lower() != "sip:":
        raise refuse("bad-proxy", f"{shown(text)} is not a sip: URI", hint)
    place, *params = text[4:].split(";")
    host_port(place)
    transport = ""
    for name, _, given in (param.lower().partition("=") for param in params):
        if name == "transport" and given in PROXY_TRANSPORTS and not transport:
            transport = f";transport={given}"
        elif name != "lr" or given:
            raise refuse("bad-proxy", f"{shown(text)} has a parameter that is not taken", f"{hint}; lr may stand there")
    at = f"[{place}]" if _is_ip(place) and ":" in place else place
    return f"sip:{at}{transport};lr"


def certificate_host(value: object) -> str:
    """Where certificates may be fetched by https: `host`, `*.domain` for all below one, `*` for any; each `:port`."""
    text = bounded(text_of(value), bounds.HOST_CHARS_MAX).lower()
    if text.startswith("https://"):
        raise refuse("bad-host", f"{shown(text)} begins with a scheme", "write only the host: it is https always")
    if text != "*":
        host_port(f"any{text[1:]}" if text.startswith("*:") else text.removeprefix("*."))
        if text.startswith("*.") and _is_ip(_split(text[2:])[0]):
            raise refuse("bad-host", f"{shown(text)} is nothing below an address", "write the address alone")
    return text


def web_socket_path(value: object) -> str:
    """What a WebSocket is opened on (RFC 6455 section 3): a path, without a query, which often holds a secret."""
    text = bounded(text_of(value), bounds.PATH_CHARS_MAX)
    if not _RESOURCE.fullmatch(text):
        raise refuse(
            "bad-path", f"{shown(text)} is not a path", "write what stands behind the host, like /ws or /sip/ws"
        )
    return text


def transport_of_proxy(proxy: object) -> str:
    """The transport that a checked proxy names, "" where it names none."""
    return str(proxy).lower().partition(";transport=")[2].partition(";")[0]


def host_of(address: str) -> str:
    """The host of a checked `host` or `host:port`, without brackets."""
    return _split(address)[0]


def port_of(address: str) -> int | None:
    """The port of a checked `host` or `host:port`, None where none is written."""
    port = _split(address)[1]
    return int(port) if port is not None else None


def with_port(host: str, port: int) -> str:
    """A checked host without a port, with one."""
    return f"[{host_of(host)}]:{port}" if ":" in host else f"{host}:{port}"


def _split(text: str) -> tuple[str, str | None]:
    if bracketed := _BRACKETED.fullmatch(text):
        inner = bracketed[1]
        return (inner if ":" in inner else ""), bracketed[2]
    if text.count(":") == 1:
        name, _, port = text.partition(":")
        return name, port
    return text, None


def _refuse_uri_parts(text: str) -> None:
    lower, hint = text.lower(), "write only the host: `transport` says the rest"
    if lower.startswith(("sip:", "sips:")) or "://" in lower:
        raise refuse(
            "bad-host", f"{shown(text)} begins with a scheme", "write only the host: `transport` says the rest"
        )
    if ";" in text or "?" in text:
        raise refuse("bad-host", f"{shown(text)} has parameters", hint)
    if "@" in text:
        raise refuse("bad-host", f"{shown(text)} has a user part", "write only what stands behind the @")


def _is_host(text: str) -> bool:
    if _is_ip(text):
        return True
    return _HOST_NAME.fullmatch(text) is not None and not _LOOKS_NUMERIC.fullmatch(text)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


Network = Annotated[
    str,
    PlainValidator(network),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$",
            "minLength": 2,
            "maxLength": bounds.ADDRESS_CHARS_MAX,
            "examples": ["203.0.113.7", "54.172.60.0/30", "2001:db8::/32"],
        }
    ),
]
Address = Annotated[
    str,
    PlainValidator(address),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[0-9A-Fa-f:.]+$",
            "minLength": 2,
            "maxLength": bounds.ADDRESS_CHARS_MAX,
            "examples": ["203.0.113.7"],
        }
    ),
]
Host = Annotated[
    str,
    PlainValidator(host),
    WithJsonSchema({"type": "string", "pattern": r"^[^\s;@?/]+$", "minLength": 1, "maxLength": bounds.HOST_CHARS_MAX}),
]
HostPort = Annotated[
    str,
    PlainValidator(host_port),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[^\s;@?/]+$",
            "minLength": 1,
            "maxLength": bounds.HOST_CHARS_MAX,
            "examples": ["acme.pstn.twilio.com", "203.0.113.7:5060"],
        }
    ),
]
CertificateHost = Annotated[
    str,
    PlainValidator(certificate_host),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[^\s;@?/]+$",
            "minLength": 1,
            "maxLength": bounds.HOST_CHARS_MAX,
            "examples": ["certificates.example.com", "*.example.com", "cr.example.net:8443"],
        }
    ),
]
Proxy = Annotated[
    str,
    PlainValidator(proxy),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[sS][iI][pP]:[^\s;@?/]+(;[^\s;@?/]+)*$",
            "minLength": 5,
            "maxLength": bounds.PROXY_CHARS_MAX,
            "examples": ["sip:proxy.example.com;transport=tls", "sip:203.0.113.7:5060"],
        }
    ),
]
WebSocketPath = Annotated[
    str,
    PlainValidator(web_socket_path),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^{_RESOURCE.pattern}$",
            "minLength": 1,
            "maxLength": bounds.PATH_CHARS_MAX,
            "examples": ["/ws"],
        }
    ),
]
