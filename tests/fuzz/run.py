"""`make fuzz`: every target under Atheris, which follows the branches that an input takes and looks for new ones.

    python -m tests.fuzz.run [--minutes 10] [--jobs 2] [TARGET ...]

Each target runs in a process of its own. What it learned stays in `.fuzz/corpus` for the next run, an input that broke
a law in `.fuzz/findings`: put a small one into `tests/fuzz/corpus/TARGET`, where `make test` runs it ever after. Prints
a table to standard error and JSON to standard output; fails when anything was found.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".fuzz"
INPUT_S_MAX = 10
"""One input that takes longer, with the tracing's own cost in it, is a finding."""
RSS_MB_MAX = 2048

_EXECUTED = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_COVERED = re.compile(r"cov: (\d+)")


def fuzz(name: str) -> None:
    """In a process of its own: hand one target to Atheris. Never returns."""
    import atheris  # arrives with the dependency group `fuzz` alone

    with atheris.instrument_imports(include=["runtime", "reconciler", "schemas"]):
        from tests.fuzz.targets import TARGETS
    atheris.Setup(sys.argv, TARGETS[name].fuzz_one)
    atheris.Fuzz()


def prepared(name: str) -> list[str]:
    """The fuzzer's options for a target: its seeds, words and folders, all in place."""
    from tests.fuzz.targets import TARGETS

    target = TARGETS[name]
    folders = {part: HOME / part / name for part in ("corpus", "seeds", "findings")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (folders["seeds"] / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed[: target.bytes_max])
    words = HOME / f"{name}.words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    known = [f"-dict={words}"] if target.words else []  # an empty file ends the fuzzer
    given = [str(folders["corpus"]), str(folders["seeds"])]
    kept = ROOT / "tests" / "fuzz" / "corpus" / name
    if kept.is_dir():
        given.append(str(kept))
    return [
        f"-max_len={target.bytes_max}", *known, f"-artifact_prefix={folders['findings']}/",
        f"-timeout={INPUT_S_MAX}", f"-rss_limit_mb={RSS_MB_MAX}", "-print_final_stats=1", *given,
    ]  # fmt: skip


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def run(name: str, minutes: float) -> dict[str, object]:
    """One target for so long: executions, branches seen, and what was found."""
    began = time.monotonic()
    command = [sys.executable, "-m", "tests.fuzz.run", "--child", name, f"-max_total_time={round(minutes * 60)}"]
    done = subprocess.run(
        [*command, *prepared(name)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    said = done.stdout.decode(errors="replace")
    (HOME / f"{name}.log").write_text(said)
    executed, covered = _EXECUTED.findall(said), _COVERED.findall(said)
    found = "" if done.returncode == 0 else said[said.find(" === ") :][:3000] or said[-3000:]
    return {
        "target": name,
        "minutes": round((time.monotonic() - began) / 60, 1),
        "executions": int(executed[-1]) if executed else 0,
        "branches": int(covered[-1]) if covered else 0,
        "finding": found,
    }


def main() -> int:
    """Run the targets, some at a time."""
    from tests.fuzz.targets import TARGETS

    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)} (default: all)")
    options.add_argument("--minutes", type=float, default=10.0, help="for each target")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    chosen = options.parse_args()
    names = chosen.targets or list(TARGETS)
    with ThreadPoolExecutor(chosen.jobs) as pool:
        results = list(pool.map(lambda name: run(name, chosen.minutes), names))
    for result in results:
        verdict = "FOUND something" if result["finding"] else "clean"
        print(
            f"{result['target']:10} {result['minutes']:6} min {result['executions']:>12,} executions "
            f"{result['branches']:>6} branches   {verdict}",
            file=sys.stderr,
        )
        if result["finding"]:
            print(f"{result['finding']}\n  the input: {HOME / 'findings' / str(result['target'])}", file=sys.stderr)
    print(json.dumps(results))
    return 1 if any(result["finding"] for result in results) else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _, _, chosen_target, *rest = sys.argv
        sys.argv = [sys.argv[0], *rest]
        fuzz(chosen_target)
    else:
        sys.exit(main())
