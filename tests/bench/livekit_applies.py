"""What it costs to keep thousands of objects at a genuine livekit-server, beside a bare loop over livekit-api.

    LIVEKIT_SERVER=… python -m tests.bench.livekit_applies [--pairs 2000] [--numbers 10000]

A pair is an inbound trunk with a rule that names it. The bare loop creates the same pairs in an empty server, one after
the other as a script would, nothing compared, read again or marked; `reconcile apply` then does it.
Applied again it has nothing to do; beside it stands one listing of everything. The server itself looks at every
object for each create, so that both grow with the square. Numbers are planned, not applied: at our own tables beside
PyYAML's C loader on the same files, and at LiveKit, where they stand on trunks, beside the same at our tables.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from livekit import api
from livekit.protocol import sip

from tests.bench.apply import used
from tests.bench.figures import Figure, digits, report
from tests.bench.machine import needs
from tests.bench.validate import LOADER
from tests.livekit_peers import KEY, PROGRAM, SECRET
from tests.livekit_telephony import Telephony

PAIRS, NUMBERS = 2_000, 10_000
NUMBERS_PER_TRUNK = 500
PER_FILE = 100
RUNS = 2
APPLY_MAX, NO_OP_S_MAX, PLAN_S_MAX = 3.0, 5.0, 5.0
TRUNK = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {{name: t-{i}}}
spec:
  inbound: {{allowedAddresses: [10.{high}.{low}.0/24], calledNumbers: declared}}
---
"""
NUMBER = """\
apiVersion: dialplane.dev/v1alpha1
kind: PhoneNumber
metadata: {{name: n-{i}}}
spec: {{number: "+1415{i:07}", trunkRef: {{name: t-{trunk}}}, direction: inbound}}
---
"""
RULE = """\
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {{name: r-{i}}}
spec:
  trunkRefs: [{{name: t-{i}}}]
  rule: {{direct: {{room: room-{i}}}}}
---
"""


def pair(i: int) -> str:
    """One trunk, its number, and the rule for it."""
    return TRUNK.format(i=i, high=i // 256, low=i % 256) + NUMBER.format(i=i, trunk=i) + RULE.format(i=i)


def write(folder: Path, documents: list[str]) -> None:
    """Manifests, so many texts to a file."""
    folder.mkdir()
    for first in range(0, len(documents), PER_FILE):
        (folder / f"{first:07}.yaml").write_text("".join(documents[first : first + PER_FILE]).removesuffix("---\n"))


def numbers(count: int) -> list[str]:
    """So many numbers on as few trunks as may hold them."""
    trunks = [
        TRUNK.format(i=i, high=i // 256, low=i % 256) + RULE.format(i=i) for i in range(-(-count // NUMBERS_PER_TRUNK))
    ]
    return trunks + [NUMBER.format(i=i, trunk=i // NUMBERS_PER_TRUNK) for i in range(count)]


async def bare(server: Telephony, pairs: int) -> float:
    """Seconds of a loop that creates the same objects and does nothing else."""
    async with api.LiveKitAPI(server.url, KEY, SECRET) as livekit:
        began = time.perf_counter()
        for i in range(pairs):
            info = sip.SIPInboundTrunkInfo(
                name=f"t-{i}", numbers=[f"+1415{i:07}"], allowed_addresses=[f"10.{i // 256}.{i % 256}.0/24"]
            )
            made = await livekit.sip.create_inbound_trunk(sip.CreateSIPInboundTrunkRequest(trunk=info))
            rule = sip.SIPDispatchRuleInfo(name=f"r-{i}", trunk_ids=[made.sip_trunk_id])
            rule.rule.dispatch_rule_direct.room_name = f"room-{i}"
            await livekit.sip.create_dispatch_rule(sip.CreateSIPDispatchRuleRequest(dispatch_rule=rule))
        return time.perf_counter() - began


async def listed(server: Telephony) -> float:
    """Seconds of one listing of everything."""
    async with api.LiveKitAPI(server.url, KEY, SECRET) as livekit:
        began = time.perf_counter()
        await livekit.sip.list_inbound_trunk(sip.ListSIPInboundTrunkRequest())
        await livekit.sip.list_outbound_trunk(sip.ListSIPOutboundTrunkRequest())
        await livekit.sip.list_dispatch_rule(sip.ListSIPDispatchRuleRequest())
        return time.perf_counter() - began


def reconcile(*words: str) -> list[str]:
    """The command line of one run."""
    return [sys.executable, "-m", "reconciler", *words]


def applied(server: Telephony, root: Path, pairs: int) -> dict[str, Any]:
    """The pairs, by the bare loop and by us, and once more."""
    folder, state = root / "pairs", str(root / "state")
    write(folder, [pair(i) for i in range(pairs)])
    loop = asyncio.run(bare(server, pairs))
    server.empty()
    at = ("--state", state)
    first_cpu, first = used(reconcile(*at, "apply", str(folder), "--target", "livekit"))
    again = [used(reconcile(*at, "apply", str(folder), "--target", "livekit")) for _ in range(RUNS)]
    listing = min(asyncio.run(listed(server)) for _ in range(RUNS))
    no_op_cpu, no_op = min(cpu for cpu, _ in again), min(wall for _, wall in again)
    return {
        "bare_s": digits(loop), "apply_s": digits(first), "apply_cpu_s": digits(first_cpu), "no_op_s": digits(no_op),
        "no_op_cpu_s": digits(no_op_cpu), "listing_s": digits(listing),
    }  # fmt: skip


def planned(server: Telephony, root: Path, count: int) -> dict[str, float]:
    """CPU seconds of a plan of so many numbers: at our tables, at an empty LiveKit server, and of a bare loader."""
    server.empty()
    folder = root / "numbers"
    write(folder, numbers(count))
    at = ("--state", str(root / "elsewhere"))
    runs = {
        "tables_cpu_s": reconcile(*at, "plan", str(folder)),
        "livekit_cpu_s": reconcile(*at, "plan", str(folder), "--target", "livekit"),
        "loader_cpu_s": [sys.executable, "-c", LOADER, str(folder)],
    }
    return {name: digits(min(used(command)[0] for _ in range(RUNS))) for name, command in runs.items()}


def main() -> None:
    """Measure and report."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pairs", type=int, default=PAIRS)
    options.add_argument("--numbers", type=int, default=NUMBERS)
    given = options.parse_args()
    needs(PROGRAM or "livekit-server")
    needs("redis-server")
    with tempfile.TemporaryDirectory() as place, Telephony(Path(place) / "livekit") as server:
        assert isinstance(server, Telephony)
        os.environ.update(server.environment)
        pairs = applied(server, Path(place), given.pairs)
        plans = planned(server, Path(place), given.numbers)
    what, count = f"{given.pairs:,} trunks with a rule each", f"{given.numbers:,} numbers"
    cpu = f"CPU, best of {RUNS} processes"
    report(
        [
            Figure(
                id="livekit-apply", what=f"`reconcile apply --target livekit` of {what} onto nothing",
                how="wall clock, once", value=pairs["apply_s"], unit="s", reference=pairs["bare_s"],
                beside="a bare loop over livekit-api that creates the same", budget=APPLY_MAX, budget_is_ratio=True,
            ),
            Figure(
                id="livekit-no-op", what=f"the same again, with nothing to do: {what}", how=cpu,
                value=pairs["no_op_cpu_s"], unit="s", reference=pairs["listing_s"],
                beside="the wall clock of one listing of everything",
                budget=NO_OP_S_MAX,
            ),
            Figure(
                id="plan-numbers", what=f"`reconcile plan` of {count} onto nothing",
                how=cpu,
                value=plans["tables_cpu_s"], unit="s", reference=plans["loader_cpu_s"],
                beside="PyYAML's C loader on the same files", budget=PLAN_S_MAX,
            ),
            Figure(
                id="plan-numbers-livekit", what=f"`reconcile plan --target livekit` of {count} onto nothing",
                how=cpu,
                value=plans["livekit_cpu_s"], unit="s", reference=plans["tables_cpu_s"],
                beside="the same manifests at our own tables",
            ),
        ],
        pairs=pairs, plans=plans,
    )  # fmt: skip


if __name__ == "__main__":
    main()
