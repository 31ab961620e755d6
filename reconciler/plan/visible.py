"""Text of strangers, made visible: no line end, escape sequence or letter without a shape passes for our own words."""

from __future__ import annotations

import re

_BLANK = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Letters and marks that count as printable and draw nothing (Unicode's Default_Ignorable, and the blank Braille)."""


def visible(text: str) -> str:
    """The text on one line, with `\\u202e` in the place of a character that nobody sees."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if _is_seen(c) else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def heard(said: object, chars_max: int) -> str:
    """What a server says of itself, for a message: one line, cut; "" of what is no text.

    `##[` would begin a command of a CI's log wherever it stands in a line, `::` where it begins one.
    """
    if not isinstance(said, str):
        return ""
    line = "".join(c if _is_seen(c) else " " for c in said[: chars_max * 4])
    line = " ".join(line.split()).replace("##[", "# #[").lstrip(":")
    return line if len(line) <= chars_max else line[: chars_max - 1] + "…"


def _is_seen(char: str) -> bool:
    return char.isprintable() and not _BLANK.match(char)
