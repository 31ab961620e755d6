"""The PhoneNumbers: by id, by number, and how many of them point at each rule.

There may be a million, so nothing is made per number but its two map entries: a number that only one row has (nearly
all) leads to the row itself and not to a tuple of one. Every row that points at a rule is counted, whatever its
direction: a rule must not open to all calls because its last number was made outbound.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from schemas.tables.entries import number_order
from schemas.tables.rows import NumberRow
from schemas.tables.sharded import ShardedMap

SameNumber = NumberRow | tuple[NumberRow, ...]
"""The rows with one number: the row, or several with the incumbent first."""


@dataclass(frozen=True, slots=True, eq=False)
class NumberIndex:
    """All PhoneNumbers of one revision."""

    by_id: ShardedMap[str, NumberRow] = field(default_factory=ShardedMap)
    by_number: ShardedMap[str, SameNumber] = field(default_factory=ShardedMap)
    pointing: ShardedMap[str, int] = field(default_factory=ShardedMap)
    """How many point at a rule, by its id; a rule at which none points is no key."""

    @classmethod
    def of(cls, rows: Mapping[str, NumberRow]) -> NumberIndex:
        """The index of a whole state, by id: how a million are loaded."""
        numbers: dict[str, SameNumber] = {}
        for row in rows.values():
            known = numbers.setdefault(row.number, row)
            if known is not row:
                numbers[row.number] = _with(known, row)
        pointing = Counter(row.rule for row in rows.values())
        del pointing[""]
        return cls(ShardedMap.of(rows), ShardedMap.of(numbers), ShardedMap.of(pointing))

    def rows(self, number: str) -> tuple[NumberRow, ...]:
        """The rows with a normalised number, the incumbent first."""
        found = self.by_number.get(number)
        if found is None:
            return ()
        return found if isinstance(found, tuple) else (found,)

    def updated(self, deleted: Iterable[str], put: Iterable[NumberRow]) -> NumberIndex:
        """The index without some ids and with some rows put in place of whatever had their ids."""
        ids: dict[str, NumberRow | None] = {}
        numbers: dict[str, SameNumber | None] = {}
        pointing: dict[str, int] = {}
        for row_id in deleted:
            self._take_out(row_id, ids, numbers, pointing)
        fresh = not len(self.by_id)
        for row in put:
            if not fresh or row.id in ids:
                self._take_out(row.id, ids, numbers, pointing)
            ids[row.id] = row
            number = row.number
            known = numbers[number] if number in numbers else self.by_number.get(number)
            numbers[number] = row if known is None else _with(known, row)
            if row.rule:
                pointing[row.rule] = pointing.get(row.rule, 0) + 1
        counts = {rule: (self.pointing.get(rule) or 0) + step or None for rule, step in pointing.items()}
        return NumberIndex(self.by_id.updated(ids), self.by_number.updated(numbers), self.pointing.updated(counts))

    def _take_out(
        self,
        row_id: str,
        ids: dict[str, NumberRow | None],
        numbers: dict[str, SameNumber | None],
        pointing: dict[str, int],
    ) -> None:
        old = ids[row_id] if row_id in ids else self.by_id.get(row_id)
        if old is None:
            return
        ids[row_id] = None
        known = numbers[old.number] if old.number in numbers else self.by_number.get(old.number)
        assert known is not None
        numbers[old.number] = _without(known, old)
        if old.rule:
            pointing[old.rule] = pointing.get(old.rule, 0) - 1


def _with(known: SameNumber, row: NumberRow) -> SameNumber:
    rows = [*known] if isinstance(known, tuple) else [known]
    insort(rows, row, key=number_order)
    return tuple(rows)


def _without(known: SameNumber, row: NumberRow) -> SameNumber | None:
    rest = tuple(other for other in known if other.id != row.id) if isinstance(known, tuple) else ()
    return rest[0] if len(rest) == 1 else rest or None
