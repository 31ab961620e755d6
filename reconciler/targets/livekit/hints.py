"""CORE. What the documents say before anything is resolved: names for what a LiveKit server holds without a name.

A server knows numbers, not PhoneNumbers, and passwords, not the places that they came from. To tell a change from what
is as declared, what is read there is named by the documents, and by what was applied last where a document is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.model.compile import number_row, object_id_of, rule_row, trunk_row
from reconciler.model.records import decode_record, key_of_record
from reconciler.model.references import Resolution
from reconciler.model.standing import Declared
from schemas.resources.dispatch_rule import DispatchRule
from schemas.resources.documents import Document
from schemas.resources.phone_number import PhoneNumber
from schemas.resources.trunk import Trunk
from schemas.tables.rows import NumberRow, Rows, RuleRow, TrunkRow


@dataclass(slots=True)
class Hints:
    """Rows by id whose references are names only and whose secrets are places only; `retained` stay when deleted."""

    trunks: dict[str, TrunkRow] = field(default_factory=dict)
    rules: dict[str, RuleRow] = field(default_factory=dict)
    numbers: dict[str, NumberRow] = field(default_factory=dict)
    retained: set[str] = field(default_factory=set)
    """`Kind ns/name` of objects with `deletionPolicy: Retain`."""

    def over(self, recorded: Rows) -> Hints:
        """These, and what was applied last of objects that no document names."""
        return Hints(
            {**recorded.trunks, **self.trunks},
            {**recorded.rules, **self.rules},
            {**recorded.numbers, **self.numbers},
            self.retained,
        )


def hints_of(declared: Declared, records: Mapping[str, bytes]) -> Hints:
    """What the sound documents say, and of objects without one their last good document."""
    hints = Hints()
    for document in documents(declared, records):
        if isinstance(document, Trunk):
            hints.trunks.setdefault(object_id_of(document), trunk_row(document, 0))
        elif isinstance(document, DispatchRule):
            hints.rules.setdefault(object_id_of(document), rule_row(document, Resolution(), 0))
        elif isinstance(document, PhoneNumber):
            row = number_row(document, _named_by(document), 0)
            if row is not None:
                hints.numbers.setdefault(row.id, row)
        if isinstance(document, Trunk | DispatchRule) and document.spec.deletion_policy == "Retain":
            hints.retained.add(f"{document.kind} {object_id_of(document)}")
    return hints


def documents(declared: Declared, records: Mapping[str, bytes]) -> Iterator[Document]:
    """The sound documents, and the last good ones of what is broken or may be hidden; of a name the first counts."""
    sources = [source for file in declared.files.values() for source in file.sources]
    yield from (source.document for source in sources if source.document is not None)
    silent = {source.key for source in sources if source.document is None}
    yield from _last_good(records, silent, whole=not declared.unread and all(f.whole for f in declared.files.values()))


def _last_good(records: Mapping[str, bytes], silent: Iterable[object], *, whole: bool) -> Iterator[Document]:
    """The last good documents of what is broken now, or may be hidden in what cannot be read."""
    broken = set(silent)
    for name, data in records.items():
        if not whole or key_of_record(name) in broken:
            document = decode_record(data).document()
            if document is not None:
                yield document


def _named_by(number: PhoneNumber) -> Resolution:
    """What a number refers to, by name alone."""
    home, spec = number.metadata.namespace, number.spec
    trunk = f"{spec.trunk_ref.namespace or home}/{spec.trunk_ref.name}" if spec.trunk_ref is not None else ""
    rule = f"{home}/{spec.dispatch_rule_ref.name}" if spec.dispatch_rule_ref is not None else ""
    return Resolution((trunk,) if trunk else None, rule)
