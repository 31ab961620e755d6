"""What `reconcile validate` says of each mistake, word for word: messages are read by people, and so are these files.

`GOLDEN=write pytest tests/reconciler/mistakes` writes them anew; read the difference before you commit it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from reconciler.cli import run
from tests.reconciler.mistakes.cases import CASES

GOLDEN = Path(__file__).parent / "golden"
PLACE = re.compile(r"^m(/[^:\n]+:\d+:\d+|/[^:\n]+)?: ", re.MULTILINE)
GOOD = {"only-comments"}
"""Not wrong: the count says it."""


def said(capsys: pytest.CaptureFixture[str], name: str) -> tuple[int, str]:
    case = CASES[name]
    Path("m").mkdir()
    for file, content in (case if isinstance(case, dict) else {"a.yaml": case}).items():
        (Path("m") / file).write_bytes(content.encode() if isinstance(content, str) else content)
    code = run(["validate", "m"])
    return code, capsys.readouterr().out


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_has_a_message_worth_reading(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    _, out = said(capsys, name)
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        golden.write_text(out, encoding="utf-8")
    assert out == golden.read_text(encoding="utf-8")
    assert PLACE.search(out) or name in GOOD
    assert "hunter2" not in out
    assert "4711" not in out


def test_there_is_no_golden_without_its_case():
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)
