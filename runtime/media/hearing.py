"""How well each side of a call hears the other, from what was counted: for the record, and for RTCP XR.

Asked by the session. A score is None where nothing is known: nobody has spoken yet, or the peer sends no reports.
"""

from __future__ import annotations

from typing import Final

from runtime.media import jitter
from runtime.media.codecs.codec import TICK_MS, Codec
from runtime.media.emodel import Losses, mos, rating
from runtime.media.jitter import JitterBuffer
from runtime.media.losses import GAP_PACKETS_MIN
from runtime.media.reception import Reception
from runtime.media.reports import RemoteView
from runtime.media.rtcp_xr import VoipMetrics

PEER_PLAYOUT_MS: Final = 60
"""What a phone's playout and packets add, where it does not tell: as much as ours do."""


def heard_r(received: Reception, played: JitterBuffer, rtt_ms: float | None, codec: Codec) -> float | None:
    """R of what comes from the peer, on a call with this round trip."""
    came = _came(received, played)
    if came <= 0:
        return None
    delay_ms = (rtt_ms or 0.0) / 2 + played.lead_ms + TICK_MS
    return rating(played.losses.losses(came), delay_ms, codec.name)


def heard_mos(received: Reception, played: JitterBuffer, rtt_ms: float | None, codec: Codec) -> float | None:
    """The same as a mean opinion score."""
    r = heard_r(received, played, rtt_ms, codec)
    return None if r is None else mos(r)


def remote_mos(remote: RemoteView, packets_sent: int, codec: Codec) -> float | None:
    """How the peer hears us: as it says itself, else by what it says of loss."""
    if remote.metrics is not None and remote.metrics.mos_conversational is not None:
        return remote.metrics.mos_conversational
    if not remote.is_known or not packets_sent:
        return None
    share = max(0, min(remote.lost, packets_sent)) / packets_sent
    return mos(rating(Losses(share), (remote.rtt_ms or 0.0) / 2 + PEER_PLAYOUT_MS, codec.name))


def metrics(
    ssrc: int, received: Reception, played: JitterBuffer, rtt_ms: float | None, codec: Codec
) -> VoipMetrics | None:
    """The block of RFC 3611 about the peer's stream."""
    came = _came(received, played)
    if came <= 0:
        return None
    total = came + received.lost + played.late
    pattern, losses = played.losses.pattern(came), played.losses.losses(came)
    r = heard_r(received, played, rtt_ms, codec)
    return VoipMetrics(
        ssrc=ssrc,
        lost=received.lost / total,
        discarded=played.late / total,
        burst_density=pattern.burst_density,
        gap_density=pattern.gap_density,
        burst_ms=round(pattern.burst_packets * TICK_MS),
        gap_ms=round(pattern.gap_packets * TICK_MS),
        round_trip_ms=round(rtt_ms or 0),
        end_ms=played.lead_ms + TICK_MS,
        r_factor=None if r is None else round(r),
        mos_listening=round(mos(rating(losses, 0.0, codec.name)), 1),
        mos_conversational=None if r is None else round(mos(r), 1),
        buffer_ms=played.lead_ms,
        buffer_ms_max=jitter.delay_ms_wanted_max,
        buffer_ms_limit=jitter.delay_ms_max,
        gap_packets_min=GAP_PACKETS_MIN,
    )


def _came(received: Reception, played: JitterBuffer) -> int:
    """Packets that could be played."""
    return received.received - received.duplicates - played.late
