"""What a test call heard, in words: whether it was the caller's own speech, and how much later it came back.

Works on 16-bit mono samples at 8 kHz, after the call. The loudest second of what was spoken is looked for in what was
heard (normalised cross-correlation); a good fit is an echo, and its place gives the delay. Playout may grow or shrink
by a frame in a pause between two words, which nobody hears, so each piece of that second may lie a little aside. It may
also be upside down: Opus turns phases, and where speech was encoded twice pieces of both signs come back.
"""

from __future__ import annotations

import audioop
from dataclasses import dataclass

RATE_HZ = 8000
WIDTH = 2
PROBE_S = 1.0
PIECE_S = 0.2
ASIDE_S = 0.04
"""How far a piece may lie from where the whole was found: two frames of 20 ms."""
LOOK_MAX_S = 20.0
FIT_MIN = 0.6
SPEECH_RMS_MIN = 100
LOUD_S_MIN = 0.2
WINDOW_BYTES = 160 * WIDTH


@dataclass(frozen=True, slots=True)
class Heard:
    """`delay_s` None: the own speech did not come back. `loud_s` counts what was not silence. `fit` is 0 to 1."""

    heard_s: float
    loud_s: float
    delay_s: float | None
    fit: float

    @property
    def words(self) -> str:
        """One sentence for people."""
        if self.delay_s is not None:
            return f"your speech came back {self.delay_s:.1f} s later"
        if self.heard_s == 0:
            return "no audio came at all"
        if self.is_other:
            return f"{self.loud_s:.1f} s of other sound came, not your own speech"
        return f"{self.heard_s:.1f} s of silence came, and no speech"

    @property
    def is_other(self) -> bool:
        """Sound came, and it was not the own speech."""
        return self.delay_s is None and self.loud_s >= LOUD_S_MIN


def compare(spoken: bytes, heard: bytes, began_s: float = 0.0, period_s: float = float("inf")) -> Heard:
    """Look for `spoken`, which began `began_s` after `heard` did, in `heard`.

    `period_s`: it was spoken again after so long, and a later one must not be taken for the first.
    """
    loud_s = sum(
        audioop.rms(heard[at : at + WINDOW_BYTES], WIDTH) >= SPEECH_RMS_MIN
        for at in range(0, len(heard) - WINDOW_BYTES + 1, WINDOW_BYTES)
    ) * (WINDOW_BYTES / WIDTH / RATE_HZ)
    heard_s = len(heard) / WIDTH / RATE_HZ
    probe_bytes = min(int(PROBE_S * RATE_HZ), len(spoken) // WIDTH) * WIDTH
    # Digital silence has no energy to divide by, which findfit does: a constant of 1 gives it some.
    look_s = min(LOOK_MAX_S, began_s + period_s)
    within = audioop.bias(heard[: int(look_s * RATE_HZ) * WIDTH], WIDTH, 1)
    if loud_s == 0 or probe_bytes == 0 or probe_bytes > len(within):
        return Heard(heard_s, loud_s, None, 0.0)
    starts_at = audioop.findmax(spoken, probe_bytes // WIDTH)
    probe = spoken[starts_at * WIDTH : starts_at * WIDTH + probe_bytes]
    found_at, _factor = audioop.findfit(within, probe)
    fit = _fit(probe, _in_pieces(probe, within, found_at))
    delay_s = (found_at - starts_at) / RATE_HZ - began_s
    return Heard(heard_s, loud_s, delay_s if fit >= FIT_MIN and delay_s >= 0 else None, fit)


def _in_pieces(probe: bytes, within: bytes, found_at: int) -> bytes:
    """What was heard for the probe around sample `found_at`, each piece from where it fits best."""
    out, length, aside = b"", int(PIECE_S * RATE_HZ), int(ASIDE_S * RATE_HZ)
    for at in range(0, len(probe) // WIDTH, length):
        piece = probe[at * WIDTH : (at + length) * WIDTH]
        first = max(0, found_at + at - aside)
        around = within[first * WIDTH : (found_at + at + aside) * WIDTH + len(piece)]
        best_at, _factor = audioop.findfit(around, piece)
        out += around[best_at * WIDTH : best_at * WIDTH + len(piece)]
    return out


def _fit(one: bytes, other: bytes) -> float:
    """Normalised correlation of two equally long sounds, piece by piece, whatever the sign of each."""
    energy = audioop.rms(one, WIDTH) * audioop.rms(other, WIDTH) * (len(one) // WIDTH)
    if not energy:
        return 0.0
    left, right = memoryview(one).cast("h"), memoryview(other).cast("h")
    length = int(PIECE_S * RATE_HZ)
    pieces = range(0, len(left), length)
    alike = (sum(a * b for a, b in zip(left[at : at + length], right[at : at + length], strict=True)) for at in pieces)
    return sum(map(abs, alike)) / energy
