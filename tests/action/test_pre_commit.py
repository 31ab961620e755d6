"""The hooks, installed and run by pre-commit itself, without a network: what they depend on is there already."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.reconciler.declaring import broken, document, number, ref, rule, text, trunk

ROOT = Path(__file__).parents[2]
NAMES = {f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def run(folder: Path, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    said = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", **NAMES, **environ}
    return subprocess.run(command, cwd=folder, env=said, capture_output=True, text=True)


def commit(folder: Path, *patterns: str) -> None:
    for command in (["init", "-q"], ["add", "-A", *patterns], ["commit", "-q", "--no-verify", "-m", "one"]):
        done = run(folder, "git", *command)
        assert done.returncode == 0, done.stderr


def test_pre_commit_installs_the_hooks_and_runs_them(tmp_path):
    hooks, home = tmp_path / "hooks", tmp_path / "home"
    shutil.copytree(
        ROOT,
        hooks,
        ignore=lambda _, names: [n for n in names if n in ("tests", ".venv", ".git", "build") or "cache" in n],
    )
    commit(hooks)
    (home / "manifests").mkdir(parents=True)
    (home / ".pre-commit-config.yaml").write_text(
        f"repos:\n- repo: {hooks}\n  rev: HEAD\n  hooks: [{{id: dialplane-validate}}, {{id: dialplane-test}}]\n"
    )
    call = {"to": "+14155550100", "from": "+14155550199", "address": "10.1.0.1", "expect": {"rule": "support"}}
    test = document("RoutingTest", "calls", {"calls": [call]})
    routes = [trunk(), rule(), number(trunkRef=ref("carrier"), dispatchRuleRef=ref("support")), test]
    (home / "manifests/routes.yaml").write_bytes(text(routes))
    commit(home)
    offline = {
        "PRE_COMMIT_HOME": str(tmp_path / "cache"), "PYTHONPATH": sysconfig.get_paths()["purelib"],
        "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0",
    }  # fmt: skip

    def hooked(*documents: dict) -> tuple[int, str]:
        (home / "manifests/routes.yaml").write_bytes(text(documents))
        run(home, "git", "add", "-A")
        done = run(home, sys.executable, "-m", "pre_commit", "run", **offline)
        return done.returncode, done.stdout + done.stderr

    code, said = hooked(*routes[:1], rule(attributes={"a": "b"}), *routes[2:])
    assert (code, said.count("Passed")) == (0, 2), said
    code, said = hooked(trunk(), broken(rule()), *routes[2:])
    assert (code, said.count("Failed")) == (1, 2), said
    assert "manifests/routes.yaml:" in said
    code, said = hooked(trunk(), rule("help"), number(trunkRef=ref("carrier"), dispatchRuleRef=ref("help")), test)
    assert (code, said.count("Passed"), said.count("Failed")) == (1, 1, 1), said
    assert "rule is default/help, expected default/support" in said
