"""A folder of manifests and a server before which a front stands: what the tests of whole applies share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reconciler.model.standing import Declared
from reconciler.plan.changes import Plan
from reconciler.plan.gates import Allowances
from reconciler.settings import LiveKitAccess
from reconciler.targets.livekit.holdings import marker_of
from reconciler.targets.livekit.server import Pace, Server
from reconciler.targets.livekit.target import LiveKitTarget
from reconciler.targets.target import Planned
from schemas.stores import SqliteStore
from tests.livekit_faults import Front
from tests.livekit_telephony import read_folder
from tests.reconciler import declaring

EVERYTHING = Allowances(1_000_000)


class Applies:
    """One owner's folder. `slept` are the pauses that were asked for; none is made. `heard` is how far applies were."""

    def __init__(self, front: Front, folder: Path, owner: str = "default", store: SqliteStore | None = None) -> None:
        self.front, self.folder, self.owner, self.store = front, folder, owner, store
        self.slept: list[float] = []
        self.heard: list[tuple[int, int]] = []
        folder.mkdir(exist_ok=True)

    def write(self, *documents: Any) -> Applies:
        (self.folder / "a.yaml").write_bytes(declaring.text(documents))
        return self

    def target(self, **more: Any) -> LiveKitTarget:
        access, store, owner = self.front.access, self.store, self.owner
        more = {"wall": lambda: 1000.0, "server": self._server, "note": self._note, **more}
        return LiveKitTarget(access, store, owner, **more)

    def declared(self) -> Declared:
        return read_folder(self.folder, {})

    def apply(self) -> Planned:
        return self.target().apply(self.declared(), EVERYTHING)

    def plan(self) -> Plan:
        return self.target().plan(self.declared(), EVERYTHING).plan

    def is_as_declared(self) -> bool:
        """Whether nothing is left to do, and each object is there once."""
        marks = [str(marker_of(info)) + type(info).__name__ for info in self.front.objects() if marker_of(info)]
        return not self.plan() and len(marks) == len(set(marks))

    def _server(self, access: LiveKitAccess, pace: Pace) -> Server:
        pace.sleep = self._sleep
        return Server(access, pace)

    def _note(self, done: int, total: int) -> None:
        self.heard.append((done, total))

    async def _sleep(self, seconds: float) -> None:
        if seconds > 0.1:  # less is the pace
            self.slept.append(seconds)


def errors(planned: Planned) -> list[str]:
    """What went wrong, refusals among it, and what ended it."""
    cut = [str(planned.cut)] if planned.cut is not None else []
    wrong = [problem.what for problem in planned.desired.problems if problem.is_error]
    return [*map(str, planned.refused), *cut, *wrong]
