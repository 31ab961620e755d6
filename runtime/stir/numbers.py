"""Telephone numbers in the form that signatures are about (RFC 8224 section 8.3): digits, no `+`, no separators."""

from __future__ import annotations

import re
from typing import Final

from runtime.stir.limits import TN_DIGITS_MAX

USER_CHARS_MAX: Final = 128
"""A longer user part is no number."""

_number = re.compile(rf"[0-9*#]{{1,{TN_DIGITS_MAX}}}")
_separators = str.maketrans("", "", "-.() ")


def canonical_number(user: str) -> str:
    """A user part or a number in that form; "" where it is no telephone number.

    A country code that is not written is not guessed: who signs knows it, and who compares must find the same.
    """
    if len(user) > USER_CHARS_MAX:
        return ""
    digits = user.translate(_separators).removeprefix("+")
    return digits if _number.fullmatch(digits) else ""
