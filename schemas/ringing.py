"""What a ringing phone sounds like to whoever calls, by country: data, for manifests and for the bridge.

From ITU-T Recommendation E.180, Supplement 2 ("Various tones used in national networks", annex to the ITU Operational
Bulletin no. 781, 2003); the United Kingdom from BT's SIN 350, Australia from S002:2001, New Zealand from TNA 102,
Singapore from IDA TS PSTN 1, Russia from GOST 45.223. Where a country has several, its most common one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Ringing:
    """One ringing tone: `hz` sound together, for the first, third … of `cadence_ms` and not for the others.

    `beat_hz`: the tone swells and fades so often in a second, by nine tenths; 0: it is steady.
    """

    hz: tuple[int, ...]
    cadence_ms: tuple[int, ...]
    beat_hz: int = 0


_TWO_SHORT: Final = (400, 200, 400, 2_000)
_425: Final = Ringing((425,), (1_000, 4_000))

USUAL: Final = "tone"
"""The ringing tone of no country in particular, which is that of most (ETSI TR 101 041-2)."""

RINGING: Final[dict[str, Ringing]] = {
    USUAL: _425,
    "ar": Ringing((425,), (1_000, 4_500)),
    "at": Ringing((420,), (1_000, 5_000)),
    "au": Ringing((413, 438), _TWO_SHORT),
    "be": Ringing((425,), (1_000, 3_000)),
    "bg": _425,
    "br": _425,
    "ca": Ringing((440, 480), (2_000, 4_000)),
    "ch": _425,
    "cl": Ringing((400,), (1_000, 3_000)),
    "cn": Ringing((450,), (1_000, 4_000)),
    "cz": _425,
    "de": _425,
    "dk": _425,
    "ee": _425,
    "es": Ringing((425,), (1_500, 3_000)),
    "fi": _425,
    "fr": Ringing((440,), (1_500, 3_500)),
    "gb": Ringing((400, 450), _TWO_SHORT),
    "gr": _425,
    "hk": Ringing((440, 480), (400, 200, 400, 3_000)),
    "hu": Ringing((425,), (1_250, 3_750)),
    "id": _425,
    "ie": Ringing((400, 450), _TWO_SHORT),
    "il": Ringing((414,), (1_000, 3_000)),
    "in": Ringing((400,), _TWO_SHORT, beat_hz=25),
    "it": _425,
    "jp": Ringing((400,), (1_000, 2_000), beat_hz=16),
    "kr": Ringing((440, 480), (1_000, 2_000)),
    "lt": _425,
    "mx": _425,
    "my": Ringing((425,), _TWO_SHORT),
    "nl": _425,
    "no": _425,
    "nz": Ringing((400, 450), _TWO_SHORT),
    "ph": Ringing((425, 480), (1_000, 4_000)),
    "pl": _425,
    "pt": Ringing((425,), (1_000, 5_000)),
    "ru": _425,
    "se": Ringing((425,), (1_000, 5_000)),
    "sg": Ringing((425,), _TWO_SHORT, beat_hz=24),
    "th": Ringing((420,), (1_000, 5_000)),
    "tr": Ringing((450,), (2_000, 4_000)),
    "tw": Ringing((440, 480), (1_000, 2_000)),
    "us": Ringing((440, 480), (2_000, 4_000)),
    "ve": _425,
    "za": Ringing((400,), _TWO_SHORT, beat_hz=33),
}
"""By the country's two letters (ISO 3166-1)."""


def ringing_of(country: str) -> str:
    """The name of a country's tone: its two letters in either case; `USUAL` where there is none."""
    name = country.lower()
    return name if name in RINGING else USUAL
