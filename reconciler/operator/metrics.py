"""What the operator counts of itself, in Prometheus' text format.

Labels take words of ours alone: kinds, conditions, outcomes; never a name, a namespace or a message. Times are Unix
seconds, so that an age is `time() - dialplane_operator_…_timestamp_seconds`.
"""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

NAME = "dialplane_operator_"
GOOD, HEARD = "last_good_timestamp_seconds", "watch_last_event_timestamp_seconds"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ERROR_KINDS_MAX = 32
"""Kinds of errors that are told apart, by the names of their classes; others count as `other`."""


class Metrics:
    """One per operator; it is told what happens, and is read by whoever scrapes."""

    def __init__(self, version: str) -> None:
        self._registry = it = CollectorRegistry()
        self._version = Gauge(NAME + "build_info", "1, with the version", ["version"], registry=it)
        self._version.labels(version).set(1)
        self._leads = Gauge(NAME + "leads", "1 while this operator holds the Lease", registry=it)
        self._dirty = Gauge(NAME + "dirty_objects", "Objects that changed and wait for the next pass", registry=it)
        self._took = Histogram(NAME + "reconcile_seconds", "Passes, by time", registry=it, buckets=SECONDS)
        self._errors = Counter(NAME + "reconcile_errors", "Passes and looks that failed", ["kind"], registry=it)
        self._objects = Gauge(NAME + "objects", "By condition", ["kind", "condition", "status"], registry=it)
        self._good = Gauge(NAME + GOOD, "When the target was last as it is declared", registry=it)
        self._revision = Gauge(NAME + "tables_revision", "The revision that it saw or made last", registry=it)
        self._patches = Counter(NAME + "status_patches", "Statuses written, or not", ["outcome"], registry=it)
        self._heard = Gauge(NAME + HEARD, "When the API server was last heard of", registry=it)
        self._error_kinds: set[str] = set()

    def leads(self, leads: bool) -> None:
        """It has begun or ceased to lead."""
        self._leads.set(int(leads))

    def dirty(self, objects: int) -> None:
        """So many wait for the next pass."""
        self._dirty.set(objects)

    def passed(self, took_s: float, revision: int, wall: float) -> None:
        """A pass has worked: what is live is as it is declared."""
        self._took.observe(took_s)
        self._revision.set(revision)
        self._good.set(wall)

    def failed(self, error: Exception) -> None:
        """A pass or a look has failed; its kind is the name of the error's class."""
        kind = type(error).__name__
        if kind not in self._error_kinds and len(self._error_kinds) >= ERROR_KINDS_MAX:
            kind = "other"
        self._error_kinds.add(kind)
        self._errors.labels(kind).inc()

    def objects(self, counts: Mapping[tuple[str, str, str], int]) -> None:
        """How many there are of each kind, condition and status; what is not among them is none any more."""
        self._objects.clear()
        for labels, count in counts.items():
            self._objects.labels(*labels).set(count)

    def patched(self, outcome: str) -> None:
        """A status was written (`written`), or was not: `conflict`, `gone`, `throttled`, `refused`, `unreachable`."""
        self._patches.labels(outcome).inc()

    def heard(self, wall: float) -> None:
        """The API server has told of an event, or of none so far (a bookmark)."""
        self._heard.set(wall)

    def exposition(self) -> bytes:
        """All of it, as `/metrics` tells it."""
        return generate_latest(self._registry)
