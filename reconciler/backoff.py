"""CORE. How long a target that fails is left alone: longer after each failure, and never the same for two watchers.

Time and luck are handed in: `now` in seconds of a steady clock, `luck` between 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass

ASKED_FOR_MAX_S = 600.0
"""A server that asks for more time gets this."""


@dataclass(slots=True)
class Backoff:
    """The n-th pause in a row is half to all of `first_s` * 2^(n-1), at most `max_s`; 0: there are none."""

    first_s: float = 0.0
    max_s: float = 0.0
    failures: int = 0
    until: float = 0.0

    def failed(self, now: float, luck: float, asked_for_s: float = 0.0) -> None:
        """It failed once more; `asked_for_s` is how long it wants to be left alone at least."""
        usual = min(self.max_s, self.first_s * 2.0 ** min(self.failures, 32)) * (0.5 + luck / 2)
        self.failures += 1
        self.until = now + max(usual, min(asked_for_s, ASKED_FOR_MAX_S))

    def worked(self) -> None:
        """It works again."""
        self.failures, self.until = 0, 0.0

    def is_over(self, now: float) -> bool:
        """Whether it may be tried."""
        return now >= self.until
