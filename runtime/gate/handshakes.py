"""How many TLS handshakes a source may have: each costs some milliseconds of ours, and the peer next to nothing.

A connection shows that its address is not forged, so rates by address hold; those of strangers are bounded together as
well, so that many of them leave the callers that trunks name their time.
"""

from __future__ import annotations

from collections import OrderedDict

from runtime.gate.bucket import TokenBucket

KNOWN_PER_S = 100.0
KNOWN_BURST = 1_024.0
"""Of an address that a trunk names: all its connections at once, and so many more each second."""

STRANGER_PER_S = 0.5
STRANGER_BURST = 16.0
"""Of any other address (an IPv6 /64 is one)."""

STRANGERS_PER_S = 20.0
STRANGERS_BURST = 100.0
"""Of all strangers together."""

SOURCES_MAX = 10_000
"""Addresses remembered; beyond that the one that was quiet longest is forgotten."""


class Handshakes:
    """One per endpoint."""

    def __init__(self) -> None:
        self._sources: OrderedDict[tuple[str, bool], TokenBucket] = OrderedDict()
        self._strangers = TokenBucket(STRANGERS_PER_S, STRANGERS_BURST, 0.0)

    def allows(self, source: str, now: float, *, is_known: bool) -> bool:
        """Whether one more handshake with this source may begin."""
        key = source, is_known
        bucket = self._sources.get(key)
        if bucket is None:
            if len(self._sources) >= SOURCES_MAX:
                self._sources.popitem(last=False)
            rate = (KNOWN_PER_S, KNOWN_BURST) if is_known else (STRANGER_PER_S, STRANGER_BURST)
            bucket = self._sources[key] = TokenBucket(*rate, now)
        self._sources.move_to_end(key)
        return bucket.take(now) and (is_known or self._strangers.take(now))
