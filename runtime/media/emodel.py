"""How good a call is, as a number that people know: by the E-model (ITU-T G.107) from loss and delay to R, and MOS.

Asked for the record of a call and for RTCP XR. All parameters that a bridge cannot measure (levels, echo, room noise)
have the values of G.107, table 2. What is rated is conversational quality.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

R_DEFAULT: Final = 93.2
"""A call without loss and delay, all other parameters at their defaults (G.107, section 7.7)."""
R_MAX: Final = 100.0
MOS_WORST: Final = 1.0
MOS_BEST: Final = 4.5
_DELAY_MS_UNHEARD: Final = 100.0
_IMPAIRMENT_MAX: Final = 95.0

CODECS: Final[dict[str, tuple[float, float]]] = {"pcmu": (0.0, 25.1), "pcma": (0.0, 25.1)}
"""Ie and Bpl by codec: G.113 (11/2007), appendix I, G.711 with concealment. G.722 and Opus have no values there on the
scale of narrow-band telephony; they are rated as G.711 is, which does not credit their bandwidth."""
_OTHERS: Final = CODECS["pcmu"]


@dataclass(frozen=True, slots=True)
class Losses:
    """What did not get to the listener: of all packets the share 0..1, by never coming and by coming too late.

    `burst_ratio` is 1 for loss by chance, and how many times as long its runs are as they would be by chance else.
    """

    share: float
    burst_ratio: float = 1.0


def rating(losses: Losses, delay_ms: float, codec: str) -> float:
    """R, 0 to 100. `delay_ms` is one way, from mouth to ear as far as it is known."""
    codec_impairment, robustness = CODECS.get(codec, _OTHERS)
    percent = 100 * losses.share
    spread = percent / max(1.0, losses.burst_ratio) + robustness
    impairment = codec_impairment + (_IMPAIRMENT_MAX - codec_impairment) * percent / spread
    return max(0.0, min(R_MAX, R_DEFAULT - _delay_impairment(delay_ms) - impairment))


def mos(r: float) -> float:
    """The mean opinion score of R (G.107, annex B)."""
    if r <= 0:
        return MOS_WORST
    if r >= R_MAX:
        return MOS_BEST
    return max(MOS_WORST, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def _delay_impairment(delay_ms: float) -> float:
    """Idd (G.107, 7.4.3): what an absolute delay takes from a conversation without echo."""
    if delay_ms <= _DELAY_MS_UNHEARD:
        return 0.0
    x = math.log2(delay_ms / _DELAY_MS_UNHEARD)
    return 25 * (float((1 + x**6) ** (1 / 6)) - 3 * float((1 + (x / 3) ** 6) ** (1 / 6)) + 2)
