"""Tells when the manifests have changed and have settled: file system events, and a regular look of its own.

The watch loop iterates over `watch(folder)` and refreshes the folder by each batch. Besides plain edits it sees what
deployment tools do: a folder that is a link and is switched over (git-sync), a `..data` link switched inside it
(ConfigMap), a folder removed and made again, a checkout of a thousand files. Events only make it fast; the regular look
makes it right.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import dataclass

from watchfiles import Change, awatch

from reconciler.manifests.files import Look, is_kustomization, is_manifest
from reconciler.manifests.folder import Folder
from reconciler.manifests.quiet import Batch, Quiet

SWEEP_EVERY_S = 5.0
LOOK_AGAIN_S = 0.5
LOOKS_LOST_MAX = 5
"""A regular look that an edit has overtaken is taken again, but not for ever."""
EVENT_STEP_MS = 5
"""How often the events of the manifests are looked at: the delay of an edit is one or two of these."""
EVENT_BURST_MS = 50
PARENT_STEP_MS = 50
LINKS_MAX = 40

FileChange = tuple[Change, str]


@dataclass(frozen=True, slots=True)
class Target:
    """What to watch for a source: its real folder (None: not there), and the folders of the links that lead to it."""

    real: str | None
    identity: tuple[int, int] | None
    parents: frozenset[str]
    is_file: bool = False


async def watch(folder: Folder) -> AsyncIterator[Batch]:
    """Batches of settled changes, for ever; the first at once: everything, when the watch already stands."""
    watcher = _Watcher(folder)
    try:
        await watcher.stand()
        yield Batch(everything=True)
        while True:
            yield await watcher.next_batch()
    finally:
        await watcher.rest()


def target_of(source: str) -> Target:
    """Where `source` leads now."""
    path = os.path.abspath(source)
    parents = {_nearest_folder(os.path.dirname(path))}
    parents |= set(_folders_of_links(path))
    try:
        status = os.stat(path)
    except OSError:
        return Target(None, None, frozenset(parents))
    real = os.path.realpath(path)
    identity = (status.st_dev, status.st_ino)
    if os.path.isdir(real):
        return Target(real, identity, frozenset(parents))
    return Target(os.path.dirname(real), identity, frozenset(parents), is_file=True)


class Sieve:
    """Which events are about manifests: from paths under the watched folder to paths as the source names them."""

    def __init__(self, folder: Folder, target: Target) -> None:
        self._folder = folder
        self._root = (target.real or "") + "/"
        self._is_file = target.is_file

    def sift(self, paths: Iterable[str]) -> tuple[set[str], bool]:
        """The manifests among `paths`, and whether a full look is needed."""
        named: set[str] = set()
        everything = False
        for path in paths:
            verdict = self._one(path)
            if verdict is True:
                everything = True
            elif verdict is not False:
                named.add(verdict)
        return named, everything

    def _one(self, path: str) -> str | bool:
        """The manifest's path as the source names it; True: look at everything; False: no concern of ours."""
        below = path.removeprefix(self._root) if path.startswith(self._root) else ""
        steps = below.split("/")
        if self._is_file:
            source = self._folder.source
            same = steps[-1] in (os.path.basename(source), os.path.basename(os.path.realpath(source)))
            return source if same else steps[0].startswith("..")
        if not below or any(step.startswith("..") for step in steps):
            return True
        if any(step.startswith(".") for step in steps):
            return False
        source = self._folder.source
        name = below if source == "." else f"{source.rstrip('/')}/{below}"
        if name in self._folder.folders or is_kustomization(steps[-1]) or os.path.isdir(path):
            return True
        if not is_manifest(steps[-1]):
            return False
        around = name.rpartition("/")[0] if len(steps) > 1 else source
        return name if around in self._folder.folders else True


class _Watcher:
    """The event streams of one target, set up again whenever the source leads elsewhere."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._quiet = Quiet()
        self._events: asyncio.Queue[set[FileChange] | None] = asyncio.Queue()
        self._look: asyncio.Task[Look] | None = None
        self._looks_lost = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._target = Target(None, None, frozenset())
        self._sieve = Sieve(folder, self._target)
        self._lock = ""
        self._clock = asyncio.get_running_loop().time
        self._next_sweep = self._clock() + SWEEP_EVERY_S

    async def stand(self) -> None:
        """Watch what the source leads to now."""
        await self.fall()
        self._target = target_of(self._folder.source)
        self._sieve = Sieve(self._folder, self._target)
        self._lock = _git_lock(self._target.real) if self._target.real else ""
        if self._target.real:
            self._tasks.append(asyncio.create_task(self._pump_manifests(self._target.real)))
        self._tasks.append(asyncio.create_task(self._pump_parents(self._target.parents)))
        await asyncio.sleep(0)  # lets each task set up its watch, which it does before it first waits

    async def fall(self) -> None:
        """End all event streams."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def rest(self) -> None:
        """End everything."""
        await self.fall()
        if self._look is not None:
            await asyncio.gather(self._look, return_exceptions=True)

    async def next_batch(self) -> Batch:
        """Wait for changes to settle, or for the regular look to be due."""
        while True:
            deadline = self._quiet.deadline()
            try:
                async with asyncio.timeout_at(self._wake_at(deadline)):
                    events = await self._events.get()
            except TimeoutError:
                pass
            else:
                await self._notice(events)
            if batch := await self._due():
                return batch

    def _wake_at(self, deadline: float | None) -> float | None:
        """When something is due even if no event comes; None = a look is under way, and will be an event itself."""
        if self._look is not None:
            return self._clock() if self._look.done() else deadline
        return min(self._next_sweep, deadline or self._next_sweep)

    async def _notice(self, events: set[FileChange] | None) -> None:
        """Take events in; None: something happened around the source, not in it."""
        paths = {path for _, path in events or ()}
        named, everything = self._sieve.sift(paths)
        if events is None or everything:
            # A folder that was removed and made again may have its old inode, so an event of its own settles it.
            everything = await self._stand_again(by_force=self._target.real in paths) or everything
        replaced = len(named) == 1 and self._was_replaced(next(iter(named)), events or set())
        self._quiet.notice(named, self._clock(), everything=everything, locked=self._is_locked(), replaced=replaced)

    def _was_replaced(self, name: str, events: set[FileChange]) -> bool:
        """Whether another file was put in the place of a known one in one step: it is added, and never written to."""
        last = name.rpartition("/")[2]
        return self._folder.knows(name) and {kind for kind, path in events if path.endswith(last)} == {Change.added}

    async def _due(self) -> Batch | None:
        now = self._clock()
        batch = self._quiet.take(now, locked=self._is_locked())
        if batch is None and self._look is not None and self._look.done():
            look, self._look = self._look.result(), None
            if not self._folder.is_current(look) and self._looks_lost < LOOKS_LOST_MAX:
                self._looks_lost, self._next_sweep = self._looks_lost + 1, now + LOOK_AGAIN_S
                return None
            self._looks_lost = 0
            trouble = self._trouble()
            await self._stand_again()
            batch = Batch(everything=True, swept=True, trouble=trouble, look=look)
        elif batch is None and self._look is None and now >= self._next_sweep:
            # Ten thousand files take a while to look at: an edit that comes meanwhile need not wait for it.
            self._look = asyncio.create_task(asyncio.to_thread(self._folder.look))
            self._look.add_done_callback(lambda _: self._events.put_nowait(set()))
        if batch is not None and batch.everything:
            self._next_sweep = now + SWEEP_EVERY_S
        return batch

    async def _stand_again(self, *, by_force: bool = False) -> bool:
        """Watch anew if the source leads elsewhere, or a watch broke down; whether it leads elsewhere."""
        broken = any(task.done() for task in self._tasks)
        moved = target_of(self._folder.source) != self._target
        if broken or moved or by_force:
            await self.stand()
        return moved

    def _trouble(self) -> str:
        """Why an event stream ended by itself: too many watches, as a rule."""
        failures = (task.exception() for task in self._tasks if task.done() and not task.cancelled())
        return "; ".join(str(failure) for failure in failures if failure and self._target.real)

    def _is_locked(self) -> bool:
        return bool(self._lock) and os.path.exists(self._lock)

    async def _pump_manifests(self, real: str) -> None:
        stream = awatch(
            real,
            watch_filter=None,
            debounce=EVENT_BURST_MS,
            step=EVENT_STEP_MS,
            recursive=not self._target.is_file,
            ignore_permission_denied=True,
        )
        async with aclosing(stream):
            async for changes in stream:
                self._events.put_nowait(changes)

    async def _pump_parents(self, parents: frozenset[str]) -> None:
        stream = awatch(
            *parents,
            watch_filter=None,
            debounce=EVENT_BURST_MS,
            step=PARENT_STEP_MS,
            recursive=False,
            ignore_permission_denied=True,
        )
        async with aclosing(stream):
            async for _ in stream:
                self._events.put_nowait(None)


def _nearest_folder(path: str) -> str:
    while not os.path.isdir(path) and path != "/":
        path = os.path.dirname(path)
    return path


def _folders_of_links(path: str) -> list[str]:
    """The folder of each link that the way to `path` goes through."""
    found: list[str] = []
    walked = "/"
    for step in path.strip("/").split("/"):
        at = os.path.join(walked, step)
        if os.path.islink(at):
            found.append(os.path.realpath(walked))
        walked = at
    return found[:LINKS_MAX]


def _git_lock(path: str) -> str:
    """The lock that git holds while it writes the working tree around `path`; "" outside of one."""
    while True:
        git = os.path.join(path, ".git")
        if os.path.isdir(git):
            return os.path.join(git, "index.lock")
        if os.path.isfile(git):
            with open(git, encoding="utf-8", errors="replace") as pointer:
                folder = pointer.read(4096).removeprefix("gitdir:").strip()
            return os.path.join(path, folder, "index.lock")
        if path == os.path.dirname(path):
            return ""
        path = os.path.dirname(path)
