"""CORE. How LiveKit's ids are spelt."""

from __future__ import annotations

import re

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def is_id(text: str) -> bool:
    """Whether a text can be an id of LiveKit's (`ST_…`): whatever shows one may show it as it is."""
    return _ID.fullmatch(text) is not None
