"""What a call in an embedded room costs the bridge: CPU and memory, two callers to a room, each hearing the other.

    python -m tests.bench.calls [--calls 20] [--seconds 20]

The phones say frames that are like no others, so that what each hears is checked frame by frame: at least 45 a second,
each one that its partner said. CPU is the bridge process's own time, memory the growth of its resident set after two
calls that warmed it up. The reference is the same phones, talking through a bare relay that sends on what it receives.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from runtime.media import native
from tests.bench.delay import unique
from tests.bench.figures import Figure, digits, report
from tests.bench.machine import cpu_s, rss_kib
from tests.bench.phones import Phone, calls, relayed, talk
from tests.peers import BridgeProcess, lesson

WARM_UP_S = 2.0
HEARD_PER_S_MIN = 45
CPU_PERCENT_MAX = 0.5
KIB_MAX = 1024


class Cost(NamedTuple):
    """Of one call: per cent of a core, and KiB."""

    core_percent: float
    kib: float


def cost(pid: int, phones: Sequence[Phone], seconds: float, idle_kib: int) -> Cost:
    """What a process uses while these phones talk through it; every one must hear its partner all the while."""
    with talk(phones, unique):
        time.sleep(WARM_UP_S)
        since, before = time.time(), cpu_s(pid)
        time.sleep(seconds)
        used, until = cpu_s(pid) - before, time.time()
        grown = rss_kib(pid) - idle_kib
    check_heard(phones, since, until)
    return Cost(used / (until - since) / len(phones) * 100, max(0, grown) / len(phones))


def check_heard(phones: Sequence[Phone], since: float, until: float) -> None:
    """AssertionError when one heard too little, or what its partner had not said."""
    for place, phone in enumerate(phones):
        heard = [payload for at, payload in phone.arrivals if since <= at < until]
        said = {payload for _, payload in phones[place ^ 1].sent}
        assert len(said.intersection(heard)) >= HEARD_PER_S_MIN * (until - since), f"phone {place} heard too little"
        assert sum(payload in said for payload in heard) > len(heard) * 0.9, f"phone {place} heard something else"


def ours(work: Path, count: int, seconds: float) -> tuple[Cost, float]:
    """Of the bridge, and per cent of a core that it uses while nobody calls."""
    with lesson("01-one-number", work) as manifests, BridgeProcess(manifests, work) as bridge:
        address, pid = ("127.0.0.1", bridge.port), bridge.process.pid
        with calls(address, ["+16660000000"] * 2) as phones, talk(phones, unique):
            time.sleep(WARM_UP_S)
        time.sleep(1)
        idle_kib, before = rss_kib(pid), cpu_s(pid)
        time.sleep(5)
        idle_percent = (cpu_s(pid) - before) / 5 * 100
        with calls(address, [f"+1666{place // 2 + 1:07}" for place in range(count)]) as phones:
            return cost(pid, phones, seconds, idle_kib), idle_percent


def bare(count: int, seconds: float) -> Cost:
    """Of a relay; its memory is what it has more than one for two phones."""
    with relayed(2) as (phones, pid), talk(phones, unique):
        time.sleep(WARM_UP_S)
        idle_kib = rss_kib(pid)
    with relayed(count) as (phones, pid):
        return cost(pid, phones, seconds, idle_kib)


def main() -> None:
    """Measure both and report."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=20)
    options.add_argument("--seconds", type=float, default=20.0)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as place:
        call, idle_percent = ours(Path(place), chosen.calls, chosen.seconds)
    relay = bare(chosen.calls, chosen.seconds)
    what, beside = f"a call in an embedded room, {chosen.calls} up, two to a room", "a call through a bare relay"
    report(
        [
            Figure(
                id="call-cpu", what=f"CPU of {what}", how=f"CPU of {chosen.seconds:.0f} s", value=call.core_percent,
                unit="% of a core", reference=relay.core_percent, beside=beside, budget=CPU_PERCENT_MAX,
            ),
            Figure(
                id="call-memory", what=f"memory of {what}", how="RSS, growth after two calls", value=call.kib,
                unit="KiB", reference=relay.kib, beside=beside, budget=KIB_MAX,
            ),
        ],
        bridge_idle_core_percent=digits(idle_percent), media_core=native.state,
    )  # fmt: skip


if __name__ == "__main__":
    main()
