"""A caller alone in a room hears itself, a moment later: the proof that audio goes both ways.

Called by the embedded rooms, once per tick for a lone participant.
"""

from __future__ import annotations

from collections import deque

from runtime.media.codecs.g711 import FRAME_MS
from runtime.media.frame import Frame


class EchoLine:
    """A delay of whole frames, at least one. Holds `delay_ms` of audio, silence as None."""

    __slots__ = ("_line",)

    def __init__(self, delay_ms: int = 400) -> None:
        frames = max(1, delay_ms // FRAME_MS)
        self._line: deque[Frame | None] = deque([None] * frames, maxlen=frames)

    def step(self, frame: Frame | None) -> Frame | None:
        """The frame of `delay_ms` ago, for the frame of now."""
        earlier = self._line[0]
        self._line.append(frame)
        return earlier

    def clear(self) -> None:
        """Forget what is on its way: the echo must not outlive the moment it belongs to."""
        for _ in range(len(self._line)):
            self._line.append(None)
