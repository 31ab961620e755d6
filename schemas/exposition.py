"""EDGE. What a program tells Prometheus: what it counted itself, and what it looks at when somebody asks (`collect`).

It brings prometheus_client along, so only who tells anything imports it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Labelled = Mapping[str, int] | Mapping[tuple[str, ...], int]
"""Numbers by the value of their label, or by the values of all."""


class Exposition(Collector):
    """The metrics of one program; all their names begin with `prefix`.

    Whoever inherits from it counts into `registry`, and registers itself there, last, for `collect`.
    """

    def __init__(self, prefix: str, version: str) -> None:
        self._prefix = prefix
        self.registry = CollectorRegistry()
        told = Gauge(f"{prefix}build_info", "1, with the version", ["version"], registry=self.registry)
        told.labels(version).set(1)

    def exposition(self) -> bytes:
        """All of it, as `/metrics` tells it."""
        return generate_latest(self.registry)

    def gauge(self, name: str, words: str, value: float) -> Metric:
        """A number as it stands."""
        return GaugeMetricFamily(self._prefix + name, words, value=value)

    def counter(self, name: str, words: str, value: float) -> Metric:
        """A number that only grows."""
        return CounterMetricFamily(self._prefix + name, words, value=value)

    def gauges(self, name: str, words: str, labels: Sequence[str], values: Labelled) -> Metric:
        """Several of one name, told apart by labels."""
        return _filled(GaugeMetricFamily(self._prefix + name, words, labels=labels), values)

    def counters(self, name: str, words: str, labels: Sequence[str], values: Labelled) -> Metric:
        """Likewise of numbers that only grow."""
        return _filled(CounterMetricFamily(self._prefix + name, words, labels=labels), values)


def _filled(family: GaugeMetricFamily | CounterMetricFamily, values: Labelled) -> Metric:
    for key, value in values.items():
        family.add_metric([key] if isinstance(key, str) else key, value)
    return family
