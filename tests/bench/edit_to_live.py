"""How long an edit takes to be live: one of 10,000 files is changed, until a reader of the tables sees the revision.

Run it by hand: `python tests/bench/edit_to_live.py [--documents N] [--edits N]`. The reader polls every 10 ms, as a
bridge does, so the figures hold what a caller would notice. Beside it stands a reference in the same run: a bare
watcher that does the least possible work (watchfiles, read the file, write one row into SQLite with the same
durability) and waits for no quiet. Prints a table, then one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

POLL_S = 0.010
WAIT_S_MAX = 60.0
PAUSE_S = 0.12
"""Between two edits, so that each is a change of its own."""

RULES_EVERY = 10
TRUNKS = 10

BARE = """
import os, sqlite3, sys
from watchfiles import watch
folder, tables = sys.argv[1:]
db = sqlite3.connect(tables, isolation_level=None)
db.execute("PRAGMA journal_mode=WAL"); db.execute("PRAGMA synchronous=FULL")
db.execute("CREATE TABLE IF NOT EXISTS rows (id TEXT PRIMARY KEY, data BLOB)")
print("watching", flush=True)
for changes in watch(folder, debounce=50, step=5, watch_filter=None):
    for _, path in changes:
        if path.endswith(".yaml") and os.path.exists(path):
            with open(path, "rb") as file:
                db.execute("INSERT OR REPLACE INTO rows VALUES (?, ?)", (path, file.read()))
"""


def document(index: int, version: int = 0) -> str:
    """The text of one file: mostly numbers, some rules, a few trunks."""
    head = "apiVersion: dialplane.dev/v1alpha1\n"
    if index < TRUNKS:
        spec = f"{{inbound: {{allowedAddresses: [10.{index}.0.0/16]}}}}"
        return f"{head}kind: Trunk\nmetadata: {{name: trunk-{index}}}\nspec: {spec}\n"
    if index % RULES_EVERY == 0:
        spec = f"  trunkRefs: [{{name: trunk-{index % TRUNKS}}}]\n  match: {{to: ['+1999{index:07}']}}\n"
        spec += f"  rule: {{direct: {{room: room-{version}}}}}\n"
        return f"{head}kind: DispatchRule\nmetadata: {{name: rule-{index}}}\nspec:\n{spec}"
    rule = max(RULES_EVERY, index - index % RULES_EVERY)
    spec = f"  number: '+1415{index:07}'\n  trunkRef: {{name: trunk-{index % TRUNKS}}}\n"
    spec += f"  dispatchRuleRef: {{name: rule-{rule}}}\n"
    return f"{head}kind: PhoneNumber\nmetadata: {{name: number-{index}}}\nspec:\n{spec}"


def write(folder: Path, index: int, version: int = 0) -> None:
    """Put one document in place atomically, as editors and deployments do."""
    path = folder / f"{index:06}.yaml"
    fresh = folder / f".{index:06}.tmp"
    fresh.write_text(document(index, version))
    os.replace(fresh, path)


def edits(folder: Path, count: int, documents: int, version: Callable[[], int]) -> list[float]:
    """Edit rules one after the other; the milliseconds until `version` is another one, of each."""
    out = []
    rules = list(range(TRUNKS + -TRUNKS % RULES_EVERY, documents, RULES_EVERY))
    for number in range(count):
        before = version()
        began = time.perf_counter()
        write(folder, rules[number % len(rules)], number + 1)
        while version() == before:
            if time.perf_counter() - began > WAIT_S_MAX:
                raise SystemExit("an edit did not become live")
            time.sleep(POLL_S)
        out.append((time.perf_counter() - began) * 1000)
        time.sleep(PAUSE_S)
    return out


def figures(milliseconds: list[float]) -> dict[str, float]:
    """p50, p99 and the longest."""
    ordered = sorted(milliseconds)
    p99 = ordered[min(len(ordered) - 1, round(len(ordered) * 0.99))]
    return {"p50_ms": round(statistics.median(ordered), 1), "p99_ms": round(p99, 1), "max_ms": round(ordered[-1], 1)}


def measured(
    command: list[str], folder: Path, count: int, documents: int, version: Callable[[], int]
) -> dict[str, float]:
    """Start a watcher, wait until it says that it watches, edit; figures, start-up time and memory."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as watcher:
        assert watcher.stdout is not None
        for line in watcher.stdout:
            if line.startswith("watching"):
                break
        started = time.perf_counter() - began
        time.sleep(1)
        out = figures(edits(folder, count, documents, version))
        status = Path(f"/proc/{watcher.pid}/status").read_text()
        memory = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        watcher.terminate()
    return {**out, "start_s": round(started, 2), "rss_mb": round(memory / 1024, 1)}


def data_version(tables: Path) -> Callable[[], int]:
    """What a bridge polls."""
    db = sqlite3.connect(tables, isolation_level=None)
    return lambda: db.execute("PRAGMA data_version").fetchone()[0]


def main() -> None:
    """Both measurements in one folder each, and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--edits", type=int, default=100)
    asked = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        folder = root / "manifests"
        folder.mkdir()
        for index in range(asked.documents):
            write(folder, index)
        reconcile = [sys.executable, "-m", "reconciler", "--state", str(root / "state")]
        subprocess.run([*reconcile, "apply", str(folder)], check=True, stdout=subprocess.DEVNULL)
        ours, bare = root / "state" / "tables.db", root / "bare.db"
        with sqlite3.connect(bare) as made:
            made.execute("PRAGMA journal_mode=WAL")
        watch = [*reconcile, "watch", str(folder)]
        results["reconcile watch"] = measured(watch, folder, asked.edits, asked.documents, data_version(ours))
        command = [sys.executable, "-c", BARE, str(folder), str(bare)]
        results["bare watchfiles + SQLite"] = measured(
            command, folder, asked.edits, asked.documents, data_version(bare)
        )
    print(f"{asked.documents:,} documents, {asked.edits} edits, a reader that polls every {POLL_S * 1000:.0f} ms")
    for name, values in results.items():
        print(f"  {name:26}" + "".join(f"{key} {value:>8}   " for key, value in values.items()))
    print(json.dumps({"documents": asked.documents, "edits": asked.edits, "results": results}))


if __name__ == "__main__":
    main()
