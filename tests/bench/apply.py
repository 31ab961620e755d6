"""`reconcile apply` of 100,000 numbers onto tables that hold nothing, beside PyYAML's C loader on the same files.

    python -m tests.bench.apply [COUNT ...]

Everything that a first apply does: imports, reading, checks, references, clashes, the plan, the safety questions, the
publish with its sync to the disk. A hundred documents to a file. Each figure is the best of some fresh processes, in
CPU seconds of user and system: a busy machine stretches the wall clock for both, and not alike. Growth is linear when
a number costs at 100,000 what it costs at 25,000.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.figures import Figure, digits, report
from tests.bench.validate import LOADER, PHONE_NUMBER, TARGETS
from tests.peers import ROOT

COUNTS = (25_000, 50_000, 100_000)
PER_FILE = 100
RUNS = 2
GROWTH_MAX = 1.25
"""Of what a number costs, from the smallest count to the largest: linear, but for measuring."""


def write(folder: Path, count: int) -> None:
    """The manifests: one trunk, one rule, and so many numbers."""
    folder.mkdir()
    (folder / "targets.yaml").write_text(TARGETS)
    for first in range(0, count, PER_FILE):
        documents = [PHONE_NUMBER.format(i=i) for i in range(first, min(count, first + PER_FILE))]
        (folder / f"{first:07}.yaml").write_text("---\n".join(documents))


def used(command: list[str]) -> tuple[float, float]:
    """CPU seconds and wall seconds of a process that must succeed."""
    began, before = time.perf_counter(), os.times()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return cpu, time.perf_counter() - began


def best(command: Callable[[int], list[str]]) -> dict[str, float]:
    """The least of some runs; each is told its number."""
    runs = [used(command(number)) for number in range(RUNS)]
    return {"cpu_s": digits(min(cpu for cpu, _ in runs)), "wall_s": digits(min(wall for _, wall in runs))}


def measured(root: Path, count: int) -> dict[str, dict[str, float]]:
    """Both, on one folder."""
    folder = root / f"manifests-{count}"
    write(folder, count)
    reconcile = [sys.executable, "-m", "reconciler"]
    return {
        "ours": best(lambda n: [*reconcile, "--state", str(root / f"state-{count}-{n}"), "apply", str(folder)]),
        "loader": best(lambda _: [sys.executable, "-c", LOADER, str(folder)]),
    }


def main() -> None:
    """Measure each count and report."""
    counts = [int(text) for text in sys.argv[1:]] or COUNTS
    with tempfile.TemporaryDirectory() as place:
        found = {count: measured(Path(place), count) for count in counts}
    first, last = counts[0], counts[-1]
    each = {count: found[count]["ours"]["cpu_s"] / count * 1e6 for count in counts}
    ours, loader = found[last]["ours"]["cpu_s"], found[last]["loader"]["cpu_s"]
    how = f"CPU, best of {RUNS} processes"
    report(
        [
            Figure(
                id="apply-from-nothing", what=f"`reconcile apply` of {last:,} numbers from nothing", how=how,
                value=ours, unit="s", reference=loader, beside="PyYAML's C loader on the same files", budget=4.0,
                budget_is_ratio=True,
            ),
            Figure(
                id="apply-growth", what=f"`reconcile apply`, per number at {last:,}", how=how, value=each[last],
                unit="µs", reference=each[first], beside=f"per number at {first:,}", budget=GROWTH_MAX,
                budget_is_ratio=True,
            ),
        ],
        by_count={str(count): found[count] for count in counts},
    )  # fmt: skip


if __name__ == "__main__":
    main()
