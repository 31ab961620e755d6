"""Live calls under floods and scans: the gaps in what their phones hear, and what the bridge's memory grew by.

    python -m tests.bench.flood [--calls 4] [--packets 10000] [--rounds 4]

Calls talk all the while. One after the other come: INVITEs from one address that no trunk names, as fast as a socket
takes them; OPTIONS and halves of messages from the carrier's own address; sipvicious' svmap, svwar and svcrack, and
sipsak's flood. The largest gaps between two RTP packets meanwhile stand beside those of the quiet time after, since on
a small machine whoever floods takes a share of the processors as well. Memory is the resident one of the bridge when
what requests of a known source keep for 32 s (RFC 3261 section 17) is over; the first rounds fill what is bounded, and
what strangers send keeps nothing at all.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.figures import Figure, digits, percentile, report
from tests.bench.machine import cpu_s, rss_kib
from tests.bench.phones import calls, talk
from tests.bench.reload import gaps
from tests.peers import BridgeProcess, free_port, lesson

QUIET_S = 40.0
"""Longer than any transaction lives."""
TOOL_S = 6.0
STRANGER, CARRIER = "127.0.0.2", "127.0.0.1"
STRANGERS = ("INVITEs of a stranger", "svmap", "svwar", "svcrack")
GAP_MS_MAX = 60.0
"""Three ticks: what a jitter buffer of the usual depth takes without a sound being lost."""
GROWTH_KIB_MAX = 1 << 10

MESSAGE = (
    "{method} sip:+16660000001@127.0.0.1:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {here};rport;branch=z9hG4bK-flood-{n}\r\n"
    "From: <sip:+1555000{n:04}@{here}>;tag=f{n}\r\nTo: <sip:+16660000001@127.0.0.1:{port}>\r\n"
    "Call-ID: flood-{n}@{here}\r\nCSeq: 1 {method}\r\nContact: <sip:f@{here}>\r\nMax-Forwards: 70\r\n"
    "Content-Length: 0\r\n\r\n"
)


def packets(port: int, source: str, method: str, count: int, *, broken: bool = False) -> Callable[[], int]:
    """So many messages from one source as fast as its socket takes them; how many left."""

    def send() -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((source, 0))
            here = "{}:{}".format(*sock.getsockname())
            for n in range(count):
                data = MESSAGE.format(method=method, port=port, here=here, n=n).encode()
                sock.sendto(data[: len(data) // 2] if broken else data, ("127.0.0.1", port))
        return count

    return send


def tool(*command: str) -> Callable[[], int]:
    """A scanner; one that would go on for longer is ended."""

    def run() -> int:
        try:
            subprocess.run(command, capture_output=True, timeout=TOOL_S, check=False, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            pass
        return 0

    return run


def attacks(port: int, count: int) -> dict[str, Callable[[], int]]:
    """What comes, by its name; tools that are not installed are left out, and said."""
    found = {
        "INVITEs of a stranger": packets(port, STRANGER, "INVITE", count),
        "OPTIONS of a carrier": packets(port, CARRIER, "OPTIONS", count),
        "half messages of a carrier": packets(port, CARRIER, "INVITE", count, broken=True),
    }
    here, target = ("-b", STRANGER, "-p", str(port)), "127.0.0.1"
    tools = {
        "svmap": ("svmap", *here, "-P", str(free_port()), target),
        "svwar": ("svwar", *here, "-P", str(free_port()), "-e", "100-999", "--force", target),
        "svcrack": ("svcrack", *here, "-P", str(free_port()), "-u", "100", "-r", "100-9999", target),
        "sipsak": ("sipsak", "-F", "-e", str(count), "-s", f"sip:flood@127.0.0.1:{port}"),
    }
    for name, command in tools.items():
        if shutil.which(name) is None:
            print(f"  without {name}: it is not installed", file=sys.stderr)
        else:
            found[name] = tool(*command)
    return found


def measured(
    work: Path, count: int, many: int, rounds: int
) -> tuple[dict[str, dict[str, float]], list[int], dict[str, int]]:
    """Calls that talk under everything, so many rounds."""
    memory: list[int] = []
    spans: dict[str, tuple[float, float]] = {}
    used: dict[str, float] = {}
    grown: dict[str, int] = {}
    numbers = [f"+1666000{place // 2:04}" for place in range(count)]
    with lesson("01-one-number", work) as manifests, BridgeProcess(manifests, work) as bridge:
        with calls(("127.0.0.1", bridge.port), numbers) as phones:
            with talk(phones, lambda _place, _tick: bytes(range(160))):
                time.sleep(1)
                for _ in range(rounds):
                    for name, attack in attacks(bridge.port, many).items():
                        began, before = time.time(), cpu_s(bridge.process.pid)
                        resident = rss_kib(bridge.process.pid)
                        attack()
                        time.sleep(0.5)
                        spans[name] = began, time.time()
                        used[name] = cpu_s(bridge.process.pid) - before
                        grown[name] = rss_kib(bridge.process.pid) - resident
                    began = time.time()
                    time.sleep(QUIET_S)
                    spans["quiet"] = began, time.time()
                    memory.append(rss_kib(bridge.process.pid))
            live = len(bridge.counters()["live"])
            dropped = dict(bridge.counters()["dropped"])
        assert live == count, f"{count - live} calls ended"
        found = {name: gaps(phones, *span) for name, span in spans.items()}
    return (
        {
            name: {
                "max_ms": digits(max(samples)),
                "p99_ms": digits(percentile(samples, 99)),
                "packets": len(samples),
                "seconds": digits(spans[name][1] - spans[name][0]),
                "cpu_s": digits(used.get(name, 0.0)),
                "grown_kib": grown.get(name, 0),
            }
            for name, samples in found.items()
        },
        memory,
        dropped,
    )


def main() -> None:
    """Measure and report."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=4)
    options.add_argument("--packets", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=4)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found, memory, dropped = measured(Path(place), chosen.calls, chosen.packets, chosen.rounds)
    quiet = found.pop("quiet")
    by_strangers = sum(max(0, found[name]["grown_kib"]) for name in STRANGERS if name in found)
    worst = max(found, key=lambda name: found[name]["p99_ms"])
    beside = f"the same calls in {QUIET_S:.0f} quiet seconds"
    flooded = f"{chosen.packets:,} INVITEs of one stranger"
    report(
        [
            Figure(
                id="flood-gap", what=f"RTP gap of {chosen.calls} calls under {flooded}, p99", how="wall clock",
                value=found["INVITEs of a stranger"]["p99_ms"], unit="ms", reference=quiet["p99_ms"], beside=beside,
                budget=GAP_MS_MAX,
            ),
            Figure(
                id="flood-gap-worst", what=f"the same under the worst of {len(found)} floods and scans ({worst})",
                how="wall clock", value=found[worst]["p99_ms"], unit="ms", reference=quiet["p99_ms"], beside=beside,
                budget=GAP_MS_MAX,
            ),
            Figure(
                id="flood-memory", what="growth of memory under what strangers and scanners sent, last round",
                how="resident", value=float(by_strangers), unit="KiB", reference=float(memory[-1]),
                beside="all that the bridge has", budget=GROWTH_KIB_MAX,
            ),
            Figure(
                id="flood-memory-rounds", what="growth of memory from the last round but one of everything to the last",
                how="resident, 40 s after each", value=float(max(0, memory[-1] - memory[-2])), unit="KiB",
                reference=float(memory[0]), beside="what it had after the first round",
            ),
        ],
        floods=found, quiet=quiet, memory_kib=memory, dropped=dropped,
    )  # fmt: skip


if __name__ == "__main__":
    main()
