"""The `.env` file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.environment import (
    ENV_FILE_BYTES_MAX,
    EnvFileError,
    address_and_port,
    load_env_file,
    parse_env,
    variables,
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A working folder, and an environment that is as it was afterwards."""
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    os.environ["DIALPLANE_ENV_FILE"] = ""
    load_env_file()
    os.environ.pop("DIALPLANE_ENV_FILE")


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text('DIALPLANE_A=file\nexport DIALPLANE_B="quoted # not a comment"\n# DIALPLANE_C=no\nbroken line\n')
    monkeypatch.setenv("DIALPLANE_A", "set")
    monkeypatch.setenv("DIALPLANE_B", "")
    monkeypatch.delenv("DIALPLANE_B")
    load_env_file()
    assert os.environ["DIALPLANE_A"] == "set"
    assert os.environ["DIALPLANE_B"] == "quoted # not a comment"
    assert "DIALPLANE_C" not in os.environ


def test_a_missing_file_is_fine(tmp_path: Path) -> None:
    load_env_file()


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
    load_env_file()
    assert name not in os.environ
    assert variables()[name] == "evil"
    file.unlink()
    load_env_file()
    assert name not in variables()


def test_the_environment_wins_over_the_file_for_other_names_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME", "set")
    file = tmp_path / ".env"
    file.write_text("ACME=file\n")
    load_env_file()
    assert variables()["ACME"] == "set"


def test_another_file_is_named_and_none_is_read_where_the_name_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("ACME=here\nDIALPLANE_ENV_FILE=evil\n")
    (tmp_path / "settings").write_text("ACME=there\n")
    (tmp_path / "link").symlink_to("settings")
    for name, found in (("settings", "there"), ("link", "there"), ("", None)):
        monkeypatch.setenv("DIALPLANE_ENV_FILE", name)
        load_env_file()
        assert variables().get("ACME") == found
    monkeypatch.setenv("DIALPLANE_ENV_FILE", "nowhere")
    with pytest.raises(EnvFileError, match="nowhere cannot be read"):
        load_env_file()
    monkeypatch.delenv("DIALPLANE_ENV_FILE")
    load_env_file()
    assert variables()["ACME"] == "here"
    assert "DIALPLANE_ENV_FILE" not in os.environ, "a child reads what this process did"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda file: file.symlink_to("/dev/zero"), "is a link, and is not followed"),
        (lambda file: file.symlink_to("nowhere"), "is a link, and is not followed"),
        (os.mkfifo, "is no regular file"),
        (lambda file: file.write_bytes(b"\n" * (ENV_FILE_BYTES_MAX + 1)), "holds more than 1,048,576 bytes"),
    ],
)
def test_what_is_no_file_of_settings_is_said_and_neither_waited_for_nor_read_to_its_end(
    make: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    make(tmp_path / ".env")
    with pytest.raises(EnvFileError) as refused:
        load_env_file()
    assert str(refused.value).startswith(f".env {said}, name a file of settings with DIALPLANE_ENV_FILE")


def test_a_virtual_environment_of_that_name_is_no_file_of_settings(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    load_env_file()


@pytest.mark.parametrize("program", ["reconciler", "runtime"])
def test_both_programs_say_it_in_one_sentence(program: str, tmp_path: Path) -> None:
    (tmp_path / ".env").symlink_to("/dev/zero")
    done = subprocess.run([sys.executable, "-m", program, "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: .env is a link")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:65535", ("::1", 65535)),
        *((text, None) for text in ("", "127.0.0.1", "127.0.0.1:", ":8081", "localhost:8081", "[::1]", "::1]")),
        *((f"127.0.0.1:{port}", None) for port in ("65536", "-1", "8_1", "\u0661", "1" * 5_000)),
    ],
)
def test_an_address_and_a_port_is_an_ip_address_and_a_port(text: str, found: tuple[str, int] | None) -> None:
    assert address_and_port(text) == found
