"""What is live, as far as the model has to know it: the tables of all owners, and which rows are this owner's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reconciler.model.sources import Key
from schemas.tables.rows import Delta, Kind, Row, Rows
from schemas.tables.tables import Tables


@dataclass(frozen=True, slots=True)
class Live:
    """One revision seen by one owner. `Live()` is the empty state: what `validate` and `explain DIR` compare with.

    `others` names the owner of each row that is not `mine`; `records` are this owner's, by `record_key`.
    """

    revision: int = 0
    tables: Tables = field(default_factory=Tables)
    mine: Rows = field(default_factory=Rows)
    others: Mapping[Key, str] = field(default_factory=dict)
    records: Mapping[str, bytes] = field(default_factory=dict)

    def own(self, kind: Kind) -> Mapping[str, Row]:
        """This owner's rows of one kind."""
        return rows_of(self.mine, kind)

    def with_mine(self, rows: Rows) -> Live:
        """The same once this owner's rows are these."""
        put: list[Row] = []
        gone: list[Key] = []
        for kind in Kind:
            now, then = self.own(kind), rows_of(rows, kind)
            put += [row for id_, row in then.items() if now.get(id_) is not row]
            gone += [(kind, id_) for id_ in now.keys() - then.keys()]
        tables = self.tables.applied(Delta(tuple(put), tuple(gone)))
        return replace(self, revision=self.revision + 1, mine=rows, tables=tables)


def rows_of(rows: Rows, kind: Kind) -> Mapping[str, Row]:
    """The rows of one kind by id."""
    if kind is Kind.TRUNK:
        return rows.trunks
    return rows.rules if kind is Kind.RULE else rows.numbers
