"""Several loud talkers at once without clipping: a sum that is too loud is turned down for as long as it is, and back.

Called by the mixer for each sum that somebody hears; one `Limiter` for each, since the gain goes on from tick to tick.
What stays below -1 dBFS passes untouched, bit for bit, once the gain is back. Nothing is delayed: within a frame the
gain comes down before the peak, and where the peak is at the frame's very beginning it follows within 3 ms, in which
alone samples can still be cut off at full scale.

Samples are 32 bits wide, machine byte order, mono.
"""

from __future__ import annotations

import audioop
from typing import Final

THRESHOLD: Final = 0.891
"""-1 dBFS, of full scale."""
ATTACK_PER_MS: Final = 0.5
"""How far the gain may come down in a millisecond: 6 dB."""
RELEASE_PER_MS: Final = 1.006
"""How fast it comes back: 10 dB in 200 ms."""
_LOOK_MS: Final = 3
_NEAR: Final = RELEASE_PER_MS**_LOOK_MS
_WIDTH: Final = 4


class Limiter:
    """The gain of one sum; `gain` is 1 where nothing was too loud of late."""

    __slots__ = ("gain",)

    def __init__(self) -> None:
        self.gain = 1.0

    def limited(self, samples: bytes, full_scale: int, rate_hz: int) -> bytes:
        """One frame, no louder than the threshold; `full_scale` is the value of the loudest sample that may be sent."""
        threshold = THRESHOLD * full_scale
        if self.gain >= 1.0 and audioop.max(samples, _WIDTH) <= threshold:
            return samples
        step = rate_hz // 1000 * _WIDTH
        blocks = [samples[at : at + step] for at in range(0, len(samples), step)]
        needed = [min(1.0, threshold / max(1, audioop.max(block, _WIDTH))) for block in blocks]
        gain, turned = self.gain, []
        for number, block in enumerate(blocks):
            change = RELEASE_PER_MS
            for ahead, need in enumerate(needed[number : number + _LOOK_MS], 1):
                if need < gain * _NEAR:  # else its root is more than the gain may rise anyway
                    change = min(change, (need / gain) ** (1 / ahead))
            gain *= max(ATTACK_PER_MS, change)
            turned.append(audioop.mul(block, _WIDTH, gain))
        self.gain = min(1.0, gain)
        return b"".join(turned)
