"""What the operator logs: each error once for as long as it lasts, and again when it comes back."""

from __future__ import annotations

from pathlib import Path

from reconciler.operator.telling import OperatorTelling
from tests.reconciler.declaring import rule, trunk
from tests.reconciler.operator.test_passing import Scene


def test_an_error_is_told_once_and_again_when_it_comes_back(tmp_path: Path) -> None:
    scene, lines = Scene(tmp_path), list[str]()
    telling = OperatorTelling(scene.target.manner, lines.append, lambda planned: None)

    def said() -> list[str]:
        lines.clear()
        telling.passed(scene.go(), scene.cluster, (), 0.0)
        return [line for line in lines if "there is no Trunk" in line]

    scene.put(trunk(), rule(trunkRefs=[{"name": "nowhere"}]))
    assert len(said()) == 1
    scene.put(trunk("other", net=2))
    assert said() == [], "it lasts"
    scene.put(rule(trunkRefs=[{"name": "carrier"}]))
    assert said() == []
    scene.put(rule(trunkRefs=[{"name": "nowhere"}]))
    assert len(said()) == 1
    scene.store.close()
