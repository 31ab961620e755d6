"""Which of LiveKit's two ways of signalling a server has, and how long the bridge remembers that.

A single connection (`/rtc/v1`) came to LiveKit's server with 1.9.10; an older one answers 404 there. The calls of a
bridge then join by two (`/rtc`, which every server has), and those that follow do so at once; but not for long, because
a server that is restarted may be a newer one.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

REMEMBERED_S: Final = 300.0
"""How long new calls join by two connections, once that was all that the server had."""


class Mode(StrEnum):
    """How many media paths a call has to its server."""

    SINGLE = "single"
    TWO = "two"

    @property
    def other(self) -> Mode:
        """The one to try when this one is not there."""
        return Mode.TWO if self is Mode.SINGLE else Mode.SINGLE


class KnownMode:
    """What is known of one server."""

    def __init__(self) -> None:
        self._two_until = float("-inf")

    def at(self, now: float) -> Mode:
        """By which mode a new call joins first."""
        return Mode.TWO if now < self._two_until else Mode.SINGLE

    def found(self, mode: Mode, now: float) -> None:
        """A call was let in by this mode, after the other one was not there."""
        self._two_until = now + REMEMBERED_S if mode is Mode.TWO else float("-inf")
