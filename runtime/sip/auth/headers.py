"""WWW-Authenticate, Proxy-Authenticate, Authorization and Proxy-Authorization as values (RFC 3261 section 25.1).

`parse_challenges` and `parse_credentials` take the values of all header lines of one field, several schemes among them
and, as some peers write them, several in one line. Read leniently where nothing can be mistaken: names and schemes in
any case, every parameter as token or in quotes, parameters that nobody knows. A parameter that occurs twice, or a
Digest without what it needs, is a fault. `str(value)` writes a value that parses to the same one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from runtime.sip.auth.limits import PARAMS_MAX, VALUES_MAX
from runtime.sip.errors import SipSyntaxError
from runtime.sip.grammar import LWS, QUOTED, TOKEN, is_token, quote, unquote

DIGEST = "digest"
_DEFAULT_ALGORITHM = "MD5"

_between = re.compile(r"[ \t,]*+")
_param = re.compile(rf'({TOKEN}){LWS}={LWS}(?:({QUOTED})|([^ \t,"]++))(?=[ \t,]|\Z)')
_scheme = re.compile(rf"({TOKEN})(?=[ \t,]|\Z)")
_other = re.compile(r"[^,]*+")
_count = re.compile("[0-9A-Fa-f]{1,8}")

Params = dict[str, str]


@dataclass(frozen=True, slots=True)
class Challenge:
    """One Digest challenge. `algorithm` is the token as written; `qop` empty: an RFC 2069 peer."""

    realm: str
    nonce: str
    algorithm: str = _DEFAULT_ALGORITHM
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False

    def __str__(self) -> str:
        parts = [f"realm={quote(self.realm)}", f"nonce={quote(self.nonce)}"]
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        if self.stale:
            parts.append("stale=true")
        parts.append(f"algorithm={self.algorithm}")
        if self.qop:
            parts.append(f'qop="{",".join(self.qop)}"')
        return f"Digest {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The answer to one. `qop` None: as RFC 2069 answers, without `nc` and `cnonce`; `nc` is the text that counts."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str = field(repr=False)
    algorithm: str = _DEFAULT_ALGORITHM
    qop: str | None = None
    nc: str = ""
    cnonce: str = ""
    opaque: str | None = None

    def __str__(self) -> str:
        parts = [
            f"username={quote(self.username)}",
            f"realm={quote(self.realm)}",
            f"nonce={quote(self.nonce)}",
            f"uri={quote(self.uri)}",
            f"response={quote(self.response)}",
            f"algorithm={self.algorithm}",
        ]
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        if self.cnonce or self.qop is not None:
            parts.append(f"cnonce={quote(self.cnonce)}")
        if self.qop is not None:
            parts += [f"qop={self.qop}", f"nc={self.nc}"]
        return f"Digest {', '.join(parts)}"


def parse_challenges(lines: Iterable[str], name: str = "WWW-Authenticate") -> list[Challenge]:
    """The Digest challenges in these header lines, in order; other schemes are passed over. SipSyntaxError 400."""
    return [_challenge(params, name) for scheme, params in _values(lines, name) if scheme == DIGEST]


def parse_credentials(lines: Iterable[str], name: str = "Authorization") -> list[Credentials]:
    """The Digest credentials in these header lines, in order; other schemes are passed over. SipSyntaxError 400."""
    return [_credentials(params, name) for scheme, params in _values(lines, name) if scheme == DIGEST]


def _challenge(params: Mapping[str, str], name: str) -> Challenge:
    return Challenge(
        realm=_needed(params, "realm", name),
        nonce=_needed(params, "nonce", name),
        algorithm=_algorithm(params, name),
        qop=tuple(_qop(word, name) for word in re.split("[ \t,]+", params.get("qop", "")) if word),
        opaque=params.get("opaque"),
        stale=params.get("stale", "").lower() == "true",
    )


def _credentials(params: Mapping[str, str], name: str) -> Credentials:
    qop = params.get("qop")
    if qop is not None and (_count.fullmatch(params.get("nc", "")) is None or not params.get("cnonce")):
        raise SipSyntaxError(400, f"Malformed {name}: qop Without nc And cnonce")
    return Credentials(
        username=_needed(params, "username", name),
        realm=_needed(params, "realm", name),
        nonce=_needed(params, "nonce", name),
        uri=_needed(params, "uri", name),
        response=_needed(params, "response", name),
        algorithm=_algorithm(params, name),
        qop=None if qop is None else _qop(qop, name),
        nc=params["nc"] if qop is not None else "",
        cnonce=params.get("cnonce", ""),
        opaque=params.get("opaque"),
    )


def _needed(params: Mapping[str, str], param: str, name: str) -> str:
    value = params.get(param)
    if value is None:
        raise SipSyntaxError(400, f"Malformed {name}: No {param}")
    return value


def _algorithm(params: Mapping[str, str], name: str) -> str:
    algorithm = params.get("algorithm", _DEFAULT_ALGORITHM)
    if not is_token(algorithm):
        raise SipSyntaxError(400, f"Malformed {name}: algorithm")
    return algorithm


def _qop(word: str, name: str) -> str:
    if not is_token(word):
        raise SipSyntaxError(400, f"Malformed {name}: qop")
    return word.lower()


def _values(lines: Iterable[str], name: str) -> list[tuple[str, Params]]:
    """(scheme in small letters, parameters by name in small letters) of every challenge or set of credentials."""
    out: list[tuple[str, Params]] = []
    for line in lines:
        _read_line(line, out, name)
        if len(out) > VALUES_MAX:
            raise SipSyntaxError(400, f"Too Many Values In {name}")
    return out


def _read_line(line: str, out: list[tuple[str, Params]], name: str) -> None:
    """One header line: schemes, each with what follows it up to the next."""
    scheme, params, at = "", Params(), _skipped(line, 0)
    while at < len(line):
        found = _param.match(line, at)
        if found is not None and scheme:
            _put(params, found, name)
        elif (found := _scheme.match(line, at)) is not None:
            scheme, params = found[1].lower(), Params()
            out.append((scheme, params))
        elif scheme not in ("", DIGEST):
            found = _other.match(line, at)  # what another scheme says is its own business
        else:
            raise SipSyntaxError(400, f"Malformed {name}")
        assert found is not None, "the last pattern matches everything"
        at = _skipped(line, found.end())


def _skipped(line: str, at: int) -> int:
    """The place behind blanks and commas."""
    found = _between.match(line, at)
    assert found is not None, "the pattern matches the empty text too"
    return found.end()


def _put(params: Params, found: re.Match[str], name: str) -> None:
    key, quoted, plain = found.groups()
    if key.lower() in params:
        raise SipSyntaxError(400, f"Malformed {name}: Repeated {key}")
    if len(params) == PARAMS_MAX:
        raise SipSyntaxError(400, f"Too Many Parameters In {name}")
    params[key.lower()] = plain if quoted is None else unquote(quoted)
