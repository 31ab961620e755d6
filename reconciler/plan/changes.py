"""The plan: what an apply would change in the tables, as an object that can be held, shown, checked and carried out.

`diff` compares the rows that are live with the rows that are wanted, once, and everything else (text, JSON, safety
gates, the delta that a store takes) is read off the result. Old and new rows are kept whole; the field-by-field view
is made when somebody looks, because an apply of 100,000 numbers need not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.secrets import without_values
from reconciler.plan.words import Value, changed_words, set_words
from schemas.tables.rows import Delta, Kind, Row, Rows, kind_of


class Action(StrEnum):
    """What happens to one object."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of one object, in the manifest's words below `spec`; None = left out."""

    field: str
    old: Value
    new: Value


@dataclass(frozen=True, slots=True)
class Change:
    """One object's way from `old` to `new`; exactly the missing side is None. A moved one has both, of two ids."""

    action: Action
    kind: Kind
    id: str
    old: Row | None
    new: Row | None
    objects: tuple[str, ...] = ()
    """What a target that has ids of its own calls it: `ST_…`."""
    beside: tuple[FieldChange, ...] = ()
    """What changes at the target and is in no row."""

    @property
    def name(self) -> str:
        """`DispatchRule default/support`."""
        return f"{self.kind} {self.id}"

    @property
    def moved_from(self) -> str:
        """The id that a moved object has so far; "" of any other."""
        return self.old.id if self.action is Action.MOVE and self.old is not None else ""

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """What changes field by field; a created or deleted object shows the fields that it sets."""
        if self.old is not None and self.new is not None:
            old, new = self.old, self.new
            if self.action is Action.MOVE:  # secrets are sealed for a name, so they are sealed anew
                old, new = without_values(old), without_values(new)
            return (*self.beside, *(FieldChange(*change) for change in changed_words(old, new)))
        if self.new is not None:
            return tuple(FieldChange(path, None, value) for path, value in set_words(self.new).items())
        assert self.old is not None
        return tuple(FieldChange(path, value, None) for path, value in set_words(self.old).items())


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes in a fixed order: kinds as they depend on each other, then ids. Empty = nothing to do."""

    changes: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.changes)

    def count(self, action: Action, kind: Kind | None = None) -> int:
        """How many changes of one action (and kind)."""
        return sum(1 for change in self.changes if change.action is action and kind in (None, change.kind))

    def names(self, action: Action) -> list[str]:
        """The objects of one action, for messages."""
        return [change.name for change in self.changes if change.action is action]

    @property
    def delta(self) -> Delta:
        """What the store has to do."""
        return Delta(
            put=tuple(change.new for change in self.changes if change.new is not None),
            delete=tuple(
                (change.kind, change.moved_from or change.id)
                for change in self.changes
                if change.new is None or change.moved_from
            ),
        )

    @property
    def summary(self) -> str:
        """`Plan: 2 to create, 1 to change, 0 to delete`, and how many to move where there are any."""
        create, change, delete, move = (self.count(action) for action in Action)
        moving = f", {move} to move" if move else ""
        return f"Plan: {create} to create, {change} to change, {delete} to delete{moving}"


def by_kind(rows: Rows) -> tuple[tuple[Kind, Mapping[str, Row]], ...]:
    """The three maps of `rows` in the order in which they depend on each other."""
    return ((Kind.TRUNK, rows.trunks), (Kind.RULE, rows.rules), (Kind.NUMBER, rows.numbers))


def diff(live: Rows, wanted: Rows, moves: Mapping[tuple[Kind, str], str] | None = None) -> Plan:
    """The plan that turns `live` (one owner's rows) into `wanted`; rows that are one object cost almost nothing.

    `moves` leads from objects that are wanted to the ids that they have in `live`.
    """
    changes: list[Change] = []
    for (kind, before), (_, after) in zip(by_kind(live), by_kind(wanted), strict=True):
        old_ids = {id_: old for (moving, id_), old in (moves or {}).items() if moving is kind}
        gone = before.keys() - after.keys() - set(old_ids.values())
        found = [
            *_put(kind, before, after, old_ids),
            *(Change(Action.DELETE, kind, id_, before[id_], None) for id_ in gone),
        ]
        changes += sorted(found, key=lambda change: change.id)
    return Plan(tuple(changes))


def _put(
    kind: Kind, before: Mapping[str, Row], after: Mapping[str, Row], old_ids: Mapping[str, str]
) -> Iterator[Change]:
    for id_, new in [(id_, row) for id_, row in after.items() if before.get(id_) is not row]:
        assert kind_of(new) is kind
        old = before.get(id_)
        if id_ in old_ids:
            yield Change(Action.MOVE, kind, id_, before[old_ids[id_]], new)
        elif old != new:
            yield Change(Action.UPDATE if old is not None else Action.CREATE, kind, id_, old, new)
