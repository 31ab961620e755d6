"""Frames of G.711 for tests, and what a listener to G.711 gets of any frame."""

from __future__ import annotations

from runtime.media.codecs.codec import CODECS
from runtime.media.codecs.g711 import Law
from runtime.media.frame import Frame
from runtime.media.voice import Voice


def frame(payload: bytes | None, law: Law = "pcmu") -> Frame | None:
    """A frame of these bytes; None stays None."""
    return None if payload is None else Voice(CODECS[law]).frame(payload)


def coded(heard: Frame | None, law: Law = "pcmu") -> bytes | None:
    """The bytes that a listener to this law gets; None stays None."""
    return None if heard is None else heard.in_law(law)
