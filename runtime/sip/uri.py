"""SIP, SIPS and tel URIs as values (RFC 3261 section 19.1, RFC 3966).

The endpoint reads Request-URIs and Contacts with `parse_uri`, routing reads called and calling numbers from them.
Escapes are decoded once, here, and written back where the grammar asks for them: `str(parse_uri(text))` is the same
URI, `parse_uri(str(uri))` the same value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from runtime.sip.errors import SipSyntaxError
from runtime.sip.grammar import HOST, Params, find_param, parse_host, parse_port, write_host_port
from runtime.sip.limits import PARAMS_MAX, URI_CHARS_MAX

_UNRESERVED = r"A-Za-z0-9\-_.!~*'()"
_ESCAPED = "%[0-9A-Fa-f]{2}"
_USER_CHARS = _UNRESERVED + "&=+$,;?/"
_PASSWORD_CHARS = _UNRESERVED + "&=+$,"
_PARAM_CHARS = _UNRESERVED + r"\[\]/:&+$"
_HEADER_CHARS = _UNRESERVED + r"\[\]/?:+$"
_PARAM = f"(?:[{_PARAM_CHARS}]|{_ESCAPED})++"
_HEADER = f"(?:[{_HEADER_CHARS}]|{_ESCAPED})"

# Possessive throughout: a stranger's URI is read once, forwards.
_sip = re.compile(
    r"([sS][iI][pP][sS]?):"
    rf"(?:((?:[{_USER_CHARS}]|{_ESCAPED})++)(?::((?:[{_PASSWORD_CHARS}]|{_ESCAPED})*+))?@)?"
    rf"({HOST})(?::([0-9]++))?"
    rf"((?:;{_PARAM}(?:={_PARAM})?)*+)"
    rf"(?:\?({_HEADER}++={_HEADER}*+(?:&{_HEADER}++={_HEADER}*+)*+))?"
)
_tel = re.compile(rf"[tT][eE][lL]:(\+[0-9\-.()]++|[0-9A-Fa-f*#\-.()]++)((?:;{_PARAM}(?:={_PARAM})?)*+)")
_absolute = re.compile(r"([A-Za-z][A-Za-z0-9+\-.]*):[!#-;=?-Z\[\]_a-z~]+")
_escape = re.compile("((?:%[0-9A-Fa-f]{2})+)")
_separators = str.maketrans("", "", "-.()")


def _escaper(kept: str) -> Callable[[str], str]:
    """A function that escapes every character outside `kept` as UTF-8 bytes."""
    unsafe = re.compile(f"[^{kept}]+")

    def escaped(found: re.Match[str]) -> str:
        return "".join(f"%{byte:02X}" for byte in found[0].encode())

    return lambda text: unsafe.sub(escaped, text)


_write_user = _escaper(_USER_CHARS)
_write_password = _escaper(_PASSWORD_CHARS)
_write_param = _escaper(_PARAM_CHARS)
_write_header = _escaper(_HEADER_CHARS)


@dataclass(frozen=True, slots=True)
class Uri:
    """A `sip:` or `sips:` URI with its escapes decoded; `host` is an IPv6 address without brackets.

    `user` None: there is none. `headers` are the pairs after `?`, which a Request-URI must not have.
    """

    scheme: str
    user: str | None
    password: str | None
    host: str
    port: int | None = None
    params: Params = ()
    headers: tuple[tuple[str, str], ...] = ()

    def param(self, name: str) -> str | None:
        """The value of a parameter, "" where it is a bare name (`lr`), None where it is missing."""
        return find_param(self.params, name)

    def __str__(self) -> str:
        out = [self.scheme, ":"]
        if self.user is not None:
            out.append(_write_user(self.user))
            if self.password is not None:
                out.append(":" + _write_password(self.password))
            out.append("@")
        out += [write_host_port(self.host, self.port), _write_params(self.params)]
        if self.headers:
            out.append("?" + "&".join(f"{_write_header(name)}={_write_header(value)}" for name, value in self.headers))
        return "".join(out)

    def __repr__(self) -> str:
        """The URI without its password, which must not reach a log."""
        hidden = "" if self.password is None else ":***"
        user = "" if self.user is None else f"{_write_user(self.user)}{hidden}@"
        return f"<Uri {self.scheme}:{user}{write_host_port(self.host, self.port)}{_write_params(self.params)}>"


@dataclass(frozen=True, slots=True)
class TelUri:
    """A `tel:` URI; `number` is as received, with `+` and visual separators."""

    number: str
    params: Params = ()

    @property
    def user(self) -> str:
        """The number without visual separators: what routing looks up."""
        return self.number.translate(_separators)

    def param(self, name: str) -> str | None:
        """The value of a parameter (`phone-context`, `ext`), "" for a bare name, None where it is missing."""
        return find_param(self.params, name)

    def __str__(self) -> str:
        return f"tel:{self.number}{_write_params(self.params)}"


def parse_uri(text: str) -> Uri | TelUri:
    """The URI in `text`. SipSyntaxError 416 for another scheme, 414 when too long, 400 where it is malformed."""
    if len(text) > URI_CHARS_MAX:
        raise SipSyntaxError(414, "Request-URI Too Long")
    found = _sip.fullmatch(text)
    if found is not None:
        return _sip_uri(found)
    scheme = scheme_of(text)
    if scheme == "tel":
        return _tel_uri(text)
    if scheme in ("sip", "sips"):
        raise SipSyntaxError(400, "Malformed URI")
    raise SipSyntaxError(416, "Unsupported URI Scheme")


def scheme_of(text: str) -> str:
    """The scheme of any URI, in small letters (RFC 3986 section 3.1). 400 when `text` is no absolute URI."""
    found = _absolute.fullmatch(text) or _sip.fullmatch(text) or _tel.fullmatch(text)
    if found is None:
        raise SipSyntaxError(400, "Malformed URI")
    return text.partition(":")[0].lower()


def uri_equal(one: Uri | TelUri, other: Uri | TelUri) -> bool:
    """Whether two URIs are equivalent by RFC 3261 section 19.1.4 (RFC 3966 section 4 for `tel:`)."""
    if isinstance(one, TelUri) or isinstance(other, TelUri):
        return isinstance(one, TelUri) and isinstance(other, TelUri) and _tel_key(one) == _tel_key(other)
    if (one.scheme, one.user, one.password, one.port) != (other.scheme, other.user, other.password, other.port):
        return False
    if one.host.lower() != other.host.lower() or _folded_headers(one) != _folded_headers(other):
        return False
    mine, theirs = _folded_params(one.params), _folded_params(other.params)
    # A parameter in only one of the two counts for these alone; in both, it must match always.
    if any((name in mine) != (name in theirs) for name in ("user", "ttl", "method", "maddr", "transport")):
        return False
    return all(theirs[name] == value for name, value in mine.items() if name in theirs)


def _sip_uri(found: re.Match[str]) -> Uri:
    scheme, user, password, host, port, params, headers = found.groups()
    return Uri(
        scheme.lower(),
        None if user is None else _unescape(user),
        None if password is None else _unescape(password),
        parse_host(host),
        parse_port(port),
        _parse_params(params),
        _parse_headers(headers),
    )


def _tel_uri(text: str) -> TelUri:
    """A local number without `phone-context` is taken too: gateways send them, as numbers of the trunk's own plan."""
    found = _tel.fullmatch(text)
    if found is None or not found[1].strip("+-.()"):
        raise SipSyntaxError(400, "Malformed tel URI")
    return TelUri(found[1], _parse_params(found[2]))


def _unescape(text: str) -> str:
    """Percent escapes as UTF-8. 400 where the bytes are not: no text of ours is ever half a character."""
    if "%" not in text:
        return text
    try:
        return _escape.sub(lambda found: bytes.fromhex(found[0].replace("%", "")).decode(), text)
    except UnicodeDecodeError:
        raise SipSyntaxError(400, "Malformed Escape In URI") from None


def _parse_params(text: str) -> Params:
    if not text:
        return ()
    pieces = text[1:].split(";")
    if len(pieces) > PARAMS_MAX:
        raise SipSyntaxError(400, "Too Many URI Parameters")
    out: list[tuple[str, str | None]] = []
    for piece in pieces:
        name, equals, value = piece.partition("=")
        out.append((_unescape(name), _unescape(value) if equals else None))
    if len({name.lower() for name, _ in out}) != len(out):
        raise SipSyntaxError(400, "Repeated URI Parameter")
    return tuple(out)


def _write_params(params: Params) -> str:
    return "".join(
        f";{_write_param(name)}" if value is None else f";{_write_param(name)}={_write_param(value)}"
        for name, value in params
    )


def _parse_headers(text: str | None) -> tuple[tuple[str, str], ...]:
    if not text:
        return ()
    pieces = text.split("&")
    if len(pieces) > PARAMS_MAX:
        raise SipSyntaxError(400, "Too Many URI Headers")
    return tuple((_unescape(name), _unescape(value)) for name, _, value in (piece.partition("=") for piece in pieces))


def _folded_params(params: Params) -> dict[str, str]:
    return {name.lower(): (value or "").lower() for name, value in params}


def _folded_headers(uri: Uri) -> list[tuple[str, str]]:
    return sorted((name.lower(), value) for name, value in uri.headers)


def _tel_key(uri: TelUri) -> tuple[str, tuple[tuple[str, str], ...]]:
    return uri.user.lower(), tuple(sorted(_folded_params(uri.params).items()))
