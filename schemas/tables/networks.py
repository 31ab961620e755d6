"""Packet sources and the networks that trunks allow, as integers, so that a match is a shift and a set lookup.

Called by the compiled rows and the source index. An IPv4 address that arrives mapped into IPv6 (RFC 4291 section
2.5.5.2) is the IPv4 address: a dual-stack socket must not change who is allowed. A zone (`%eth0`) is no part of the
address (RFC 4007 section 11). Text that is no address is in no network: an unreadable source is never let in.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

ADDRESS_CHARS_MAX = 64
"""Longer than any address with a zone; longer text is no address."""

ADDRESSES_REMEMBERED = 4096
"""Carriers send from few addresses, and reading one is a fifth of a decision: the latest are kept (a pure function)."""

_BITS = {4: 32, 6: 128}
_MAPPED_HIGH = 0xFFFF
_MAPPED_BITS = 96


class Address(NamedTuple):
    """An address: `version` is 4 or 6."""

    version: int
    value: int


class Network(NamedTuple):
    """A network: `prefix` is its `length` leading bits."""

    version: int
    length: int
    prefix: int


@dataclass(frozen=True, slots=True)
class NetworkSet:
    """The networks of one trunk. `shifts4` and `shifts6` are the bits to drop for each prefix length in use."""

    networks: frozenset[Network]
    shifts4: tuple[tuple[int, int], ...]
    shifts6: tuple[tuple[int, int], ...]

    def holds(self, address: Address | None) -> bool:
        """Whether one of the networks holds the address; None, which is unreadable text, is in none."""
        if address is None:
            return False
        version, value = address
        for length, shift in self.shifts4 if version == 4 else self.shifts6:
            if (version, length, value >> shift) in self.networks:
                return True
        return False


def compile_networks(texts: Iterable[str]) -> NetworkSet:
    """Compile canonical CIDRs (a bare address is a network of itself). Raises ValueError for anything else."""
    networks = frozenset(parse_network(text) for text in texts)
    return NetworkSet(networks, _shifts(networks, 4), _shifts(networks, 6))


def _shifts(networks: frozenset[Network], version: int) -> tuple[tuple[int, int], ...]:
    lengths = sorted({network.length for network in networks if network.version == version}, reverse=True)
    return tuple((length, _BITS[version] - length) for length in lengths)


def parse_network(text: str) -> Network:
    """Read `192.0.2.0/24`, `2001:db8::/32` or one address. Raises ValueError."""
    base, slash, length_text = text.partition("/")
    ip = ipaddress.ip_address(base)
    bits = ip.max_prefixlen
    length = int(length_text) if slash else bits
    if not 0 <= length <= bits:
        raise ValueError(f"{text!r} has no prefix length between 0 and {bits}")
    value = int(ip)
    if ip.version == 6 and value >> 32 == _MAPPED_HIGH and length >= _MAPPED_BITS:
        return Network(4, length - _MAPPED_BITS, (value & 0xFFFFFFFF) >> (bits - length))
    return Network(ip.version, length, value >> (bits - length))


@lru_cache(maxsize=ADDRESSES_REMEMBERED)
def parse_address(text: str) -> Address | None:
    """Read the source of a packet; None when the text is no address."""
    if len(text) > ADDRESS_CHARS_MAX:
        return None
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    value = int(ip)
    if ip.version == 6 and value >> 32 == _MAPPED_HIGH:
        return Address(4, value & 0xFFFFFFFF)
    return Address(ip.version, value)


def supernets(address: Address, lengths: Iterable[int]) -> list[Network]:
    """The networks of these lengths that hold the address."""
    version, value = address
    bits = _BITS[version]
    return [Network(version, length, value >> (bits - length)) for length in lengths]


def network_text(network: Network) -> str:
    """The CIDR of a network, as people write it."""
    value = network.prefix << (_BITS[network.version] - network.length)
    base = ipaddress.IPv4Address(value) if network.version == 4 else ipaddress.IPv6Address(value)
    return f"{base}/{network.length}"
