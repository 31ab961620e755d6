"""What each member of a room hears: all the others, never itself (mix-minus).

Called once per tick and room, with one frame (or None for silence) of each member. It promises:

* Nothing is decoded where one other member is audible: its very frame goes through.
* Everybody hears a sum at the highest rate that its own codec and any of the voices have: a phone's 8 kHz take nothing
  from the others, and nothing is computed that nobody can hear.
* A sum is exact. It is built once for all who hear one rate, in 32 bits with room for 128 voices at full scale, and a
  member's own voice is taken out of the whole sum. Sums in 16 bits would be clipped half-way, and taking a voice out of
  a clipped sum leaves its distortion behind: as many multiplications less, but audibly wrong.
* A sum that is too loud is turned down (`limiter`), not clipped; each that somebody hears has a gain of its own.

A frame of digital silence counts as None.
"""

from __future__ import annotations

import audioop
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from runtime.media.codecs.codec import Codec
from runtime.media.frame import Frame
from runtime.media.limiter import Limiter

_HEADROOM: Final = 256
"""A sample of 16 bits in the top half of a word of 32, divided by this, leaves 8 bits for carries."""

_FULL_SCALE: Final = 32_767 << 8
"""The largest sample in such a word."""
EVERYBODY: Final = -1
FORGOTTEN_TICKS: Final = 25

Voices = dict[int, Frame]
"""Who is audible: the frames by the members' places."""


class Mixer:
    """One room, or one listener: what is kept from tick to tick are the gains of its sums."""

    __slots__ = ("_limiters", "_tick")

    def __init__(self) -> None:
        self._limiters: dict[tuple[int, int], tuple[Limiter, int]] = {}
        self._tick = 0

    def mix(self, frames: Sequence[Frame | None], codecs: Sequence[Codec]) -> list[Frame | None]:
        """For each member, who speaks in its codec, the frame of all others together; None where they are silent."""
        self._tick += 1
        audible = _audible(frames)
        if not audible:
            return [None] * len(frames)
        heard: list[Frame | None] = [None] * len(frames)
        if len(audible) == 1:
            [(speaker, voice)] = audible.items()
            return [None if member == speaker else voice for member in range(len(frames))]
        sums: dict[int, _Sum] = {}
        most = max(voice.rate_hz for voice in audible.values())
        for member, codec in enumerate(codecs):
            if len(audible) == 2 and member in audible:
                heard[member] = next(voice for speaker, voice in audible.items() if speaker != member)
                continue
            rate_hz = min(codec.rate_hz, most)
            found = sums.get(rate_hz)
            if found is None:
                found = sums[rate_hz] = _Sum(audible, rate_hz, self._limiter)
            heard[member] = found.without(member)
        return heard

    def together(self, frames: Sequence[Frame | None], rate_hz: int) -> Frame | None:
        """All members in one, for a listener at this rate who is none of them; None when all are silent."""
        self._tick += 1
        audible = _audible(frames)
        if len(audible) <= 1:
            return next(iter(audible.values()), None)
        most = max(voice.rate_hz for voice in audible.values())
        return _Sum(audible, min(rate_hz, most), self._limiter).of_all()

    def _limiter(self, rate_hz: int, listener: int) -> Limiter:
        """Of the sum that this member hears, or EVERYBODY; one that was not used of late begins anew."""
        key = rate_hz, listener
        limiter, used = self._limiters.get(key, (None, 0))
        if limiter is None or self._tick - used > FORGOTTEN_TICKS:
            limiter = Limiter()
        self._limiters[key] = limiter, self._tick
        return limiter


class _Sum:
    """All voices at one rate."""

    __slots__ = ("_all", "_limiter", "_minus_total", "_rate_hz", "_total", "_voices")

    def __init__(self, audible: Voices, rate_hz: int, limiter: Callable[[int, int], Limiter]) -> None:
        self._rate_hz = rate_hz
        self._limiter = limiter
        self._voices = {member: audioop.mul(frame.wide(rate_hz), 4, 1 / _HEADROOM) for member, frame in audible.items()}
        self._total = _total(self._voices.values())
        self._minus_total = b""
        self._all: Frame | None = None

    def of_all(self) -> Frame:
        """For whoever does not speak: made once, and encoded once for each law."""
        if self._all is None:
            self._all = self._heard(self._total, EVERYBODY)
        return self._all

    def without(self, member: int) -> Frame:
        """For this member."""
        own = self._voices.get(member)
        if own is None:
            return self.of_all()
        if not self._minus_total:
            self._minus_total = audioop.mul(self._total, 4, -1)
        return self._heard(audioop.mul(audioop.add(self._minus_total, own, 4), 4, -1), member)

    def _heard(self, total: bytes, listener: int) -> Frame:
        limited = self._limiter(self._rate_hz, listener).limited(total, _FULL_SCALE, self._rate_hz)
        return Frame.of_wide(audioop.mul(limited, 4, _HEADROOM), self._rate_hz)


def _audible(frames: Sequence[Frame | None]) -> Voices:
    return {member: frame for member, frame in enumerate(frames) if frame is not None and not frame.is_silent}


def _total(voices: Iterable[bytes]) -> bytes:
    total = b""
    for voice in voices:
        total = audioop.add(total, voice, 4) if total else voice
    return total
