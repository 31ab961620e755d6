"""Which part of a plan comes first where not all of it has room: what can hurt, then what only adds.

Whoever opens a pull request decides how long its plan is. A form that shows the beginning of one would leave it to
them what nobody reads.
"""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.plan.changes import Action, Change, FieldChange

_ACTIONS = (Action.DELETE, Action.MOVE, Action.UPDATE, Action.CREATE)
_OPENS = {
    "addresses", "fromHost", "allowedAddresses", "mediaAddresses", "calledNumbers", "auth", "username", "passwordFrom",
    "pinFrom", "certificateFrom", "keyFrom", "allowedDestinations", "acceptRefer", "referTo", "trustIdentity",
    "transport", "webSocketPath", "verify", "certificateHosts",
}  # fmt: skip
"""Last words of fields that say who may call, where calls go, and which secrets guard them."""


def worst_first(changes: Iterable[Change]) -> list[Change]:
    """Deletes, moves, updates, creates; among each, what opens something; else in their order."""
    return sorted(changes, key=lambda change: (_ACTIONS.index(change.action), not _opens_any(change)))


def fields_worst_first(change: Change) -> list[FieldChange]:
    """The fields of a change, first those that open something."""
    return sorted(change.fields, key=lambda field: not _opens(field))


def _opens_any(change: Change) -> bool:
    return change.action is not Action.DELETE and any(map(_opens, change.fields))


def _opens(field: FieldChange) -> bool:
    return field.field.rpartition(".")[2] in _OPENS
