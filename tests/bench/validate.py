"""Validation of 10,000 documents, from nothing, beside PyYAML's C loader alone on the same files.

    python -m tests.bench.validate

Ours is the whole of `reconcile validate`: imports, reading, schemas, references, clashes. Each figure is the best of
several fresh processes, alternating between the two; both time themselves from before their first import. A no-op pass
is the median of seven in a process.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.bench.figures import Figure, report

DOCUMENTS = 10_000
"""PhoneNumbers; the trunk and the rule they refer to come on top."""
RUNS = 5
BUDGET = 3.0
NO_OP_MS_MAX = 100.0

PHONE_NUMBER = """\
apiVersion: dialplane.dev/v1alpha1
kind: PhoneNumber
metadata:
  name: number-{i}
  labels: {{region: us, team: support}}
spec:
  number: "+1415{i:07d}"
  trunkRef: {{name: twilio-us}}
  dispatchRuleRef: {{name: support}}
  deletionPolicy: Retain
"""

TARGETS = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {name: twilio-us}
spec: {inbound: {allowedAddresses: [54.172.60.0/30]}}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {name: support}
spec: {rule: {direct: {room: support}}}
"""

LOADER = """
import sys, time
started, cpu = time.perf_counter(), time.process_time()
import os, yaml
count = 0
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            count += sum(1 for _ in yaml.load_all(file.read(), Loader=yaml.CSafeLoader))
print(count, time.perf_counter() - started, time.process_time() - cpu)
"""

OURS = """
import sys, time
started, cpu = time.perf_counter(), time.process_time()
import io
from contextlib import redirect_stdout
from reconciler.cli import run
said = io.StringIO()
try:
    with redirect_stdout(said):
        code = run(["validate", sys.argv[1]])
except SystemExit as exited:
    code = exited.code
took, used = time.perf_counter() - started, time.process_time() - cpu
last = said.getvalue().splitlines()[-1]
assert not code and last.endswith("no problems"), said.getvalue()[:500]
print(int(last.split()[0].replace(",", "")), took, used)
"""

NO_OP = """
import sys, time
from reconciler.manifests import folder as module
module.FRESH_NS = 0
folder = module.Folder(sys.argv[1])
folder.refresh()
passes = []
for _ in range(7):
    started, cpu = time.perf_counter(), time.process_time()
    assert not folder.refresh().changed
    passes.append((time.perf_counter() - started, time.process_time() - cpu))
print(0, *(sorted(times)[3] for times in zip(*passes)))
"""


STAT = """
import os, sys, time
passes = []
for _ in range(7):
    started, cpu = time.perf_counter(), time.process_time()
    stamps = [os.stat(os.path.join(folder, name)) for folder, _, names in os.walk(sys.argv[1]) for name in names]
    passes.append((time.perf_counter() - started, time.process_time() - cpu))
print(0, *(sorted(times)[3] for times in zip(*passes)))
"""


class Times(NamedTuple):
    """What a program took."""

    cpu_ms: float
    wall_ms: float


def measure(program: str, folder: Path) -> tuple[int, float, float]:
    """Documents, wall seconds and CPU seconds that a fresh process reports."""
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True)
    count, wall, cpu = done.stdout.split()
    return int(count), float(wall), float(cpu)


def compare(one: str, other: str, folder: Path) -> tuple[Times, Times]:
    """The best CPU and wall time of two programs, in milliseconds, of several runs in turns."""
    runs: dict[str, list[tuple[float, float]]] = {one: [], other: []}
    for _ in range(RUNS):
        counts = set()
        for program, times in runs.items():
            count, wall, cpu = measure(program, folder)
            counts.add(count)
            times.append((wall, cpu))
        assert len(counts) == 1, f"they saw different things: {counts}"
    first, second = (
        Times(round(min(cpu for _, cpu in times) * 1000, 1), round(min(wall for wall, _ in times) * 1000, 1))
        for times in runs.values()
    )
    return first, second


def write(root: Path) -> tuple[Path, Path]:
    """The same documents as a file each, a hundred to a folder, and all in one file."""
    documents = [PHONE_NUMBER.format(i=i) for i in range(DOCUMENTS)]
    many, one = root / "many", root / "one"
    one.mkdir()
    (one / "all.yaml").write_text("---\n".join([TARGETS, *documents]))
    many.mkdir()
    (many / "targets.yaml").write_text(TARGETS)
    for i, document in enumerate(documents):
        folder = many / f"{i // 100:03d}"
        folder.mkdir(exist_ok=True)
        (folder / f"{i}.yaml").write_text(document)
    return many, one


def main() -> None:
    """Make the files, measure, report."""
    with tempfile.TemporaryDirectory() as place:
        many, one = write(Path(place))
        files, files_loader = compare(OURS, LOADER, many)
        file, file_loader = compare(OURS, LOADER, one)
        no_op, stat = compare(NO_OP, STAT, many)
    loader, how = "PyYAML's C loader on the same files", f"CPU, best of {RUNS} processes"
    report(
        [
            Figure(
                id="validate-files", what="`reconcile validate`, 10,000 files, cold", how=how, value=files.cpu_ms,
                unit="ms", reference=files_loader.cpu_ms, beside=loader, budget=BUDGET, budget_is_ratio=True,
            ),
            Figure(
                id="validate-one-file", what="`reconcile validate`, 10,000 documents in one file, cold", how=how,
                value=file.cpu_ms, unit="ms", reference=file_loader.cpu_ms, beside=loader, budget=BUDGET,
                budget_is_ratio=True,
            ),
            Figure(
                id="no-op-pass", what="a pass over 10,000 unchanged files", how=how, value=no_op.cpu_ms, unit="ms",
                reference=stat.cpu_ms, beside="os.walk and os.stat alone", budget=NO_OP_MS_MAX,
            ),
        ],
        wall_ms={
            "validate files": files.wall_ms, "loader": files_loader.wall_ms, "validate one file": file.wall_ms,
            "loader on it": file_loader.wall_ms, "no-op pass": no_op.wall_ms, "stat": stat.wall_ms,
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
