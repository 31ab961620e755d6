"""Extended reports (RFC 3611): the block of VoIP metrics, in which one end tells how it hears the other.

Part of `rtcp`, which has their packets in its compounds. Blocks of other kinds are stepped over. A value that its
sender does not know has a code of its own in the RFC, and is None here.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

BLOCK_VOIP_METRICS: Final = 7
BLOCKS_MAX: Final = 32
UNKNOWN: Final = 127
"""Of levels, R and MOS (section 4.7.3 to 4.7.5)."""
CONCEALS: Final = 3 << 6
"""Receiver configuration (section 4.7.6): what is lost is made up, as well as can be."""
ADAPTIVE: Final = 3 << 4
"""The jitter buffer finds out how long it has to be."""

_HEAD: Final = Struct("!BBH")
_METRICS: Final = Struct("!IBBBBHHHHBBBBBBBBBBHHH")
_WORDS: Final = _METRICS.size // 4
_MS_MAX: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class VoipMetrics:
    """How its sender hears `ssrc`. Shares are of 1; `discarded` came too late or could not be kept.

    `round_trip_ms` 0: not known. `end_ms` is what the sender adds by itself, its jitter buffer among it.
    """

    ssrc: int
    lost: float
    discarded: float
    burst_density: float
    gap_density: float
    burst_ms: int
    gap_ms: int
    round_trip_ms: int
    end_ms: int
    r_factor: int | None
    mos_listening: float | None
    mos_conversational: float | None
    buffer_ms: int
    buffer_ms_max: int
    buffer_ms_limit: int
    gap_packets_min: int = 16


def read_blocks(body: bytes) -> tuple[VoipMetrics, ...] | None:
    """The VoIP metrics among the blocks of an XR packet behind its SSRC; None when lengths do not add up."""
    found: list[VoipMetrics] = []
    at = 0
    for _ in range(BLOCKS_MAX):
        if at == len(body):
            return tuple(found)
        if at + _HEAD.size > len(body):
            return None
        kind, _, words = _HEAD.unpack_from(body, at)
        end = at + _HEAD.size + 4 * words
        if end > len(body):
            return None
        if kind == BLOCK_VOIP_METRICS and words == _WORDS:
            found.append(_read(body, at + _HEAD.size))
        at = end
    return None


def write_block(metrics: VoipMetrics) -> bytes:
    """One block."""
    m = metrics
    fields = _METRICS.pack(
        m.ssrc, _share(m.lost), _share(m.discarded), _share(m.burst_density), _share(m.gap_density),
        _ms(m.burst_ms), _ms(m.gap_ms), _ms(m.round_trip_ms), _ms(m.end_ms),
        UNKNOWN, UNKNOWN, UNKNOWN, m.gap_packets_min, UNKNOWN if m.r_factor is None else m.r_factor, UNKNOWN,
        _score(m.mos_listening), _score(m.mos_conversational), CONCEALS | ADAPTIVE, 0,
        _ms(m.buffer_ms), _ms(m.buffer_ms_max), _ms(m.buffer_ms_limit),
    )  # fmt: skip
    return _HEAD.pack(BLOCK_VOIP_METRICS, 0, _WORDS) + fields


def _read(body: bytes, at: int) -> VoipMetrics:
    (
        ssrc, lost, discarded, burst_density, gap_density, burst_ms, gap_ms, round_trip_ms, end_ms,
        _, _, _, gap_packets_min, r_factor, _, listening, conversational, _, _, nominal, most, limit,
    ) = _METRICS.unpack_from(body, at)  # fmt: skip
    return VoipMetrics(
        ssrc, lost / 256, discarded / 256, burst_density / 256, gap_density / 256,
        burst_ms, gap_ms, round_trip_ms, end_ms,
        r_factor if r_factor <= 100 else None, _known(listening), _known(conversational),
        nominal, most, limit, gap_packets_min,
    )  # fmt: skip


def _known(score: int) -> float | None:
    """A MOS is sent as ten times itself, 10 to 50."""
    return score / 10 if 10 <= score <= 50 else None


def _score(mos: float | None) -> int:
    return UNKNOWN if mos is None else round(10 * mos)


def _share(value: float) -> int:
    return max(0, min(255, int(256 * value)))


def _ms(value: int) -> int:
    return max(0, min(_MS_MAX, value))
