"""What a codec is to the bridge: its rates, its clock, and what may be done with its packets.

Everything that carries audio asks here, and nobody compares names. There is one value of each codec, so `is` tells
whether two ends speak the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runtime.media.codecs.g711 import SILENCE, Law

TICK_MS: Final = 20
TICKS_PER_S: Final = 50
"""One tick of the clock of all calls is 20 ms, and a frame is the audio of one tick."""


@dataclass(frozen=True, slots=True, eq=False)
class Codec:
    """A codec of the phone's leg or of a room.

    `rate_hz`: samples of its audio. `clock_hz`: what its RTP timestamps count (G.722 counts 8,000 for 16,000 samples,
    RFC 3551 section 4.5.2; Opus 48,000 always, RFC 7587 section 4.1). `step`: timestamps per tick. `cuttable`: a
    payload is one byte for each step of the clock, and may be cut and joined anywhere. `rates_hz`: what it can be
    decoded to and encoded from by itself, lowest first. `silence`: one tick of it, that needs no encoder.
    """

    name: str
    rate_hz: int
    clock_hz: int
    rates_hz: tuple[int, ...]
    silence: bytes
    cuttable: bool = True
    law: Law | None = None
    """G.711's law: a payload needs no decoder then, and goes from law to law by a table."""

    @property
    def step(self) -> int:
        """Timestamps of one tick."""
        return self.clock_hz // TICKS_PER_S


PCMU: Final = Codec("pcmu", 8_000, 8_000, (8_000,), SILENCE["pcmu"], law="pcmu")
PCMA: Final = Codec("pcma", 8_000, 8_000, (8_000,), SILENCE["pcma"], law="pcma")
G722: Final = Codec("g722", 16_000, 8_000, (8_000, 16_000), b"\xfe" * 160)
"""Its silence comes to rest 60 dB below full scale in a decoder that was in the middle of speech."""
OPUS: Final = Codec("opus", 48_000, 48_000, (8_000, 16_000, 48_000), b"\xf8\xff\xfe", cuttable=False)
"""Its silence is 20 ms of no energy: what decoders make of it is digital silence, whatever came before."""

CODECS: Final[dict[str, Codec]] = {codec.name: codec for codec in (OPUS, G722, PCMU, PCMA)}
"""By their names in manifests, tables and SDP."""
