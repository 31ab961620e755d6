"""RTCP of one call (RFC 3550 §6): when a report is due, what it says, and what the peer's reports tell us.

Called by the session: `due` each tick, `receive` for each RTCP datagram. With two parties the bandwidth rule of §6.2
never asks for more than one report in five seconds, so the interval is that minimum, halved before the first report,
spread over 0.5 to 1.5 times itself and divided by e - 3/2 (§6.3.1). Entropy comes from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from runtime.chance import spread
from runtime.media import rtcp
from runtime.media.outgoing import OutgoingStream
from runtime.media.reception import Reception
from runtime.media.rtcp_xr import VoipMetrics

interval_s_min: Final = 5.0
_COMPENSATION: Final = 2.718281828459045 - 1.5
_NTP_EPOCH_S: Final = 2_208_988_800
rtt_s_max: Final = 60.0


@dataclass(frozen=True, slots=True)
class RemoteView:
    """What the peer says of our audio, as of its last report."""

    lost: int = 0
    fraction_lost: float = 0.0
    jitter_ms: float = 0.0
    rtt_ms: float | None = None
    """None until a report of the peer refers to one of ours."""
    is_known: bool = False
    """Whether it has said anything yet."""
    metrics: VoipMetrics | None = None
    """Its VoIP metrics (RFC 3611), where it sends them."""


class Reports:
    """The RTCP side of one session; `remote` is the peer's view of what we send."""

    __slots__ = (
        "_cname",
        "_due_at",
        "_entropy",
        "_packets_reported",
        "_peer_report",
        "_peer_report_at",
        "malformed",
        "received",
        "remote",
    )

    def __init__(self, cname: str, entropy: Callable[[int], bytes], now: float) -> None:
        self.remote = RemoteView()
        self.received = 0
        self.malformed = 0
        self._cname = cname
        self._entropy = entropy
        self._packets_reported = 0
        self._peer_report = 0
        self._peer_report_at = 0.0
        self._due_at = now + self._interval_s() / 2

    def _interval_s(self) -> float:
        return interval_s_min * spread(self._entropy) / _COMPENSATION

    def due(self, now: float) -> bool:
        """Whether it is time for a report."""
        return now >= self._due_at

    def report(
        self,
        stream: OutgoingStream,
        reception: Reception,
        remote_ssrc: int | None,
        metrics: VoipMetrics | None,
        now: float,
        wall_s: float,
    ) -> bytes:
        """The compound that is due: SR or RR, our CNAME, and `metrics` where the peer wants them (RFC 3611).

        `wall_s` is Unix time of this very moment.
        """
        self._due_at = now + self._interval_s()
        return rtcp.write((*self._report(stream, reception, remote_ssrc, now, wall_s), *_extended(stream, metrics)))

    def bye(
        self,
        stream: OutgoingStream,
        reception: Reception,
        remote_ssrc: int | None,
        metrics: VoipMetrics | None,
        now: float,
        wall_s: float,
    ) -> bytes:
        """The last compound of a call (§6.6)."""
        head = self._report(stream, reception, remote_ssrc, now, wall_s)
        return rtcp.write((*head, *_extended(stream, metrics), rtcp.Bye((stream.ssrc,))))

    def _report(
        self, stream: OutgoingStream, reception: Reception, remote_ssrc: int | None, now: float, wall_s: float
    ) -> tuple[rtcp.Packet, ...]:
        blocks = () if remote_ssrc is None or reception.newest < 0 else (self._block(reception, remote_ssrc, now),)
        head: rtcp.Packet
        if stream.packets > self._packets_reported:
            ntp = _ntp(wall_s)
            self._packets_reported = stream.packets
            packets, octets = stream.packets & 0xFFFFFFFF, stream.octets & 0xFFFFFFFF
            head = rtcp.SenderReport(stream.ssrc, ntp, stream.timestamp, packets, octets, blocks)
        else:
            # §6.4: who sent nothing since the last report is a receiver.
            head = rtcp.ReceiverReport(stream.ssrc, blocks)
        return head, rtcp.SourceDescription(((stream.ssrc, self._cname),))

    def _block(self, reception: Reception, remote_ssrc: int, now: float) -> rtcp.ReportBlock:
        delay = 0
        if self._peer_report:
            delay = min(int((now - self._peer_report_at) * 0x10000), 0xFFFFFFFF)
        return rtcp.ReportBlock(remote_ssrc, *reception.report(), self._peer_report, delay)

    def restart(self) -> None:
        """The peer's stream is another one: its last report means nothing now."""
        self._peer_report = 0

    def receive(self, data: bytes, stream: OutgoingStream, remote_ssrc: int | None, now: float, wall_s: float) -> bool:
        """Read a compound of the peer; True when it says that its stream ends."""
        packets = rtcp.parse(data)
        if packets is None:
            self.malformed += 1
            return False
        self.received += 1
        ended = False
        for packet in packets:
            match packet:
                case rtcp.SenderReport() | rtcp.ReceiverReport():
                    if isinstance(packet, rtcp.SenderReport) and packet.ssrc == remote_ssrc:
                        self._peer_report = packet.ntp >> 16 & 0xFFFFFFFF
                        self._peer_report_at = now
                    for block in packet.reports:
                        if block.ssrc == stream.ssrc:
                            self._learn(block, stream.clock_hz, wall_s)
                case rtcp.Bye():
                    ended = ended or (remote_ssrc is not None and remote_ssrc in packet.ssrcs)
                case rtcp.ExtendedReport():
                    for metrics in packet.metrics:
                        if metrics.ssrc == stream.ssrc:
                            self.remote = replace(self.remote, metrics=metrics)
                case rtcp.SourceDescription():
                    pass
        return ended

    def _learn(self, block: rtcp.ReportBlock, clock_hz: int, wall_s: float) -> None:
        """§6.4.1: the round trip is the time of arrival less the report it refers to less the peer's own delay."""
        rtt_ms = self.remote.rtt_ms
        rtt = ((_ntp(wall_s) >> 16) - block.last_report - block.delay) & 0xFFFFFFFF
        if block.last_report and rtt <= rtt_s_max * 0x10000:
            rtt_ms = rtt * 1000 / 0x10000
        jitter_ms = block.jitter * 1000 / clock_hz
        fraction = block.fraction_lost / 256
        self.remote = RemoteView(block.lost, fraction, jitter_ms, rtt_ms, True, self.remote.metrics)


def _extended(stream: OutgoingStream, metrics: VoipMetrics | None) -> tuple[rtcp.Packet, ...]:
    return () if metrics is None else (rtcp.ExtendedReport(stream.ssrc, (metrics,)),)


def _ntp(wall_s: float) -> int:
    return int((wall_s + _NTP_EPOCH_S) * 0x100000000) & 0xFFFFFFFFFFFFFFFF
