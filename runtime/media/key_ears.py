"""Keys that are heard in the voice itself (ITU-T Q.23, Q.24): finds them, and keeps them from the room.

Called by the session once per tick with the frame that the phone spoke, where a trunk says `media.dtmf: [inband]`.
Every 10 ms the last 20 ms are correlated with the eight frequencies, under a Hann window. A key is a row and a column
such that

* each is the loudest of its group, by far, and the two are about as loud as one another (twist);
* the phase of each has moved on since the window before as its frequency says, within 2.4 %: so a tone that is 3.5 %
  off is none (Q.24 table A-1), although a window of 20 ms cannot tell the two apart by loudness;
* the two together are nearly all that is heard in these 30 ms: that is what speech never is for long.

Three such looks in a row, of the same key, tell it: a tone of 40 ms always has them, one of 23 ms never does. It is
over after four looks without it, so a gap of 10 ms in a tone does not make two of it (Q.24: an interruption), and a
pause of 40 ms does. A frame that was lost, or made up, does not make two of it either.

A dot product costs less than a microsecond (`audioop.findfactor`, in C), so nothing is computed sample by sample.
"""

from __future__ import annotations

import audioop
import cmath
import math
from array import array
from typing import Final

from runtime.media.frame import Frame
from runtime.media.key_tones import HIGH_HZ, KEYPAD, LOW_HZ
from runtime.media.voice import Voice

LEVEL_RMS_MIN: Final = 120
"""Softer than this nothing is looked for: -43 dBm0 for both tones together."""

TWIST_LOW_MAX: Final = 10 ** (9 / 20)
TWIST_HIGH_MAX: Final = 10 ** (6 / 20)
"""How much louder the low tone may be than the high one, and the high than the low: 9 and 6 dB; Q.24 asks for 8, 4."""

ABOVE_OTHERS_LOW: Final = 10 ** (6 / 20)
ABOVE_OTHERS_HIGH: Final = 10 ** (9 / 20)
"""How far a tone stands out of its group. The low ones are so close that the window hears one beside the other."""

OFFSET_MAX: Final = 0.024
"""How far from its frequency a tone may be: 1.5 % has to be taken, 3.5 % refused."""

PURE_MIN: Final = 0.80
"""The part of what is heard that the two tones must make up: with noise 12 dB below them it is 94 %."""

PURE_STILL_MIN: Final = 0.50
"""The same of a tone that was told, for it to go on: a frame that was lost breaks it, and must not make two of it."""

LOOKED_AT_PER_S: Final = 8_000
"""Samples that are looked at."""

LOST_TICKS_MAX: Final = 2
"""So many ticks without any frame are a loss; longer, and the phone is silent."""

_STEPS_PER_S: Final = 100
_STEP_BYTES: Final = 2 * LOOKED_AT_PER_S // _STEPS_PER_S
_LOOKS_TO_TELL: Final = 3
_LOOKS_TO_END: Final = 4
_ALL_HZ: Final = (*LOW_HZ, *HIGH_HZ)
_SILENCE: Final = bytes(2 * _STEP_BYTES)
_SCALE: Final = 8192
_HANN_DROOP: Final = 0.64
"""A Hann window's response near its middle is 1 - 0.64 x², x in bins (within 1 % up to half a bin)."""


def _references() -> tuple[tuple[bytes, bytes, float, float], ...]:
    """For each frequency: windowed cosine and sine, and what `findfactor` with each is worth in amplitude."""
    count = LOOKED_AT_PER_S // 50
    window = [0.5 - 0.5 * math.cos(2 * math.pi * (n + 0.5) / count) for n in range(count)]
    made = []
    for hz in _ALL_HZ:
        step = 2 * math.pi * hz / LOOKED_AT_PER_S
        waves = [
            array("h", (round(_SCALE * w * wave(step * n)) for n, w in enumerate(window)))
            for wave in (math.cos, math.sin)
        ]
        # It divides by the reference's own power, and a tone of amplitude a correlates to a/2 * sum(window).
        gains = [sum(v * v for v in wave) * 2 / (_SCALE * sum(window)) for wave in waves]
        made.append((waves[0].tobytes(), waves[1].tobytes(), gains[0], gains[1]))
    return tuple(made)


_REFERENCES: Final = _references()
_ADVANCES: Final = [2 * math.pi * hz / _STEPS_PER_S for hz in _ALL_HZ]
"""How far the phase of each frequency moves on in one step."""


class KeyEars:
    """One phone's voice: linear samples, signed 16 bit, 8 kHz, mono."""

    __slots__ = ("_before", "_candidate", "_key", "_looks", "_lost", "_misses", "_tail", "is_tone")

    def __init__(self) -> None:
        self._tail = bytes(2 * _STEP_BYTES)
        self._before: list[complex] | None = None
        self._candidate = ""
        self._looks = self._misses = self._lost = 0
        self._key = ""
        self.is_tone = False
        """Whether what was heard last is a key, or may become one."""

    def hear(self, linear: bytes | None) -> str:
        """The keys that this tick is the first to tell of: none, mostly. None: nothing came."""
        if linear is None:
            self._lost += 1
            if self._key and self._lost <= LOST_TICKS_MAX:
                return ""
            linear = _SILENCE
        else:
            self._lost = 0
        window = self._tail + linear
        self._tail = window[-2 * _STEP_BYTES :]
        keys = ""
        self.is_tone = False
        for at in (0, _STEP_BYTES):
            keys += self._look(window[at : at + 3 * _STEP_BYTES])
        return keys

    def _look(self, span: bytes) -> str:
        """One step of 10 ms; `span` is the last 30 ms. The key that is told now, or nothing."""
        found, still = self._find(span)
        self._looks = self._looks + 1 if found and found == self._candidate else int(bool(found))
        self._candidate = found
        if self._key:
            self._misses = 0 if still == self._key else self._misses + 1
            if self._misses >= _LOOKS_TO_END:
                self._key = ""
        told = found if self._looks >= _LOOKS_TO_TELL and found != self._key else ""
        if told:
            self._key, self._misses = told, 0
        self.is_tone = self.is_tone or bool(found or self._key)
        return told

    def _find(self, span: bytes) -> tuple[str, str]:
        """The key that sounds throughout these 30 ms; and the one that sounds, though it may be broken."""
        rms = audioop.rms(span, 2)
        if rms < LEVEL_RMS_MIN:
            self._before = None
            return "", ""
        before, now = self._before, self._spectrum(span[_STEP_BYTES:])
        self._before = now
        sizes = [abs(value) for value in now]
        row, column = _loudest(sizes[:4], ABOVE_OTHERS_LOW), _loudest(sizes[4:], ABOVE_OTHERS_HIGH)
        if before is None or row < 0 or column < 0:
            return "", ""
        key = KEYPAD[row][column]
        low, high = sizes[row], sizes[4 + column]
        still = key if (low * low + high * high) / 2 >= PURE_STILL_MIN * rms * rms else ""
        low, high = (self._size(tone, before, now) for tone in (row, 4 + column))
        if not low or not high or low > high * TWIST_LOW_MAX or high > low * TWIST_HIGH_MAX:
            return "", still
        return (key if (low * low + high * high) / 2 >= PURE_MIN * rms * rms else ""), still

    def _spectrum(self, window: bytes) -> list[complex]:
        find = audioop.findfactor
        return [complex(find(window, c) * of_c, find(window, s) * of_s) for c, s, of_c, of_s in _REFERENCES]

    def _size(self, tone: int, before: list[complex], now: list[complex]) -> float:
        """The amplitude of a tone; 0 where its phase has moved on otherwise than its frequency says.

        The window hears a tone softer that is off its middle, which is made good. The imaginary part counts backwards.
        """
        moved = cmath.phase(before[tone] * now[tone].conjugate() * cmath.rect(1, -_ADVANCES[tone]))
        if abs(moved) > OFFSET_MAX * _ADVANCES[tone]:
            return 0.0
        bins = moved / math.pi
        return abs(now[tone]) / (1 - _HANN_DROOP * bins * bins)


def _loudest(sizes: list[float], above: float) -> int:
    """The one of a group that stands out, -1 if none does."""
    first, second = sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True)[:2]
    return first if sizes[first] > above * sizes[second] else -1


class KeyFilter:
    """The stage that frames go through: keys out of them, and the frames of one tick ago without their tones.

    The tick in between lets a tone be taken out that is known only when it has lasted for 30 ms: at most 20 ms of it
    are handed on, too little for anybody behind to find the key again. A frame of G.711 without a tone is handed on as
    it came.
    """

    __slots__ = ("_delayed", "_ears", "_voice")

    def __init__(self) -> None:
        self._ears = KeyEars()
        self._voice = Voice()
        self._delayed: Frame | None = None

    def step(self, frame: Frame | None) -> tuple[str, Frame | None]:
        """One tick."""
        is_lost = frame is None or (frame.codec is not None and frame.payload is None)
        if frame is not None and (is_lost or frame.codec is None or frame.codec.law is None):
            # Decoders go forwards: samples are made now, and not when the next frame's have been.
            frame = self._voice.speak(frame.linear(frame.rate_hz), frame.rate_hz)
        keys = self._ears.hear(None if is_lost or frame is None else frame.linear(LOOKED_AT_PER_S))
        passed, self._delayed = self._delayed, frame
        if self._ears.is_tone:
            passed = self._delayed = None
        return keys, passed
