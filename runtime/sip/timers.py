"""Time in the endpoint: the values of RFC 3261's timers, and one heap of deadlines for all of them.

`Timer` and `RULES` are table 4 of RFC 3261 appendix A with RFC 6026's L and M; the transactions start them by name.
The heap deletes lazily: a stopped alarm stays until it surfaces, or until the stopped outnumber the live.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from heapq import heapify, heappop, heappush
from typing import Any, TypeVarTuple

Subject = TypeVarTuple("Subject")

RINGS_MAX = 128
"""Alarms that ring in one go: a few milliseconds. A flood that came in a second is forgotten in a second, too."""

STOPPED_MAX = 4_096
"""Stopped alarms that may wait in the heap before it is swept, as long as they are fewer than the live ones."""


@dataclass(frozen=True, slots=True)
class TimerValues:
    """The three times that all others are made of (RFC 3261 section 17.1.1.1), in seconds."""

    t1_s: float = 0.5
    t2_s: float = 4.0
    t4_s: float = 5.0
    d_s: float = 32.0

    @property
    def give_up_s(self) -> float:
        """64*T1: how long anything is repeated before it counts as lost."""
        return 64 * self.t1_s


class Timer(StrEnum):
    """The transaction timers; C is missing because it belongs to proxies."""

    A = "A"
    B = "B"
    D = "D"
    E = "E"
    F = "F"
    G = "G"
    H = "H"
    I = "I"  # noqa: E741 - the RFC's name
    J = "J"
    K = "K"
    L = "L"
    M = "M"


class Base(StrEnum):
    """What a timer is a multiple of; the values name fields of `TimerValues`."""

    T1 = "t1_s"
    T4 = "t4_s"
    D = "d_s"


class OnReliable(StrEnum):
    """What becomes of a timer on a transport that repeats lost messages by itself."""

    SAME = "same"
    ZERO = "zero"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class TimerRule:
    """First value of a timer: `times` x `base`."""

    base: Base
    times: int
    on_reliable: OnReliable

    def first_s(self, values: TimerValues) -> float:
        """The first value over an unreliable transport, in seconds."""
        return self.times * float(getattr(values, self.base))


RULES: dict[Timer, TimerRule] = {
    Timer.A: TimerRule(Base.T1, 1, OnReliable.NEVER),  # INVITE sent again
    Timer.B: TimerRule(Base.T1, 64, OnReliable.SAME),  # INVITE given up
    Timer.D: TimerRule(Base.D, 1, OnReliable.ZERO),  # wait for repeated non-2xx
    Timer.E: TimerRule(Base.T1, 1, OnReliable.NEVER),  # request sent again
    Timer.F: TimerRule(Base.T1, 64, OnReliable.SAME),  # request given up
    Timer.G: TimerRule(Base.T1, 1, OnReliable.NEVER),  # non-2xx sent again
    Timer.H: TimerRule(Base.T1, 64, OnReliable.SAME),  # wait for ACK given up
    Timer.I: TimerRule(Base.T4, 1, OnReliable.ZERO),  # wait for repeated ACK
    Timer.J: TimerRule(Base.T1, 64, OnReliable.ZERO),  # wait for repeated requests
    Timer.K: TimerRule(Base.T4, 1, OnReliable.ZERO),  # wait for repeated responses
    Timer.L: TimerRule(Base.T1, 64, OnReliable.SAME),  # wait for repeated INVITE after our 2xx
    Timer.M: TimerRule(Base.T1, 64, OnReliable.SAME),  # wait for repeated or forked 2xx
}


REPEATING = frozenset({Timer.A, Timer.E, Timer.G})
"""Those that start again and again, each time for longer; no transaction has two of them."""

Alarm = int
"""The handle of one deadline; never used twice."""


class Alarms:
    """All deadlines of one endpoint in one heap; equal deadlines ring in the order in which they were set.

    Tens of thousands wait here in a flood, so each is made of as few things as the garbage collector has to look at as
    can be: a heap entry of numbers (which it stops to track) and one tuple of what to call.
    """

    __slots__ = ("_actions", "_count", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[float, Alarm]] = []
        self._actions: dict[Alarm, tuple[Any, ...]] = {}
        self._count = 0

    def __len__(self) -> int:
        """How many are set and not stopped."""
        return len(self._actions)

    def start(self, deadline: float, action: Callable[[*Subject, float], None], *subject: *Subject) -> Alarm:
        """Set an alarm for `deadline` (same clock as every `now`); `action(*subject, now)` is called when it is due."""
        self._count += 1
        self._actions[self._count] = (action, *subject)
        heappush(self._heap, (deadline, self._count))
        return self._count

    def stop(self, alarm: Alarm) -> None:
        """Stop an alarm; one that rang or was stopped already stays so."""
        if self._actions.pop(alarm, None) is None:
            return
        stopped = len(self._heap) - len(self._actions)
        if stopped > STOPPED_MAX and 2 * stopped > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[1] in self._actions]
            heapify(self._heap)

    def next_deadline(self) -> float | None:
        """When to call `ring` next; None when nothing is set."""
        heap = self._heap
        while heap and heap[0][1] not in self._actions:
            heappop(heap)
        return heap[0][0] if heap else None

    def ring(self, now: float) -> None:
        """Call the actions whose deadline has passed, earliest first, and at most `RINGS_MAX` of them.

        Where there are more, `next_deadline` is in the past: the caller comes again, when others have had their turn.
        """
        for _ in range(RINGS_MAX):
            deadline = self.next_deadline()
            if deadline is None or deadline > now:
                return
            action, *subject = self._actions.pop(heappop(self._heap)[1])
            action(*subject, now)
