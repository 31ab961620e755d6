"""What a call set-up costs the bridge by each SIP transport: CPU per call, UDP being the reference in the same run.

SIPp places calls without media and hangs up at once, over UDP, over one TCP connection, and over one for each call.
Only the bridge's own CPU time counts, so a busy machine disturbs it little; rounds are taken in turns.

    python -m tests.bench.sip_transports [--calls 600] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from tests.bench.embedded_calls import cpu_s
from tests.peers import BridgeProcess, lesson, sipp, wait_for

TRANSPORTS = {"udp": "u1", "tcp, one connection": "t1", "tcp, one per call": "tn"}
RATE = 100


def setup_ms(bridge: BridgeProcess, work: Path, transport: str, calls: int) -> float:
    """CPU milliseconds of the bridge for one call, from INVITE to BYE."""
    before, ended = cpu_s(bridge.process.pid), len(bridge.records())
    done = sipp(
        bridge.target, work, "-sn", "uac", "-s", "+16660000001", "-t", transport, "-r", str(RATE), "-m", str(calls),
        "-l", str(calls), "-d", "0",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    wait_for(lambda: len(bridge.records()) == ended + calls, "every call to be over")
    return (cpu_s(bridge.process.pid) - before) / calls * 1000


def main() -> int:
    """Measure, print text to standard error and JSON to standard output."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=600)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    if shutil.which("sipp") is None:
        print("skipped: needs sipp (Debian: sip-tester)", file=sys.stderr)
        return 0
    found: dict[str, list[float]] = {name: [] for name in TRANSPORTS}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        with lesson("01-one-number", work) as manifests, BridgeProcess(manifests, work) as bridge:
            for word in TRANSPORTS.values():
                setup_ms(bridge, work, word, 50)  # warm-up
            for _ in range(chosen.rounds):
                for name, word in TRANSPORTS.items():
                    found[name].append(setup_ms(bridge, work, word, chosen.calls))
    result = {name: round(statistics.median(times), 2) for name, times in found.items()}
    for name, milliseconds in result.items():
        beside = f"{milliseconds / result['udp']:.2f} x UDP"
        print(
            f"{name}: {milliseconds} ms CPU, {1000 / milliseconds:.0f} set-ups/s of a core, {beside}", file=sys.stderr
        )
    print(json.dumps({"setup_cpu_ms": result, "calls": chosen.calls, "rounds": chosen.rounds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
