"""A program on a terminal of its own: what somebody would see of it, escape sequences included."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECONDS_MAX = 60


def on_a_terminal(*words: str, cwd: Path, **environ: str) -> str:
    """Everything that `python WORDS…` writes to both streams, each of them the terminal."""
    ours, theirs = pty.openpty()
    said = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    said |= {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120", **environ}
    with subprocess.Popen(
        [sys.executable, *words], cwd=cwd, env=said, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True
    ) as running:
        os.close(theirs)
        seen = b""
        try:
            while chunk := os.read(ours, 65536):
                seen += chunk
        except OSError:  # the last one who had the other end has closed it
            pass
        os.close(ours)
        running.wait(SECONDS_MAX)
    return seen.decode()
