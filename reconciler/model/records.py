"""What is remembered of an object between two runs: its last good document, and what is wrong with it now.

A store keeps one record per object, in the transaction that publishes its row. From the document a later pass keeps
the object alive while its present text is broken (its labels and its `allowedNamespaces` are in no row); from the
verdicts `reconcile status` tells what is wrong without reading the folder again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.model.sources import Key
from schemas.resources.check import check
from schemas.resources.conditions import ConditionType, Reason
from schemas.resources.documents import Document
from schemas.tables.rows import Kind

RECORD_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition that is False, and why: `reason` for machines, `message` for people."""

    type: ConditionType
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Record:
    """`file` contributed the object last; `data` is its last good document, None when there never was one."""

    file: str
    data: Mapping[str, Any] | None
    verdicts: tuple[Verdict, ...] = ()

    def document(self) -> Document | None:
        """The last good document; None when this version of the models no longer takes it."""
        return check(self.data)[0] if self.data is not None else None


def record_key(key: Key) -> str:
    """The name of an object's record: `DispatchRule/default/support`."""
    return f"{key[0]}/{key[1]}"


def key_of_record(name: str) -> Key:
    """The object that a record is about."""
    kind, _, id_ = name.partition("/")
    return Kind(kind), id_


def encode_record(record: Record) -> bytes:
    """The record's bytes: equal records have equal bytes."""
    held: dict[str, Any] = {"format": RECORD_FORMAT, "file": record.file, "document": record.data}
    if record.verdicts:
        held["verdicts"] = [[verdict.type, verdict.reason, verdict.message] for verdict in record.verdicts]
    return json.dumps(held, ensure_ascii=False, separators=(",", ":")).encode()


def decode_record(data: bytes) -> Record:
    """A record from a store. One of another format tells nothing, and is replaced at the next publish."""
    held = json.loads(data)
    if held.get("format") != RECORD_FORMAT:
        return Record("", None)
    verdicts = tuple(
        Verdict(ConditionType(kind), Reason(reason), message) for kind, reason, message in held.get("verdicts", ())
    )
    return Record(held["file"], held["document"], verdicts)
