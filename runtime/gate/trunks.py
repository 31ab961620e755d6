"""The second door: a trunk's own limits, `limits.maxConcurrentCalls` and `limits.callsPerSecond`.

The switchboard asks it for every admitted call. A call beyond a limit gets 503 with Retry-After, which carriers take as
"try another route". The limits are those of the tables that decide the call, so an edit holds from the next call on.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from enum import StrEnum

from runtime.gate.bucket import TokenBucket
from schemas.tables.rows import TrunkRow

TRUNKS_MAX = 10_000
"""Trunks whose rate is remembered; beyond that the one that was quiet longest is forgotten."""


class Limit(StrEnum):
    """A limit that a call met, as call records name it."""

    CALLS = "trunk-calls"
    RATE = "trunk-rate"


@dataclass(frozen=True, slots=True)
class Limited:
    """Which limit a call met, and words."""

    limit: Limit
    words: str


class TrunkGate:
    """Counts the calls that are up per trunk, and their rate. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._live: Counter[str] = Counter()
        self._rates: OrderedDict[str, TokenBucket] = OrderedDict()

    def admit(self, trunk: TrunkRow, now: float) -> Limited | None:
        """Count one more call of this trunk, or say which limit it met; `left` takes it back."""
        most = trunk.max_concurrent_calls
        if most is not None and self._live[trunk.id] >= most:
            words = f"Trunk {trunk.id} has the {most} calls that limits.maxConcurrentCalls allows"
            return Limited(Limit.CALLS, words)
        rate = trunk.calls_per_second
        if rate is not None and not self._bucket(trunk.id, rate, now).take(now):
            words = f"Trunk {trunk.id} gets more than the {rate} calls per second that limits.callsPerSecond allows"
            return Limited(Limit.RATE, words)
        self._live[trunk.id] += 1
        return None

    def left(self, trunk_id: str) -> None:
        """A call that was admitted is over."""
        assert self._live[trunk_id] > 0, "every call leaves once"
        self._live[trunk_id] -= 1
        if not self._live[trunk_id]:
            del self._live[trunk_id]

    def _bucket(self, trunk_id: str, rate: int, now: float) -> TokenBucket:
        bucket = self._rates.get(trunk_id)
        if bucket is None or bucket.fits != (rate, rate):
            if len(self._rates) >= TRUNKS_MAX:
                self._rates.popitem(last=False)
            bucket = self._rates[trunk_id] = TokenBucket(rate, rate, now)
        self._rates.move_to_end(trunk_id)
        return bucket
