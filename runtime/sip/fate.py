"""What became of one datagram: exactly one of these, so that what came in can be added up.

Decided by `intake`, counted in `core.Counts`, told by the HTTP API. The sum over all fates is the count of datagrams
that arrived; nothing that a stranger sends can vanish between them.
"""

from __future__ import annotations

from enum import StrEnum


class Fate(StrEnum):
    """One datagram's. `TAKEN` requests are answered by their call or by the user, ACKs and responses need no answer."""

    TAKEN = "taken"
    """It was good for something: a new call, a request to be served, a response to one of ours, an ACK."""

    REPEATED = "repeated"
    """A running transaction knew it: its last response was sent again, where there was one."""

    REFUSED = "refused"
    """Answered with an error, and nothing of it was kept."""

    KEEP_ALIVE = "keep-alive"
    """Line breaks or NULs that hold a NAT binding open."""

    DROPPED = "dropped"
    """Good for nothing and not to be answered: told as `MessageDropped` with the reason."""

    DROPPED_FULL = "dropped-full"
    """No room for it, and none for a word about it."""
