"""Where a host's SIP servers are (RFC 3263): which transport, and which addresses in which order.

`locate` is a generator: it yields the questions that it has, all at once, is sent what the DNS knows, and returns the
hops. It asks for all that the next step could need, so that a host costs two rounds at most, three with NAPTR. Nothing
here knows where answers come from; weights (RFC 2782) are drawn with the entropy that is given.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from runtime.sip.grammar import write_host_port
from runtime.sip.path import FLOW_TRANSPORTS, Address, Path, default_port

AUTO = "auto"
"""No transport is named: the DNS says which, or else it is the first one that we speak."""

SERVICES_MAX = 8
"""NAPTR records of one host that are followed."""

TARGETS_MAX = 16
"""SRV records of one service that are followed, those that come first in their order."""

ADDRESSES_MAX = 8
"""Addresses of one name that are tried."""

HOPS_MAX = 24
"""Hops of one host in all."""

_SRV_PREFIX = {
    "udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp.", "ws": "_sip._ws.", "wss": "_sips._ws.",
}  # fmt: skip
_NAPTR_SERVICE = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls", "SIP+D2W": "ws", "SIPS+D2W": "wss"}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,252}")
_DRAWN_BYTES = 8


class Kind(StrEnum):
    """What a name is looked up as. ADDRESS is A and AAAA together."""

    NAPTR = "NAPTR"
    SRV = "SRV"
    ADDRESS = "ADDRESS"


@dataclass(frozen=True, slots=True)
class Question:
    """One look-up."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Naptr:
    """RFC 3403: one service of a domain. Names are without the dot at their end."""

    order: int
    preference: int
    flags: str
    service: str
    regexp: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Srv:
    """RFC 2782: one server of a service. The target "." says that there is none, and is no host."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class Records:
    """What the DNS says to one question: the records of its kind."""

    naptr: tuple[Naptr, ...] = ()
    srv: tuple[Srv, ...] = ()
    addresses: tuple[str, ...] = ()


NOTHING = Records()
"""The name is not there, has no such record, or nobody could say."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One way to a host: the transport, and one address of one of its servers."""

    transport: str
    address: Address

    def __str__(self) -> str:
        """`udp://192.0.2.1:5060`, for people."""
        return f"{self.transport}://{write_host_port(*self.address)}"


def hop_of(path: Path) -> Hop:
    """The hop that a path leads to."""
    return Hop(path.transport, path.remote)


@dataclass(frozen=True, slots=True)
class Located:
    """The hops in the order in which they are tried. `known`: the DNS has something, even if none of it is a way."""

    hops: tuple[Hop, ...]
    known: bool


@dataclass(frozen=True, slots=True)
class Speaks:
    """The transports that we speak, the preferred one first; and whether one of ours reaches an address."""

    transports: tuple[str, ...]
    reaches: Callable[[str, str], bool]
    """(transport, IP address) -> whether there is a listener for it, of the same version of IP."""


Search = Generator[tuple[Question, ...], Mapping[Question, Records], Located]


def locate(host: str, port: int | None, transport: str, speaks: Speaks, entropy: Callable[[int], bytes]) -> Search:
    """The hops of a host. `transport` AUTO, udp, tcp, tls, ws or wss; where a `port` is named no SRV is asked for.

    AUTO is a WebSocket only where the domain says so (NAPTR): who speaks it does so for web pages, behind some path.
    """
    literal = _literal(host)
    usual = tuple(name for name in speaks.transports if name not in FLOW_TRANSPORTS)
    wanted = usual if transport == AUTO else (transport,)
    if literal is not None or port is not None:
        addresses = (literal,) if literal is not None else (yield from _addresses((host,)))[host]
        return _located(_at_first(wanted, addresses, port, speaks), known=bool(addresses))
    host = host.removesuffix(".")
    services = tuple((name, _SRV_PREFIX[name] + host) for name in wanted if name in _SRV_PREFIX)
    naptr = Question(Kind.NAPTR, host)
    asked = [Question(Kind.SRV, service) for _, service in services]
    own = Question(Kind.ADDRESS, host)
    found = yield ((naptr, *asked, own) if transport == AUTO else (*asked, own))
    if transport == AUTO:
        offered = _services(found.get(naptr, NOTHING).naptr)
        if offered:
            # The domain has said what it speaks: what we do not speak of it is no reason to try something else.
            services = tuple(service for service in offered if service[0] in speaks.transports)
            if not services:
                return _located((), known=True)
            found = {**found, **(yield tuple(Question(Kind.SRV, name) for _, name in services))}
    servers = [(name, found.get(Question(Kind.SRV, service), NOTHING).srv) for name, service in services]
    if not any(records for _, records in servers):
        wanted = tuple(name for name, _ in services) or wanted
        addresses = found.get(own, NOTHING).addresses
        return _located(_at_first(wanted, addresses, None, speaks), known=bool(addresses))
    targets = [(name, record) for name, records in servers for record in srv_order(records, entropy)[:TARGETS_MAX]]
    usable = [(name, record) for name, record in targets if record.port and _is_host(record.target)]
    known = yield from _addresses(dict.fromkeys(record.target for _, record in usable))
    hops = (
        Hop(name, (address, record.port))
        for name, record in usable
        for address in known[record.target]
        if speaks.reaches(name, address)
    )
    return _located(hops, known=True)


def srv_order(records: Iterable[Srv], entropy: Callable[[int], bytes]) -> list[Srv]:
    """Records in the order in which they are tried: by priority, within one by weighted chance (RFC 2782)."""
    ordered: list[Srv] = []
    known = set(records)
    for priority in sorted({record.priority for record in known}):
        # Those of weight 0 come first, as the RFC wants it; the rest of the order makes equal input equal output.
        group = sorted(
            (record for record in known if record.priority == priority), key=lambda r: (r.weight, r.target, r.port)
        )
        while group:
            drawn = int.from_bytes(entropy(_DRAWN_BYTES)) % (sum(record.weight for record in group) + 1)
            ordered.append(group.pop(_place_of(group, drawn)))
    return ordered


def _place_of(group: Sequence[Srv], drawn: int) -> int:
    """The first record whose running sum of weights is at least the number that was drawn."""
    running = 0
    for place, record in enumerate(group):
        running += record.weight
        if running >= drawn:
            return place
    raise AssertionError("the last sum is the largest that is drawn")


def _services(records: Iterable[Naptr]) -> tuple[tuple[str, str], ...]:
    """(transport, SRV name) of the SIP services, the preferred one first; RFC 3263 section 4.1.

    Only those of the lowest order count (RFC 3403 section 4.1); of them all, as a way that fails is followed by others.
    """
    usable = sorted(
        (record.order, record.preference, _NAPTR_SERVICE.get(record.service.upper(), ""), record.replacement)
        for record in records
        if record.flags.upper() == "S" and not record.regexp and record.service.upper().startswith(("SIP+", "SIPS+"))
    )
    best = [(name, srv) for order, _, name, srv in usable if order == usable[0][0]]
    return tuple(dict.fromkeys(best[:SERVICES_MAX]))


def _at_first(wanted: Sequence[str], addresses: Iterable[str], port: int | None, speaks: Speaks) -> Iterable[Hop]:
    """Each address by the first of these transports that reaches it: nothing has said that it speaks the others."""
    for address in addresses:
        for name in wanted:
            if speaks.reaches(name, address):
                yield Hop(name, (address, port or default_port(name)))
                break


def _addresses(
    names: Iterable[str],
) -> Generator[tuple[Question, ...], Mapping[Question, Records], dict[str, tuple[str, ...]]]:
    """The addresses of names, and of literals themselves."""
    found = {name: literal for name in names if (literal := _literal(name)) is not None}
    questions = tuple(Question(Kind.ADDRESS, name) for name in names if name not in found)
    answers = (yield questions) if questions else {}
    known = {question.name: answers.get(question, NOTHING).addresses[:ADDRESSES_MAX] for question in questions}
    return known | {name: (literal,) for name, literal in found.items()}


def _located(hops: Iterable[Hop], *, known: bool) -> Located:
    return Located(tuple(dict.fromkeys(hops))[:HOPS_MAX], known)


def _literal(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def _is_host(name: str) -> bool:
    """Whether an answer names something that may be looked up further."""
    return _NAME.fullmatch(name) is not None and ".." not in name
