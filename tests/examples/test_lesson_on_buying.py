"""The lesson about a number that is bought says what happens, and what it shows is what is printed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reconciler.cli import run
from tests.livekit_cloud import Cloud, on_sale
from tests.livekit_faults import Front

LESSON = Path(__file__).parents[2] / "examples/manifests/09-buying-a-number"


def test_what_the_lesson_shows_is_what_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(LESSON, tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    shown = [line.strip() for line in (LESSON / "README.md").read_text().splitlines() if line.startswith("    ")]
    shown = [line for line in shown if not line.startswith(("export", "cp", "reconcile", "…"))]
    with Front(Cloud(on_sale("+14155550100"))) as front:
        for name, value in front.environment.items():
            monkeypatch.setenv(name, value)
        assert run(["plan", "mine", "--target", "livekit"]) == 0
        assert run(["apply", "mine", "--target", "livekit", "--allow-purchases"]) == 0
    printed = capsys.readouterr().out + (tmp_path / "mine" / "number.yaml").read_text()
    assert [line for line in shown if line not in map(str.strip, printed.splitlines())] == []
