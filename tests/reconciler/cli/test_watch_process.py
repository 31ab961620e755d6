"""The watcher as a process of its own: how it starts, follows and ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reconciler.declaring import rule, text, trunk

ROOT = Path(__file__).parents[3]
WAIT_S = 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "m"
    made.mkdir()
    (made / "a.yaml").write_bytes(text([trunk(), rule(room="lobby")]))
    return made


@pytest.fixture(params=[["watch"], ["--watch"]])
def watcher(request: pytest.FixtureRequest, folder: Path) -> Iterator[subprocess.Popen[str]]:
    more = ["--exit-with-parent"] if request.param == ["watch"] else []
    command = [
        sys.executable,
        "-m",
        "reconciler",
        "--state",
        str(folder.parent / "s"),
        *request.param,
        str(folder),
        *more,
    ]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        yield process
        process.kill()


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip()


def test_it_follows_an_edit_and_ends_on_a_signal(watcher, folder):
    assert next_line(watcher) == f"watching {folder} (2 documents), revision 1"
    assert "Trunk default/carrier created" in next_line(watcher)
    assert "DispatchRule default/support created" in next_line(watcher)
    (folder / "a.yaml").write_bytes(text([trunk(), rule(room="hall")]))
    assert next_line(watcher).startswith(
        "revision 2: DispatchRule default/support changed (room: lobby -> hall), published in "
    )
    watcher.send_signal(signal.SIGTERM)
    assert watcher.wait(WAIT_S) == 0


@pytest.mark.parametrize("watcher", [["watch"]], indirect=True)
def test_it_ends_when_its_parent_closes_the_pipe(watcher):
    assert next_line(watcher).startswith("watching ")
    watcher.stdin.close()
    assert watcher.wait(WAIT_S) == 0


def test_it_ends_on_an_interrupt(watcher):
    assert next_line(watcher).startswith("watching ")
    watcher.send_signal(signal.SIGINT)
    assert watcher.wait(WAIT_S) == 0


@pytest.mark.parametrize("words", [["watch", "nope"], ["--watch", "nope"]])
def test_a_folder_that_is_not_there_at_the_start_is_an_error(tmp_path, words):
    command = [sys.executable, "-m", "reconciler", *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: nope is not there, name a folder of manifests, or make it first\n"
    assert not (tmp_path / ".dialplane").exists()
