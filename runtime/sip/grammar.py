"""The words of RFC 3261 section 25 that every field shares: tokens, quoted strings, hosts, parameters, comma lists.

`uri`, `fields`, `parser` and `writer` are built from these. Everything is one regular expression over bounded text;
they are possessive, so that no text of a stranger is read over and over.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from runtime.sip.errors import SipSyntaxError
from runtime.sip.limits import ELEMENTS_MAX, PARAMS_MAX

QUOTED_CHARS_MAX = 200
"""How much of a sentence for people a header of ours carries."""

Params = tuple[tuple[str, str | None], ...]
"""Parameters in their order: (name as received, value without quotes, or None for a bare name)."""

TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]++"  # noqa: S105 - a token of the grammar, not a secret
LWS = r"[ \t]*+"
QUOTED = r'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]++|\\[\x00-\x09\x0b\x0c\x0e-\x7f])*+"'
# Host names may carry an underscore: container platforms hand them out, and no delimiter is one.
HOST = r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9_\-.]*[A-Za-z0-9_.])?"
# A gen-value is a token, a host or a quoted string; beyond it peers send base64 padding, slashes and host:port
# (and RFC 3261 itself bare IPv6 in `received`). None of these characters can end a value, so all are taken.
_VALUE = r"[A-Za-z0-9\-.!%*_+`'~\[\]:/@=&$?]++"

_token = re.compile(TOKEN)
_escape = re.compile(r"\\([\x00-\x7f])")
_to_escape = re.compile(r'["\\\x00-\x08\x0b\x0c\x0e-\x1f\x7f]')
_control = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_plain_value = re.compile(_VALUE)
_param = re.compile(rf"{LWS};{LWS}({TOKEN})(?:{LWS}={LWS}(?:({_VALUE})|({QUOTED})))?{LWS}")
_element = re.compile(rf'(?:[^,"<]++|{QUOTED}|<[^<>]*+>)*+')
_controls_in_quotes = re.compile(rf'(?:[^"\x00-\x08\x0a-\x1f\x7f]++|{QUOTED})*+')


def is_token(text: str) -> bool:
    """Whether `text` is a token of RFC 3261 section 25.1."""
    return _token.fullmatch(text) is not None


def quote(text: str) -> str:
    """`text` as a quoted-string. ValueError for CR and LF, which no quoted string can carry."""
    if "\r" in text or "\n" in text:
        raise ValueError("CR or LF cannot be written in a quoted string")
    return '"' + _to_escape.sub(lambda found: "\\" + found[0], text) + '"'


def quotable(words: str) -> str:
    """`words` for the quotes of a header of ours: printable ASCII, cut, for a stranger's text may be inside."""
    cut = words[:QUOTED_CHARS_MAX]
    return "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "'" for c in cut)


def unquote(text: str) -> str:
    """The content of a quoted-string that `QUOTED` has matched."""
    inner = text[1:-1]
    return _escape.sub(r"\1", inner) if "\\" in inner else inner


def has_illegal_control(text: str) -> bool:
    """Whether a value holds a control character other than tab, except escaped inside a quoted string.

    A bare NUL, CR or LF is how headers are smuggled past somebody; a quoted-pair of NUL is legal, if odd (RFC 4475
    section 3.1.1.2).
    """
    if _control.search(text) is None:
        return False
    return _controls_in_quotes.fullmatch(text) is None


def split_commas(value: str) -> list[str]:
    """The elements of a comma list, stripped; those in quotes and `<>` do not split. 400 where these do not close."""
    if '"' not in value and "<" not in value:
        parts = value.split(",")
    else:
        parts, at = [], 0
        while True:
            found = _element.match(value, at)
            assert found is not None, "the pattern matches the empty text too"
            parts.append(found[0])
            at = found.end()
            if at == len(value):
                break
            if value[at] != ",":
                raise SipSyntaxError(400, "Unbalanced Quotes Or Brackets")
            at += 1
    if len(parts) > ELEMENTS_MAX:
        raise SipSyntaxError(400, "Too Many List Elements")
    return [part.strip(" \t") for part in parts]


def elements(values: Iterable[str]) -> list[str]:
    """The elements of all header lines of one field, in order. 400 when there are too many in total."""
    out: list[str] = []
    for value in values:
        out += split_commas(value) if "," in value else [value]
        if len(out) > ELEMENTS_MAX:
            raise SipSyntaxError(400, "Too Many List Elements")
    return out


def parse_params(text: str) -> Params:
    """The text `;a=1;b` as (("a", "1"), ("b", None)).

    400 for anything else, and for a name that occurs twice (RFC 3261 section 7.3.1).
    """
    if not text:
        return ()
    out: list[tuple[str, str | None]] = []
    at = 0
    while at < len(text):
        found = _param.match(text, at)
        if found is None or len(out) == PARAMS_MAX:
            raise SipSyntaxError(400, "Malformed Parameters")
        name, value, quoted = found.groups()
        out.append((name, value if quoted is None else unquote(quoted)))
        at = found.end()
    if len(out) > 1 and len({name.lower() for name, _ in out}) != len(out):
        raise SipSyntaxError(400, "Repeated Parameter")
    return tuple(out)


def write_params(params: Params) -> str:
    """Parameters as text, quoted where a value needs it."""
    out = []
    for name, value in params:
        if value is None:
            out.append(f";{name}")
        else:
            out.append(f";{name}={value if _plain_value.fullmatch(value) else quote(value)}")
    return "".join(out)


def find_param(params: Params, name: str) -> str | None:
    """The value of a parameter, "" where it is a bare name, None where it is missing. `name` in small letters."""
    for known, value in params:
        if known == name or known.lower() == name:
            return value or ""
    return None


def parse_host(text: str) -> str:
    """A host that `HOST` has matched, an IPv6 reference without its brackets. 400 when the address is none."""
    if not text.startswith("["):
        return text
    inner = text[1:-1]
    try:
        ipaddress.IPv6Address(inner)
    except ValueError:
        raise SipSyntaxError(400, "Malformed IPv6 Reference") from None
    return inner


def is_address(host: str) -> bool:
    """Whether a host is an IP address (IPv6 without brackets), and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def parse_port(text: str | None) -> int | None:
    """A port of digits, 1 to 65535; None stays None. 400 when out of range."""
    if text is None:
        return None
    port = int(text) if len(text) <= 5 else 0
    if not 1 <= port <= 65_535:
        raise SipSyntaxError(400, "Port Out Of Range")
    return port


def write_host_port(host: str, port: int | None) -> str:
    """`host` or `host:port`, an IPv6 address in brackets."""
    text = f"[{host}]" if ":" in host else host
    return text if port is None else f"{text}:{port}"
