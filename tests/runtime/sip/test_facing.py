"""Which address of ours a peer is told, near and far."""

from __future__ import annotations

import pytest

from runtime.sip.facing import Facing
from runtime.sip.path import Path
from schemas.tables.networks import compile_networks

OURS, OURS6 = "10.0.0.5", "2001:db8::5"
FACING = Facing(("203.0.113.5", "2001:db8:ffff::5"), ("203.0.113.6",))


def path(remote: str, local: str = OURS) -> Path:
    return Path("udp", (local, 5060), (remote, 5060))


@pytest.mark.parametrize(
    ("facing", "way", "signalling", "media"),
    [
        (Facing(), path("198.51.100.1"), OURS, OURS),
        (FACING, path("198.51.100.1"), "203.0.113.5", "203.0.113.6"),
        (FACING, path("192.168.7.7"), OURS, OURS),
        (FACING, path("100.64.0.1"), OURS, OURS),
        # Each version of IP has its own: IPv6 needs none where it has none.
        (FACING, path("2001:db8:1::1", OURS6), "2001:db8:ffff::5", OURS6),
        (Facing(("203.0.113.5",)), path("2001:db8:1::1", OURS6), OURS6, OURS6),
        (Facing(("203.0.113.5",)), path("198.51.100.1"), "203.0.113.5", "203.0.113.5"),
        (Facing((), ("203.0.113.6",)), path("198.51.100.1"), OURS, "203.0.113.6"),
        (Facing(("203.0.113.5",), (), compile_networks(["198.51.100.0/24"])), path("198.51.100.1"), OURS, OURS),
        (Facing(("203.0.113.5",), (), compile_networks(["198.51.100.0/24"])), path("10.1.1.1"), *["203.0.113.5"] * 2),
    ],
)
def test_peers_are_told(facing: Facing, way: Path, signalling: str, media: str) -> None:
    assert (facing.host(way), facing.media_host(way)) == (signalling, media)


def test_our_media_are_known_by_their_external_address() -> None:
    assert FACING.is_media("203.0.113.6")
    assert not FACING.is_media("203.0.113.5")
    assert Facing(("203.0.113.5",)).is_media("203.0.113.5")
    assert not Facing().is_media(OURS)
