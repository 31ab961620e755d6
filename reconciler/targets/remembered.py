"""What is published beside the rows: where each object was declared, and the record from which it can be kept alive.

Called by `tables` for every publish. Ten thousand unchanged objects cost ten thousand pointer checks: a source whose
record is known to be in the store is not encoded again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reconciler.model.desired import Desired
from reconciler.model.live import rows_of
from reconciler.model.records import Record, Verdict, decode_record, encode_record, key_of_record, record_key
from reconciler.model.sources import Key, Source
from schemas.stores import Declared
from schemas.tables.rows import Kind, Rows


@dataclass(slots=True)
class Remembered:
    """What the store holds beside this owner's rows, as far as it is known here."""

    records: dict[str, bytes] = field(default_factory=dict)
    places: dict[Key, Declared] = field(default_factory=dict)
    written: dict[Kind, dict[str, Source]] = field(default_factory=lambda: {kind: {} for kind in Kind})
    """The sources whose records and places are in the store, without any verdict."""

    def unwritten(self, desired: Desired) -> list[tuple[Key, Source]]:
        """The sources of which it is not known that the store has them as they are."""
        return [
            ((kind, id_), source)
            for kind, sources in desired.sources.items()
            for id_, source in unlike(sources, self.written[kind])
        ]

    def records_to_write(
        self, desired: Desired, unwritten: Iterable[tuple[Key, Source]], blocked: Mapping[Key, Verdict]
    ) -> dict[str, bytes | None]:
        """The records that differ from the store's; None = to be removed. `blocked` are verdicts of a refused plan."""
        verdicts = {**blocked, **desired.verdicts}
        out: dict[str, bytes | None] = {}
        for key, source in unwritten:
            if key not in verdicts:
                self._put(key, Record(source.place.file, source.data), out)
        for key, verdict in verdicts.items():
            self._put(key, self._with_verdict(key, verdict, desired), out)
        if not blocked:  # the rows of a refused plan stay, and so do their records
            known = len(self.records) + sum(name not in self.records for name in out)
            if known > sum(map(len, desired.sources.values())):
                out |= dict.fromkeys(self._gone(desired))
        return out

    def places_to_write(
        self, desired: Desired, unwritten: Iterable[tuple[Key, Source]], rows: Rows
    ) -> dict[Key, Declared]:
        """Where these sources and what is held back stand now, as far as that differs from the store's.

        `rows` are those that there will be: only a row has a place. Also after a refused plan: beside a verdict stands
        the place of the document that it speaks of.
        """
        held = [(key, source) for key in desired.verdicts if (source := desired.written(key)) is not None]
        out: dict[Key, Declared] = {}
        for key, source in (*unwritten, *held):
            place = Declared(source.place.file, source.place.line, source.place.column, source.uid)
            if self.places.get(key) != place and key[1] in rows_of(rows, key[0]):
                out[key] = place
        return out

    def note_written(
        self, desired: Desired, records: Mapping[str, bytes | None], places: Mapping[Key, Declared], blocked: set[Key]
    ) -> None:
        """Take in what was published."""
        for name, record in records.items():
            if record is None:
                self.records.pop(name, None)
                self.places.pop(key_of_record(name), None)  # the row is gone, and its place with it
            else:
                self.records[name] = record
        self.places.update(places)
        unsettled = blocked | desired.verdicts.keys()
        self.written = {
            kind: dict(sources)
            if not unsettled
            else {id_: source for id_, source in sources.items() if (kind, id_) not in unsettled}
            for kind, sources in desired.sources.items()
        }

    def _put(self, key: Key, record: Record, out: dict[str, bytes | None]) -> None:
        name, data = record_key(key), encode_record(record)
        if self.records.get(name) != data:
            out[name] = data

    def _with_verdict(self, key: Key, verdict: Verdict, desired: Desired) -> Record:
        """The last good document, which still is in force, and why the present one is not."""
        known = self.records.get(record_key(key))
        last = decode_record(known) if known is not None else Record("", None)
        source = desired.written(key)
        return Record(source.place.file if source is not None else last.file, last.data, (verdict,))

    def _gone(self, desired: Desired) -> list[str]:
        out = []
        for name in self.records:
            key = key_of_record(name)
            if key[1] not in desired.sources[key[0]] and key not in desired.verdicts:
                out.append(name)
        return out


def unlike(these: Mapping[str, Source], others: Mapping[str, Source]) -> list[tuple[str, Source]]:
    """The items of `these` that are not the same objects in `others`."""
    return [(id_, source) for id_, source in these.items() if others.get(id_) is not source]
