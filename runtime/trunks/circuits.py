"""Which addresses of trunks live, by what calls and probes have met there.

An address that failed is passed over, and tried when all have failed. Some time later one call may try it in its place
(half-open): if it is answered the address is up again, if not it is passed over for longer. Where a trunk has its
addresses probed the probe finds that out, and no call has to.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeVar

from runtime.sip.locating import Hop

T = TypeVar("T")

RETRY_S_MIN: Final = 30.0
RETRY_S_MAX: Final = 300.0
"""How long an address that failed is passed over: the first time, doubled with each further failure, and at most."""

REST_S_MAX: Final = 3_600.0
"""The longest that a Retry-After is kept to; whoever says more is asked again then."""

TRIAL_S: Final = 10.0
"""While one call tries an address that was down, others pass it over for so long."""

HOPS_MAX: Final = 10_000
"""Addresses remembered; beyond that the one that nothing was heard of for the longest time is forgotten."""


class State(StrEnum):
    """What is known of an address."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"
    RESTING = "resting"
    """It lives, and has asked to be left alone for a while (503 with Retry-After, RFC 3261 section 21.5.4)."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """One address. Times are monotonic seconds; `words` say what was met there last."""

    state: State = State.UNKNOWN
    since: float = 0.0
    words: str = ""
    at: float = 0.0
    retry_at: float = 0.0
    """When it may be tried in its place again, where it is not up."""
    failures: int = 0


UNKNOWN: Final = Circuit()


class Circuits:
    """One per bridge."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hop, Circuit] = OrderedDict()

    def of(self, hop: Hop) -> Circuit:
        """What is known of an address."""
        return self._known.get(hop, UNKNOWN)

    def by_state(self) -> Counter[State]:
        """How many addresses there are of each state."""
        return Counter(circuit.state for circuit in self._known.values())

    def answered(self, hop: Hop, status: int, now: float) -> bool:
        """It has answered; whether that is news: it was down, or nothing was known."""
        return self._put(hop, State.UP, f"SIP {status}", 0.0, 0, now)

    def rests(self, hop: Hop, for_s: float, now: float) -> bool:
        """It has asked to be left alone for a while; whether that is news."""
        return self._put(hop, State.RESTING, "SIP 503", now + min(for_s, REST_S_MAX), 0, now)

    def failed(self, hop: Hop, words: str, now: float, retry_s: float | None = None) -> bool:
        """It was not reached, or said nothing; whether that is news. `retry_s`: when to try it, where that is known."""
        failures = self.of(hop).failures + 1
        if retry_s is None:
            retry_s = min(RETRY_S_MIN * 2.0 ** min(failures - 1, 10), RETRY_S_MAX)
        return self._put(hop, State.DOWN, words, now + retry_s, failures, now)

    def trying(self, hop: Hop, now: float) -> None:
        """A call is sent there: where it was down this is the trial, and others wait for how it ends."""
        circuit = self.of(hop)
        if circuit.state in (State.DOWN, State.RESTING) and circuit.retry_at <= now:
            self._known[hop] = replace(circuit, retry_at=now + TRIAL_S)

    def order(self, ways: Iterable[T], hop_of: Callable[[T], Hop], now: float) -> list[T]:
        """The ways in their order, those behind the others that lead to an address that is not to be tried now."""
        return sorted(ways, key=lambda way: self.is_passed_over(hop_of(way), now))

    def is_passed_over(self, hop: Hop, now: float) -> bool:
        """Whether calls go elsewhere if they can."""
        circuit = self.of(hop)
        return circuit.state in (State.DOWN, State.RESTING) and now < circuit.retry_at

    def _put(self, hop: Hop, state: State, words: str, retry_at: float, failures: int, now: float) -> bool:
        old = self.of(hop)
        since = old.since if old.state is state else now
        self._known[hop] = Circuit(state, since, words, now, retry_at, failures)
        self._known.move_to_end(hop)
        if len(self._known) > HOPS_MAX:
            self._known.popitem(last=False)
        return old.state is not state
