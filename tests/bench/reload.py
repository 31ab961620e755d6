"""10,000 documents are exchanged under 20 live calls: the largest gap between two RTP packets that a caller hears.

    python -m tests.bench.reload [--documents 10000] [--calls 20]

The phones are sockets whose packets the kernel stamps on arrival, so the figure holds what the bridge did and nothing
of our own delay. Every PhoneNumber moves to another rule, as a checkout does it, file by file in a moment; three times
over. The reference, at the same time on the same machine, is a bare loop that wakes every 20 ms and sends one packet
to each of as many sockets.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.figures import Figure, digits, percentile, report
from tests.bench.phones import TICK_S, Phone, calls, listen, stamped_socket, talk
from tests.peers import BridgeProcess, wait_for

GAP_MS_MAX = 40.0
PER_FILE = 10
RULES = ("one", "two", "three", "four")
QUIET_S = 5.0
"""Talk before and after, so that a gap of the machine's own shows in both."""

HEAD = "apiVersion: dialplane.dev/v1alpha1\n"
TRUNK = HEAD + "kind: Trunk\nmetadata: {name: here}\nspec: {inbound: {allowedAddresses: [127.0.0.1/32]}}\n"
RULE = (
    HEAD + "kind: DispatchRule\nmetadata: {{name: {name}}}\n"
    "spec: {{match: {{to: ['+1999{place}']}}, rule: {{callee: {{roomPrefix: {name}}}}}}}\n"
)
NUMBER = (
    HEAD + "kind: PhoneNumber\nmetadata: {{name: n{i}}}\n"
    "spec: {{number: '+1415{i:07}', trunkRef: {{name: here}}, dispatchRuleRef: {{name: {rule}}}}}\n"
)

BARE = """
import socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
targets = [("127.0.0.1", int(port)) for port in sys.argv[1:]]
packet, at = bytes(172), time.monotonic()
while True:
    at += 0.02
    time.sleep(max(0.0, at - time.monotonic()))
    for target in targets:
        sock.sendto(packet, target)
"""


def write(folder: Path, documents: int, rule: str) -> None:
    """All numbers, pointing at one rule; each file is put in place atomically."""
    for first in range(0, documents, PER_FILE):
        texts = [NUMBER.format(i=i, rule=rule) for i in range(first, min(documents, first + PER_FILE))]
        fresh = folder / f".{first}.tmp"
        fresh.write_text("---\n".join(texts))
        os.replace(fresh, folder / f"numbers-{first:06}.yaml")


@contextmanager
def bare_clock(count: int) -> Iterator[list[Phone]]:
    """The reference: sockets that a bare loop sends to, listened to like phones."""
    heard = [Phone(0, b"", stamped_socket(), ("", 0)) for _ in range(count)]
    ports = [str(phone.media.getsockname()[1]) for phone in heard]
    stop = threading.Event()
    listening = threading.Thread(target=listen, args=(heard, stop))
    listening.start()
    with subprocess.Popen([sys.executable, "-c", BARE, *ports]) as process:
        try:
            yield heard
        finally:
            process.terminate()
            stop.set()
            listening.join()
            for phone in heard:
                phone.media.close()


def gaps(phones: Sequence[Phone], since: float, until: float) -> list[float]:
    """All gaps of all phones between two wall-clock moments, in milliseconds."""
    out: list[float] = []
    for phone in phones:
        within = Phone(
            0, b"", phone.media, phone.remote, arrivals=[a for a in phone.arrivals if since <= a[0] <= until]
        )
        out += within.gaps_ms()
    return out


def reload(bridge: BridgeProcess, documents: int, rule: str) -> tuple[float, float]:
    """Exchange all documents; wall-clock seconds of the first write and of the answer from the new tables."""
    before = bridge.calls()["revision"]
    began = time.time()
    write(bridge.manifests, documents, rule)
    wait_for(lambda: f"new tables revision={before + 1}" in bridge.log(), "the reload", 120)
    ended = time.time()
    time.sleep(1)
    return began, ended + 1


def measured(work: Path, documents: int, count: int) -> dict[str, dict[str, float]]:
    """The largest gap and the 99.9th percentile before, during each reload, and of the bare loop all the while."""
    folder = work / "manifests"
    folder.mkdir()
    (folder / "trunk.yaml").write_text(TRUNK)
    (folder / "rules.yaml").write_text(
        "---\n".join(RULE.format(name=name, place=place) for place, name in enumerate(RULES))
    )
    write(folder, documents, RULES[0])
    dialled = [f"+1415{place // 2:07}" for place in range(count)]
    with BridgeProcess(folder, work) as bridge:
        wait_for(lambda: bridge.calls()["revision"] >= 1, "the first tables", 60)
        with calls(("127.0.0.1", bridge.port), dialled) as phones, bare_clock(count) as clock:
            speech = bytes(range(160))
            with talk(phones, lambda _place, _tick: speech):
                time.sleep(1)
                began = time.time()
                time.sleep(QUIET_S)
                quiet_until = time.time()
                reloads = [reload(bridge, documents, rule) for rule in RULES[1:]]
                ended = time.time()
            spans = {"quiet": (began, quiet_until), "all": (began, ended)}
            spans |= {f"reload {number}": span for number, span in enumerate(reloads, 1)}
            found = {name: gaps(phones, *span) for name, span in spans.items()}
            found["bare"] = gaps(clock, began, ended)
    assert all(len(samples) > count for samples in found.values())
    return {
        name: {"max_ms": digits(max(samples)), "p999_ms": digits(percentile(samples, 99.9)), "packets": len(samples)}
        for name, samples in found.items()
    }


def main() -> None:
    """Measure and report."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--documents", type=int, default=10_000)
    options.add_argument("--calls", type=int, default=20)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found = measured(Path(place), chosen.documents, chosen.calls)
    largest = max(gap["max_ms"] for name, gap in found.items() if name.startswith("reload"))
    loop = f"a bare loop that wakes every {TICK_S * 1000:.0f} ms, the same minute"
    what = f"largest RTP gap while {chosen.documents:,} documents are exchanged under {chosen.calls} calls"
    report(
        [
            Figure(
                id="reload-gap", what=what, how=f"wall clock, the largest of {len(RULES) - 1} times", value=largest,
                unit="ms", reference=found["bare"]["max_ms"], beside=loop, budget=GAP_MS_MAX,
            ),
            Figure(
                id="quiet-gap", what=f"largest RTP gap under {chosen.calls} calls while nothing is edited",
                how=f"wall clock of {QUIET_S:.0f} s", value=found["quiet"]["max_ms"], unit="ms",
                reference=found["bare"]["max_ms"], beside=loop,
            ),
        ],
        gaps=found,
    )  # fmt: skip


if __name__ == "__main__":
    main()
