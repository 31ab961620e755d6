"""How the holes of a G.711 stream sound: what comes out of the playout buffer, with every hole made good.

Between the playout buffer and whoever hears the call, so that the very bytes of the peer still go through wherever
nothing is missing. Codecs with a memory conceal in their decoders.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from runtime.media.codecs.g711 import FRAME_BYTES, FRAME_MS, SAMPLES_PER_S, Law, decode, encode
from runtime.media.concealment import HISTORY_MS, Concealment, crossed
from runtime.media.jitter import Cell, Piece

_FRAMES: Final = HISTORY_MS // FRAME_MS


class Mender:
    """One stream in one law."""

    __slots__ = ("_conceals", "_law", "_played")

    def __init__(self, law: Law) -> None:
        self._law: Law = law
        self._conceals = Concealment(SAMPLES_PER_S)
        self._played: deque[bytes] = deque(maxlen=_FRAMES)

    def payload(self, cell: Cell | None) -> bytes | None:
        """The frame to hear in this tick, None for silence."""
        if isinstance(cell, Piece):
            cell = encode(self._law, self._mended(cell))
        elif cell is None:
            self._conceals.forget()
            return None
        elif self._conceals.made_up:
            cell = encode(self._law, self._conceals.found(decode(self._law, cell)))
        self._played.append(cell)
        return cell

    def _mended(self, piece: Piece) -> bytes:
        law = self._law
        following = decode(law, piece.following) if piece.following is not None else b""
        if piece.payload is None:
            return self._conceals.lost(FRAME_BYTES, self._history(), following)
        linear = decode(law, piece.payload)
        if piece.instead is not None:
            return crossed(self._conceals.found(decode(law, piece.instead)), linear)
        return self._filled(linear, piece.gaps, following)

    def _filled(self, linear: bytes, gaps: tuple[tuple[int, int], ...], following: bytes) -> bytes:
        """A frame of which a part has come."""
        filled, at = b"", 0
        for since, until in gaps:
            if since > at:
                filled += self._conceals.found(linear[2 * at : 2 * since])
            after = linear[2 * until :] if until < FRAME_BYTES else following
            filled += self._conceals.lost(until - since, self._history() + filled, after)
            at = until
        return filled + self._conceals.found(linear[2 * at :])

    def _history(self) -> bytes:
        return decode(self._law, b"".join(self._played))
