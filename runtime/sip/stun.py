"""STUN, as much as tells the address that the world sees us at: the Binding request and its answer (RFC 8489)."""

from __future__ import annotations

import ipaddress
import struct
from typing import Final

TRANSACTION_ID_BYTES: Final = 12
MESSAGE_BYTES_MAX: Final = 1_280
"""Longer answers are not looked at: they are some hundred bytes."""

_BINDING_REQUEST, _BINDING_SUCCESS = 0x0001, 0x0101
_COOKIE: Final = 0x2112A442
_MAPPED_ADDRESS, _XOR_MAPPED_ADDRESS = 0x0001, 0x0020
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_IPV4, _IPV6 = 1, 2


def binding_request(transaction_id: bytes) -> bytes:
    """A Binding request without attributes (section 6.1)."""
    assert len(transaction_id) == TRANSACTION_ID_BYTES, "96 random bits"
    return _HEADER.pack(_BINDING_REQUEST, 0, _COOKIE, transaction_id)


def mapped_address(data: bytes, transaction_id: bytes) -> tuple[str, int] | None:
    """The address and port in an answer to this request; None where it is none, or says nothing usable.

    XOR-MAPPED-ADDRESS before MAPPED-ADDRESS (section 14): routers that meddle rewrite addresses that they can read.
    """
    if not _HEADER.size <= len(data) <= MESSAGE_BYTES_MAX:
        return None
    kind, length, cookie, echoed = _HEADER.unpack_from(data)
    if kind != _BINDING_SUCCESS or cookie != _COOKIE or echoed != transaction_id:
        return None
    if length % 4 or length != len(data) - _HEADER.size:
        return None
    plain: tuple[str, int] | None = None
    at = _HEADER.size
    while at + _ATTRIBUTE.size <= len(data):
        name, size = _ATTRIBUTE.unpack_from(data, at)
        value = data[at + _ATTRIBUTE.size : at + _ATTRIBUTE.size + size]
        if len(value) != size:
            return None
        if name == _XOR_MAPPED_ADDRESS:
            return _address(value, _COOKIE.to_bytes(4) + transaction_id)
        if name == _MAPPED_ADDRESS and plain is None:
            plain = _address(value, bytes(16))
        at += _ATTRIBUTE.size + size + (-size % 4)
    return plain


def _address(value: bytes, mask: bytes) -> tuple[str, int] | None:
    """Sections 14.1 and 14.2: family, port and address, under a mask."""
    if len(value) not in (8, 20) or value[1] != (_IPV4 if len(value) == 8 else _IPV6):
        return None
    port = int.from_bytes(value[2:4]) ^ int.from_bytes(mask[:2])
    raw = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
    address = ipaddress.ip_address(raw)
    if address.is_unspecified or address.is_multicast:
        return None
    return str(address), port
