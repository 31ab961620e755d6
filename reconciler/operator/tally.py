"""CORE. What the operator counts of itself, for its metrics and its health."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts since the start. `errors` are by the name of their kind; `passed_at` is steady time, 0 = never."""

    passes: int = 0
    objects_looked_at: int = 0
    seconds: float = 0.0
    errors: dict[str, int] = field(default_factory=dict)

    def passed(self, took_s: float, objects: int) -> None:
        """A pass worked."""
        self.passes += 1
        self.seconds += took_s
        self.objects_looked_at += objects

    def failed(self, error: Exception) -> None:
        """A pass, or a look, failed."""
        name = type(error).__name__
        self.errors[name] = self.errors.get(name, 0) + 1
