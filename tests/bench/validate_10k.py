"""Validation of 10,000 documents, from nothing, beside PyYAML's C loader alone on the same files.

Run `python tests/bench/validate_10k.py [--json FILE]`. Ours is the whole of `reconcile validate`: imports, reading,
schemas, references, clashes. Each figure is the best of several fresh processes, alternating between the two; both
time themselves from before their first import. The budget: at most three times the C loader.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

DOCUMENTS = 10_000
"""PhoneNumbers; the trunk and the rule they refer to come on top."""
RUNS = 5
BUDGET = 3.0

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
wall, cpu = sorted(passes)[3]
print(0, wall, cpu)
"""


def measure(program: str, folder: Path) -> tuple[int, float, float]:
    """Documents, wall seconds and CPU seconds that a fresh process reports."""
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True)
    count, wall, cpu = done.stdout.split()
    return int(count), float(wall), float(cpu)


def compare(folder: Path) -> dict[str, float]:
    """The best of several alternating runs of both; milliseconds, and the ratio of CPU time."""
    runs: dict[str, list[tuple[float, float]]] = {LOADER: [], OURS: []}
    for _ in range(RUNS):
        for program, times in runs.items():
            count, wall, cpu = measure(program, folder)
            assert count == DOCUMENTS + 2, (count, program)
            times.append((wall, cpu))
    loader_ms, ours_ms = (min(wall for wall, _ in times) * 1000 for times in runs.values())
    loader_cpu_ms, ours_cpu_ms = (min(cpu for _, cpu in times) * 1000 for times in runs.values())
    return {
        "loader_ms": round(loader_ms, 1),
        "ours_ms": round(ours_ms, 1),
        "ratio": round(ours_ms / loader_ms, 2),
        "loader_cpu_ms": round(loader_cpu_ms, 1),
        "ours_cpu_ms": round(ours_cpu_ms, 1),
        "ratio_cpu": round(ours_cpu_ms / loader_cpu_ms, 2),
    }


def main() -> None:
    """Make the files, measure, report."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", type=Path, help="also write the figures there")
    to = options.parse_args().json
    documents = [PHONE_NUMBER.format(i=i) for i in range(DOCUMENTS)]
    with tempfile.TemporaryDirectory() as name:
        many, one = Path(name) / "many", Path(name) / "one"
        one.mkdir()
        (one / "all.yaml").write_text("---\n".join([TARGETS, *documents]))
        many.mkdir()
        (many / "targets.yaml").write_text(TARGETS)
        for i, document in enumerate(documents):
            folder = many / f"{i // 100:03d}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{i}.yaml").write_text(document)
        figures = {"many_files": compare(many), "one_file": compare(one)}
        _, wall, cpu = measure(NO_OP, many)
    report = {
        "documents": DOCUMENTS,
        "budget_ratio": BUDGET,
        **figures,
        "no_op_pass_ms": round(wall * 1000, 1),
        "no_op_pass_cpu_ms": round(cpu * 1000, 1),
    }
    print(f"validate, {DOCUMENTS:,} documents, cold (budget: {BUDGET:.0f} x PyYAML's C loader)")
    for title, row in (("10,000 files", figures["many_files"]), ("one file", figures["one_file"])):
        print(f"  {title:13} {row['ours_ms']:8.0f} ms   C loader {row['loader_ms']:8.0f} ms   {row['ratio']:.2f} x")
    print(f"  a pass over 10,000 unchanged files: {report['no_op_pass_ms']} ms (budget: 100 ms)")
    print(json.dumps(report))
    if to:
        to.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
