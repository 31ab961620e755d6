"""What an unquoted word means: the YAML 1.2 core schema (10.3.2), and nothing of YAML 1.1.

`no`, `on` and `yes` are strings, `0o17` is fifteen, `12:30` and `2026-01-01` are strings. Called by `build` once for
each plain scalar, so the common case (a word) costs one set lookup.
"""

from __future__ import annotations

import re

DIGITS_MAX = 64
"""More digits than this are no number a manifest needs; they stay text, and int() never sees them."""

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    "": None,
    **dict.fromkeys(("~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WORD_STARTS = frozenset({"", "~", "n", "N", "t", "T", "f", "F"})
_NUMBER_STARTS = frozenset("0123456789+-.")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
_NAN = re.compile(r"\.(?:nan|NaN|NAN)")
_PHONE = re.compile(r"\+[0-9]{3,}")


def resolve(text: str) -> Scalar:
    """The value of a plain scalar."""
    start = text[:1]
    if start in _NUMBER_STARTS:
        return _number(text)
    if start in _WORD_STARTS:
        return _WORDS.get(text, text)
    return text


def is_unquoted_phone(text: str) -> bool:
    """Whether a plain scalar is a phone number that YAML takes for an integer, so that its `+` would be lost."""
    return text[:1] == "+" and _PHONE.fullmatch(text) is not None


def _number(text: str) -> Scalar:
    if len(text) > DIGITS_MAX:
        return text
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _OCTAL.fullmatch(text):
        return int(text, 0)
    if _HEX.fullmatch(text):
        return int(text, 0)
    if infinity := _INFINITY.fullmatch(text):
        return float(infinity[1] + "inf")
    return float("nan") if _NAN.fullmatch(text) else text
