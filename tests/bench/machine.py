"""Where figures come from, and what processes on it used: CPU seconds and resident memory."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tests.peers import ROOT

TICK_HZ = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """CPU seconds of one process, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK_HZ


def rss_kib(pid: int) -> int:
    """Resident memory of one process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def needs(peer: str) -> None:
    """End the process, with a word why and no figures, where a peer is missing."""
    if shutil.which(peer) is None:
        print(f"  skipped: needs {peer} (Debian: sip-tester)", file=sys.stderr)
        raise SystemExit(0)


def machine() -> dict[str, object]:
    """What figures of one file must have in common."""
    return {"cores": os.cpu_count(), "cpu": _cpu(), "python": platform.python_version(), "system": platform.system()}


def busy_s() -> float:
    """CPU seconds that the whole machine has worked since it started, or was not given by its host."""
    user, nice, system, _idle, _iowait, irq, softirq, steal, *_ = Path("/proc/stat").read_text().split()[1:]
    return sum(map(int, (user, nice, system, irq, softirq, steal))) / TICK_HZ


def commit() -> str:
    """What is measured; `+` behind it when the program's files differ from it, nothing outside of a repository."""
    head = _git("rev-parse", "--short", "HEAD")
    return head + ("+" if _git("status", "--porcelain", "--", "reconciler", "runtime", "schemas") else "")


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
