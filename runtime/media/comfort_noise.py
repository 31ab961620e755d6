"""Comfort noise (RFC 3389): what is heard of a peer that sends nothing while nobody speaks: the line sounds alive.

Called by the incoming stream for a packet of payload type 13, and for each tick until audio comes again. The level is
honoured; the shape of the spectrum, which the RFC leaves to the receiver, is that of a quiet room for all.
"""

from __future__ import annotations

import audioop
from array import array
from functools import cache
from typing import Final

from runtime.media.frame import Frame
from runtime.media.voice import Voice

RATE_HZ: Final = 8_000
LEVEL_MAX: Final = 127
"""dB below full scale: digital silence (section 3.1)."""

_FRAMES: Final = 97
"""How many frames go by until the noise repeats itself: nobody hears two seconds come again."""
_FRAME_BYTES: Final = 320
_FULL_SCALE: Final = 32_767
_TABLE_RMS: Final = 4_000


class ComfortNoise:
    """The noise of one silence. `level` is that of the packet: so many dB below full scale."""

    __slots__ = ("_at", "_factor", "_voice", "ends")

    def __init__(self, level: int) -> None:
        assert 0 <= level <= LEVEL_MAX
        self._factor = 0.0 if level == LEVEL_MAX else 10 ** (-level / 20) * _FULL_SCALE / _TABLE_RMS
        self._voice = Voice()
        self._at = 0
        self.ends = False
        """Audio has come since: it is heard until that is played."""

    def frame(self) -> Frame:
        """The next tick of it."""
        noise = _noise()[self._at]
        self._at = (self._at + 1) % _FRAMES
        return self._voice.speak(audioop.mul(noise, 2, self._factor), RATE_HZ)


def level_of(payload: bytes) -> int | None:
    """What a packet of comfort noise says of its level; None where it is empty."""
    return payload[0] & LEVEL_MAX if payload else None


@cache
def _noise() -> tuple[bytes, ...]:
    """Noise of `_TABLE_RMS` that falls off to the higher frequencies; the same in every process."""
    state, before = 1, 0.0
    samples = []
    for _ in range(_FRAMES * _FRAME_BYTES // 2):
        total = 0
        for _ in range(4):  # a sum of some is nearly Gaussian
            state = (state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
            total += state >> 15
        before = 0.6 * before + (total - 131_070)
        samples.append(before)
    rms = (sum(sample * sample for sample in samples) / len(samples)) ** 0.5
    linear = array("h", (round(max(-32_768, min(32_767, sample * _TABLE_RMS / rms))) for sample in samples)).tobytes()
    return tuple(linear[at : at + _FRAME_BYTES] for at in range(0, len(linear), _FRAME_BYTES))
