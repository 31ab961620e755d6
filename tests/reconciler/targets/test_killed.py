"""Whoever is killed, and at whatever step: the tables are whole, nothing is lost, and the next one goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("killed.py")
ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    "scenario", ["a_first_apply", "an_apply", "a_bridge", "a_restart_with_a_broken_file", "a_rollback"]
)
def test_killed_at_every_statement(scenario, tmp_path):
    done = subprocess.run(
        [sys.executable, PROGRAM, scenario, tmp_path],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
