"""`reconcile operator` as it is called wrongly: one sentence each, before anything is asked of a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.cli import run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-n", "a", "-A"], "leave one of them out"),
        (["-n", "No_Name"], "'No_Name' is no name that Kubernetes knows"),
        (["--lease", "a/b/c"], "'a/b' is no name that Kubernetes knows"),
        (["--metrics", "localhost:8081"], "write it like --metrics 127.0.0.1:8081"),
        ([], "there is no such file, try it with kubectl first"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert run(["operator", "--state", str(tmp_path / "state"), *words]) == 1
    told = capsys.readouterr()
    assert said in told.err
    assert len(told.err.splitlines()) == 1
    assert told.out == ""
