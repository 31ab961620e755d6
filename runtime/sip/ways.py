"""What the core asks its sockets when a message could go more than one way (RFC 3261 section 18).

The socket edge answers; to choose stays here. `SameWay` is the answer of one that has a single transport without
connections: everything goes back the way it came.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from runtime.sip.path import Address, Path


class Ways(Protocol):
    """Which transports there are, and which connections are open."""

    def local_for(self, transport: str, remote: Address) -> Address | None:
        """Our address as `remote` reaches it by this transport; None where we do not speak it."""

    def is_open(self, path: Path) -> bool:
        """Whether a message can go along this path without a new connection; datagrams always can."""


class SameWay:
    """One transport, and nothing to open."""

    def local_for(self, transport: str, remote: Address) -> Address | None:
        """No second transport."""
        return None

    def is_open(self, path: Path) -> bool:
        """No connection that could be gone."""
        return True


def current(path: Path, ways: Ways) -> Path:
    """The path itself, or the one to make a new connection on where its own is gone (section 18.2.2)."""
    if path.again is None or ways.is_open(path):
        return path
    return replace(path, remote=path.again, again=None)
