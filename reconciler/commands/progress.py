"""How far a long command is: a bar on a terminal, after a second, and nothing at all in a pipe.

Whoever does the work counts, by two assignments; a thread of its own looks ten times a second and draws.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE_S = 1.0
"""Work that takes longer than this shows that it goes on."""
LOOK_S = 0.1


class Progress:
    """Of a piece of work: `done` of `total` parts; 0 = nobody knows how many there are."""

    __slots__ = ("done", "total")

    def __init__(self) -> None:
        self.done = self.total = 0

    def note(self, done: int, total: int) -> None:
        """Say how far it is."""
        self.done, self.total = done, total


@contextmanager
def patience(what: str) -> Iterator[Progress]:
    """Show on a terminal that `what` goes on, once it has taken a while, and how far it is where that is noted."""
    progress = Progress()
    if not sys.stderr.isatty():
        yield progress
        return
    over = threading.Event()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # who shows progress has a cursor to give back
    thread = threading.Thread(target=_show, args=(what, progress, over), daemon=True)
    thread.start()
    try:
        yield progress
    finally:
        over.set()
        thread.join()
        signal.signal(signal.SIGINT, before)


def _show(what: str, progress: Progress, over: threading.Event) -> None:
    if over.wait(PATIENCE_S):
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task(what, total=None)
        while True:
            bar.update(task, completed=progress.done, total=progress.total or None, refresh=True)
            if over.wait(LOOK_S):
                return
