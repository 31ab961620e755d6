"""Header fields read into values: Via, name-addr, CSeq, and the lists of them (RFC 3261 section 20).

Called by whoever needs the field, after framing; every function raises SipSyntaxError 400 with the field's name in
its reason. `str(value)` writes a field that parses to the same value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from runtime.sip.errors import SipSyntaxError
from runtime.sip.grammar import (
    HOST,
    LWS,
    QUOTED,
    TOKEN,
    Params,
    elements,
    find_param,
    is_token,
    parse_host,
    parse_params,
    parse_port,
    quotable,
    quote,
    unquote,
    write_host_port,
    write_params,
)
from runtime.sip.limits import CSEQ_MAX, URI_CHARS_MAX
from runtime.sip.message import Headers
from runtime.sip.uri import scheme_of

WARN_AGENT = "dialplane"
"""Our name in Warning headers (section 20.43: a pseudonym will do)."""

_via = re.compile(
    rf"[sS][iI][pP]{LWS}/{LWS}2\.0{LWS}/{LWS}({TOKEN})[ \t]+({HOST})(?:{LWS}:{LWS}([0-9]+))?{LWS}((?:;.*)?)",
    re.DOTALL,
)
# A display name without quotes is a row of tokens; peers also send letters beyond ASCII and characters that delimit
# nothing here, and nobody is confused by them. Commas, colons and semicolons stay out (RFC 4475 3.1.2.15).
_bracketed = re.compile(rf'(?:({QUOTED}){LWS}|([^"<>,;:\\]*))<([^<>" \t]*)>{LWS}((?:;.*)?)', re.DOTALL)
_bare = re.compile(rf"([^<>\",;? \t]+){LWS}((?:;.*)?)", re.DOTALL)
_seconds = re.compile(r"[ \t]*([0-9]{1,10})(?![0-9])")
_cseq = re.compile(rf"([0-9]+)[ \t]+({TOKEN})")
_media_type = re.compile(rf"({TOKEN}){LWS}/{LWS}({TOKEN}){LWS}((?:;.*)?)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Via:
    """One Via element: who sent the message and where the response goes; `host` without IPv6 brackets."""

    transport: str
    host: str
    port: int | None = None
    params: Params = ()

    @property
    def branch(self) -> str | None:
        """The transaction's mark, or None from an RFC 2543 peer."""
        return find_param(self.params, "branch")

    @property
    def received(self) -> str | None:
        """The address that the request really came from, without brackets, or None."""
        value = find_param(self.params, "received")
        return value.strip("[]") if value else None

    @property
    def rport(self) -> int | None:
        """RFC 3581: the port that the request really came from; 0 where it is asked for and not filled in yet."""
        value = find_param(self.params, "rport")
        if not value:
            return None if value is None else 0
        if not (value.isascii() and value.isdigit()):
            raise SipSyntaxError(400, "Malformed Via")
        return parse_port(value)

    def param(self, name: str) -> str | None:
        """The value of a parameter, "" where it is a bare name, None where it is missing."""
        return find_param(self.params, name)

    def with_param(self, name: str, value: str | None) -> Via:
        """A copy with this parameter set in its place, or added at the end."""
        if find_param(self.params, name) is None:
            return replace(self, params=(*self.params, (name, value)))
        return replace(self, params=tuple((n, value if n.lower() == name else v) for n, v in self.params))

    def __str__(self) -> str:
        return f"SIP/2.0/{self.transport} {write_host_port(self.host, self.port)}{write_params(self.params)}"


@dataclass(frozen=True, slots=True)
class NameAddr:
    """A name-addr or addr-spec with its header parameters: From, To, Contact, Route and their like.

    `uri` is text of any scheme, read it with `parse_uri`; `display` is without quotes, "" where there is none.
    """

    display: str
    uri: str
    params: Params = ()

    @property
    def tag(self) -> str | None:
        """The dialog's tag of From or To, or None."""
        return find_param(self.params, "tag")

    def param(self, name: str) -> str | None:
        """The value of a header parameter, "" where it is a bare name, None where it is missing."""
        return find_param(self.params, name)

    def with_param(self, name: str, value: str | None) -> NameAddr:
        """A copy with this parameter set in its place, or added at the end."""
        if find_param(self.params, name) is None:
            return replace(self, params=(*self.params, (name, value)))
        return replace(self, params=tuple((n, value if n.lower() == name else v) for n, v in self.params))

    def __str__(self) -> str:
        display = quote(self.display) + " " if self.display else ""
        return f"{display}<{self.uri}>{write_params(self.params)}"


@dataclass(frozen=True, slots=True)
class CSeq:
    """The sequence number (0 to 2**31 - 1) and the method it counts."""

    number: int
    method: str

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@dataclass(frozen=True, slots=True)
class MediaType:
    """A Content-Type or one range of Accept, in small letters; parameters as received."""

    type: str
    subtype: str
    params: Params = ()

    def __str__(self) -> str:
        return f"{self.type}/{self.subtype}{write_params(self.params)}"


def parse_via(text: str) -> Via:
    """One Via element."""
    found = _via.fullmatch(text)
    if found is None:
        raise SipSyntaxError(400, "Malformed Via")
    transport, host, port, params = found.groups()
    try:
        return Via(transport, parse_host(host), parse_port(port), parse_params(params))
    except SipSyntaxError as fault:
        raise SipSyntaxError(400, f"Malformed Via: {fault.reason}") from None


def parse_vias(headers: Headers) -> list[Via]:
    """All Via elements, the topmost first; empty where there is none."""
    return [parse_via(text) for text in elements(headers.all("Via"))]


def parse_name_addr(value: str, name: str = "Address") -> NameAddr:
    """One address; `name` is the field for the fault's reason.

    Without `<>` everything after `;` belongs to the header, and the URI has neither `?` nor `,` (section 20).
    """
    found = _bracketed.fullmatch(value)
    if found is not None:
        quoted, words, uri, params = found.groups()
        display = unquote(quoted) if quoted is not None else " ".join(words.split())
    else:
        found = _bare.fullmatch(value)
        if found is None:
            raise SipSyntaxError(400, f"Malformed {name}")
        display, (uri, params) = "", found.groups()
    if len(uri) > URI_CHARS_MAX:
        raise SipSyntaxError(400, f"Malformed {name}")
    try:
        scheme_of(uri)
        return NameAddr(display, uri, parse_params(params))
    except SipSyntaxError as fault:
        raise SipSyntaxError(400, f"Malformed {name}: {fault.reason}") from None


def parse_addresses(headers: Headers, name: str) -> list[NameAddr]:
    """All addresses of Contact, Route, Record-Route, P-Asserted-Identity, … in order (`Contact: *` is 400)."""
    return [parse_name_addr(text, name) for text in elements(headers.all(name))]


def parse_cseq(headers: Headers) -> CSeq:
    """The CSeq; 400 when missing, malformed or out of range."""
    found = _cseq.fullmatch(headers.first("CSeq") or "")
    if found is None:
        raise SipSyntaxError(400, "Missing Or Malformed CSeq")
    if len(found[1]) > 20 or int(found[1]) > CSEQ_MAX:
        raise SipSyntaxError(400, "CSeq Out Of Range")
    return CSeq(int(found[1]), found[2])


def parse_token_list(headers: Headers, name: str) -> list[str]:
    """The tokens of Allow, Require, Supported, … in order; an empty field is an empty list."""
    tokens = [text for text in elements(headers.all(name)) if text]
    if not all(map(is_token, tokens)):
        raise SipSyntaxError(400, f"Malformed {name}")
    return tokens


def has_option(headers: Headers, name: str, option: str) -> bool:
    """Whether Supported or Require names this option tag; a field that cannot be read names none."""
    if name not in headers:
        return False
    try:
        return option in (tag.lower() for tag in parse_token_list(headers, name))
    except SipSyntaxError:
        return False


def parse_media_type(value: str, name: str = "Content-Type") -> MediaType:
    """`type/subtype;param=value`, also a range of Accept."""
    found = _media_type.fullmatch(value)
    if found is None:
        raise SipSyntaxError(400, f"Malformed {name}")
    return MediaType(found[1].lower(), found[2].lower(), parse_params(found[3]))


def parse_seconds(text: str | None) -> int | None:
    """The delta-seconds that Expires, Min-Expires and Retry-After begin with (section 20.33); None where none is."""
    found = _seconds.match(text or "")
    return int(found[1]) if found is not None else None


def write_warning(code: int, words: str) -> str:
    """The value of a Warning header (section 20.43), by our name: `words` tell people why."""
    return f'{code} {WARN_AGENT} "{quotable(words)}"'
