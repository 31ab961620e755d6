"""What one call's media can say of itself: for the call record, `bridge calls` and the metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stats:
    """Counters of a call, of packets unless the name says otherwise."""

    packets_sent: int
    octets_sent: int
    received: int
    """From the accepted source, duplicates included."""
    lost: int
    late: int
    """Came after their moment had passed."""
    duplicates: int
    rejected_source: int
    malformed: int
    unknown_payload_type: int
    frames_concealed: int
    frames_skipped: int
    frames_inserted: int
    frames_discarded: int
    starved: int
    """Times that the playout buffer ran dry."""
    streams: int
    """SSRCs and restarts of the peer."""
    rtcp_received: int
    events_dropped: int
    jitter_ms: float
    playout_ms: int
    """Audio in the playout buffer now."""
    rtt_ms: float | None
    remote_lost: int
    """Of our packets, by the peer's last report; negative when it got duplicates."""
    remote_fraction_lost: float
    remote_jitter_ms: float
    mos: float | None = None
    """How well the peer is heard, 1 to 4.5 (E-model); None while it was not."""
    remote_mos: float | None = None
    """How well it hears us; None while it has sent no report."""
