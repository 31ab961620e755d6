"""`bridge up` keeps a reconciler beside it: a child process that they share nothing with but the store.

The child's standard input is a pipe of ours, so that it ends when this process does, however that ends; it has a
session of its own, so that a Ctrl-C is for this process alone. When it dies it
is started again, after a pause that doubles; the bridge goes on with the last good tables meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

PAUSE_S_MIN = 1.0
PAUSE_S_MAX = 30.0
STOP_GRACE_S = 3.0


class ReconcilerChild:
    """Runs `reconcile watch DIR`; `log(event, **fields)` hears of its deaths."""

    def __init__(self, folder: Path, state: Path, tables: str, log: Callable[..., None]) -> None:
        # -P: the working folder is no place for modules; a yaml.py that lies there must not run.
        self._command = [
            sys.executable, "-P", "-m", "reconciler", "--state", str(state),
            "watch", str(folder), "--exit-with-parent",
        ]  # fmt: skip
        # Not a word of the command line, which everybody on this machine can read: it may hold a password.
        self._environment = {**os.environ, "DIALPLANE_TABLES": tables}
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start it on the running loop, and keep it running."""
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End it; it gets a moment to finish."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_GRACE_S)
            except TimeoutError:
                process.kill()
                await process.wait()

    async def _keep(self) -> None:
        pause_s = PAUSE_S_MIN
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, start_new_session=True, env=self._environment
            )
            code = await self._process.wait()
            if loop.time() - began > PAUSE_S_MAX:
                pause_s = PAUSE_S_MIN
            self._log("the reconciler ended; calls go on with the last good tables", code=code, again_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_S_MAX)
