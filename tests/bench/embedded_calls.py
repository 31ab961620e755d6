"""What a call in an embedded room costs: CPU and memory of the bridge, beside the least that any relay can do.

SIPp places the calls with real speech, two to a room; the reference is a bare loop that reads each packet and sends it
on, at the same rate. Only processes' own CPU time counts, so a busy machine disturbs it little.

    python -m tests.bench.embedded_calls [--calls 20] [--seconds 12]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.peers import ROOT, BridgeProcess, lesson, sipp
from tests.sound import SPEECH_PCMU

TICK_HZ = os.sysconf("SC_CLK_TCK")
SCENARIO = ROOT / "tests" / "interop" / "scenarios" / "uac-g711.xml"
PACKETS_PER_S = 50


def cpu_s(pid: int) -> float:
    """CPU seconds of one process, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK_HZ


def bridge_cost(calls: int, seconds: int) -> dict[str, float]:
    """The bridge's own share: per cent of a core per call, KiB per call, CPU of a call's set-up."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "speech.ul").write_bytes(SPEECH_PCMU)
        (work / "to.csv").write_text("SEQUENTIAL\n" + "".join(f"+1666{n // 2 + 1:07d};\n" for n in range(calls)))
        with lesson("01-one-number", work) as manifests, BridgeProcess(manifests, work) as bridge:
            place = ["-sf", str(SCENARIO), "-inf", "to.csv"]
            sipp(bridge.target, work, *place, "-m", "2", "-d", "1000")  # warm-up
            idle_kib, idle_s = bridge.rss_kib(), _idle(bridge.process.pid)
            talk_ms = str(seconds * 1000)
            many = [*place, "-m", str(calls), "-l", str(calls), "-r", "20", "-d", talk_ms]
            talking = threading.Thread(target=sipp, args=(bridge.target, work, *many))
            talking.start()
            time.sleep(calls / 20 + 2)
            began, before = time.monotonic(), cpu_s(bridge.process.pid)
            time.sleep(seconds - 4)
            used, window = cpu_s(bridge.process.pid) - before, time.monotonic() - began
            busy_kib = bridge.rss_kib()
            talking.join()
            heard = sum(r["media"]["packetsSent"] > 45 * (seconds - 1) for r in bridge.records()[2:])
            before = cpu_s(bridge.process.pid)
            setups = 500
            done = sipp(
                bridge.target, work, "-sn", "uac", "-s", "+16660000001", "-r", "100", "-m", str(setups), "-d", "0"
            )
            assert done.returncode == 0, done.stdout[-500:]
            setup_ms = (cpu_s(bridge.process.pid) - before) / setups * 1000
    return {
        "calls": calls,
        "heard": heard,
        "core_percent_per_call": round(used / window / calls * 100, 3),
        "core_percent_idle": round(idle_s * 100, 2),
        "kib_per_call": round((busy_kib - idle_kib) / calls, 1),
        "setup_cpu_ms": round(setup_ms, 2),
        "setups_per_core_s": round(1000 / setup_ms),
    }


def relay_cost(streams: int, seconds: int) -> float:
    """The bare loop: per cent of a core per stream, for one read and one send per packet and nothing else."""
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(streams)]
    for sock in socks:
        sock.bind(("127.0.0.1", 0))
    relay = multiprocessing.get_context("fork").Process(target=_relay, args=(socks,), daemon=True)
    relay.start()
    assert relay.pid is not None
    targets = [sock.getsockname() for sock in socks]
    packet = bytes(172)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        before, began = cpu_s(relay.pid), time.monotonic()
        for tick in range(seconds * PACKETS_PER_S):
            for target in targets:
                out.sendto(packet, target)
            time.sleep(max(0.0, began + (tick + 1) / PACKETS_PER_S - time.monotonic()))
        used = cpu_s(relay.pid) - before
    relay.terminate()
    relay.join()
    for sock in socks:
        sock.close()
    return used / seconds / streams * 100


def _relay(socks: list[socket.socket]) -> None:
    import select

    poll = select.poll()
    by_fd = {sock.fileno(): sock for sock in socks}
    for descriptor in by_fd:
        poll.register(descriptor, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            data, sender = by_fd[descriptor].recvfrom(2048)
            by_fd[descriptor].sendto(data, sender)


def _idle(pid: int) -> float:
    before = cpu_s(pid)
    time.sleep(2)
    return (cpu_s(pid) - before) / 2


def main() -> int:
    """Measure, print text to standard error and JSON to standard output."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=20)
    options.add_argument("--seconds", type=int, default=12)
    chosen = options.parse_args()
    if shutil.which("sipp") is None:
        print("skipped: needs sipp (Debian: sip-tester)", file=sys.stderr)
        return 0
    found = bridge_cost(chosen.calls, chosen.seconds)
    found["bare_relay_percent_per_stream"] = round(relay_cost(chosen.calls, 8), 3)
    print(
        f"a call in an embedded room: {found['core_percent_per_call']} % of a core, {found['kib_per_call']} KiB; "
        f"a bare relay: {found['bare_relay_percent_per_stream']} %; set-up and end: {found['setup_cpu_ms']} ms CPU",
        file=sys.stderr,
    )
    print(json.dumps(found))
    return 0 if found["heard"] == chosen.calls else 1


if __name__ == "__main__":
    sys.exit(main())
