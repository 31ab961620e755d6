"""Objects under another name: `dialplane.dev/renamed-from: NAME` makes a move of what would be a delete and a create.

A move keeps the age of the object's claims, and of the claims of whatever names it under its new name, so that a
renaming loses no clash. It happens once, within a kind, a namespace and an owner: when the old name is live and no
longer declared, and the new one is not live. Afterwards the annotation means nothing and may be taken out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from reconciler.model.complaints import complaint
from reconciler.model.live import Live
from reconciler.model.records import Verdict
from reconciler.model.sources import Key, Source, object_name
from reconciler.model.standing import Standings
from schemas.ids import is_name
from schemas.problems import Problem
from schemas.resources.base import GROUP
from schemas.resources.conditions import ConditionType, Reason
from schemas.tables.rows import Kind, NumberRow, Row, RuleRow

ANNOTATION = f"{GROUP}/renamed-from"


@dataclass(slots=True)
class Renames:
    """`moves` leads from an object to the id that it has so far; `refused` are those that cannot be had."""

    moves: dict[Key, str] = field(default_factory=dict)
    refused: dict[Key, Verdict] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    new_ids: dict[Key, str] = field(default_factory=dict)
    """The moves the other way round."""
    contested: list[Key] = field(default_factory=list)
    """The live objects that more than one object is said to have been: they stay, until it is known which."""

    def predecessor(self, key: Key, live: Live) -> Row | None:
        """The live row of an object, under its old name if it moves."""
        own = live.own(key[0])
        return own.get(self.moves.get(key, key[1]))

    def brought_up_to_date(self, row: Row) -> Row:
        """A row as it would be if what it names had its new name already."""
        new_of = self.new_ids
        if isinstance(row, NumberRow):
            trunk, rule = new_of.get((Kind.TRUNK, row.trunk)), new_of.get((Kind.RULE, row.rule))
            return replace(row, trunk=trunk or row.trunk, rule=rule or row.rule)
        if isinstance(row, RuleRow) and row.trunks is not None:
            return replace(row, trunks=tuple(new_of.get((Kind.TRUNK, id_), id_) for id_ in row.trunks))
        return row


def find_renames(standings: Standings, live: Live) -> Renames:
    """The moves of this pass. Where only some objects may differ from the last pass, only those are looked at."""
    found = Renames()
    claimed: dict[Key, list[Key]] = {}
    for key, name, source in _annotated(standings):
        old = (key[0], f"{key[1].partition('/')[0]}/{name}")
        if not is_name(name):
            _refuse(found, key, source, f"{ANNOTATION} holds no name", "write the name that the object had", "bad-name")
        elif _is_declared(standings, old):
            what = f"{object_name(key)} is said to have been {object_name(old)}, which is declared as well"
            _refuse(found, key, source, what, "take out the annotation, or the other document", "renamed-both")
        elif old[1] in live.own(old[0]):
            claimed.setdefault(old, []).append(key)
    for old, keys in claimed.items():
        if len(keys) == 1:
            if keys[0][1] not in live.own(old[0]):
                found.moves[keys[0]], found.new_ids[old] = old[1], keys[0][1]
            continue
        found.contested.append(old)
        for key in keys:
            what = f"{object_name(old)} cannot have become more than one: {', '.join(map(object_name, keys))}"
            source = standings.fresh[key[0]][key[1]]
            _refuse(found, key, source, what, "leave the annotation at one of them", "renamed-twice")
    return found


def _annotated(standings: Standings) -> Iterator[tuple[Key, str, Source]]:
    touched = standings.touched
    keys = touched if touched is not None else ((kind, id_) for kind in Kind for id_ in standings.fresh[kind])
    for kind, id_ in keys:
        source = standings.fresh[kind].get(id_)
        if source is None or source.document is None:
            continue
        annotations: Mapping[str, str] | None = source.document.metadata.annotations
        if annotations is not None and ANNOTATION in annotations:
            yield (kind, id_), annotations[ANNOTATION], source


def _is_declared(standings: Standings, key: Key) -> bool:
    return key[1] in standings.fresh[key[0]] or key in standings.held


def _refuse(found: Renames, key: Key, source: Source, what: str, hint: str, code: str) -> None:
    found.refused[key] = Verdict(ConditionType.ACCEPTED, Reason.CONFLICTED, what)
    found.problems.append(complaint(source, ("metadata", "annotations", ANNOTATION), what, hint, code))
