"""Sound that is there beforehand: a prompt, a greeting, a sentence of the test phone."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.media.codecs.codec import TICKS_PER_S
from runtime.media.frame import Frame

RATES_HZ = (8_000, 16_000)
"""What sound is kept at: for a phone, and for one that has more. Nothing has to be resampled while it plays."""


class Sound:
    """A sequence of frames, made as they are played. `linear`: samples by their rates; the last frame is filled up."""

    __slots__ = ("_frames", "_linear")

    def __init__(self, linear: dict[int, bytes]) -> None:
        self._linear = linear
        self._frames = max((-(-len(samples) // frame_bytes(rate)) for rate, samples in linear.items()), default=0)

    def __len__(self) -> int:
        return self._frames

    def __getitem__(self, at: int) -> Frame:
        if not 0 <= at < self._frames:
            raise IndexError(at)
        return Frame.of_linear({rate: self._cut(rate, at) for rate in self._linear})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sound) and self._linear == other._linear

    __hash__ = None  # type: ignore[assignment]

    def linear(self, rate_hz: int) -> bytes:
        """All of it, at one of its rates."""
        return self._linear[rate_hz]

    @property
    def rate_hz(self) -> int:
        """The best of its rates."""
        return max(self._linear)

    def _cut(self, rate_hz: int, at: int) -> bytes:
        size = frame_bytes(rate_hz)
        return self._linear[rate_hz][at * size : (at + 1) * size].ljust(size, b"\0")


def frame_bytes(rate_hz: int) -> int:
    """The size of one tick of linear samples."""
    return 2 * rate_hz // TICKS_PER_S


def gathered(pieces: Iterable[dict[int, bytes]]) -> Sound:
    """The sound of pieces that follow each other."""
    parts: dict[int, list[bytes]] = {}
    for piece in pieces:
        for rate_hz, samples in piece.items():
            parts.setdefault(rate_hz, []).append(samples)
    return Sound({rate_hz: b"".join(samples) for rate_hz, samples in parts.items()})
