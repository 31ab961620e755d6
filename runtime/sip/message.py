"""A SIP message as a value: start line, headers in their order, body (RFC 3261 section 7).

Made by `parser` from the wire and by the endpoint for the wire, written by `writer`. Header values are raw text here;
`fields` and `uri` read them when somebody wants to know, so that a message costs little until it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

_KNOWN = (
    "Accept", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow", "Allow-Events", "Authentication-Info",
    "Authorization", "Call-ID", "Call-Info", "Contact", "Content-Disposition", "Content-Encoding", "Content-Language",
    "Content-Length", "Content-Type", "CSeq", "Date", "Diversion", "Error-Info", "Event", "Expires", "From",
    "History-Info", "Identity", "In-Reply-To", "Max-Forwards", "MIME-Version", "Min-Expires", "Min-SE",
    "Organization", "P-Asserted-Identity", "P-Called-Party-ID", "P-Preferred-Identity", "Priority", "Privacy",
    "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Require", "RAck", "Reason", "Record-Route", "Refer-Sub",
    "Refer-To", "Referred-By", "Remote-Party-ID", "Replaces", "Reply-To", "Require", "Retry-After", "Route", "RSeq",
    "Server", "Session-Expires", "Subject", "Subscription-State", "Supported", "Timestamp", "To", "Unsupported",
    "User-Agent", "User-to-User", "Via", "Warning", "WWW-Authenticate",
)  # fmt: skip

# RFC 3261 section 7.3.3, and the later one-letter forms of the IANA registry.
_COMPACT = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition",
    "e": "Content-Encoding", "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported",
    "l": "Content-Length", "m": "Contact", "n": "Identity-Info", "o": "Event", "r": "Refer-To", "s": "Subject",
    "t": "To", "u": "Allow-Events", "v": "Via", "x": "Session-Expires", "y": "Identity",
}  # fmt: skip

# Every spelling that is worth one look: as the RFC writes it, in small letters, compact in both cases.
CANONICAL: dict[str, str] = {
    **{name: name for name in _KNOWN},
    **{name.lower(): name for name in [*_KNOWN, *_COMPACT.values()]},
    **_COMPACT,
    **{letter.upper(): name for letter, name in _COMPACT.items()},
}


def canonical_name(name: str) -> str:
    """The RFC's spelling of a header name (compact forms written out); an unknown name stays as it is."""
    return CANONICAL.get(name) or CANONICAL.get(name.lower(), name)


class Headers:
    """An immutable, ordered multimap of header names to raw value texts; one entry for one header line.

    Names are canonical and compare without case. Values are unfolded, without white space around, and always valid
    Unicode. `Content-Length` is never in a parsed message: it is framing, which parser and writer take care of.
    """

    __slots__ = ("_index", "_items")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._items = tuple((canonical_name(name), value) for name, value in pairs)
        self._index: dict[str, tuple[str, ...]] | None = None

    @classmethod
    def _of(cls, items: tuple[tuple[str, str], ...]) -> Headers:
        headers = cls.__new__(cls)
        headers._items = items  # noqa: SLF001 - a second constructor
        headers._index = None  # noqa: SLF001 - a second constructor
        return headers

    @classmethod
    def of_canonical(cls, items: Iterable[tuple[str, str]]) -> Headers:
        """Headers of pairs whose names are already canonical (the parser's way: names are looked up once)."""
        return cls._of(tuple(items))

    def items(self) -> tuple[tuple[str, str], ...]:
        """All (name, value) pairs in their order on the wire."""
        return self._items

    def all(self, name: str) -> tuple[str, ...]:
        """The values of all header lines of this name, in order; empty when there is none."""
        index = self._index
        if index is None:
            index = self._index = self._indexed()
        return index.get(name) or index.get(canonical_name(name).lower(), ())

    def first(self, name: str) -> str | None:
        """The value of the first header line of this name, or None."""
        values = self.all(name)
        return values[0] if values else None

    def replaced(self, name: str, *values: str) -> Headers:
        """A copy in which `values` stand where `name` first stood (at the end, where it did not occur)."""
        wanted = canonical_name(name)
        key = wanted.lower()
        out: list[tuple[str, str]] = []
        placed = False
        for item in self._items:
            if item[0].lower() != key:
                out.append(item)
            elif not placed:
                placed = True
                out += [(wanted, value) for value in values]
        if not placed:
            out += [(wanted, value) for value in values]
        return self._of(tuple(out))

    def added(self, name: str, value: str) -> Headers:
        """A copy with one more header line at the end."""
        return self._of((*self._items, (canonical_name(name), value)))

    def without(self, *names: str) -> Headers:
        """A copy without the header lines of these names."""
        gone = {canonical_name(name).lower() for name in names}
        return self._of(tuple(item for item in self._items if item[0].lower() not in gone))

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name))

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._folded() == other._folded()

    def __hash__(self) -> int:
        return hash(self._folded())

    def __repr__(self) -> str:
        return f"Headers({list(self._items)!r})"

    def _folded(self) -> tuple[tuple[str, str], ...]:
        return tuple((name.lower(), value) for name, value in self._items)

    def _indexed(self) -> dict[str, tuple[str, ...]]:
        """Values by the name in small letters and, for speed, by the canonical name too."""
        index: dict[str, tuple[str, ...]] = {}
        for name, value in self._items:
            key = name.lower()
            index[key] = (*index[key], value) if key in index else (value,)
        for name, _ in self._items:
            index[name] = index[name.lower()]
        return index


@dataclass(frozen=True, slots=True)
class Request:
    """A request; `uri` is the raw Request-URI. The version is always SIP/2.0."""

    method: str
    uri: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """A response; `status` is 100 to 699, `reason` may be empty."""

    status: int
    reason: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""


Message = Request | Response
