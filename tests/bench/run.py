"""`make bench`: every benchmark one after the other, each figure beside its reference, into `results.json`.

    python -m tests.bench.run [BENCH ...]

Each benchmark is a module of this folder, run in a process of its own; what it finds replaces what the file had of it,
and what the others found before stays. With each stands the machine, the date, the commit, and how much of the machine
others used meanwhile: figures by the wall clock need a quiet one. `RESULTS.md` and the README's table are written anew
at the end. Nothing here fails because something is slow; a benchmark that fails otherwise leaves its old figures, and
the rest goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

from tests.bench import results
from tests.bench.machine import busy_s, commit, machine
from tests.peers import ROOT

BENCHES = {
    "parse": 5,
    "tick": 10,
    "route": 60,
    "store": 90,
    "redis_store": 120,
    "validate": 60,
    "apply": 90,
    "edit": 60,
    "setups": 60,
    "transports": 120,
    "flood": 260,
    "calls": 60,
    "delay": 60,
    "quality": 90,
    "chain": 190,
    "reload": 60,
    "livekit_calls": 130,
    "livekit_applies": 180,
    "operator": 240,
    "soak": 3620,
}
"""What there is, in the order of `make bench`, and about how many seconds each takes."""
ONLY_BY_NAME = {"soak"}
"""What takes too long to be run unasked."""


class FailedError(Exception):
    """A benchmark ended in a fault of its own; what it said was printed."""


def run(name: str, place: str) -> dict[str, Any] | None:
    """One benchmark: its figures and what they were found on. None when it says that a peer is missing."""
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    began, busy, own = time.monotonic(), busy_s(), _own_s()
    command = [sys.executable, "-m", f"tests.bench.{name}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while True:
            about = f"{place} {name}: {time.monotonic() - began:.0f} s of about {BENCHES[name]} s"
            if clear:
                print(clear + about, end="", file=sys.stderr, flush=True)
            try:
                said, told = process.communicate(timeout=1)
                break
            except subprocess.TimeoutExpired:
                continue
    wall = time.monotonic() - began
    others = max(0.0, busy_s() - busy - (_own_s() - own)) / wall / (os.cpu_count() or 1)
    print(f"{clear}{place} {name}: {wall:.0f} s\n{told}", end="", file=sys.stderr, flush=True)
    if process.returncode != 0:
        raise FailedError(name)
    if not said:
        return None
    found: dict[str, Any] = json.loads(said)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit(),
        "seconds": round(wall),
        "others_percent": round(others * 100, 1),
        "machine": machine(),
        **found,
    }


def _own_s() -> float:
    """CPU seconds of all processes that were waited for."""
    times = os.times()
    return times.children_user + times.children_system


def main() -> None:
    """Run what was asked for, and save after each: a run that is broken off keeps what it had."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument(
        "benches",
        nargs="*",
        metavar="BENCH",
        help=f"of {', '.join(BENCHES)} (default: all but {', '.join(ONLY_BY_NAME)})",
    )
    chosen = options.parse_args().benches or [name for name in BENCHES if name not in ONLY_BY_NAME]
    if unknown := set(chosen) - BENCHES.keys():
        options.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    saved = results.load()
    failed: list[str] = []
    for number, name in enumerate(chosen, 1):
        try:
            found = run(name, f"[{number}/{len(chosen)}]")
        except FailedError:
            failed.append(name)
            continue
        if found is not None:
            saved["benches"][name] = found
            results.save(saved, list(BENCHES))
    results.render(saved)
    files = ", ".join(str(path.relative_to(ROOT)) for path in (results.JSON, results.REPORT, results.README))
    print(f"written: {files}", file=sys.stderr)
    if failed:
        raise SystemExit(f"failed, and left as they were in results.json: {', '.join(failed)}")


if __name__ == "__main__":
    main()
