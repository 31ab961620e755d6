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

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")


def parse_env(text: str) -> dict[str, str]:
    """`NAME=value` lines: comments, `export`, and single or double quotes around a value are understood."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        matched = _LINE.fullmatch(line)
        if matched is None:
            continue
        name, value = matched.groups()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        elif " #" in value:
            value = value.partition(" #")[0].rstrip()
        found[name] = value
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
