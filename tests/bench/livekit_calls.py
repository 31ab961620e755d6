"""What a call in a room of a genuine livekit-server costs the bridge, beside the same calls in embedded rooms.

SIPp places the calls with real speech: two to a room, nothing transcoded; then one to a room with an agent of LiveKit's
own client in it, who talks in Opus. The same calls in embedded rooms are the reference of the same run. CPU is the
processes' own, so a busy machine disturbs it little. Without a livekit-server this is skipped by name.

    LIVEKIT_SERVER=… python -m tests.bench.livekit_calls [--calls 20] [--seconds 14]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.machine import cpu_s
from tests.livekit_peers import PROGRAM, LiveKit
from tests.peers import ROOT, BridgeProcess, lesson, sipp
from tests.sound import SPEECH_PCMU, speech

LIVEKIT_SIP = {"passed through": 3.3, "with an Opus agent": 4.4}
"""Per cent of a core per call that livekit-sip 1.9 took, by such calls on the machine that set the budgets."""
BUDGET = {"passed through": 0.35, "with an Opus agent": 0.7}
RATE = 10
SCENARIO = ROOT / "tests" / "interop" / "scenarios" / "uac-g711.xml"
WARM_UP = 2


def cost(work: Path, calls: int, seconds: int, per_room: int, server: LiveKit | None) -> dict[str, float]:
    """The bridge's share (and the server's): per cent of a core per call, KiB per call, set-up in ms of CPU."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "speech.ul").write_bytes(SPEECH_PCMU)
    (work / "to.csv").write_text("SEQUENTIAL\n" + "".join(f"+1666{n // per_room + 1:07d};\n" for n in range(calls)))
    options = ("--rooms", "livekit") if server else ()
    environment = server.environment if server else {}
    with (
        lesson("01-one-number", work) as manifests,
        BridgeProcess(manifests, work, *options, environment=environment) as bridge,
    ):
        place = ["-sf", str(SCENARIO), "-inf", "to.csv"]
        sipp(bridge.target, work, *place, "-m", str(WARM_UP), "-d", "3000")  # warm-up
        time.sleep(2)
        pid = bridge.process.pid
        pids = [pid] + ([server.process.pid] if server and server.process else [])
        idle_kib, idle_s = bridge.rss_kib(), _rate(pid, 3)
        many = [*place, "-m", str(calls), "-l", str(calls), "-r", str(RATE), "-d", str(seconds * 1000)]
        talking = threading.Thread(target=sipp, args=(bridge.target, work, *many))
        before = cpu_s(pid)
        talking.start()
        time.sleep(calls / RATE + 2)
        ramp_s = cpu_s(pid) - before
        began, used = time.monotonic(), [cpu_s(each) for each in pids]
        time.sleep(seconds - calls / RATE - 4)
        window = time.monotonic() - began
        spent = [cpu_s(each) - start for each, start in zip(pids, used, strict=True)]
        busy_kib = bridge.rss_kib()
        talking.join()
        records = bridge.records()[WARM_UP:]
        spoken = sum(record["media"]["packetsSent"] > 40 * (seconds - 2) for record in records)
        talk_s = spent[0] / window
        # while the calls came in, each was talking for half of the ramp and all of the two seconds behind it
        setup_s = ramp_s - talk_s * (calls / RATE / 2 + 2)
    return {
        "calls": calls,
        "answered and spoken to": spoken,
        "core_percent_per_call": round((talk_s - idle_s) / calls * 100, 3),
        "server_core_percent_per_call": round(spent[1] / window / calls * 100, 3) if server else 0.0,
        "kib_per_call": round((busy_kib - idle_kib) / calls),
        "setup_ms": round(setup_s / calls * 1000, 1),
    }


def _rate(pid: int, seconds: float) -> float:
    before = cpu_s(pid)
    time.sleep(seconds)
    return (cpu_s(pid) - before) / seconds


@contextmanager
def agents(server: LiveKit, work: Path, rooms: Sequence[str]) -> Iterator[None]:
    """An agent in each room."""
    tokens = [server.token("agent", room) for room in rooms]
    wav = speech(work / "agent.wav", 10, reverse=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.room_agents", server.url, str(wav), *tokens],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    try:
        yield
    finally:
        process.communicate("\n", timeout=20)


def main() -> None:
    """Print the figures, one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=14)
    chosen = parser.parse_args()
    if not PROGRAM or not shutil.which("sipp"):
        print("skipped: no livekit-server (put it on PATH or name it in LIVEKIT_SERVER), or no sipp")
        return
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        found["embedded rooms"] = cost(work / "embedded", chosen.calls, chosen.seconds, 2, None)
        with LiveKit(work / "server") as server:
            found["passed through"] = cost(work / "passed", chosen.calls, chosen.seconds, 2, server)
            half = chosen.calls // 2
            with agents(server, work, [f"line_+1666{n + 1:07d}" for n in range(half)]):
                found["with an Opus agent"] = cost(work / "opus", half, chosen.seconds, 1, server)
    print(json.dumps({"figures": found, "budget": BUDGET, "livekit-sip": LIVEKIT_SIP}, indent=1))


if __name__ == "__main__":
    main()
