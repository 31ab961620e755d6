"""How good a call is, as a number that people know: by the E-model from loss and delay to R, and MOS.

Asked for the record of a call and for RTCP XR. All parameters that a bridge cannot measure (levels, echo, room noise)
have their default values. What is rated is conversational quality, on one of two scales: that of narrow-band telephony
for G.711 (ITU-T G.107), and the wide-band one (G.107.1), which goes to 129 instead of 100, for G.722 and Opus. An R of
that one is told as a share of it (R / 1.29), as G.107.1 does for a MOS. The scales are those of listeners who know
nothing better and of listeners who do: 4.4 of G.711 does not sound better than 4.3 of G.722.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

Scale = Literal["narrowband", "wideband"]

R_MAX: Final = 100.0
MOS_WORST: Final = 1.0
MOS_BEST: Final = 4.5
_DELAY_MS_UNHEARD: Final = 100.0
_IMPAIRMENT_MAX: Final = 95.0
_DEFAULT: Final[dict[Scale, float]] = {"narrowband": 93.2, "wideband": 129.0}
"""R of a call without any impairment (G.107, section 7.7; G.107.1, section 7.7)."""
_SPAN: Final[dict[Scale, float]] = {"narrowband": 1.0, "wideband": 1.29}
"""How many times as long as the scale of R_MAX it is."""


@dataclass(frozen=True, slots=True)
class Impairment:
    """What a codec takes from R by itself (Ie), and how well it bears loss (Bpl)."""

    scale: Scale
    codec: float
    robustness: float


_G711: Final = Impairment("narrowband", 0.0, 25.1)
CODECS: Final = {
    "pcmu": _G711,
    "pcma": _G711,
    "g722": Impairment("wideband", 13.0, 16.0),
    "opus": Impairment("wideband", 15.0, 15.0),
}
"""G.711 with concealment, and Ie of G.722 at 64 kbit/s, are of G.113 (11/2007), appendixes I and IV.

That has neither Opus nor the robustness of G.722. They are derived as P.834.1 does it, from PESQ (P.862.2) of what our
decoders make of a minute of speech in four languages at 0 to 15 % of loss, on a line through G.722 at 64, 56 and
48 kbit/s (Ie 13, 20 and 31). By the same line G.711 has a robustness of 33. Opus is that of speech at 32 kbit/s without
in-band FEC; with FEC it bears some four times the loss, which nobody can tell from outside.
"""


@dataclass(frozen=True, slots=True)
class Losses:
    """What did not get to the listener: of all packets the share 0..1, by never coming and by coming too late.

    `burst_ratio` is 1 for loss by chance, and how many times as long its runs are as they would be by chance else.
    """

    share: float
    burst_ratio: float = 1.0


def rating(losses: Losses, delay_ms: float, codec: str) -> float:
    """R, 0 to 100, on the codec's scale. `delay_ms` is one way, from mouth to ear as far as it is known."""
    of = CODECS[codec]
    percent = 100 * losses.share
    spread = percent / max(1.0, losses.burst_ratio) + of.robustness
    impairment = of.codec + (_IMPAIRMENT_MAX - of.codec) * percent / spread
    r = _DEFAULT[of.scale] - _delay_impairment(delay_ms) - impairment
    return max(0.0, min(R_MAX, r / _SPAN[of.scale]))


def mos(r: float) -> float:
    """The mean opinion score of R (G.107, annex B)."""
    if r <= 0:
        return MOS_WORST
    if r >= R_MAX:
        return MOS_BEST
    return max(MOS_WORST, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def _delay_impairment(delay_ms: float) -> float:
    """Idd (G.107 and G.107.1, 7.4.3): what an absolute delay takes from a conversation without echo."""
    if delay_ms <= _DELAY_MS_UNHEARD:
        return 0.0
    x = math.log2(delay_ms / _DELAY_MS_UNHEARD)
    return 25 * (float((1 + x**6) ** (1 / 6)) - 3 * float((1 + (x / 3) ** 6) ** (1 / 6)) + 2)
