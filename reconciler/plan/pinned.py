"""A pin: rows that a rollback brought back stay, though the manifests still say what they said before.

It ends when the manifests come to other documents, or when somebody releases it. Here are its words; `targets/tables`
keeps it, and `targets/rollback` sets it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reconciler.plan.changes import Plan
from reconciler.plan.render import Line, Places, change_json, text

RELEASE = "reconcile rollback --release"


@dataclass(frozen=True, slots=True)
class Pin:
    """The rows are those of the revision `to` again; the rollback made revision `by`, at `at` (Unix time)."""

    to: int
    by: int
    at: float

    def __str__(self) -> str:
        return f"pinned to revision {self.to} by the rollback that made revision {self.by}"

    @property
    def until(self) -> str:
        """When it ends."""
        return f"until the manifests are others than those applied last, or `{RELEASE}`"


def nothing_while_pinned(pin: Pin, waiting: Plan, *, applied: bool) -> str:
    """The sentence about a plan that a pin leaves nothing of."""
    count = len(waiting.changes)
    waits = f"{count:,} change{'' if count == 1 else 's'} wait{'s' if count == 1 else ''}" if count else "nothing waits"
    return f"Nothing {'was' if applied else 'would be'} changed: {pin}; {waits} {pin.until}."


def waiting_lines(waiting: Plan, places: Places) -> list[Line]:
    """What would be applied without the pin, as a plan shows it."""
    if not waiting:
        return []
    *changes, _blank, _summary = text(waiting, places=places)
    return [Line(""), Line("What waits:"), *(Line(f"  {line.text}", line.style) for line in changes)]


def pin_json(pin: Pin | None, waiting: Plan | None = None, places: Places | None = None) -> dict[str, Any] | None:
    """The pin for machines, and what waits for its end where that is known; None = there is none."""
    if pin is None:
        return None
    said: dict[str, Any] = {"to": pin.to, "by": pin.by, "at": moment(pin.at)}
    if waiting is not None:
        said["waiting"] = [change_json(change, places or {}) for change in waiting.changes]
    return said


def moment(unix: float) -> str:
    """RFC 3339, in UTC, to the second."""
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
