"""How long the playout buffer waits: what packets tell by how early they come, and what is to be done about it.

Called by the playout buffer, in steps of the codec's clock. `least` is how early the tightest packet of the window
under way came; the buffer lowers it. A late packet asks for a frame more at once (`INSERT_SOON`). A window of a second
whose tightest packet came just in time asks for one in a quiet moment, and after `patient_windows` of them in speech. A
frame less takes `slack_windows` windows in which every packet was earlier than wanted, and a quiet moment, or
`patient_windows` more; or `hurry_windows` in which all were far too early. So it grows at once and shrinks slowly, and
follows two clocks that differ.
"""

from __future__ import annotations

from collections import deque
from typing import Final

window_ticks: Final = 50
patient_windows: Final = 4
slack_windows: Final = 8
hurry_windows: Final = 2
insert_soon_ticks: Final = 10
MUCH_TOO_LONG: Final = 2
"""So many frames more than wanted, and one is left out in speech too."""
FAR: Final = 1 << 40

NOTHING: Final = 0
SKIP_QUIET: Final = 1
SKIP_ANY: Final = 2
INSERT_QUIET: Final = 3
INSERT_SOON: Final = 4


class Delay:
    """See the module. `adjust` is what is to be done; who has done it says so by `moved`."""

    __slots__ = ("_slacks", "_step", "_windows_long", "_windows_tight", "adjust", "least", "patience", "ticks")

    def __init__(self, step: int) -> None:
        self._step = step
        self.forget()

    def forget(self) -> None:
        """Playing begins anew: what packets told before is of another time."""
        self._slacks: deque[int] = deque(maxlen=slack_windows)
        self._windows_long = self._windows_tight = 0
        self.patience = 0
        self._watch()

    def is_late(self) -> None:
        """A packet came after its moment: its like should not."""
        self.adjust, self.patience = INSERT_SOON, insert_soon_ticks

    def moved(self, frames: int) -> None:
        """Packets are earlier by so many frames from now on."""
        by = frames * self._step
        self._slacks = deque((slack + by for slack in self._slacks), slack_windows)
        self._windows_long = self._windows_tight = 0
        self._watch()

    def review(self, wanted: int) -> None:
        """A window is over. `wanted`: how early the tightest packet may be before the delay is too long."""
        least = self.least
        self._watch()
        if least == FAR:
            return
        self._slacks.append(least)
        self._windows_tight = self._windows_tight + 1 if least <= 0 else 0
        if least <= 0:
            self.adjust = INSERT_QUIET if self._windows_tight <= patient_windows else INSERT_SOON
        tightest, seen = min(self._slacks), len(self._slacks)
        is_far_off = tightest >= wanted + MUCH_TOO_LONG * self._step
        if tightest < wanted or seen < (hurry_windows if is_far_off else slack_windows):
            self._windows_long = 0
            return
        self._windows_long += 1
        self.adjust = SKIP_ANY if is_far_off or self._windows_long > patient_windows else SKIP_QUIET

    def _watch(self) -> None:
        self.adjust = NOTHING
        self.least = FAR
        self.ticks = window_ticks
