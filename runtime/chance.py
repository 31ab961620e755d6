"""Chance for cores: drawn from the entropy that they are given, so that tests can say what was drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_BYTES: Final = 4


def drawn(entropy: Callable[[int], bytes]) -> float:
    """A number from 0 up to 1, each as likely as the others."""
    return int.from_bytes(entropy(_BYTES)) / (1 << 8 * _BYTES)


def spread(entropy: Callable[[int], bytes]) -> float:
    """A factor from 0.5 up to 1.5: what it is applied to stays the same on average."""
    return 0.5 + drawn(entropy)
