"""How long a call waits for its server: whether it is still there, when to try again, when to give up. A core.

Called by the signalling, which has the words for each. Times arrive as `now`, chance as `entropy`.
"""

from __future__ import annotations

from collections.abc import Callable

from runtime.chance import spread
from runtime.rooms.livekit.limits import (
    BACKOFF_S_MAX,
    BACKOFF_S_MIN,
    JOIN_S_MAX,
    LOST_S_MAX,
    PING_INTERVAL_S,
    PING_TIMEOUT_S,
)


class Heartbeat:
    """Whether the server is there: it is asked every so often, and is gone when nothing was heard for so long."""

    __slots__ = ("_heard_at", "_ping_at", "_ping_s", "silent_s_max")

    def __init__(self) -> None:
        self._ping_s, self.silent_s_max = PING_INTERVAL_S, PING_TIMEOUT_S
        self._ping_at = self._heard_at = 0.0

    def agree(self, interval_s: int, timeout_s: int) -> None:
        """As the server wants it; 0 where it names none."""
        self._ping_s, self.silent_s_max = interval_s or PING_INTERVAL_S, timeout_s or PING_TIMEOUT_S

    def heard(self, now: float) -> None:
        """Something came."""
        self._heard_at = now

    def begin(self, now: float) -> None:
        """A session is there, or again: the first question is due an interval later."""
        self._ping_at = now + self._ping_s

    def silent(self, now: float) -> bool:
        """Whether the server is gone."""
        return now - self._heard_at > self.silent_s_max

    def due(self, now: float) -> bool:
        """Whether to ask now; then the next question is an interval later."""
        if now < self._ping_at:
            return False
        self.begin(now)
        return True


class Attempts:
    """When a call tries to come, or to come back, and until when."""

    __slots__ = ("_at", "_deadline", "_entropy", "_made")

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._made = 0
        self._at: float | None = None
        self._deadline = 0.0

    def join_from(self, now: float) -> None:
        """The first attempt begins."""
        self._deadline = now + JOIN_S_MAX

    def return_from(self, now: float) -> None:
        """What was there is lost."""
        self._deadline = now + LOST_S_MAX

    def plan(self, now: float, not_before_s: float) -> None:
        """The next attempt, unless one is planned: at once the first time, then after pauses that grow, and spread."""
        if self._at is not None:
            return
        pause_s = min(BACKOFF_S_MIN * 2**self._made, BACKOFF_S_MAX) if self._made else 0.0
        spread_s = pause_s * spread(self._entropy)
        self._made += 1
        self._at = now + max(spread_s, not_before_s)

    def begin(self) -> None:
        """One is under way."""
        self._at = None

    def succeed(self) -> None:
        """There is nothing to try any more, and the next loss begins with no pause."""
        self._made, self._at = 0, None

    def due(self, now: float) -> bool:
        """Whether to try now."""
        return self._at is not None and now >= self._at

    def over(self, now: float) -> bool:
        """Whether it took too long."""
        return now >= self._deadline
