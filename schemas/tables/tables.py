"""One revision of the live tables, indexed for matching: what the bridge holds in memory and answers calls from.

`Tables.build` makes them from a store's rows, `applied` makes the next revision from a delta. A revision never
changes once made, so a call that began with one keeps it; the next shares nearly all its memory. `lookup.decide`,
`explain` and `conflicts` are the readers. A delta costs by its own size: one PhoneNumber among a million, tens of
microseconds. Given the same rows, in whatever order they came, tables decide alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from schemas.tables.entries import RuleEntry, TrunkEntry, compile_rule, compile_trunk
from schemas.tables.index_numbers import NumberIndex
from schemas.tables.index_rules import RuleIndex
from schemas.tables.index_sources import SourceIndex
from schemas.tables.rows import Delta, Kind, NumberRow, Rows, RuleRow, TrunkRow
from schemas.tables.sharded import ShardedMap


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """An immutable revision. `Tables()` is empty: it refuses every call."""

    trunks: ShardedMap[str, TrunkEntry] = field(default_factory=ShardedMap)
    rules: ShardedMap[str, RuleEntry] = field(default_factory=ShardedMap)
    numbers: NumberIndex = field(default_factory=NumberIndex)
    source_index: SourceIndex = field(default_factory=SourceIndex)
    rule_index: RuleIndex = field(default_factory=RuleIndex)

    @classmethod
    def build(cls, rows: Rows) -> Tables:
        """Tables of a whole state. Raises ValueError for a network that is not canonical."""
        known = cls(numbers=NumberIndex.of(rows.numbers))
        return known.applied(Delta(put=(*rows.trunks.values(), *rows.rules.values())))

    def applied(self, delta: Delta) -> Tables:
        """The next revision. Ids that are deleted but unknown are no matter; a put replaces what had its id."""
        numbers = self.numbers.updated(_deleted(delta, Kind.NUMBER), _put(delta, NumberRow))
        trunks, source_index = self._trunks_applied(delta)
        rules, rule_index = self._rules_applied(delta, numbers)
        return Tables(trunks, rules, numbers, source_index, rule_index)

    def trunk(self, trunk_id: str) -> TrunkRow | None:
        """The trunk with this id."""
        entry = self.trunks.get(trunk_id)
        return None if entry is None else entry.row

    def rule(self, rule_id: str) -> RuleRow | None:
        """The rule with this id."""
        entry = self.rules.get(rule_id)
        return None if entry is None else entry.row

    def number(self, number_id: str) -> NumberRow | None:
        """The PhoneNumber with this id."""
        return self.numbers.by_id.get(number_id)

    @property
    def rows(self) -> Rows:
        """The whole state as plain dicts, made anew at each call: O(rows)."""
        return Rows(
            trunks={entry.row.id: entry.row for entry in self.trunks.values()},
            rules={entry.row.id: entry.row for entry in self.rules.values()},
            numbers={row.id: row for row in self.numbers.by_id.values()},
        )

    def _trunks_applied(self, delta: Delta) -> tuple[ShardedMap[str, TrunkEntry], SourceIndex]:
        changes: dict[str, TrunkEntry | None] = dict.fromkeys(_deleted(delta, Kind.TRUNK))
        changes.update({row.id: compile_trunk(row) for row in _put(delta, TrunkRow)})
        if not changes:
            return self.trunks, self.source_index
        removed = [old for trunk_id in changes if (old := self.trunks.get(trunk_id)) is not None]
        added = [entry for entry in changes.values() if entry is not None]
        return self.trunks.updated(changes), self.source_index.updated(removed, added)

    def _rules_applied(self, delta: Delta, numbers: NumberIndex) -> tuple[ShardedMap[str, RuleEntry], RuleIndex]:
        rows: dict[str, RuleRow | None] = self._turned(delta, numbers)
        rows.update(dict.fromkeys(_deleted(delta, Kind.RULE)))
        rows.update({row.id: row for row in _put(delta, RuleRow)})
        if not rows:
            return self.rules, self.rule_index
        changes = {
            rule_id: None if row is None else compile_rule(row, pointed_at=numbers.pointing.get(rule_id) is not None)
            for rule_id, row in rows.items()
        }
        removed = [old for rule_id in changes if (old := self.rules.get(rule_id)) is not None]
        added = [entry for entry in changes.values() if entry is not None]
        return self.rules.updated(changes), self.rule_index.updated(removed, added)

    def _turned(self, delta: Delta, numbers: NumberIndex) -> dict[str, RuleRow | None]:
        """The rules that gain their first PhoneNumber or lose their last: an empty `to` changes its meaning."""
        if not len(self.rules):
            return {}
        named = {row.rule for row in _put(delta, NumberRow)}
        named.update(old.rule for row_id in _number_ids(delta) if (old := self.number(row_id)) is not None)
        before, after = self.numbers.pointing, numbers.pointing
        return {
            rule_id: entry.row
            for rule_id in named
            if (before.get(rule_id) is None) is not (after.get(rule_id) is None)
            and (entry := self.rules.get(rule_id)) is not None
        }


R = TypeVar("R", TrunkRow, RuleRow, NumberRow)


def _put(delta: Delta, row_type: type[R]) -> list[R]:
    return [row for row in delta.put if isinstance(row, row_type)]


def _deleted(delta: Delta, kind: Kind) -> list[str]:
    return [row_id for row_kind, row_id in delta.delete if row_kind is kind]


def _number_ids(delta: Delta) -> list[str]:
    """Every PhoneNumber whose old row is replaced or gone."""
    return [*_deleted(delta, Kind.NUMBER), *(row.id for row in _put(delta, NumberRow))]
