"""Digits in the bodies of SIP INFO: `application/dtmf-relay` and `application/dtmf`. No RFC has them; phones do.

A relay body has lines `Signal=5` and `Duration=160` (milliseconds), with spaces and letters as each maker likes; a dtmf
body is the key alone, or the same lines. Some write the event's number (`10` for `*`) in place of the key.
"""

from __future__ import annotations

import re
from typing import Final

from runtime.media.dtmf import EVENTS

RELAY: Final = "application/dtmf-relay"
PLAIN: Final = "application/dtmf"
TYPES: Final = (RELAY, PLAIN)

BODY_BYTES_MAX: Final = 256
"""A longer body is none of a key."""

_LINE: Final = re.compile(r"(?i)(?:signal|d)\s*=\s*(\S+)")
_FLASH: Final = frozenset({"!", "16", "HF", "FLASH", "HOOKFLASH"})


def read_key(body: bytes) -> str | None:
    """The key that a body tells of, "" for a hook flash, which is none; None where it cannot be read."""
    if len(body) > BODY_BYTES_MAX or not body.isascii():
        return None
    lines = [line.strip() for line in body.decode().splitlines() if line.strip()]
    if not lines:
        return None
    found = [match[1] for match in map(_LINE.fullmatch, lines) if match]
    if len(found) > 1 or (not found and len(lines) > 1):
        return None
    word = (found[0] if found else lines[0]).upper()
    if word in _FLASH:
        return ""
    if word.isdecimal() and len(word) == 2 and 10 <= int(word) < len(EVENTS):
        return EVENTS[int(word)]
    return word if len(word) == 1 and word in EVENTS else None


def write_relay(key: str, duration_ms: int) -> bytes:
    """The body that tells of a key."""
    assert len(key) == 1
    assert key in EVENTS
    return f"Signal={key}\r\nDuration={duration_ms}\r\n".encode()
