"""A bar for who waits at a terminal, and not a byte for anybody else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from reconciler.manifests.folder import read_documents
from tests.reconciler.declaring import rule, text, trunk
from tests.terminal import ROOT, on_a_terminal

SCRIPT = """
import threading
from reconciler.commands import progress
progress.PATIENCE_S, progress.LOOK_S = {after}, 0.01
with progress.patience("reading the manifests") as bar:
    bar.note(3, 10)
    {wait}
print("done")
"""
DRAWN = """
    from rich.progress import Progress
    drawn, update = threading.Event(), Progress.update
    Progress.update = lambda *of, **what: (update(*of, **what), what.get("completed") == 3 and drawn.set())
    assert drawn.wait(60), "it is never drawn"
"""
SOON = "pass"
ERASE_LINE = "\x1b[2K"


def test_a_bar_says_how_far_it_is_and_goes_away(tmp_path: Path):
    seen = on_a_terminal("-c", SCRIPT.format(after=0, wait=DRAWN), cwd=tmp_path)
    assert "reading the manifests" in seen
    assert "3/10" in seen
    assert seen.replace("\r", "").rpartition(ERASE_LINE)[2].strip() == "done"


def test_what_is_soon_done_shows_none(tmp_path: Path):
    assert on_a_terminal("-c", SCRIPT.format(after=60, wait=SOON), cwd=tmp_path).strip() == "done"


def test_a_pipe_gets_none(tmp_path: Path):
    script = [sys.executable, "-c", SCRIPT.format(after=0, wait=SOON)]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_reading_counts_its_files(tmp_path: Path):
    for index in range(3):
        (tmp_path / f"{index}.yaml").write_bytes(text([trunk(f"t{index}"), rule(f"r{index}", priority=index)]))
    heard: list[tuple[int, int]] = []
    read_documents([str(tmp_path)], lambda done, total: heard.append((done, total)))
    assert heard == [(0, 3), (1, 3), (2, 3)]
