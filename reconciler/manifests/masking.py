"""Keeps what may be a secret out of every message: manifests name the places of secrets, but people slip.

A complaint shows the line in question, and some repeat a value; both ask here first. Called by `build`, `reading` and
`folder`.
"""

from __future__ import annotations

import re

MASK = "****"

_WORD = r"(?:(?!secretKeyRef)\w*(?:password|passwd|secret|token|credential)\w*|pin(?:[_A-Z]\w*|code)?)"
_PLACE = r"\{\s*(?:env|file)\s*:\s*[^\s,{}]+\s*\}|\{\s*secretKeyRef\s*:\s*\{[^{}]*\}\s*\}"
_IN_LINE = re.compile(rf"""((?<!\w)(?i:{_WORD})["']?[ \t]*:[ \t]*)(?!{_PLACE})\S.*""")
_NAME = re.compile(rf"(?<!\w)(?i:{_WORD})(?!\w)")


def names_a_secret(path: str) -> bool:
    """Whether a field's name, or one on its path, says that its value may be a secret."""
    return _NAME.search(path) is not None


def masked(line: str) -> str:
    """A line of a manifest; whatever follows the name of a secret and is not the place of one is replaced."""
    return _IN_LINE.sub(lambda found: found[1] + MASK, line)
