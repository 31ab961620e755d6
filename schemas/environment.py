"""The surroundings that both programs share: a `.env` file, the state folder, the address of the tables.

Called once, first, by both command lines. What the environment says already always wins over the file.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

STATE_DEFAULT = ".dialplane"
ENV_FILE = ".env"
ENV_FILE_BYTES_MAX = 1 << 20

_GITIGNORE = ".gitignore"

_ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)")
_QUOTED = re.compile(r"(?:\"((?:[^\"\\]|\\.)*)\"|'([^']*)')[ \t]*(?:#.*)?")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def parse_env(text: str) -> dict[str, str]:
    """Variables of a `.env` file: `KEY=value` lines, `export`, quotes, `#` comments; other lines are passed over."""
    found: dict[str, str] = {}
    for line in text.removeprefix("\ufeff").splitlines():
        assignment = _ASSIGNMENT.fullmatch(line.strip())
        if assignment is None:
            continue
        name, raw = assignment.groups()
        if quoted := _QUOTED.fullmatch(raw):
            double, single = quoted.groups()
            found[name] = single if double is None else _ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[1]), double)
        else:
            found[name] = re.split(r"(?:^|[ \t])#", raw, maxsplit=1)[0].rstrip()
    return found


def load_env_file(path: Path = Path(ENV_FILE)) -> None:
    """Put the file's names into the environment where they are not set yet; a missing file is fine."""
    try:
        if path.stat().st_size > ENV_FILE_BYTES_MAX:
            return
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for name, value in parse_env(text).items():
        os.environ.setdefault(name, value)


def make_state_folder(state: str) -> None:
    """Make the state folder, for its owner alone and unseen by git, when it is missing. Raises OSError."""
    if os.path.isdir(state):
        return
    os.makedirs(state, mode=0o700, exist_ok=True)
    with open(os.path.join(state, _GITIGNORE), "w", encoding="utf-8") as ignore:
        ignore.write("*\n")
