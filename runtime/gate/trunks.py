"""The second door: a trunk's own limits, `limits` over both ways together and `outbound.limits` of what is placed.

The switchboard asks it for every admitted call, and for every one that is to be placed. A call that comes in beyond a
limit gets 503 with Retry-After, which carriers take as "try another route"; who asked for one that goes out is told.
The limits are those of the tables that decide the call, so an edit holds from the next call on.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from runtime.gate.bucket import TokenBucket
from schemas.tables.rows import TrunkRow

RATES_MAX = 10_000
"""Rates of trunks that are remembered; beyond that the one that was quiet longest is forgotten."""


class Limit(StrEnum):
    """A limit that a call met, as call records name it."""

    CALLS = "trunk-calls"
    RATE = "trunk-rate"


@dataclass(frozen=True, slots=True)
class Limited:
    """Which limit a call met, and words."""

    limit: Limit
    words: str


@dataclass(frozen=True, slots=True)
class _Bound:
    """One pair of limits: `name` as manifests have it, and the calls that it counts."""

    name: str
    what: str
    calls_max: int | None
    per_s: int | None
    placed_only: bool


class TrunkGate:
    """Counts the calls that are up per trunk, and their rate. `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._live: Counter[tuple[str, bool]] = Counter()
        self._rates: OrderedDict[tuple[str, bool], TokenBucket] = OrderedDict()

    def admit(self, trunk: TrunkRow, now: float, *, placed: bool = False) -> Limited | None:
        """Count one more call of this trunk, or say which limit it met; `left` takes it back. `placed`: by us."""
        buckets: list[TokenBucket] = []
        for bound in _bounds(trunk, placed=placed):
            most = bound.calls_max
            if most is not None and self._up(trunk.id, placed_only=bound.placed_only) >= most:
                words = f"Trunk {trunk.id} has the {most} {bound.what} that {bound.name}.maxConcurrentCalls allows"
                return Limited(Limit.CALLS, words)
            rate = bound.per_s
            if rate is None:
                continue
            bucket = self._bucket((trunk.id, bound.placed_only), rate, now)
            if bucket.wait_s(now) > 0:
                words = f"Trunk {trunk.id} gets more than the {rate} {bound.what} per second"
                return Limited(Limit.RATE, f"{words} that {bound.name}.callsPerSecond allows")
            buckets.append(bucket)
        for bucket in buckets:  # only now, so that a call that meets one limit counts for no other
            bucket.take(now)
        self._live[trunk.id, placed] += 1
        return None

    def left(self, trunk_id: str, *, placed: bool = False) -> None:
        """A call that was admitted is over."""
        key = trunk_id, placed
        assert self._live[key] > 0, "every call leaves once"
        self._live[key] -= 1
        if not self._live[key]:
            del self._live[key]

    def _up(self, trunk_id: str, *, placed_only: bool) -> int:
        return self._live[trunk_id, True] + (0 if placed_only else self._live[trunk_id, False])

    def _bucket(self, key: tuple[str, bool], rate: int, now: float) -> TokenBucket:
        bucket = self._rates.get(key)
        if bucket is None or bucket.fits != (rate, rate):
            if len(self._rates) >= RATES_MAX:
                self._rates.popitem(last=False)
            bucket = self._rates[key] = TokenBucket(rate, rate, now)
        self._rates.move_to_end(key)
        return bucket


def _bounds(trunk: TrunkRow, *, placed: bool) -> Iterator[_Bound]:
    """The limits that hold for such a call."""
    yield _Bound("limits", "calls", trunk.max_concurrent_calls, trunk.calls_per_second, placed_only=False)
    half = trunk.outbound
    if placed and half is not None:
        name, what = "outbound.limits", "placed calls"
        yield _Bound(name, what, half.max_concurrent_calls, half.calls_per_second, placed_only=True)
