"""Keys as tones in the voice itself (ITU-T Q.23): the pairs of frequencies, and frames that sound like a key.

Called by the session where a trunk says `media.dtmf: [inband]` and its phone takes neither telephone-events nor INFO.
Each key is one tone of a low and one of a high group; they swell and fade within 2 ms, for a tone that is cut off
clicks over the whole band, and that is what a strict receiver takes for speech.

Linear samples are signed 16 bit, machine byte order, mono.
"""

from __future__ import annotations

import math
from array import array
from functools import lru_cache
from typing import Final

from runtime.media.codecs.codec import TICKS_PER_S
from runtime.media.frame import Frame
from runtime.media.voice import Voice

LOW_HZ: Final = (697, 770, 852, 941)
HIGH_HZ: Final = (1209, 1336, 1477, 1633)
KEYPAD: Final = ("123A", "456B", "789C", "*0#D")
"""Q.23: a row for each low frequency, a column for each high one."""

LOW_AMPLITUDE: Final = 8_160
HIGH_AMPLITUDE: Final = 10_270
"""-9 and -7 dBm0 (a sine at full scale is 3.14 dBm0): Q.24's usual level, the high group 2 dB above the low one."""

RATE_HZ: Final = 8_000
"""What tones are made at: none is higher than a phone carries."""

_FRAME_BYTES: Final = 2 * RATE_HZ // TICKS_PER_S
_RAMP_S: Final = 0.002
_SOUNDS_KEPT: Final = 64


def pair_of(key: str) -> tuple[int, int]:
    """The two frequencies of a key, in Hz."""
    row = next(row for row, keys in enumerate(KEYPAD) if key in keys)
    return LOW_HZ[row], HIGH_HZ[KEYPAD[row].index(key)]


@lru_cache(maxsize=_SOUNDS_KEPT)
def tone_of(key: str, tone_ms: int) -> bytes:
    """The whole tone of a key: linear samples at 8 kHz."""
    low, high = (2 * math.pi * hz / RATE_HZ for hz in pair_of(key))
    count, ramp = RATE_HZ * tone_ms // 1000, RATE_HZ * _RAMP_S
    samples = array("h")
    for n in range(count):
        envelope = min(1.0, (n + 1) / ramp, (count - n) / ramp)
        samples.append(round(envelope * (LOW_AMPLITUDE * math.sin(low * n) + HIGH_AMPLITUDE * math.sin(high * n))))
    return samples.tobytes()


class KeyTones:
    """The tones of one call, as its phone hears them."""

    __slots__ = ("_rest", "_voice")

    def __init__(self) -> None:
        self._voice = Voice()
        self._rest = b""

    @property
    def sounding(self) -> bool:
        """Whether a tone has not come to its end."""
        return bool(self._rest)

    def begin(self, key: str, tone_ms: int) -> None:
        """This key's tone, from the coming tick on."""
        self._rest = tone_of(key, tone_ms)

    def frame(self) -> Frame | None:
        """The frame of this tick; None between tones."""
        if not self._rest:
            return None
        samples, self._rest = self._rest[:_FRAME_BYTES], self._rest[_FRAME_BYTES:]
        return self._voice.speak(samples.ljust(_FRAME_BYTES, b"\0"), RATE_HZ)
