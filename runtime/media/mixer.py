"""What each member of a room hears: all the others, never itself (mix-minus).

Called once per tick and room, with one frame (or None for silence) of each member. It promises:

* Nothing is decoded where one other member is audible: its very frame goes through.
* Everybody hears a sum at the highest rate that its own codec and any of the voices have: a phone's 8 kHz take nothing
  from the others, and nothing is computed that nobody can hear.
* A sum is exact. It is built once for all who hear one rate, in 32 bits with room for 128 voices at full scale, a
  member's own voice is taken out of the unclipped sum, and only the result is clipped. Sums in 16 bits would be clipped
  half-way, and taking a voice out of a clipped sum leaves its distortion behind: as many multiplications less, but
  audibly wrong.

A frame of digital silence counts as None.
"""

from __future__ import annotations

import audioop
from collections.abc import Iterable, Sequence
from typing import Final

from runtime.media.codecs.codec import Codec
from runtime.media.frame import Frame

_HEADROOM: Final = 256
"""A sample of 16 bits in the top half of a word of 32, divided by this, leaves 8 bits for carries."""

Voices = dict[int, Frame]
"""Who is audible: the frames by the members' places."""


def mix(frames: Sequence[Frame | None], codecs: Sequence[Codec]) -> list[Frame | None]:
    """For each member, who speaks in its codec, the frame of all others together; None where they are silent."""
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
            found = sums[rate_hz] = _Sum(audible, rate_hz)
        heard[member] = found.without(member)
    return heard


def together(frames: Sequence[Frame | None], rate_hz: int) -> Frame | None:
    """All members in one, for a listener at this rate who is none of them; None when all are silent."""
    audible = _audible(frames)
    if len(audible) <= 1:
        return next(iter(audible.values()), None)
    return _Sum(audible, min(rate_hz, max(voice.rate_hz for voice in audible.values()))).of_all()


class _Sum:
    """All voices at one rate."""

    __slots__ = ("_all", "_minus_total", "_rate_hz", "_total", "_voices")

    def __init__(self, audible: Voices, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._voices = {member: audioop.mul(frame.wide(rate_hz), 4, 1 / _HEADROOM) for member, frame in audible.items()}
        self._total = _total(self._voices.values())
        self._minus_total = b""
        self._all: Frame | None = None

    def of_all(self) -> Frame:
        """For whoever does not speak: made once, and encoded once for each law."""
        if self._all is None:
            self._all = Frame.of_wide(audioop.mul(self._total, 4, _HEADROOM), self._rate_hz)
        return self._all

    def without(self, member: int) -> Frame:
        """For this member."""
        own = self._voices.get(member)
        if own is None:
            return self.of_all()
        if not self._minus_total:
            self._minus_total = audioop.mul(self._total, 4, -1)
        others = audioop.mul(audioop.add(self._minus_total, own, 4), 4, -_HEADROOM)
        return Frame.of_wide(others, self._rate_hz)


def _audible(frames: Sequence[Frame | None]) -> Voices:
    return {member: frame for member, frame in enumerate(frames) if frame is not None and not frame.is_silent}


def _total(voices: Iterable[bytes]) -> bytes:
    total = b""
    for voice in voices:
        total = audioop.add(total, voice, 4) if total else voice
    return total
