"""CORE. Answers of the API server as values, however deep somebody has nested what an object may hold unchecked.

A field that is a text or a list has no schema in a CRD, so an API server takes ten thousand lists within each other
there, and Python's parser gives up at a thousand: one object would keep the lists of all from being read.
"""

from __future__ import annotations

import json
import re
from typing import Any

DEPTH_MAX = 64
"""Of values within each other; a list of objects has a dozen."""

_MARK = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def read_json(text: str) -> Any:
    """The value of a text of JSON; null stands for what lies too deep to be read. Raises ValueError."""
    try:
        return json.loads(text)
    except RecursionError:
        return json.loads(_cut_text(text))


def cut(value: Any, depth: int = DEPTH_MAX) -> Any:
    """The same value; None stands for what lies deeper than this."""
    if isinstance(value, dict):
        return {name: cut(one, depth - 1) for name, one in value.items()} if depth else None
    if isinstance(value, list):
        return [cut(one, depth - 1) for one in value] if depth else None
    return value


def _cut_text(text: str) -> str:
    out: list[str] = []
    depth = kept_to = 0
    for found in _MARK.finditer(text):
        mark = found[0]
        if mark in "[{":
            depth += 1
            if depth == DEPTH_MAX + 1:
                out += (text[kept_to : found.start()], "null")
        elif mark in "]}":
            if depth == DEPTH_MAX + 1:
                kept_to = found.end()
            depth -= 1
    return "".join((*out, text[kept_to:]))
