"""One shape for every measurement: a figure, how it was taken, what it stands beside, and its budget.

Each benchmark of this folder makes a list of figures and hands it to `report`: lines for people go to standard error,
one JSON object to standard output. `run` collects them all into `results.json`.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number.

    `how` says which clock it is (CPU time is disturbed little by a busy machine, the wall clock much) and which of
    several runs. `reference` is the value that a peer, or a bare loop that does the least possible work, had in the
    same run, and `beside` says what that is; None where nothing is to be compared. The budget is a bound for the value,
    or (`budget_is_ratio`) for value / reference; None: no budget, the figure only informs. `floor`: more is better.
    """

    id: str
    what: str
    value: float
    unit: str
    how: str
    reference: float | None = None
    beside: str = ""
    budget: float | None = None
    budget_is_ratio: bool = False
    floor: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times the reference; None when there is none, or it is nothing."""
        return self.value / self.reference if self.reference else None

    @property
    def met(self) -> bool | None:
        """Whether the budget holds; None without one."""
        held = self.ratio if self.budget_is_ratio else self.value
        if self.budget is None or held is None:
            return None
        return held >= self.budget if self.floor else held <= self.budget

    @property
    def bound(self) -> str:
        """The budget in words."""
        if self.budget is None:
            return ""
        return f"{'≥' if self.floor else '≤'} {self.budget:,g} {'x' if self.budget_is_ratio else self.unit}"

    def as_json(self) -> dict[str, Any]:
        """For `results.json`; numbers in three digits that count."""
        return {
            "id": self.id,
            "what": self.what,
            "value": digits(self.value),
            "unit": self.unit,
            "how": self.how,
            "reference": None if self.reference is None else digits(self.reference),
            "beside": self.beside,
            "ratio": None if self.ratio is None else digits(self.ratio),
            "budget": self.bound,
            "met": self.met,
        }

    def __str__(self) -> str:
        said = f"  {self.what}: {amount(self.value, self.unit)} ({self.how})"
        if self.bound:
            said += f", budget {self.bound}{'' if self.met is None else ' met' if self.met else ' MISSED'}"
        if self.reference is None:
            return said
        times = f": {digits(self.ratio):g} x" if self.ratio is not None else ""
        return f"{said}\n    beside {amount(self.reference, self.unit)}, {self.beside}{times}"


def report(figures: Sequence[Figure], **details: object) -> None:
    """Say it to people, and to machines; `details` are further numbers that explain the figures."""
    for figure in figures:
        print(figure, file=sys.stderr)
    print(json.dumps({"figures": [figure.as_json() for figure in figures], "details": details}))


def amount(value: float, unit: str) -> str:
    """`1,250 ms`, `0.35 %`, `3 x`."""
    return f"{digits(value):,.10g} {unit}"


def digits(value: float) -> float:
    """Three digits that count."""
    return float(f"{value:.3g}")


def percentile(samples: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: the smallest sample that so many per cent do not exceed."""
    return sorted(samples)[math.ceil(len(samples) * percent / 100) - 1]


def spread(samples: Sequence[float]) -> dict[str, float]:
    """p50, p99 and the largest, rounded."""
    return {
        "p50": digits(statistics.median(samples)),
        "p99": digits(percentile(samples, 99)),
        "max": digits(max(samples)),
    }
