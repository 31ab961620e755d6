"""What a bridge has counted, in Prometheus' text format, for `/metrics`.

Labels take words of ours alone (reasons, states, directions): never a trunk, a number, an address or a room, so that
there are few of them whatever strangers send, and so that the port tells nobody whom one does business with. What is
wrong with which trunk is told by `bridge doctor`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import Counter, Histogram
from prometheus_client.metrics_core import Metric

from runtime.calls.record import CallRecord
from schemas.exposition import Exposition

NAME = "dialplane_bridge_"
SET_UP_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 180.0)
LASTED_S = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0)
MOS = (1.5, 2.0, 2.6, 3.1, 3.6, 4.0, 4.3)
"""The steps at which the E-model's ratings change their words (G.107, annex B)."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a bridge stands at this moment. Times are Unix seconds, 0 = never; counts are since the start."""

    ready: bool
    live: Mapping[str, int]
    """Calls that are up, by direction."""
    admitted: int
    refused: int
    challenged: int
    datagrams: Mapping[str, int]
    connections: int
    ticks_lost: int
    circuits: Mapping[str, int]
    registrations: Mapping[str, int]
    revision: int
    taken_at: float
    """When calls were first answered by this revision."""
    acknowledged_at: float
    """When the store last took our sign of life."""
    store_faults: int
    """1 while the tables cannot be read, or were lost."""


class BridgeMetrics(Exposition):
    """One per bridge. It is told of each call that has ended, and looks at the rest when somebody asks."""

    def __init__(self, version: str, look: Callable[[], Look]) -> None:
        super().__init__(NAME, version)
        self._look, it = look, self.registry
        why = ["direction", "answered", "reason"]
        self._ended = Counter(NAME + "calls_ended", "Calls that are over, those refused among them", why, registry=it)
        self._set_up = Histogram(
            NAME + "call_setup_seconds", "From INVITE to answer", ["direction"], registry=it, buckets=SET_UP_S
        )
        self._lasted = Histogram(
            NAME + "call_duration_seconds", "From answer to end", ["direction"], registry=it, buckets=LASTED_S
        )
        self._mos = Histogram(
            NAME + "call_mos",
            "How calls sounded (E-model), here and at the phone",
            ["heard_by"],
            registry=it,
            buckets=MOS,
        )
        self._packets = Counter(NAME + "media_packets", "RTP of calls that are over", ["what"], registry=it)
        self._concealed = Counter(NAME + "media_concealed_frames", "Ticks of 20 ms that were made up", registry=it)
        it.register(self)

    def ended(self, record: CallRecord) -> None:
        """A call is over, or was refused."""
        answered = record.answered_at > 0
        self._ended.labels(record.direction, str(answered).lower(), record.reason).inc()
        if not answered:
            return
        self._set_up.labels(record.direction).observe(max(0.0, record.answered_at - record.created_at))
        self._lasted.labels(record.direction).observe(max(0.0, record.ended_at - record.answered_at))
        for heard_by, mos in (("bridge", record.mos), ("phone", record.mos_remote)):
            if mos is not None:
                self._mos.labels(heard_by).observe(mos)
        for what in ("received", "sent", "lost", "late", "rejected"):
            self._packets.labels(what).inc(getattr(record, f"packets_{what}"))
        self._concealed.inc(record.frames_concealed)

    def collect(self) -> Iterator[Metric]:
        """What is looked at when somebody asks; for the registry."""
        look = self._look()
        yield self.gauge("ready", "1 while it takes calls", int(look.ready))
        yield self.gauges("calls_active", "Calls that are up", ["direction"], look.live)
        yield self.counter("calls_admitted", "Calls that the tables let in", look.admitted)
        yield self.counter("calls_refused", "Calls that were refused, also by who was only counted", look.refused)
        yield self.counter("calls_challenged", "Calls that were asked for a password", look.challenged)
        yield self.counters("sip_messages", "SIP messages, by what became of them", ["outcome"], look.datagrams)
        yield self.gauge("sip_connections", "Connections that are open", look.connections)
        yield self.counter("media_ticks_lost", "Ticks of 20 ms that the media clock came too late for", look.ticks_lost)
        yield self.gauges("trunk_addresses", "Addresses of trunks that were met", ["state"], look.circuits)
        yield self.gauges("trunk_registrations", "Registrations with providers", ["state"], look.registrations)
        yield self.gauge("tables_revision", "What calls are answered from", look.revision)
        yield self.gauge("tables_taken_timestamp_seconds", "Since when that is so", look.taken_at)
        yield self.gauge("store_heard_timestamp_seconds", "When the store took our sign of life", look.acknowledged_at)
        yield self.gauge("store_faults", "1 while the tables cannot be read, or were lost", look.store_faults)
