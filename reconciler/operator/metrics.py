"""What the operator counts of itself, in Prometheus' text format.

Labels take words of ours alone: kinds, conditions, outcomes; never a name, a namespace or a message. Times are Unix
seconds, so that an age is `time() - dialplane_operator_…_timestamp_seconds`.
"""

from __future__ import annotations

import time
from collections import Counter as Counted
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric

from reconciler.operator.objects import Seen
from schemas.exposition import Exposition
from schemas.resources.conditions import ConditionType

NAME = "dialplane_operator_"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ERROR_KINDS_MAX = 32
"""Kinds of errors that are told apart, by the names of their classes; others count as `other`."""
STATUSES = frozenset({"True", "False", "Unknown"})

Conditions = Mapping[tuple[str, ...], int]
"""How many objects there are of a kind, condition and status."""


@dataclass(frozen=True, slots=True)
class Look:
    """How an operator stands at this moment. `heard_at`: when the API server was last heard of, in Unix seconds."""

    leads: bool
    dirty: int
    """Objects that have changed and wait for the next pass."""
    to_write: int
    """Objects whose status waits to be written."""
    conditions: Conditions
    written: Mapping[str, int]
    """What became of writes, by outcome."""
    heard_at: float


class Metrics(Exposition):
    """One per operator. It is told of passes, and asks for the rest (`look`) when somebody scrapes."""

    def __init__(self, version: str, look: Callable[[], Look]) -> None:
        super().__init__(NAME, version)
        self._look, it = look, self.registry
        self._took = Histogram(NAME + "reconcile_seconds", "Passes, by time", registry=it, buckets=SECONDS)
        self._errors = Counter(NAME + "reconcile_errors", "Passes and looks that failed", ["kind"], registry=it)
        self._good = Gauge(
            NAME + "last_good_timestamp_seconds", "When the target was last as it is declared", registry=it
        )
        self._revision = Gauge(NAME + "tables_revision", "The revision that it saw or made last", registry=it)
        self._error_kinds: set[str] = set()
        it.register(self)

    def passed(self, took_s: float, revision: int, *, whole: bool) -> None:
        """A pass has worked; `whole`: nothing was refused or left for later, so what is live is as it is declared."""
        self._took.observe(took_s)
        self._revision.set(revision)
        if whole:
            self._good.set(time.time())

    def failed(self, error: Exception) -> None:
        """A pass or a look has failed; its kind is the name of the error's class."""
        kind = type(error).__name__
        if kind not in self._error_kinds and len(self._error_kinds) >= ERROR_KINDS_MAX:
            kind = "other"
        self._error_kinds.add(kind)
        self._errors.labels(kind).inc()

    def collect(self) -> Iterator[Metric]:
        """What is looked at when somebody asks; for the registry."""
        look = self._look()
        yield self.gauge("leads", "1 while this operator holds the Lease", int(look.leads))
        yield self.gauge("dirty_objects", "Objects that changed and wait for the next pass", look.dirty)
        yield self.gauge("statuses_waiting", "Objects whose status waits to be written", look.to_write)
        yield self.gauge("api_heard_timestamp_seconds", "When the API server was last heard of", look.heard_at)
        yield self.gauges("objects", "By condition", ["kind", "condition", "status"], look.conditions)
        yield self.counters("writes", "Writes to the cluster, by outcome", ["outcome"], look.written)


def conditions_of(objects: Iterable[Seen]) -> Conditions:
    """What the statuses of these objects say; a condition that is not there, or says what it cannot, is `Unknown`."""
    # Ten thousand objects have a handful of different statuses.
    alike = Counted((seen.key[0].value, tuple((one.type, one.status) for one in seen.told.answers)) for seen in objects)
    counts: Counted[tuple[str, ...]] = Counted()
    for (kind, answers), count in alike.items():
        told = dict(answers)
        for type_ in ConditionType:
            status = told.get(type_.value, "")
            counts[kind, type_.value, status if status in STATUSES else "Unknown"] += count
    return counts
