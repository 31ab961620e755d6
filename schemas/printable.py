"""The one way to show what a stranger, or a file, has said: no character in it can be a command to a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` on one line: what cannot be printed (controls, line breaks, bidirectional marks) is U+FFFD."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
