"""CORE. Deletions are taken together, so that the gates see how much goes, and not one object after the other.

`kubectl delete --all` deletes one by one, and so does an API server whose CRD is deleted: each of a thousand deletions
is harmless beside what is left. So a deleted object counts as declared until no other deletion has come for `QUIET_S`,
and for `TOGETHER_S` at most. Times are steady seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.sources import FileSources, Key

QUIET_S, TOGETHER_S = 1.0, 10.0


@dataclass(slots=True)
class Leaving:
    """The objects whose deletion is not acted upon yet, with their last documents."""

    _files: dict[Key, FileSources] = field(default_factory=dict)
    _first: float = 0.0
    _last: float = 0.0

    def note(self, departed: Mapping[Key, FileSources], now: float) -> None:
        """These have just been deleted."""
        if departed:
            self._first = self._first if self._files else now
            self._last = now
            self._files |= departed

    def due_at(self) -> float | None:
        """When they are to go, None where there are none."""
        return min(self._last + QUIET_S, self._first + TOGETHER_S) if self._files else None

    def with_them(self, declared: Mapping[str, FileSources], now: float) -> dict[str, FileSources]:
        """What counts as declared at `now`: an object that has come again speaks for itself."""
        due_at = self.due_at()
        if due_at is None or now >= due_at:
            self._files = {}
            return dict(declared)
        all_ = {**{file.file: file for file in self._files.values()}, **declared}
        return {name: all_[name] for name in sorted(all_)}
