"""Our half of ICE where a phone does the work (RFC 8445 section 2.5): its checks are answered, none is sent.

A bridge has a public address, or one that its peers reach; so it offers that as its one candidate and waits. A check
is a STUN request that knows both passwords' halves: whoever did not see our SDP cannot make one, and gets no answer at
all. The address that a check with USE-CANDIDATE came from is where media go, and goes on to be as long as the phone
keeps checking (RFC 7675). Called with every datagram whose first byte says STUN (RFC 7983); no datagram raises.
"""

from __future__ import annotations

import hmac
import ipaddress
import struct
import zlib
from dataclasses import dataclass
from typing import Final

from runtime.media.source import Address

CONSENT_S: Final = 30.0
"""How long a phone may stop checking until nothing is sent to it any more (RFC 7675 section 5.1)."""
CHECKED_MAX: Final = 8
"""Addresses of one phone that have been checked; the one that was silent longest makes room."""
OUTBID_AFTER_S: Final = 5.0
"""How long the nominated address may be silent before one of lower priority takes its place."""
MESSAGE_BYTES_MAX: Final = 1_280

_REQUEST, _SUCCESS, _ERROR = 0x0001, 0x0101, 0x0111
_COOKIE: Final = 0x2112A442
_USERNAME, _INTEGRITY, _ERROR_CODE, _UNKNOWN, _MAPPED = 0x0006, 0x0008, 0x0009, 0x000A, 0x0020
_PRIORITY, _USE_CANDIDATE, _CONTROLLED, _FINGERPRINT = 0x0024, 0x0025, 0x8029, 0x8028
_UNDERSTOOD: Final = frozenset({_USERNAME, _INTEGRITY, _PRIORITY, _USE_CANDIDATE})
_OPTIONAL_FIRST: Final = 0x8000
_FINGERPRINT_MASK: Final = 0x5354554E
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_INTEGRITY_BYTES, _FINGERPRINT_BYTES = 24, 8


@dataclass(frozen=True, slots=True)
class IceNames:
    """How checks are known: our user fragment and password, and the phone's fragment."""

    ufrag: str
    password: str
    their_ufrag: str

    def __repr__(self) -> str:
        return f"IceNames({self.ufrag!r}, {self.their_ufrag!r})"


class IceLite:
    """One component of one call. `nominated` is where the phone wants its media."""

    __slots__ = ("_checked", "_key", "_priority", "_username", "nominated")

    def __init__(self, names: IceNames) -> None:
        self._username = f"{names.ufrag}:{names.their_ufrag}".encode()
        self._key = names.password.encode()
        self._checked: dict[Address, float] = {}
        self._priority = 0
        self.nominated: Address | None = None

    def is_checked(self, address: Address) -> bool:
        """Whether the phone has shown that it is there."""
        return address in self._checked

    def consents(self, now: float) -> bool:
        """Whether the nominated address still wants anything."""
        return self.nominated is not None and now - self._checked.get(self.nominated, -CONSENT_S) < CONSENT_S

    def answer(self, data: bytes, address: Address, now: float) -> bytes | None:
        """What a datagram gets; None when it is no check of the phone's."""
        found = self._read(data)
        if found is None:
            return None
        transaction, attributes = found
        unknown = [name for name in attributes if name < _OPTIONAL_FIRST and name not in _UNDERSTOOD]
        if unknown:
            named = b"".join(name.to_bytes(2) for name in unknown[:8])
            return self._write(_ERROR, transaction, _error(420, "Unknown Attribute"), (_UNKNOWN, named))
        if _CONTROLLED in attributes:  # a lite side never controls (section 6.1.1)
            return self._write(_ERROR, transaction, _error(487, "Role Conflict"))
        self._note(address, attributes, now)
        return self._write(_SUCCESS, transaction, (_MAPPED, _xored(address, transaction)))

    def _note(self, address: Address, attributes: dict[int, bytes], now: float) -> None:
        if address not in self._checked and len(self._checked) >= CHECKED_MAX:
            others = [known for known in self._checked if known != self.nominated]
            del self._checked[min(others, key=lambda known: self._checked[known])]
        last = self._checked.get(self.nominated, 0.0) if self.nominated is not None else 0.0
        self._checked[address] = now
        if _USE_CANDIDATE not in attributes:
            return
        priority = int.from_bytes(attributes.get(_PRIORITY, b""))
        if self.nominated in (None, address) or priority >= self._priority or now - last > OUTBID_AFTER_S:
            self.nominated, self._priority = address, priority

    def _read(self, data: bytes) -> tuple[bytes, dict[int, bytes]] | None:
        """The transaction id and attributes of a request that is the phone's (RFC 8489 sections 9.1.3 and 14)."""
        if not _HEADER.size <= len(data) <= MESSAGE_BYTES_MAX or len(data) % 4:
            return None
        kind, length, cookie, transaction = _HEADER.unpack_from(data)
        if kind != _REQUEST or cookie != _COOKIE or length != len(data) - _HEADER.size:
            return None
        attributes: dict[int, bytes] = {}
        at, is_signed = _HEADER.size, False
        while at + _ATTRIBUTE.size <= len(data):
            name, size = _ATTRIBUTE.unpack_from(data, at)
            value = data[at + _ATTRIBUTE.size : at + _ATTRIBUTE.size + size]
            if len(value) != size:
                return None
            if name == _FINGERPRINT:
                last = at + _FINGERPRINT_BYTES == len(data)
                return (transaction, attributes) if last and is_signed and _is_whole(data, at, value) else None
            if name == _INTEGRITY and not is_signed:
                is_signed = attributes.get(_USERNAME) == self._username and self._is_signed(data, at, value)
                if not is_signed:
                    return None
            elif not is_signed:  # what stands behind the signature is nobody's (section 14.5)
                attributes.setdefault(name, value)
            at += _ATTRIBUTE.size + size + (-size % 4)
        return None

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
