"""How the calls of each trunk sounded of late: for `bridge doctor` and the status. A core over what calls have counted.

Asked when a call has ended. Bounded: of each trunk the newest `CALLS_KEPT` calls, and the `TRUNKS_KEPT` trunks that had
calls last.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from runtime.trunks.diagnosis import WARNING, Finding

CALLS_KEPT: Final = 100
TRUNKS_KEPT: Final = 1000
PACKETS_MIN: Final = 250
"""Five seconds: shorter calls say little."""
CALLS_JUDGED_MIN: Final = 5
MOS_POOR: Final = 3.6
"""Below this some users are dissatisfied (G.107, annex B: R of 70)."""


@dataclass(frozen=True, slots=True)
class CallSound:
    """One call. Shares are of 1; None: not known."""

    mos: float
    mos_remote: float | None
    lost: float
    jitter_ms: float
    rtt_ms: float | None


@dataclass(frozen=True, slots=True)
class TrunkSound:
    """The means of a trunk's newest calls. `mos` is how the bridge heard its phones, `mos_remote` how they heard it."""

    trunk: str
    calls: int
    mos: float
    mos_worst: float
    mos_remote: float | None
    lost_percent: float
    jitter_ms: float
    rtt_ms: float | None


class TrunkSounds:
    """One per bridge."""

    def __init__(self) -> None:
        self._calls: OrderedDict[str, deque[CallSound]] = OrderedDict()

    def note(self, trunk: str, call: CallSound) -> None:
        """A call of this trunk is over."""
        calls = self._calls.setdefault(trunk, deque(maxlen=CALLS_KEPT))
        self._calls.move_to_end(trunk)
        calls.append(call)
        if len(self._calls) > TRUNKS_KEPT:
            self._calls.popitem(last=False)

    def all(self) -> tuple[TrunkSound, ...]:
        """Every trunk that had calls, by name."""
        return tuple(_summed(trunk, self._calls[trunk]) for trunk in sorted(self._calls))


def sound_findings(sounds: Iterable[TrunkSound]) -> Iterator[Finding]:
    """Trunks whose calls sound poor, one way or the other."""
    for sound in sounds:
        if sound.calls < CALLS_JUDGED_MIN:
            continue
        where, of = f"Trunk {sound.trunk}", f"of its last {sound.calls} calls"
        if sound.mos < MOS_POOR:
            what = f"its phones sound poor: MOS {sound.mos:.1f} {of}, {sound.lost_percent:.1f} % of packets lost"
            hint = f"{sound.jitter_ms:.0f} ms of jitter: look at the network between the carrier and this machine"
            yield Finding(WARNING, where, what, hint)
        if sound.mos_remote is not None and sound.mos_remote < MOS_POOR:
            what = f"its phones hear the bridge poorly: MOS {sound.mos_remote:.1f} {of}, by their own reports"
            yield Finding(WARNING, where, what, "look at this machine's way out, and at its load")


def _summed(trunk: str, calls: deque[CallSound]) -> TrunkSound:
    return TrunkSound(
        trunk,
        len(calls),
        sum(call.mos for call in calls) / len(calls),
        min(call.mos for call in calls),
        _mean(call.mos_remote for call in calls),
        100 * sum(call.lost for call in calls) / len(calls),
        sum(call.jitter_ms for call in calls) / len(calls),
        _mean(call.rtt_ms for call in calls),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
