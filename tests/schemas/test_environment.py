"""The `.env` file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from schemas.environment import load_env_file


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text('DIALPLANE_A=file\nexport DIALPLANE_B="quoted # not a comment"\n# DIALPLANE_C=no\nbroken line\n')
    monkeypatch.setenv("DIALPLANE_A", "set")
    monkeypatch.setenv("DIALPLANE_B", "")
    monkeypatch.delenv("DIALPLANE_B")
    load_env_file(file)
    assert os.environ["DIALPLANE_A"] == "set"
    assert os.environ["DIALPLANE_B"] == "quoted # not a comment"
    assert "DIALPLANE_C" not in os.environ


def test_a_missing_file_is_fine(tmp_path: Path) -> None:
    load_env_file(tmp_path / ".env")
