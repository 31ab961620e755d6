"""When a burst of changes is over: the waiting rule of the watch, without a clock or a disk.

One changed file is taken after a short quiet, because somebody waits for it, and at once where it was replaced whole:
then there is nothing half-saved to wait for. Several files, or a git operation under way, are taken after a longer
quiet, because a checkout writes one file after the other. No burst is waited for longer than `WAIT_MAX_S`. Called by
`watch`; `now` is monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.manifests.files import Look

ONE_FILE_QUIET_S = 0.020
REPLACED_APART_S = 0.050
"""A file that was replaced in one step is whole, and taken at once, unless others were taken so shortly before it."""
MANY_FILES_QUIET_S = 0.150
WAIT_MAX_S = 2.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes that have settled: these files, or (`everything`) look at all of them.

    `swept` marks the regular look in case an event was lost: usually nothing has changed. `trouble` says why events
    do not arrive, so that only the regular look is left. `look` is what that look has found, where it is done already.
    """

    paths: frozenset[str] = frozenset()
    everything: bool = False
    swept: bool = False
    trouble: str = ""
    look: Look | None = None

    @property
    def to_refresh(self) -> frozenset[str] | None:
        """The argument for `Folder.refresh`."""
        return None if self.everything else self.paths


class Quiet:
    """Gathers changes until nothing has happened for long enough."""

    def __init__(self) -> None:
        self._paths: set[str] = set()
        self._everything = False
        self._locked = False
        self._replaced = False
        self._first: float | None = None
        self._last = 0.0
        self._taken = float("-inf")

    def notice(
        self,
        paths: Iterable[str],
        now: float,
        *,
        everything: bool = False,
        locked: bool = False,
        replaced: bool = False,
    ) -> None:
        """Something changed: these files, or `everything` may have. `locked`: git is at work in the folder.

        `replaced`: it is one file, for which another one was put in one step.
        """
        self._paths.update(paths)
        self._everything = self._everything or everything
        if not self._paths and not self._everything:
            return
        self._locked = self._locked or locked
        self._replaced = replaced and self._first is None and now - self._taken >= REPLACED_APART_S
        self._first = now if self._first is None else self._first
        self._last = now

    def deadline(self) -> float | None:
        """When the burst is over if nothing more happens; None when there is nothing to wait for."""
        if self._first is None:
            return None
        alone = len(self._paths) <= 1 and not self._everything and not self._locked
        if alone and self._replaced:
            return self._last
        quiet_s = ONE_FILE_QUIET_S if alone else MANY_FILES_QUIET_S
        return min(self._last + quiet_s, self._first + WAIT_MAX_S)

    def take(self, now: float, *, locked: bool = False) -> Batch | None:
        """The settled changes if their time has come, and begin anew. `locked`: git is at work by now."""
        self._locked = self._locked or (locked and self._first is not None)
        deadline = self.deadline()
        if deadline is None or now < deadline:
            return None
        batch = Batch(frozenset() if self._everything else frozenset(self._paths), self._everything)
        self._paths.clear()
        self._everything = self._locked = False
        self._first, self._taken = None, now
        return batch
