"""CORE. Which of several operators leads: by a Lease of Kubernetes, as client-go's leader election does it.

The leader writes into the Lease every `retry_s` that it is still there; who finds it written by nobody for the Lease's
own duration takes it over. Nobody's clock is compared with anybody else's: what counts is when *we* first saw the Lease
as it is now, and when *we* sent our last renewal that was taken. So a leader stops to believe that it leads `renew_s`
after it sent its last renewal, and any other waits `duration_s` after it saw that renewal, which is later. Two clocks
may differ by any amount, and run at rates that differ by less than `duration_s / renew_s`.

Times named `now` are seconds of a steady clock of this machine, which goes on while the machine sleeps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

DURATION_S_MAX = 3600
"""Longer than this no Lease is waited for, whatever it says: nobody of ours writes more."""

JITTER = 0.2
"""How much longer than `retry_s` a pause may be, so that two that start together do not stay together."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a Lease holds, when a leader gives up that cannot renew it, and how often each looks at it. Seconds.

    Raises ValueError where a leader could still believe in itself when another may take over.
    """

    duration_s: int = 15
    renew_s: float = 10.0
    retry_s: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.duration_s <= DURATION_S_MAX:
            raise ValueError(f"a lease lasts 1 to {DURATION_S_MAX} s, not {self.duration_s}")
        if not 0 < self.retry_s * (1 + JITTER) < self.renew_s < self.duration_s:
            raise ValueError("a lease must last longer than renewing it may take, and that longer than 1.2 retries")


@dataclass(frozen=True, slots=True)
class Lease:
    """A Lease as the server holds it. `version` is its resourceVersion; "" of one that is not there yet.

    `acquired` and `renewed` are another machine's wall clock, as it wrote it: they are passed on and never compared.
    """

    holder: str = ""
    duration_s: int = 0
    acquired: str = ""
    renewed: str = ""
    transitions: int = 0
    version: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What one operator knows: the Lease as last seen, since when it is so, and when its last renewal was sent."""

    seen: Lease = Lease()
    since: float = 0.0
    renewed_at: float | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """Write this, over the version that it carries; "" creates it."""

    lease: Lease


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody else leads: look again at this time."""

    until: float


def leads(standing: Standing, timing: Timing, now: float) -> bool:
    """Whether this operator may act as the leader at `now`. To be asked before every act."""
    return standing.renewed_at is not None and now < standing.renewed_at + timing.renew_s


def observed(standing: Standing, lease: Lease, now: float) -> Standing:
    """After the Lease was read; `now` is the time at which the answer was there."""
    if lease == standing.seen:
        return standing
    return replace(standing, seen=lease, since=now)


def written(lease: Lease, sent_at: float, now: float) -> Standing:
    """After our write was taken, with the version that the server gave it. It counts from when it was sent."""
    return Standing(lease, now, sent_at)


def stepped_down(standing: Standing) -> Standing:
    """After we gave up to lead, or found that somebody else does."""
    return replace(standing, renewed_at=None)


def next_step(standing: Standing, me: str, timing: Timing, now: float, wall: str, luck: float) -> Write | Wait:
    """What to do about the Lease as it was just seen.

    `me` names this process and no other, not even an earlier one of the same Pod. `wall` is the time for people, as the
    Lease holds it; `luck` is between 0 and 1.
    """
    seen = standing.seen
    if seen.holder == me:
        return Write(replace(seen, duration_s=timing.duration_s, renewed=wall))
    if seen.holder and now < standing.since + min(seen.duration_s, DURATION_S_MAX):
        return Wait(now + pause_s(timing, luck))
    transitions = seen.transitions + 1 if seen.version else 0
    return Write(Lease(me, timing.duration_s, wall, wall, transitions, seen.version))


def released(standing: Standing, wall: str) -> Lease:
    """The Lease as a leader leaves it that ends in order: the next one need not wait."""
    return replace(standing.seen, holder="", duration_s=1, renewed=wall)


def pause_s(timing: Timing, luck: float) -> float:
    """How long to leave the Lease alone."""
    return timing.retry_s * (1 + JITTER * luck)
