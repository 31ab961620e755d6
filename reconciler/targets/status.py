"""What `reconcile status` shows of a target: every object of one owner with its conditions, and where things stand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.model.live import rows_of
from reconciler.model.records import Record, decode_record, key_of_record
from reconciler.model.sources import Key
from schemas.resources.conditions import Condition
from schemas.stores import Snapshot
from schemas.tables.rows import Kind, Row

_NO_RECORD = Record("", None)

ConditionsOf = Callable[[Key, Row | None, int, Record], tuple[Condition, ...]]
"""The conditions of an object whose row (None: it has none) last changed in that revision."""


@dataclass(frozen=True, slots=True)
class ObjectStatus:
    """One object: where it is declared, since which revision its row is live (0 = it has none), its conditions."""

    key: Key
    place: str
    revision: int
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """`lines` stand below the objects, `facts` in the report for machines. `trouble`: why not all is known."""

    objects: list[ObjectStatus]
    lines: list[str]
    facts: dict[str, Any] = field(default_factory=dict)
    trouble: str = ""


def objects_of(
    snapshot: Snapshot, goods: Mapping[str, bytes], owner: str, conditions_of: ConditionsOf
) -> list[ObjectStatus]:
    """Every object of an owner that a store knows: live, or held back."""
    records = {key_of_record(name): decode_record(data) for name, data in goods.items()}
    mine = [key for key, name in snapshot.owners.items() if name == owner]
    out = []
    for kind in Kind:
        rows = rows_of(snapshot.rows, kind)
        for id_ in sorted({id_ for other, id_ in (*mine, *records) if other is kind}):
            key = (kind, id_)
            record = records.get(key, _NO_RECORD)
            row = rows.get(id_) if snapshot.owners.get(key) == owner else None
            changed = snapshot.changed.get(key, 0) if row is not None else 0
            place = _place(snapshot, key, record)
            out.append(ObjectStatus(key, place, changed, conditions_of(key, row, changed, record)))
    return out


def _place(snapshot: Snapshot, key: Key, record: Record) -> str:
    declared = snapshot.declared.get(key)
    if declared is not None and declared.uid:
        return f"uid {declared.uid}"
    if declared is None or not declared.file:
        return record.file
    return f"{declared.file}:{declared.line}" if declared.line else declared.file
