"""An apply leaves nothing to do, whatever is held back: a plan made right after it is empty, at every target."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from reconciler.targets.tables import TablesTarget
from schemas.stores import SqliteStore
from tests.livekit_applies import Applies
from tests.livekit_faults import Front
from tests.livekit_folders import clashing_folder
from tests.livekit_stand_in import StandIn
from tests.livekit_telephony import ANYTHING, read_folder
from tests.reconciler import declaring

LAST_SEEDS = [41, 286, *range(30)]
"""Those that were once found, and others."""


def written(folder: Path, documents: list[Any]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "a.yaml").write_bytes(declaring.text(documents))
    return folder


@pytest.mark.parametrize("seed", LAST_SEEDS)
def test_the_tables_are_settled_after_an_apply(tmp_path: Path, seed: int) -> None:
    chance, store = Random(seed), SqliteStore(str(tmp_path / "tables.db"))
    for _ in range(2):
        declared = read_folder(written(tmp_path / "manifests", clashing_folder(chance)), {})
        assert not TablesTarget(store, "default").apply(declared, ANYTHING).refused
        assert not TablesTarget(store, "default").plan(declared, ANYTHING).plan
    store.close()


@pytest.mark.parametrize("remembers", [True, False])
def test_a_livekit_server_is_settled_after_an_apply(tmp_path: Path, remembers: bool) -> None:
    with Front(StandIn()) as front:
        for seed in (39, 159, 268, 724, 969, *range(10)):
            chance, home = Random(seed), tmp_path / str(seed)
            home.mkdir(exist_ok=True)
            front.empty()
            store = SqliteStore(str(home / "memory.db")) if remembers else None
            applies = Applies(front, home / "manifests", store=store)
            for _ in range(2):
                applies.write(*clashing_folder(chance))
                planned = applies.target().apply(applies.declared(), ANYTHING)
                codes = {problem.code for problem in planned.desired.problems if problem.is_error}
                if planned.refused or codes & {"livekit-refused", "livekit-waits"}:
                    break
                assert not applies.target().plan(applies.declared(), ANYTHING).plan, seed
            if store is not None:
                store.close()
