"""Calls set up and ended in embedded rooms: how many a core can do, and how soon a caller hears 100 Trying.

    python -m tests.bench.setups [--rate 50] [--seconds 20]

SIPp calls and hangs up at once, at the budget's own rate; no call may fail, and the CPU time of the bridge says how
many a core does per second. Then a sender of ours calls at a steady
rate and notes when each INVITE left and when the kernel had its 100. The reference in the same run is a bare loop that
answers INVITE and BYE from the bytes that came, and keeps nothing.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.bench.figures import Figure, digits, report, spread
from tests.bench.machine import cpu_s, needs
from tests.bench.phones import Signalling, receive, status_of
from tests.peers import BridgeProcess, free_port, lesson, sipp, wait_for

SETUPS = 1_000
SETUPS_PER_S = 150
AT_ONCE_MAX = 20
"""Calls that SIPp lets be up at a time: all go into one room, and a machine that stalls must not fill it."""
WARM_UP = 100
CALLED = "+16660000001"

BARE = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
while True:
    data, peer = sock.recvfrom(65536)
    if data.startswith(b"ACK "):
        continue
    lines = data.partition(b"\\r\\n\\r\\n")[0].split(b"\\r\\n")[1:]
    kept = [line for line in lines if line.startswith((b"Via:", b"From:", b"To:", b"Call-ID:", b"CSeq:"))]
    tagged = [line + b";tag=bare" if line.startswith(b"To:") and b"tag=" not in line else line for line in kept]
    if data.startswith(b"INVITE "):
        sock.sendto(b"\\r\\n".join([b"SIP/2.0 100 Trying", *kept, b"Content-Length: 0", b"", b""]), peer)
    contact = b"Contact: <sip:bare@127.0.0.1:%s>" % sys.argv[1].encode()
    sock.sendto(b"\\r\\n".join([b"SIP/2.0 200 OK", *tagged, contact, b"Content-Length: 0", b"", b""]), peer)
"""


@contextmanager
def bare() -> Iterator[tuple[int, int]]:
    """The bare loop: its port and process."""
    port = free_port()
    command = [sys.executable, "-u", "-c", BARE, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield port, process.pid
        process.terminate()


class Setup(NamedTuple):
    """What one call's set-up and end cost, and how many messages SIPp had to repeat in all."""

    cpu_ms: float
    repeated: int


def setup_cost(port: int, pid: int, work: Path) -> Setup:
    """SIPp calls at the budget's rate; every call must succeed."""
    target, scenario = f"127.0.0.1:{port}", ["-sn", "uac", "-s", CALLED, "-d", "0"]
    assert sipp(target, work, *scenario, "-m", str(WARM_UP), "-r", str(SETUPS_PER_S)).returncode == 0
    statistics = work / f"sipp-{port}.csv"
    before = cpu_s(pid)
    done = sipp(
        target, work, *scenario, "-m", str(SETUPS), "-r", str(SETUPS_PER_S),
        "-l", str(AT_ONCE_MAX), "-trace_stat", "-stf", str(statistics), "-fd", "1",
    )  # fmt: skip
    used = cpu_s(pid) - before
    assert done.returncode == 0, done.stdout[-500:]
    with statistics.open() as file:
        last = list(csv.DictReader(file, delimiter=";"))[-1]
    return Setup(used / SETUPS * 1000, int(last["Retransmissions(C)"]))


def trying_ms(port: int, rate: int, seconds: int) -> list[float]:
    """From each INVITE to its 100, in milliseconds; every call is answered, acknowledged and hung up."""
    left: dict[int, float] = {}
    tried: dict[int, float] = {}
    ended: set[int] = set()
    with closing(Signalling(("127.0.0.1", port))) as caller:
        stop = threading.Event()
        listening = threading.Thread(target=_listen, args=(caller, tried, ended, stop))
        listening.start()
        began = time.monotonic()
        for place in range(rate * seconds):
            time.sleep(max(0.0, began + place / rate - time.monotonic()))
            at = time.time()
            left[caller.invite(CALLED, 40_000)] = at
        wait_for(lambda: len(ended) == len(left), "every call to end")
        stop.set()
        listening.join()
    assert tried.keys() == left.keys()
    return [(tried[number] - at) * 1000 for number, at in left.items()]


def _listen(caller: Signalling, tried: dict[int, float], ended: set[int], stop: threading.Event) -> None:
    """Note each 100, acknowledge and hang up at each 200."""
    caller.sock.settimeout(0.1)
    while not stop.is_set():
        try:
            data, at = receive(caller.sock)
        except TimeoutError:
            continue
        number = int(data.partition(b"Call-ID: bench-")[2].partition(b"@")[0])
        status, is_invite = status_of(data), b" INVITE\r\n" in data
        if status == 100:
            tried.setdefault(number, at)
        elif is_invite and status == 200:
            caller.send("ACK", number, data, 1)
            caller.send("BYE", number, data, 2)
        elif status >= 200:
            assert not is_invite, data[:60]
            ended.add(number)


def main() -> None:
    """Measure both and report."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rate", type=int, default=50)
    options.add_argument("--seconds", type=int, default=20)
    chosen = options.parse_args()
    needs("sipp")
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        with lesson("01-one-number", work) as manifests, BridgeProcess(manifests, work) as bridge:
            ours_ms = setup_cost(bridge.port, bridge.process.pid, work)
            ours = spread(trying_ms(bridge.port, chosen.rate, chosen.seconds))
        with bare() as (port, pid):
            bare_ms = setup_cost(port, pid, work)
            least = spread(trying_ms(port, chosen.rate, chosen.seconds))
    loop, sent = "a bare loop that answers and keeps nothing", f"wall clock of {chosen.rate * chosen.seconds:,} calls"
    report(
        [
            Figure(
                id="setups-per-core", what="call set-ups and ends in embedded rooms, per second of one core",
                how=f"CPU of {SETUPS:,} calls at {SETUPS_PER_S}/s", value=1000 / ours_ms.cpu_ms, unit="/s",
                reference=1000 / bare_ms.cpu_ms, beside=loop, budget=SETUPS_PER_S, floor=True,
            ),
            Figure(
                id="trying-p99", what=f"INVITE -> 100 at {chosen.rate} calls/s, p99", how=sent, value=ours["p99"],
                unit="ms", reference=least["p99"], beside=loop, budget=10.0,
            ),
            Figure(
                id="trying-p50", what=f"INVITE -> 100 at {chosen.rate} calls/s, p50", how=sent, value=ours["p50"],
                unit="ms", reference=least["p50"], beside=loop,
            ),
        ],
        setup_cpu_ms=digits(ours_ms.cpu_ms), bare_cpu_ms=digits(bare_ms.cpu_ms), trying_ms=ours, bare_trying_ms=least,
        repeated=ours_ms.repeated, bare_repeated=bare_ms.repeated,
    )  # fmt: skip


if __name__ == "__main__":
    main()
