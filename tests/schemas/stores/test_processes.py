"""Stores under kill -9 and under several publishers: whole or nothing, and nobody's change lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("processes.py")
ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def run(scenario: str, url: str) -> None:
    done = subprocess.run(
        [sys.executable, PROGRAM, scenario, url],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("scenario", ["killed_at_every_step", "killed_at_random", "published_at_once"])
def test_the_tables_stay_whole(scenario: str, url: str) -> None:
    run(scenario, url)


@pytest.mark.peer("redis-server")
def test_a_staged_publish_that_is_killed_shows_nothing_and_leaves_nothing_for_long(redis_server) -> None:
    run("killed_while_staging", redis_server.url("staging"))


def test_a_fresh_file_is_made_by_one_of_many(tmp_path: Path) -> None:
    run("opened_at_once", f"sqlite:///{tmp_path}/tables.db")
