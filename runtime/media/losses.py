"""Whether what a call loses comes in bursts, as RFC 3611 counts it (sections 4.7.2 and A.2).

Nothing is done for packets that come, so a call without loss costs nothing: each loss is told with how many came since
the one before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runtime.media.emodel import Losses

GAP_PACKETS_MIN: Final = 16
"""So many in a row have to come for a burst to be over (Gmin, section 4.7.2)."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Bursts and the gaps between them: the share that is lost in each, and how many packets they last on average."""

    burst_density: float
    gap_density: float
    burst_packets: float
    gap_packets: float


class LossPattern:
    """The losses of one call, by network and by lateness together."""

    __slots__ = ("_burst_lost", "_burst_packets", "_bursts", "_isolated", "_run_lost", "_run_packets", "lost", "runs")

    def __init__(self) -> None:
        self.lost = 0
        self.runs = 0
        """How often a packet was lost after one that came."""
        self._run_lost = self._run_packets = 0
        self._bursts = self._burst_lost = self._burst_packets = self._isolated = 0

    def note(self, came: int) -> None:
        """One packet is lost; so many came since the last that was."""
        self.lost += 1
        self.runs += came > 0 or self.lost == 1
        if came >= GAP_PACKETS_MIN:
            self._close()
        else:
            self._run_packets += came if self._run_lost else 0
        self._run_lost += 1
        self._run_packets += 1

    def losses(self, came: int) -> Losses:
        """The share that is lost, and its burst ratio, where `came` packets came in all."""
        if not self.lost:
            return Losses(0.0)
        share = self.lost / (came + self.lost)
        return Losses(share, max(1.0, self.lost / self.runs * (1 - share)))

    def pattern(self, came: int) -> Pattern:
        """What RFC 3611 wants to know, likewise."""
        bursts, lost, packets, isolated = self._bursts, self._burst_lost, self._burst_packets, self._isolated
        if self._run_lost > 1:
            bursts, lost, packets = bursts + 1, lost + self._run_lost, packets + self._run_packets
        else:
            isolated += self._run_lost
        between = came + self.lost - packets
        return Pattern(
            burst_density=lost / packets if packets else 0.0,
            gap_density=isolated / between if between > 0 else 0.0,
            burst_packets=packets / bursts if bursts else 0.0,
            gap_packets=max(0, between) / (bursts + 1),
        )

    def _close(self) -> None:
        """The run of losses is over: a burst, or one by itself within a gap."""
        if self._run_lost > 1:
            self._bursts += 1
            self._burst_lost += self._run_lost
            self._burst_packets += self._run_packets
        else:
            self._isolated += self._run_lost
        self._run_lost = self._run_packets = 0
