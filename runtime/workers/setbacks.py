"""What to do about a store that holds less than was read from it: stay with the last good tables, and for how long.

A store may lose what it has told: Redis comes back empty, or from an older copy, or as a replica that the last writes
had not reached. Nobody has decided that, so the bridge does not follow. An empty store is never followed; whoever wants
empty tables publishes them. An older state is followed once anybody publishes onto it, or when nobody has done so for a
while: then it is what there is.
"""

from __future__ import annotations

from schemas.stores import Head

OLDER_FOR_S = 60.0
"""A reconciler that watches publishes again within some seconds."""


class Setbacks:
    """Remembers the setback that the store is in. `now` is in seconds of a steady clock."""

    def __init__(self) -> None:
        self._first: Head | None = None
        self._until = 0.0

    def why_not(self, ours: Head, theirs: Head, now: float) -> str:
        """Why not to follow the store, in words; "" = follow it."""
        if ours.revision == 0:
            return ""
        if theirs.revision == 0:
            return "the store is empty: it has lost the tables, and `reconcile apply DIR` publishes them again"
        if not theirs.epoch or theirs.epoch != ours.epoch or theirs.revision >= ours.revision:
            return ""
        if self._first is None:
            self._first, self._until = theirs, now + OLDER_FOR_S
        if theirs != self._first or now >= self._until:
            return ""
        return (
            f"the store is back at revision {theirs.revision}: it has lost what was published after it, and "
            "`reconcile apply DIR` publishes it again"
        )

    def over(self) -> None:
        """The store was followed."""
        self._first = None
