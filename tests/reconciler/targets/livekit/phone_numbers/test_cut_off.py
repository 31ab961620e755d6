"""No number is bought twice, and none is lost: whichever call, answer or write to the disk an apply is cut off at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import ReconcileError
from reconciler.loop import declared_by
from reconciler.manifests.folder import read_documents
from reconciler.manifests.write_back import write_all
from reconciler.plan.gates import Allowances
from reconciler.settings import LiveKitAccess
from reconciler.targets.livekit.phone_numbers.ledger_file import LedgerFile
from reconciler.targets.livekit.server import Pace, Server
from reconciler.targets.livekit.target import LiveKitTarget
from tests.livekit_cloud import Cloud, on_sale
from tests.livekit_faults import Fault, Front, at
from tests.livekit_killed import Killable
from tests.livekit_project import RULE, asks

NUMBERS = ("+14155550100", "+14155550101", "+14155550102")
CALLS_MAX, WRITES_MAX = 60, 60
FIRST_CALL = 4
"""Those before only look at trunks and rules."""
ALLOWED = Allowances(9, frozenset({"default/support"}), frozenset(NUMBERS), purchases=True, releases=True)


class Scene:
    """A folder, a state folder and a cloud, again and again from the start."""

    def __init__(self, work: Path, front: Front) -> None:
        assert isinstance(front.behind, Cloud)
        self.work, self.front, self.cloud = work, front, front.behind
        self.folder, self.state = work / "manifests", work / "state"

    @property
    def arguments(self) -> list[str]:
        allowed = ["--allow-purchases", "--allow-releases", "--allow-any", "DispatchRule/default/support"]
        return ["apply", str(self.folder), "--target", "livekit", "--state", str(self.state), *allowed]

    def begin(self) -> None:
        self.cloud.begin(*map(on_sale, NUMBERS))
        self.front.well()
        for folder in (self.folder, self.state):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        self.write(RULE, asks())

    def write(self, *documents: str) -> None:
        (self.folder / "a.yaml").write_text("---\n".join(documents))

    def is_as_declared(self) -> bool:
        (number,) = self.cloud.sold
        assert self.cloud.rules_of(number) == [*self.cloud.held]
        assert f'  number: "{number}"\n' in (self.folder / "a.yaml").read_text()
        assert not [path for path in self.work.rglob("*") if path.name.endswith((".new", ".tmp"))]
        return self.cloud.released == []

    def apply(self) -> bool:
        """One apply in this process, in which no pause takes time; whether it did everything."""
        ledger = LedgerFile(self.state / "livekit.numbers.json")
        target = LiveKitTarget(self.front.access, None, "default", ledger=ledger, server=_at_once)
        try:
            planned = target.apply(declared_by(read_documents([str(self.folder)])), ALLOWED)
        except ReconcileError:
            return False
        problems = [*planned.desired.problems, *write_all(planned.unwritten, str(self.folder))]
        return planned.cut is None and not [problem for problem in problems if problem.is_error]


def _at_once(access: LiveKitAccess, pace: Pace) -> Server:
    async def sleep(_: float) -> None:
        pass

    pace.sleep = sleep
    return Server(access, pace)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with Front(Cloud()) as front:
        yield Scene(tmp_path_factory.mktemp("cut-off"), front)


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_process_killed_at_any_call_has_bought_one_number_in_the_end(scene: Scene, done: bool) -> None:
    scene.begin()
    with Killable(scene.front.environment, scene.arguments, scene.work) as process:
        for call in range(FIRST_CALL, CALLS_MAX):
            scene.begin()

            def kill(pid: int, call: int = call) -> None:
                scene.front.faults = at(call, Fault(kill=pid, done=done))

            code = process.run(kill)
            if code == 0:
                break
            assert code == -9, "it was killed, and nothing else happened"
            scene.front.well()
            assert process.run() == 0
            assert scene.is_as_declared()
    assert 15 <= call < CALLS_MAX - 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_killed_at_any_write_has_bought_one_number_in_the_end(scene: Scene, when: str) -> None:
    scene.begin()
    with Killable(scene.front.environment, scene.arguments, scene.work) as process:
        for write in range(1, WRITES_MAX):
            scene.begin()
            code = process.run(write=f"{write} {when}")
            if code == 0:
                break
            assert code == -9, "it was killed, and nothing else happened"
            assert process.run() == 0
            assert scene.is_as_declared()
    assert 10 <= write < WRITES_MAX - 1


@pytest.mark.parametrize(("policy", "done"), [("Retain", True), ("Delete", False), ("Delete", True)])
def test_a_process_killed_while_a_number_goes_has_let_it_go_in_the_end(scene: Scene, policy: str, done: bool) -> None:
    scene.begin()
    with Killable(scene.front.environment, scene.arguments, scene.work) as process:
        for call in range(FIRST_CALL, CALLS_MAX):
            scene.begin()
            scene.write(RULE, asks(more=f"  deletionPolicy: {policy}\n"))
            assert process.run() == 0
            scene.write(RULE)
            scene.front.well()

            def kill(pid: int, call: int = call) -> None:
                scene.front.faults = at(call, Fault(kill=pid, done=done))

            code = process.run(kill)
            if code == 0:
                break
            assert code == -9
            scene.front.well()
            assert process.run() == 0
            (number,) = scene.cloud.sold
            assert scene.cloud.rules_of(number) == []
            assert scene.cloud.released == ([number] if policy == "Delete" else [])
    assert 8 <= call < CALLS_MAX - 1


_faults = st.sampled_from(
    [
        Fault(500, "internal"),
        Fault(500, "internal", done=True),
        Fault(done=True),  # the answer is lost
        Fault(429, "resource_exhausted"),
        Fault(412, "failed_precondition"),
        Fault(401, "unauthenticated"),
        Fault(401, "unauthenticated", done=True),
    ]
)
_cuts = st.dictionaries(st.integers(1, 16), _faults, max_size=6)


@given(cuts=st.lists(_cuts, min_size=1, max_size=4), lag=st.integers(0, 6), forget=st.lists(st.booleans(), max_size=4))
@settings(max_examples=15)
def test_never_a_second_purchase_whatever_fails(
    scene: Scene, cuts: list[dict[int, Fault]], lag: int, forget: Any
) -> None:
    scene.begin()
    scene.cloud.lag = lag
    for index, cut in enumerate(cuts):
        scene.front.well()
        scene.front.faults = lambda call, _, cut=cut: cut.get(call)  # type: ignore[misc]
        scene.apply()
        assert len(scene.cloud.sold) <= 1
        if index < len(forget) and forget[index]:
            scene.write(RULE, asks())  # as in git
    scene.front.well()
    for _ in range(lag + 3):
        if scene.apply():
            break
    assert len(scene.cloud.sold) == 1
    assert scene.is_as_declared()
