"""What a call set-up costs the bridge by each SIP transport: CPU per call, UDP being the reference in the same run.

SIPp places calls without media and hangs up at once, over UDP, over one TCP connection, and over one for each call.
Only the bridge's own CPU time counts, so a busy machine disturbs it little; rounds are taken in turns.

    python -m tests.bench.transports [--calls 600] [--rounds 3]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from tests.bench.figures import Figure, digits, report
from tests.bench.machine import cpu_s, needs
from tests.peers import BridgeProcess, lesson, sipp, wait_for

TRANSPORTS = {"UDP": "u1", "one TCP connection": "t1", "a TCP connection of its own": "tn"}
RATE = 100
AT_ONCE_MAX = 20
"""Calls that SIPp lets be up at a time: all go into one room, and a machine that stalls must not fill it."""


def setup_ms(bridge: BridgeProcess, work: Path, transport: str, calls: int) -> float:
    """CPU milliseconds of the bridge for one call, from INVITE to BYE."""
    before, ended = cpu_s(bridge.process.pid), len(bridge.records())
    done = sipp(
        bridge.target, work, "-sn", "uac", "-s", "+16660000001", "-t", transport, "-r", str(RATE), "-m", str(calls),
        "-l", str(AT_ONCE_MAX), "-d", "0",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    wait_for(lambda: len(bridge.records()) == ended + calls, "every call to be over")
    return (cpu_s(bridge.process.pid) - before) / calls * 1000


def main() -> None:
    """Measure and report."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=600)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    needs("sipp")
    found: dict[str, list[float]] = {name: [] for name in TRANSPORTS}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        with lesson("01-one-number", work) as manifests, BridgeProcess(manifests, work) as bridge:
            for word in TRANSPORTS.values():
                setup_ms(bridge, work, word, 50)  # warm-up
            for _ in range(chosen.rounds):
                for name, word in TRANSPORTS.items():
                    found[name].append(setup_ms(bridge, work, word, chosen.calls))
    by_udp, *others = {name: statistics.median(times) for name, times in found.items()}.items()
    how = f"CPU, median of {chosen.rounds} times {chosen.calls} calls"
    report(
        [
            Figure(
                id=name_of, what=f"a call's set-up and end by {name}", how=how, value=cpu_ms, unit="ms",
                reference=by_udp[1], beside="the same by UDP",
            )
            for name_of, (name, cpu_ms) in zip(("setup-tcp", "setup-tcp-each"), others, strict=True)
        ],
        cpu_ms={name: [digits(time) for time in times] for name, times in found.items()},
    )  # fmt: skip


if __name__ == "__main__":
    main()
