"""An hour of calls: whether memory stays flat, and whether audio comes as soon at the end as at the beginning.

    python -m tests.bench.soak [--calls 50] [--minutes 60] [--rooms embedded|livekit]

The phones of `phones` talk two to a room all the while, each by a clock of its own: from -100 to +100 parts per million
off, as phones' are, so that who does not correct it comes to hold 0.36 s more, or to run dry. Every frame says who
spoke it and when; so each minute tells delay, gaps and what was lost. A line a minute goes to standard error.
Rooms of a genuine livekit-server take `LIVEKIT_SERVER`. It takes as long as it says, so `make bench` runs it only by
name.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from heapq import heapify, heapreplace
from pathlib import Path
from typing import NamedTuple

from tests.bench.delay import unique
from tests.bench.figures import Figure, digits, report
from tests.bench.livekit_calls import Case, bridge_for
from tests.bench.machine import cpu_s, rss_kib
from tests.bench.phones import TICK_S, Phone, calls, heard_while
from tests.livekit_peers import LiveKit

SKEW_PPM = 100
SETTLED_MINUTES = 5
"""What came before is not counted: allocators and buffers have found their size by then."""
GROWN_KIB_MAX = 1024
DRIFT_MS_MAX = 10.0
LOST_PERCENT_MAX = 0.1
WARM_UP_S = 2.0


class Minute(NamedTuple):
    """What was seen in one: KiB resident, CPU seconds, delays in ms, the largest gap in ms, frames said and heard."""

    kib: int
    cpu_s: float
    delay_p50_ms: float
    delay_p99_ms: float
    gap_ms: float
    said: int
    heard: int

    def __str__(self) -> str:
        lost = 100 - 100 * self.heard / max(1, self.said)
        return (
            f"{self.kib} KiB, {self.cpu_s:.1f} s CPU, delay p50 {self.delay_p50_ms:.1f} "
            f"p99 {self.delay_p99_ms:.1f} ms, largest gap {self.gap_ms:.0f} ms, {lost:.2f} % not heard"
        )


def speak(phones: Sequence[Phone], stop: threading.Event) -> None:
    """The next frame of whoever is due, each by a clock of its own, until told to stop."""
    last = len(phones) - 1
    steps = [TICK_S * (1 + SKEW_PPM * 1e-6 * (2 * place / last - 1)) for place in range(len(phones))]
    began = time.monotonic() + 0.05
    due = [(began + phone.phase_s, place, 0) for place, phone in enumerate(phones)]
    heapify(due)
    while not stop.is_set():
        at, place, tick = due[0]
        wait = at - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        phones[place].say(tick, unique(place, tick))
        heapreplace(due, (at + steps[place], place, tick + 1))


class Minutes:
    """Takes from the phones what they said and heard, a minute at a time, so that an hour needs no more memory."""

    def __init__(self, pid: int, phones: Sequence[Phone]) -> None:
        self._pid, self._phones = pid, phones
        self._cpu_s = cpu_s(pid)
        self._before: list[dict[bytes, float]] = [{} for _ in phones]

    def take(self) -> Minute:
        """What came since the last one."""
        delays, gap, said = [], 0.0, 0
        taken = []
        for phone in self._phones:
            gap = max([gap, *phone.gaps_ms()])
            taken.append((phone.sent, phone.arrivals))
            phone.sent, phone.arrivals = [], []  # the threads append to what they find here
        sent = [{payload: at for at, payload in said_now} for said_now, _ in taken]
        for place, (said_now, arrivals) in enumerate(taken):
            partner = self._before[place ^ 1] | sent[place ^ 1]
            said += len(said_now)
            delays += [(at - partner[payload]) * 1000 for at, payload in arrivals if payload in partner]
        self._before = [{p: at for p, at in each.items() if at > time.time() - 2} for each in sent]
        cuts = statistics.quantiles(delays, n=100)
        used, self._cpu_s = cpu_s(self._pid) - self._cpu_s, cpu_s(self._pid)
        return Minute(rss_kib(self._pid), used, cuts[49], cuts[98], gap, said, len(delays))


def watched(pid: int, phones: Sequence[Phone], minutes: int) -> list[Minute]:
    """So many minutes of talk."""
    seen = []
    with heard_while(phones, partial(speak, phones)):
        time.sleep(WARM_UP_S)
        taking = Minutes(pid, phones)
        taking.take()
        began = time.monotonic()
        for number in range(1, minutes + 1):
            time.sleep(max(0.0, began + 60 * number - time.monotonic()))
            seen.append(taking.take())
            print(f"  minute {number}: {seen[-1]}", file=sys.stderr, flush=True)
    return seen


def figures(seen: Sequence[Minute], what: str) -> list[Figure]:
    """Of the minutes behind the first ones: the first half's beside the second's."""
    how = f"wall clock, {len(seen)} minutes"
    settled = seen[min(SETTLED_MINUTES, len(seen) // 2) :]
    half = len(settled) // 2 or 1
    early, late = settled[:half], settled[-half:]
    kib = [statistics.median(each.kib for each in part) for part in (early, late)]
    delay = [statistics.median(each.delay_p50_ms for each in part) for part in (early, late)]
    p99 = max(each.delay_p99_ms for each in settled)
    said, heard = sum(each.said for each in settled), sum(each.heard for each in settled)
    return [
        Figure(id="soak-memory", what=f"memory that {what} grew by, second half beside first", how="RSS, medians",
               value=kib[1] - kib[0], unit="KiB", budget=GROWN_KIB_MAX),
        Figure(id="soak-drift", what=f"drift of the delay of {what}, phones' clocks {SKEW_PPM} ppm off both ways",
               how=f"{how}, medians of halves", value=delay[1] - delay[0], unit="ms", budget=DRIFT_MS_MAX),
        Figure(id="soak-delay", what=f"one-way delay of {what}, jitter buffer and all, p99 of the worst minute",
               how=how, value=p99, unit="ms"),
        Figure(id="soak-unheard", what=f"frames of {what} that did not arrive as they were said", how=how,
               value=100 * (said - heard) / said, unit="%", budget=LOST_PERCENT_MAX),
    ]  # fmt: skip


def main() -> None:
    """Measure and report."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=50)
    options.add_argument("--minutes", type=int, default=60)
    options.add_argument("--rooms", choices=["embedded", "livekit"], default="embedded")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        server = stack.enter_context(LiveKit(Path(place) / "server")) if chosen.rooms == "livekit" else None
        bridge = stack.enter_context(bridge_for(Case(2, server), Path(place) / "bridge"))
        numbers = [f"+1666{n // 2 + 1:07}" for n in range(chosen.calls)]
        phones = stack.enter_context(calls(("127.0.0.1", bridge.port), numbers))
        seen = watched(bridge.process.pid, phones, chosen.minutes)
        lost_ticks = bridge.counters().get("ticksLost")
    percent = statistics.median(each.cpu_s for each in seen) / 60 / chosen.calls * 100
    report(
        figures(seen, f"{chosen.calls} calls in {chosen.rooms} rooms"),
        call_core_percent=digits(percent), ticks_lost=lost_ticks, minutes=chosen.minutes,
    )  # fmt: skip


if __name__ == "__main__":
    main()
