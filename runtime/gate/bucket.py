"""A token bucket in virtual time: so many at once, so many per second after that."""

from __future__ import annotations


class TokenBucket:
    """Holds up to `burst` tokens and gains `per_s` each second; `now` is monotonic seconds."""

    __slots__ = ("_at", "_burst", "_per_s", "_tokens")

    def __init__(self, per_s: float, burst: float, now: float) -> None:
        self._per_s = per_s
        self._burst = self._tokens = burst
        self._at = now

    def take(self, now: float) -> bool:
        """Take one token; False when there is none."""
        if self.wait_s(now) > 0:
            return False
        self._tokens -= 1
        return True

    def wait_s(self, now: float) -> float:
        """How long until there is a token; 0 when there is one."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        return max(0.0, (1 - self._tokens) / self._per_s)

    @property
    def fits(self) -> tuple[float, float]:
        """The rate and burst that it was made for."""
        return self._per_s, self._burst
