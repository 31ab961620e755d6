"""Applies to LiveKit in processes that can be killed, one fork each: run as a program by test_faults.

It reads `fork` and says the child's process id, reads `go` and says how the child ended: its exit code, or the negative
of the signal. After `go 3 before` (or `after`) the child kills itself at its third write to the disk. It has everything
loaded, so that an apply costs what an apply costs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.peers import ROOT


class Killable:
    """The program, seen from a test."""

    def __init__(self, environment: Mapping[str, str], arguments: list[str], cwd: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.livekit_killed", *arguments],
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        )

    def __enter__(self) -> Killable:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()

    def run(self, before: Callable[[int], None] = lambda _: None, write: str = "") -> int:
        """One apply; `before` is given its process id, `write` says at which write it dies. How it ended."""
        pid = int(self._ask("fork"))
        before(pid)
        return int(self._ask(f"go {write}".rstrip()))

    def _ask(self, word: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


def die_at_write(count: int, when: str) -> None:
    """Kill this process before or after one of the calls that put something on the disk."""
    from schemas.stores import SqliteStore

    left = count

    def deadly(function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **more: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0 and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*arguments, **more)
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return called

    os.replace, os.fsync = deadly(os.replace), deadly(os.fsync)
    SqliteStore.publish = deadly(SqliteStore.publish)  # type: ignore[method-assign]


def main(arguments: list[str]) -> None:
    import reconciler.commands.apply
    import reconciler.targets.livekit.target  # noqa: F401 - loaded before the fork
    from reconciler.cli import run

    for line in sys.stdin:
        assert line == "fork\n"
        wait, start = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(start)
            said = os.read(wait, 64).decode().split()
            if said:
                die_at_write(int(said[0]), said[1])
            silent = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silent, 1)
            os.dup2(silent, 2)
            os._exit(run(arguments))
        print(pid, flush=True)
        go, *write = sys.stdin.readline().split()
        assert go == "go"
        os.write(start, " ".join(write).encode())
        os.close(wait)
        os.close(start)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
