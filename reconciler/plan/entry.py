"""One line of the audit log: what was done, or refused, and by what. `reconciler.audit` writes it.

An entry names the objects of a plan and, where it is about them, numbers, but no other value, so that no secret can get
into it.
Its JSON only ever grows within one `formatVersion`. Long lists of names are cut; the counts are whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from reconciler.plan.changes import Action, Plan
from reconciler.plan.gates import Refusal
from schemas.tables.rows import Kind

FORMAT_VERSION = 1
NAMES_MAX = 500
"""Names of one kind and action, or of one refusal, in one entry."""


class Event(StrEnum):
    """What happened. A refusal is an apply or a rollback that was unsafe and did nothing.

    RELEASE ends what a rollback holds; a number that is given back is NUMBER_RELEASE.
    """

    APPLY = "apply"
    ROLLBACK = "rollback"
    RELEASE = "release"
    REFUSAL = "refusal"
    PURCHASE = "purchase"
    NUMBER_RELEASE = "number-release"


@dataclass(frozen=True, slots=True)
class Entry:
    """`target` is `tables`, or `livekit:HOST`; `note` the command in short, as revisions carry it.

    `before` and `after` are revisions of the tables (at LiveKit, of what is remembered of it), `digest` that of the
    tables as they are now. `details` are more words of one kind of event; whoever fills them puts no secret there.
    """

    event: Event
    target: str
    owner: str
    note: str
    before: int = 0
    after: int = 0
    digest: str = ""
    plan: Plan = field(default_factory=Plan)
    refused: tuple[Refusal, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


def as_line(entry: Entry, now: float, user: str) -> dict[str, Any]:
    """The entry as it is written. `now` is Unix time, `user` whoever runs the command."""
    refused = entry.refused
    return {
        "formatVersion": FORMAT_VERSION,
        "time": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "event": entry.event.value,
        "target": entry.target,
        "owner": entry.owner,
        "user": user,
        "note": entry.note,
        "revision": {"before": entry.before, "after": entry.after},
        "digest": entry.digest,
        "summary": {action.value: entry.plan.count(action) for action in Action},
        "changes": _changes(entry.plan),
        "refusals": [
            {"code": refusal.code, "what": refusal.what, "names": [*refusal.names[:NAMES_MAX]], "flags": refusal.flags}
            for refusal in refused
        ],
        "details": dict(entry.details),
    }


def _changes(plan: Plan) -> dict[str, dict[str, list[str]]]:
    """The names of what changes, by kind and action; only those that there are."""
    out: dict[str, dict[str, list[str]]] = {}
    for kind in Kind:
        for action in Action:
            found = [change for change in plan.changes if change.kind is kind and change.action is action]
            if found:
                out.setdefault(kind.value, {})[action.value] = [change.id for change in found[:NAMES_MAX]]
    return out
