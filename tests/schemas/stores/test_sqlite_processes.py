"""The SQLite store under kill -9 and under several publishers: whole or nothing, and nobody's change lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("processes.py")
ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    "scenario", ["killed_at_every_statement", "killed_at_random", "published_at_once", "opened_at_once"]
)
def test_the_tables_stay_whole(scenario, tmp_path):
    done = subprocess.run(
        [sys.executable, PROGRAM, scenario, tmp_path / "tables.db"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
