"""Who has answered wrongly too often: a bounded memory of failures by source address.

Only answers to challenges of ours count, so that nobody who merely writes somebody else's address on a datagram can
lock that one out. A source is an IPv4 address or an IPv6 /64, which is what one subscriber has.
"""

from __future__ import annotations

import ipaddress
from collections import deque
from dataclasses import dataclass, field

from runtime.sip.auth.limits import FAILURES_MAX, FAILURES_WINDOW_S, LOCKOUT_S, SOURCES_MAX

IPV6_PREFIX_BITS = 64


@dataclass(slots=True)
class _Failures:
    """The times of the latest wrong answers, and until when the source is locked out (monotonic seconds)."""

    at: deque[float] = field(default_factory=lambda: deque(maxlen=FAILURES_MAX))
    locked_until: float = 0.0


class Lockout:
    """Failures by (source, scope): one carrier's wrong password must not lock out its other trunks."""

    def __init__(self) -> None:
        self._by_source: dict[tuple[str, str], _Failures] = {}

    def __len__(self) -> int:
        return len(self._by_source)

    def is_locked(self, source: str, scope: str, now: float) -> bool:
        """Whether this source must not try any more for now."""
        found = self._by_source.get((source_of(source), scope))
        return found is not None and now < found.locked_until

    def note_failure(self, source: str, scope: str, now: float) -> bool:
        """Count a wrong answer; True when that locks the source out."""
        key = (source_of(source), scope)
        failures = self._by_source.pop(key, None) or _Failures()
        if len(self._by_source) >= SOURCES_MAX:
            del self._by_source[next(iter(self._by_source))]
        self._by_source[key] = failures  # at the end: the first is the one that was quiet longest
        failures.at.append(now)
        if len(failures.at) < FAILURES_MAX or now - failures.at[0] > FAILURES_WINDOW_S:
            return False
        failures.at.clear()
        failures.locked_until = now + LOCKOUT_S
        return True


def source_of(address: str) -> str:
    """What counts as one source: the address, of IPv6 its network."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((int(parsed), IPV6_PREFIX_BITS), strict=False))
