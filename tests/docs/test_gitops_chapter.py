"""The README's chapter on git, command by command: what it shows is what is printed.

`GOLDEN=write pytest tests/docs` writes the outputs into the README anew; read the difference before you commit.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
TITLE = "## From a folder in git to live calls\n"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n", re.DOTALL | re.MULTILINE)
_SAVED_AS = re.compile(r"Save this as `([\w./-]+)`:\n\n$")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

pytestmark = pytest.mark.skipif(
    shutil.which("git") is None or shutil.which("perl") is None, reason="git or perl is not installed"
)


@dataclass
class Terminal:
    """A shell in which one command follows another: where it stands, and how the last one ended."""

    folder: Path
    last: int = 0

    def run(self, command: str, environ: dict[str, str]) -> str:
        script = f'(exit {self.last})\n{command}\ncode=$?\npwd > "$HOME/where"\nexit $code\n'
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=environ,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.last, self.folder = done.returncode, Path((Path(environ["HOME"]) / "where").read_text().strip())
        return done.stdout


def chapter() -> str:
    return README.read_text("utf-8").partition(TITLE)[2].partition("\n## ")[0]


def walked(text: str, home: Path) -> tuple[str, Terminal]:
    """The chapter with the outputs that its commands have now."""
    who = {f"GIT_{who}_{what}": "you@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {"PATH": path, "HOME": str(home), "LC_ALL": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1", **who}
    terminal, out, at = Terminal(home), [], 0
    for block in _BLOCK.finditer(text):
        out.append(text[at : block.start()])
        at = block.end()
        saved = _SAVED_AS.search(out[-1])
        if saved:
            (terminal.folder / saved[1]).write_text(block[2])
        if block[1] != "console":
            out.append(block[0])
            continue
        commands = [line[2:] for line in block[2].splitlines() if line.startswith("$ ")]
        told = "".join(f"$ {command}\n{terminal.run(command, environ)}" for command in commands)
        out.append(f"```console\n{told}```\n")
    return "".join([*out, text[at:]]), terminal


def test_the_chapter_on_git_goes_as_it_says(tmp_path):
    shown = chapter()
    now, terminal = walked(shown, tmp_path)
    if os.environ.get("GOLDEN") == "write":
        README.write_text(README.read_text("utf-8").replace(shown, now), "utf-8")
    assert _MOMENT.sub("WHEN", now) == _MOMENT.sub("WHEN", chapter())
    assert terminal.last == 0
    assert terminal.folder == tmp_path / "telephony"
