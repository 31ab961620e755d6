"""What kustomize builds is read from a pipe by every command that takes a folder."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli import run

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/kustomize"
BUILT = Path(__file__).with_name("golden") / "kustomize-production.yaml"

GENERATED = """\
apiVersion: v1
data:
  password: VGlnZXI=
kind: Secret
metadata:
  annotations:
    team: voice
  labels:
    env: prod
  name: prod-carrier-sip-b4ft8fh2db
  namespace: voice
type: Opaque
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: prod-bridge
---
"""
"""What stands beside our kinds in a real build."""

AWKWARD = """\
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata:
  annotations:
    team: voice
  labels:
    env: prod
  name: awkward
  namespace: voice
spec:
  attributes:
    e: "1e3"
    empty: ""
    h: '# no'
    "n": "012"
    "off": "no"
    "on": "yes"
    star: '*'
    t: "12:30"
  match:
    from:
    - +1415*
  metadata: |
    two
    lines
  priority: 10
  rule:
    direct:
      room: "007"
  trunkRefs:
  - name: prod-carrier
"""
"""Texts as kustomize writes them when YAML could take them for something else."""


class Pipe:
    def __init__(self, text: str) -> None:
        self.buffer = io.BytesIO(text.encode())


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("STATE", "TABLES", "OWNER", "SECRETS", "SECRET_KEY"):
        monkeypatch.delenv(f"DIALPLANE_{name}", raising=False)
    Path("s/carrier-sip").mkdir(parents=True)
    Path("s/carrier-sip/password").write_text("Tiger")


def piped(monkeypatch, capsys, text: str, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "stdin", Pipe(text))
    code = run([*arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_example_is_validated_tested_planned_and_applied_from_a_pipe(monkeypatch, capsys):
    built = BUILT.read_text()
    assert piped(monkeypatch, capsys, built, "validate", "-", "--secrets", "s")[:2] == (
        0,
        "4 documents in 1 file: no problems\n",
    )
    code, out, _ = piped(monkeypatch, capsys, built, "test", "-")
    assert (code, out.splitlines()[-1]) == (0, "1 of 1 hold")
    code, out, _ = piped(monkeypatch, capsys, built, "plan", "-", "--secrets", "s", "--detailed-exitcode")
    assert code == 2
    assert "+ DispatchRule voice/prod-support  (<stdin>:1:1)" in out
    code, out, _ = piped(monkeypatch, capsys, built, "apply", "-", "--secrets", "s")
    assert (code, out.splitlines()[-1]) == (0, "Applied: revision 1 is published.")
    assert piped(monkeypatch, capsys, built, "plan", "-", "--secrets", "s", "--detailed-exitcode")[0] == 0


def test_a_plan_from_a_pipe_is_approved_and_applied_from_one(monkeypatch, capsys):
    built = BUILT.read_text()
    assert piped(monkeypatch, capsys, built, "plan", "-", "--secrets", "s", "--out", "p.json")[0] == 0
    code, out, _ = piped(monkeypatch, capsys, built, "apply", "-", "--plan", "p.json", "--secrets", "s")
    assert (code, out.splitlines()[-1]) == (0, "Applied: revision 1 is published.")


def test_what_stands_beside_is_skipped_and_no_value_of_it_is_shown(monkeypatch, capsys):
    code, out, err = piped(monkeypatch, capsys, GENERATED + BUILT.read_text(), "apply", "-", "--secrets", "s")
    assert code == 0
    assert "VGlnZXI=" not in out + err
    code, out, _ = piped(monkeypatch, capsys, GENERATED + BUILT.read_text(), "validate", "-", "--secrets", "s")
    assert out == "4 documents (2 of other API groups skipped) in 1 file: no problems\n"


def test_texts_mean_what_they_meant_in_the_file(monkeypatch, capsys):
    code, out, _ = piped(monkeypatch, capsys, AWKWARD + "---\n" + BUILT.read_text(), "plan", "-", "--secrets", "s")
    assert code == 0
    assert "    rule.direct.room: 007" in out
    assert "    attributes: {e: 1e3, empty: (none), h: # no, n: 012, off: no, on: yes, star: *, t: 12:30}" in out
    assert r"    metadata: two\nlines\n" in out


def test_an_empty_pipe_deletes_nothing(monkeypatch, capsys):
    piped(monkeypatch, capsys, BUILT.read_text(), "apply", "-", "--secrets", "s")
    code, out, _ = piped(monkeypatch, capsys, "", "apply", "-", "--secrets", "s")
    assert code == 3
    assert "nothing is declared any more" in out


@pytest.mark.parametrize("command", ["validate", "plan", "apply"])
def test_the_folder_itself_is_refused_with_the_pipe_to_use(capsys, command):
    assert run([command, str(EXAMPLE / "production")]) == 1
    assert f"run `kustomize build {EXAMPLE / 'production'} | reconcile plan -`" in "".join(capsys.readouterr())


def test_neither_is_a_kustomization_itself_a_manifest(capsys):
    assert run(["validate", str(EXAMPLE / "production" / "kustomization.yaml")]) == 1
    assert f"run `kustomize build {EXAMPLE / 'production'} | reconcile plan -`" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("kustomize") is None, reason="runs beside where there is a kustomize")
def test_the_example_builds_to_what_is_tested_here():
    built = subprocess.run(["kustomize", "build", EXAMPLE / "production"], capture_output=True, text=True, check=True)
    assert built.stdout == BUILT.read_text()
