"""Checks of ICE as messages (RFC 8445 section 7, RFC 8489): read by who knows their names, and answered.

A check is a STUN request that knows both passwords' halves: whoever did not see our description cannot make one.
Called by whoever answers checks: `ice_lite` for phones, and the way to a LiveKit server once it stands. No datagram
raises.
"""

from __future__ import annotations

import hmac
import ipaddress
import struct
import zlib
from dataclasses import dataclass
from typing import Final

from runtime.media.source import Address

MESSAGE_BYTES_MAX: Final = 1_280
ATTRIBUTES_MAX: Final = 32
"""A check has about eight; a stranger's datagram of three hundred empty ones would take twenty times as long."""

PRIORITY, USE_CANDIDATE, CONTROLLED, CONTROLLING = 0x0024, 0x0025, 0x8029, 0x802A
_REQUEST, _SUCCESS, _ERROR = 0x0001, 0x0101, 0x0111
_COOKIE: Final = 0x2112A442
_USERNAME, _INTEGRITY, _ERROR_CODE, _UNKNOWN, _MAPPED = 0x0006, 0x0008, 0x0009, 0x000A, 0x0020
_FINGERPRINT: Final = 0x8028
_UNDERSTOOD: Final = frozenset({_USERNAME, _INTEGRITY, PRIORITY, USE_CANDIDATE})
_OPTIONAL_FIRST: Final = 0x8000
_FINGERPRINT_MASK: Final = 0x5354554E
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_INTEGRITY_BYTES, _FINGERPRINT_BYTES = 24, 8


@dataclass(frozen=True, slots=True)
class IceNames:
    """How checks are known: our user fragment and password, and the peer's fragment."""

    ufrag: str
    password: str
    their_ufrag: str

    def __repr__(self) -> str:
        return f"IceNames({self.ufrag!r}, {self.their_ufrag!r})"


@dataclass(frozen=True, slots=True)
class Check:
    """A request that is the peer's; `unknown` are attributes that it wants understood and that are not."""

    transaction: bytes
    attributes: dict[int, bytes]
    unknown: tuple[int, ...]


class Checks:
    """The checks of one peer."""

    __slots__ = ("_key", "_username")

    def __init__(self, names: IceNames) -> None:
        self._username = f"{names.ufrag}:{names.their_ufrag}".encode()
        self._key = names.password.encode()

    def read(self, data: bytes) -> Check | None:
        """What is in a datagram, None where that is no check of the peer's (RFC 8489 sections 9.1.3 and 14)."""
        if not _HEADER.size <= len(data) <= MESSAGE_BYTES_MAX or len(data) % 4:
            return None
        kind, length, cookie, transaction = _HEADER.unpack_from(data)
        if kind != _REQUEST or cookie != _COOKIE or length != len(data) - _HEADER.size:
            return None
        attributes: dict[int, bytes] = {}
        at, is_signed = _HEADER.size, False
        for _ in range(ATTRIBUTES_MAX):
            if at + _ATTRIBUTE.size > len(data):
                return None
            name, size = _ATTRIBUTE.unpack_from(data, at)
            value = data[at + _ATTRIBUTE.size : at + _ATTRIBUTE.size + size]
            if len(value) != size:
                return None
            if name == _FINGERPRINT:
                last = at + _FINGERPRINT_BYTES == len(data)
                return _check(transaction, attributes) if last and is_signed and _is_whole(data, at, value) else None
            if name == _INTEGRITY and not is_signed:
                is_signed = attributes.get(_USERNAME) == self._username and self._is_signed(data, at, value)
                if not is_signed:
                    return None
            elif not is_signed:  # what stands behind the signature is nobody's (section 14.5)
                attributes.setdefault(name, value)
            at += _ATTRIBUTE.size + size + (-size % 4)
        return None

    def success(self, check: Check, address: Address) -> bytes:
        """The answer to a check that came from there."""
        return self._write(_SUCCESS, check.transaction, (_MAPPED, _xored(address, check.transaction)))

    def not_understood(self, check: Check) -> bytes:
        """The answer to one that wants more understood than is."""
        named = b"".join(name.to_bytes(2) for name in check.unknown[:8])
        return self._write(_ERROR, check.transaction, _error(420, "Unknown Attribute"), (_UNKNOWN, named))

    def role_conflict(self, check: Check) -> bytes:
        """The answer to one that would have us control, or not (RFC 8445 section 7.3.1.1)."""
        return self._write(_ERROR, check.transaction, _error(487, "Role Conflict"))

    def _is_signed(self, data: bytes, at: int, value: bytes) -> bool:
        """Section 14.5: over all that stands before it, with the length up to its own end."""
        return hmac.compare_digest(self._signature(data[:at]), value)

    def _signature(self, before: bytes) -> bytes:
        length = len(before) - _HEADER.size + _INTEGRITY_BYTES
        return hmac.digest(self._key, before[:2] + length.to_bytes(2) + before[4:], "sha1")

    def _write(self, kind: int, transaction: bytes, *attributes: tuple[int, bytes]) -> bytes:
        body = b"".join(
            _ATTRIBUTE.pack(name, len(value)) + value + bytes(-len(value) % 4) for name, value in attributes
        )
        length = len(body) + _INTEGRITY_BYTES + _FINGERPRINT_BYTES
        message = _HEADER.pack(kind, length, _COOKIE, transaction) + body
        message += _ATTRIBUTE.pack(_INTEGRITY, _INTEGRITY_BYTES - _ATTRIBUTE.size) + self._signature(message)
        return message + _ATTRIBUTE.pack(_FINGERPRINT, 4) + _checksum(message)


def _check(transaction: bytes, attributes: dict[int, bytes]) -> Check:
    unknown = tuple(name for name in attributes if name < _OPTIONAL_FIRST and name not in _UNDERSTOOD)
    return Check(transaction, attributes, unknown)


def _is_whole(data: bytes, at: int, value: bytes) -> bool:
    return value == _checksum(data[:at])


def _checksum(before: bytes) -> bytes:
    """Section 14.7."""
    return (zlib.crc32(before) ^ _FINGERPRINT_MASK).to_bytes(4)


def _error(code: int, reason: str) -> tuple[int, bytes]:
    """Section 14.8."""
    return _ERROR_CODE, bytes((0, 0, code // 100, code % 100)) + reason.encode()


def _xored(address: Address, transaction: bytes) -> bytes:
    """Section 14.2."""
    packed = ipaddress.ip_address(address[0].partition("%")[0]).packed
    mask = _COOKIE.to_bytes(4) + transaction
    port = address[1] ^ _COOKIE >> 16
    family = 1 if len(packed) == 4 else 2
    return bytes((0, family)) + port.to_bytes(2) + bytes(a ^ b for a, b in zip(packed, mask, strict=False))
