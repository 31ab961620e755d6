"""What a STUN server, or somebody in its place, answers."""

from __future__ import annotations

import ipaddress

from runtime.sip.stun import mapped_address
from tests.runtime.sip.test_stun import RFC_ID, RFC_IPV4, RFC_IPV6

WORDS = (b"\x21\x12\xa4\x42", b"\x01\x01", b"\x00\x20\x00\x08", b"\x00\x20\x00\x14", b"\x00\x01\x00\x08", RFC_ID)


def fuzz_stun(data: bytes) -> None:
    """An address that can be used, or nothing."""
    found = mapped_address(data, RFC_ID)
    if found is not None:
        address = ipaddress.ip_address(found[0])
        assert not address.is_unspecified
        assert not address.is_multicast
        assert 0 <= found[1] <= 65_535


def stun_seeds() -> list[bytes]:
    """The RFC's own."""
    return [RFC_IPV4, RFC_IPV6]
