"""The surroundings that both programs share: a `.env` file, the state folder, the address of the tables.

Called once, first, by both command lines. What the environment says already always wins over the file.

A `.env` file lies in whatever folder somebody stands in, so it configures these programs and nothing else. Only names
that are theirs go into the environment, which children inherit and loaders obey: a `PYTHONPATH`, `LD_PRELOAD` or
`PATH` in it would run what lies there. Its other names are found by name alone (`variables`), as secrets are.
"""

from __future__ import annotations

import os
import re
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path

STATE_DEFAULT = ".dialplane"
ENV_FILE = ".env"
ENV_FILE_BYTES_MAX = 1 << 20

OWN_PREFIXES = ("DIALPLANE_", "LIVEKIT_")
"""How the names begin that a `.env` file may put into the environment."""

_from_file: dict[str, str] = {}
"""The file's other names."""

_GITIGNORE = ".gitignore"

_ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)")
_QUOTED = re.compile(r"(?:\"((?:[^\"\\]|\\.)*)\"|'([^']*)')[ \t]*(?:#.*)?")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def is_plain(environ: Mapping[str, str]) -> bool:
    """Whether somebody wants no colours, or has a terminal without: https://no-color.org."""
    return bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"


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
    """Put our own names of the file into the environment where they are not set yet; a missing file is fine."""
    _from_file.clear()
    try:
        if path.stat().st_size > ENV_FILE_BYTES_MAX:
            return
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for name, value in parse_env(text).items():
        if name.startswith(OWN_PREFIXES):
            os.environ.setdefault(name, value)
        else:
            _from_file[name] = value


def variables() -> Mapping[str, str]:
    """The environment, and beneath it every name of the `.env` file: for names that a user chooses."""
    return ChainMap(os.environ, _from_file)


def make_state_folder(state: str) -> None:
    """Make the state folder, for its owner alone and unseen by git, when it is missing. Raises OSError."""
    if os.path.isdir(state):
        return
    os.makedirs(state, mode=0o700, exist_ok=True)
    with open(os.path.join(state, _GITIGNORE), "w", encoding="utf-8") as ignore:
        ignore.write("*\n")
