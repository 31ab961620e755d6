"""The reconciler beside a bridge: a real child process."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from runtime.workers.reconciler_child import ReconcilerChild
from schemas.environment import load_env_file

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "manifests" / "01-one-number"
STARTED_S_MAX = 30.0


def test_nothing_in_the_working_folder_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can write there, in a checkout say, would run code beside the bridge's secrets."""
    folder, ran = tmp_path / "checkout", tmp_path / "ran"
    shutil.copytree(EXAMPLE, folder)
    trap = f"open({str(ran)!r}, 'a').write(__name__)\n"
    (folder / "reconciler").mkdir()
    for name in ("reconciler/__init__.py", "reconciler/__main__.py", "yaml.py", "click.py", "sitecustomize.py"):
        (folder / name).write_text(trap)
    (folder / ".env").write_text(f"PYTHONPATH={folder}\nPYTHONSTARTUP={folder}/yaml.py\n")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.chdir(folder)
    load_env_file()
    state = tmp_path / "state"
    state.mkdir()

    async def run() -> None:
        child = ReconcilerChild(folder, state, f"sqlite:///{state}/tables.db", lambda *_, **__: None)
        child.start()
        try:
            async with asyncio.timeout(STARTED_S_MAX):
                while not ((state / "tables.db").exists() or ran.exists()):  # noqa: ASYNC110 - another process's work
                    await asyncio.sleep(0.02)
        finally:
            await child.stop()

    asyncio.run(run())
    assert not ran.exists()
