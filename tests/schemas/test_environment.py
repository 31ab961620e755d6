"""The `.env` file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.environment import load_env_file, parse_env, variables


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text('DIALPLANE_A=file\nexport DIALPLANE_B="quoted # not a comment"\n# DIALPLANE_C=no\nbroken line\n')
    monkeypatch.setenv("DIALPLANE_A", "set")
    monkeypatch.setenv("DIALPLANE_B", "")
    monkeypatch.delenv("DIALPLANE_B")
    load_env_file(file)
    assert os.environ["DIALPLANE_A"] == "set"
    assert os.environ["DIALPLANE_B"] == "quoted # not a comment"
    assert "DIALPLANE_C" not in os.environ


def test_a_missing_file_is_fine(tmp_path: Path) -> None:
    load_env_file(tmp_path / ".env")


def test_a_file_is_read_as_people_write_it() -> None:
    text = """\ufeff
# a comment
A=1
 export B = two words   # behind
C="quoted # not a comment\\n" # comment
D='single \\n $x'
E=
F=a#b
G="unclosed
no assignment
1X=no
A=2
"""
    assert parse_env(text) == {
        "A": "2",
        "B": "two words",
        "C": "quoted # not a comment\n",
        "D": "single \\n $x",
        "E": "",
        "F": "a#b",
        "G": '"unclosed',
    }


@given(st.text(max_size=200))
def test_any_text_is_a_file(text: str) -> None:
    assert all(isinstance(value, str) for value in parse_env(text).values())


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "SHELL", "PYTHONPATH", "PYTHONSTARTUP", "LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "ACME"]
)
def test_only_our_own_names_of_the_file_reach_children(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(name, raising=False)
    file = tmp_path / ".env"
    file.write_text(f"{name}=evil\n")
    load_env_file(file)
    assert name not in os.environ
    assert variables()[name] == "evil"
    load_env_file(tmp_path / "missing")
    assert name not in variables()


def test_the_environment_wins_over_the_file_for_other_names_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME", "set")
    file = tmp_path / ".env"
    file.write_text("ACME=file\n")
    load_env_file(file)
    assert variables()["ACME"] == "set"
