"""What a call in a room of a genuine livekit-server costs the bridge, beside the same calls in embedded rooms.

    LIVEKIT_SERVER=… python -m tests.bench.livekit_calls [--calls 20] [--seconds 14]

SIPp places the calls with real speech: two to a room, nothing transcoded; then one to a room with an agent of LiveKit's
own client in it, who talks in Opus, and again with the caller in Opus too. CPU is the processes' own, so a busy machine
disturbs it little; what the bridge uses while nobody calls is in it. Of how long audio takes, by phones whose packets
the kernel stamps, what both jitter buffers mean to hold a frame is taken off. Without a livekit-server nothing is
measured.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from runtime.media import native
from tests.bench.delay import HELD_MS, passed_through, unique
from tests.bench.figures import Figure, digits, report, spread
from tests.bench.machine import cpu_s, needs
from tests.bench.phones import calls as phone_calls
from tests.bench.phones import relayed, talk
from tests.livekit_peers import PROGRAM, LiveKit
from tests.peers import ROOT, BridgeProcess, lesson, sipp
from tests.sound import SPEECH_PCMU, speech

PASSED_PERCENT_MAX, AGENT_PERCENT_MAX, BOTH_WAYS_PERCENT_MAX = 0.35, 0.7, 1.1
KIB_MAX, SETUP_MS_MAX = 1024, 27.0
DELAY_MS_MAX = 2 * 20.0
"""Between two phones audio goes through the bridge twice, and waits for a tick each time."""
LIVEKIT_SIP = {"passed through": 3.3, "with an Opus agent": 4.4}
"""Per cent of a core per call that livekit-sip 1.9 took, by such calls on the machine that set the budgets."""
RATE = 10
SCENARIO = ROOT / "tests" / "interop" / "scenarios" / "uac-g711.xml"
WARM_UP = 2
PAIRS = 6
DELAY_S = 10


class Cost(NamedTuple):
    """Of one call: per cent of a core in the bridge and in the server, KiB, set-up in ms of CPU; and idle per cent."""

    percent: float
    server_percent: float
    kib: float
    setup_ms: float
    idle_percent: float


class Case(NamedTuple):
    """Calls of one kind: how many share a room, on which server, and further lines of the rule."""

    per_room: int
    server: LiveKit | None
    rule: str = ""


@contextmanager
def bridge_for(case: Case, work: Path) -> Iterator[BridgeProcess]:
    """A bridge with these rooms."""
    work.mkdir(parents=True)
    options = ("--rooms", "livekit") if case.server else ()
    environment = case.server.environment if case.server else {}
    with lesson("01-one-number", work) as manifests:
        routes = manifests / "routes.yaml"
        routes.write_text(routes.read_text().replace("  rule:", case.rule + "  rule:"))
        with BridgeProcess(manifests, work, *options, environment=environment) as bridge:
            yield bridge


def cost(work: Path, calls: int, seconds: int, case: Case) -> Cost:
    """What so many calls cost; each must be answered and spoken to all the while."""
    with bridge_for(case, work) as bridge:
        (work / "speech.ul").write_bytes(SPEECH_PCMU)
        numbers = "".join(f"+1666{n // case.per_room + 1:07d};\n" for n in range(calls))
        (work / "to.csv").write_text("SEQUENTIAL\n" + numbers)
        place = ["-sf", str(SCENARIO), "-inf", "to.csv"]
        sipp(bridge.target, work, *place, "-m", str(WARM_UP), "-d", "3000")
        time.sleep(2)
        pid = bridge.process.pid
        pids = [pid] + ([case.server.process.pid] if case.server and case.server.process else [])
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
        rates = [(cpu_s(each) - start) / window for each, start in zip(pids, used, strict=True)]
        kib = (bridge.rss_kib() - idle_kib) / calls
        talking.join()
        spoken = [record["media"]["packetsSent"] > 40 * (seconds - 2) for record in bridge.records()[WARM_UP:]]
    assert spoken == [True] * calls, f"{sum(spoken)} of {calls} calls were spoken to"
    # while the calls came in, each was talking for half of the ramp and all of the two seconds behind it
    ramp = calls / RATE
    setup_s = ramp_s - idle_s * (ramp + 2) - (rates[0] - idle_s) * (ramp / 2 + 2)
    percents = [rate / calls * 100 for rate in rates]
    return Cost(percents[0], percents[1] if case.server else 0.0, kib, setup_s / calls * 1000, idle_s * 100)


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


def delays_ms(work: Path, server: LiveKit) -> tuple[list[float], list[float]]:
    """How long frames take through rooms of the server and both jitter buffers, and through a bare relay."""
    with bridge_for(Case(2, server), work) as bridge:
        numbers = [f"+1777{n // 2:07}" for n in range(2 * PAIRS)]
        with phone_calls(("127.0.0.1", bridge.port), numbers) as phones:
            with talk(phones, unique):
                time.sleep(DELAY_S)
            through = passed_through(phones)
    with relayed(2 * PAIRS) as (phones, _):
        with talk(phones, unique):
            time.sleep(DELAY_S / 2)
        return through, passed_through(phones)


def main() -> None:
    """Measure and report."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=20)
    options.add_argument("--seconds", type=int, default=14)
    chosen = options.parse_args()
    needs("sipp")
    if not shutil.which(PROGRAM):
        print("  skipped: no livekit-server; put it on PATH or name it in LIVEKIT_SERVER", file=sys.stderr)
        return
    half = chosen.calls // 2
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        embedded = cost(work / "embedded", chosen.calls, chosen.seconds, Case(2, None))
        with LiveKit(work / "server") as server:
            passed = cost(work / "passed", chosen.calls, chosen.seconds, Case(2, server))
            through, bare = delays_ms(work / "delay", server)
            with agents(server, work, [f"line_+1666{n + 1:07d}" for n in range(half)]):
                agent = cost(work / "agent", half, chosen.seconds, Case(1, server))
                opus = Case(1, server, "  media: {roomCodec: opus}\n")
                both_ways = cost(work / "opus", half, chosen.seconds, opus)
    added = spread([ms - 2 * HELD_MS for ms in through])
    how, beside = f"CPU of {chosen.seconds - chosen.calls // RATE - 4} s", "the same calls in embedded rooms"
    two, one = f"{chosen.calls} up, two to a room", f"{half} up, an agent in each room"
    report(
        [
            Figure(
                id="livekit-passed-cpu", what=f"CPU of a call through a LiveKit room, not transcoded, {two}", how=how,
                value=passed.percent, unit="% of a core", reference=embedded.percent, beside=beside,
                budget=PASSED_PERCENT_MAX,
            ),
            Figure(
                id="livekit-agent-cpu", what=f"CPU of a call on G.711 whose LiveKit room talks Opus, {one}", how=how,
                value=agent.percent, unit="% of a core", reference=embedded.percent, beside=beside,
                budget=AGENT_PERCENT_MAX,
            ),
            Figure(
                id="livekit-opus-cpu", what=f"CPU of a call transcoded to Opus and back, {one}", how=how,
                value=both_ways.percent, unit="% of a core", reference=embedded.percent, beside=beside,
                budget=BOTH_WAYS_PERCENT_MAX,
            ),
            Figure(
                id="livekit-memory", what=f"memory of a call transcoded to Opus and back, {one}",
                how="RSS, growth after two calls", value=both_ways.kib, unit="KiB", reference=embedded.kib,
                beside=beside, budget=KIB_MAX,
            ),
            Figure(
                id="livekit-setup", what="set-up of a call into a LiveKit room", how=f"CPU, {RATE} calls a second",
                value=passed.setup_ms, unit="ms", reference=embedded.setup_ms, beside=beside, budget=SETUP_MS_MAX,
            ),
            Figure(
                id="livekit-delay-p99", what="one-way delay through a LiveKit room, beside both jitter buffers, p99",
                how=f"wall clock of {len(through):,} frames", value=added["p99"], unit="ms",
                reference=spread(bare)["p99"], beside="a bare relay that sends on what it receives",
                budget=DELAY_MS_MAX,
            ),
        ],
        server_core_percent={
            "passed through": digits(passed.server_percent), "with an Opus agent": digits(agent.server_percent),
        },
        idle_core_percent=digits(passed.idle_percent), added_ms=added, whole_ms=spread(through),
        livekit_sip_core_percent=LIVEKIT_SIP, media_core=native.state,
    )  # fmt: skip


if __name__ == "__main__":
    main()
