"""Session descriptions as values (RFC 8866): what two sides of a call tell each other about their media.

`offer_answer` reads and makes them; nobody else needs to. Lines that no call of ours depends on (i u e p b r z k) are
checked for their shape and dropped; attributes are all kept. The law: `parse_sdp(write_sdp(d)) == d`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from runtime.sip.limits import FORMATS_MAX, MEDIA_MAX, SDP_BYTES_MAX, SDP_LINES_MAX

Attributes = tuple[tuple[str, str | None], ...]
"""a= lines in their order: (name, value), None for a bare property such as `sendonly`."""

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")

_attribute_name = re.compile(r"[A-Za-z0-9\-.!#$%&'*+^_`{|}~]++")
_origin = re.compile(r"(\S+) +(\S+) +(\S+) +(\S+) +(\S+) +(\S+)\s*")
_connection = re.compile(r"(\S+) +(\S+) +(\S+)\s*")
_media = re.compile(r"([!-~]+) +([0-9]{1,5})(?:/([0-9]{1,5}))? +([!-~]+)((?: +[!-~]+)+) *")
_rtcp = re.compile(r"([0-9]{1,5})(?: +(\S+) +(\S+) +(\S+))?\s*")


class SdpSyntaxError(Exception):
    """Bytes that are no session description; the text says which line and why."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The o= line. The peer's numbers stay text: they are compared and never counted with."""

    username: str
    session_id: str
    version: str
    network: str
    family: str
    address: str


@dataclass(frozen=True, slots=True)
class Connection:
    """A c= line; `address` as received: a literal, a name, or a multicast group with `/ttl`."""

    network: str
    family: str
    address: str


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """One m-line with its own c= and a= lines. `port` 0: refused, or not offered any more."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    connection: Connection | None = None
    attributes: Attributes = ()
    ports: int = 1

    def attribute(self, name: str) -> str | None:
        """The first value of an attribute, "" where it is a bare property, None where it is missing."""
        return _first(self.attributes, name)

    def all(self, name: str) -> tuple[str, ...]:
        """All values of an attribute, in order."""
        return tuple(value or "" for known, value in self.attributes if known == name)


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A whole description; `times` are the texts of the t= lines."""

    origin: Origin
    name: str = "-"
    connection: Connection | None = None
    times: tuple[str, ...] = ("0 0",)
    attributes: Attributes = ()
    media: tuple[MediaDescription, ...] = ()

    def connection_of(self, media: MediaDescription) -> Connection | None:
        """Where this stream's packets go: its own c=, else the session's (RFC 8866 section 5.7)."""
        return media.connection or self.connection

    def direction_of(self, media: MediaDescription) -> str:
        """The direction of a stream as its sender sees it: own, else the session's, else `sendrecv` (RFC 8866 6.7)."""
        for attributes in (media.attributes, self.attributes):
            for name, _ in attributes:
                if name in DIRECTIONS:
                    return name
        return "sendrecv"


def connection_to(address: str) -> Connection:
    """The c= line of an IP address of ours."""
    return Connection("IN", f"IP{ipaddress.ip_address(address).version}", address)


def rtcp_attribute(media: MediaDescription) -> tuple[int, str | None] | None:
    """Port and address (None: that of the media) of `a=rtcp` (RFC 3605), None where there is none or it is broken."""
    found = _rtcp.fullmatch(media.attribute("rtcp") or "")
    if found is None or not 1 <= int(found[1]) <= 65_535:
        return None
    return int(found[1]), found[4]


def parse_sdp(body: bytes) -> SessionDescription:
    """The description in a message body. Line ends may be CRLF or LF (RFC 8866 section 5); SdpSyntaxError otherwise."""
    lines = _lines(body)
    first_media = next((at for at, (letter, _) in enumerate(lines) if letter == "m"), len(lines))
    session = _session(lines[:first_media])
    media: list[MediaDescription] = []
    at = first_media
    while at < len(lines):
        end = next((i for i in range(at + 1, len(lines)) if lines[i][0] == "m"), len(lines))
        media.append(_media_section(lines[at][1], lines[at + 1 : end]))
        at = end
    if len(media) > MEDIA_MAX:
        raise SdpSyntaxError("too many m-lines")
    return SessionDescription(
        session.origin, session.name, session.connection, session.times, session.attributes, tuple(media)
    )


def write_sdp(description: SessionDescription) -> bytes:
    """The description as a body, in RFC 8866's order of lines. ValueError where a value would break a line."""
    origin = description.origin
    lines = [
        "v=0",
        f"o={origin.username} {origin.session_id} {origin.version} {origin.network} {origin.family} {origin.address}",
        f"s={description.name}",
        *_connection_lines(description.connection),
        *(f"t={times}" for times in description.times),
        *_attribute_lines(description.attributes),
    ]
    for media in description.media:
        port = str(media.port) if media.ports == 1 else f"{media.port}/{media.ports}"
        lines.append(f"m={media.kind} {port} {media.protocol} {' '.join(media.formats)}")
        lines += _connection_lines(media.connection)
        lines += _attribute_lines(media.attributes)
    if any(mark in line for line in lines for mark in "\r\n\0"):
        raise ValueError("CR, LF or NUL in a session description")
    return ("\r\n".join(lines) + "\r\n").encode()


def _lines(body: bytes) -> list[tuple[str, str]]:
    """(letter, value) of all lines, blank ones left out."""
    if len(body) > SDP_BYTES_MAX:
        raise SdpSyntaxError("session description too long")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    rows = [row for row in text.replace("\r\n", "\n").split("\n") if row.strip()]
    if len(rows) > SDP_LINES_MAX:
        raise SdpSyntaxError("too many lines")
    for row in rows:
        if row[1:2] != "=" or row[0] not in "vosiuepcbtrzkam" or "\0" in row or "\r" in row:
            raise SdpSyntaxError(f"not a line of a session description: {row[:40]!r}")
    return [(row[0], row[2:]) for row in rows]


def _session(lines: list[tuple[str, str]]) -> SessionDescription:
    """The part before the first m-line. A missing s= or t= is forgiven: nothing depends on it."""
    if not lines or lines[0] != ("v", "0"):
        raise SdpSyntaxError("does not begin with v=0")
    values: dict[str, str] = {}
    for letter, value in lines:
        if letter in values and letter in "vosc":
            raise SdpSyntaxError(f"more than one {letter}= line")
        values.setdefault(letter, value)
    found = _origin.fullmatch(values.get("o", ""))
    if found is None:
        raise SdpSyntaxError("missing or malformed o= line")
    return SessionDescription(
        Origin(*found.groups()),
        values.get("s", "-"),
        _parse_connection(values["c"]) if "c" in values else None,
        tuple(value for letter, value in lines if letter == "t"),
        _parse_attributes(lines),
    )


def _media_section(text: str, lines: list[tuple[str, str]]) -> MediaDescription:
    found = _media.fullmatch(text)
    if found is None or int(found[2]) > 65_535:
        raise SdpSyntaxError(f"malformed m= line: {text[:40]!r}")
    formats = tuple(found[5].split())
    if len(formats) > FORMATS_MAX:
        raise SdpSyntaxError("too many formats in an m= line")
    for letter, _ in lines:
        if letter in "vost":
            raise SdpSyntaxError(f"{letter}= line within a media description")
    connections = [value for letter, value in lines if letter == "c"]
    return MediaDescription(
        kind=found[1],
        port=int(found[2]),
        protocol=found[4],
        formats=formats,
        connection=_parse_connection(connections[0]) if connections else None,
        attributes=_parse_attributes(lines),
        ports=max(1, int(found[3] or 1)),
    )


def _parse_connection(text: str) -> Connection:
    found = _connection.fullmatch(text)
    if found is None:
        raise SdpSyntaxError(f"malformed c= line: {text[:40]!r}")
    return Connection(*found.groups())


def _parse_attributes(lines: list[tuple[str, str]]) -> Attributes:
    out: list[tuple[str, str | None]] = []
    for letter, text in lines:
        if letter != "a":
            continue
        name, colon, value = text.partition(":")
        name = name.rstrip(" ") if not colon else name
        if _attribute_name.fullmatch(name) is None:
            raise SdpSyntaxError(f"malformed a= line: {text[:40]!r}")
        out.append((name, value if colon else None))
    return tuple(out)


def _connection_lines(connection: Connection | None) -> list[str]:
    return [] if connection is None else [f"c={connection.network} {connection.family} {connection.address}"]


def _attribute_lines(attributes: Attributes) -> list[str]:
    return [f"a={name}" if value is None else f"a={name}:{value}" for name, value in attributes]


def _first(attributes: Attributes, name: str) -> str | None:
    for known, value in attributes:
        if known == name:
            return value or ""
    return None
