"""CORE. The calls that lead from what a LiveKit server holds to the rows that are wanted, in the order of need.

A step is one object: created, replaced, released (its mark removed, because its document said Retain) or deleted. There
is none for an object that means what it should already. Trunks come before the rules that name them, and go after them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from livekit.protocol import sip

from reconciler.model.sources import Key
from reconciler.targets.livekit.holdings import KIND_OF, Held, Holdings, Info, Part
from reconciler.targets.livekit.marker import Marker
from reconciler.targets.livekit.numbers import Lists, lists_of
from reconciler.targets.livekit.writing import Reveal, inbound_info, outbound_info, rule_info, without_marker
from schemas.tables.rows import Kind, Rows, RuleRow


class Verb(StrEnum):
    """What happens to one object."""

    CREATE = "create"
    REPLACE = "replace"
    RELEASE = "release"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Step:
    """One object's way. `held` is what was read of it (None: it is not there yet); `needs` are trunks it names."""

    verb: Verb
    part: Part
    name: str
    held: Held | None
    needs: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """The declared object that it is one of."""
        return KIND_OF[self.part], self.name


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the server's objects of one owner are to be."""

    owner: str
    rows: Rows
    retained: frozenset[str]
    reveal: Reveal
    lists: Lists
    former_ids: Mapping[str, str]
    """The ids that rules named trunks by before anything was done."""

    def info(self, part: Part, name: str, base: Info | None, trunk_ids: Mapping[str, str]) -> Info:
        """The object as it is to be written; `trunk_ids` are those of the trunks that are there."""
        kind = KIND_OF[part]
        marker = Marker(self.owner, kind, name, f"{kind} {name}" in self.retained)
        if part is Part.INBOUND:
            assert base is None or isinstance(base, sip.SIPInboundTrunkInfo)
            return inbound_info(base, self.rows.trunks[name], self.lists.called[name], marker, self.reveal)
        if part is Part.OUTBOUND:
            assert base is None or isinstance(base, sip.SIPOutboundTrunkInfo)
            return outbound_info(base, self.rows.trunks[name], self.lists.calling[name], marker, self.reveal)
        assert base is None or isinstance(base, sip.SIPDispatchRuleInfo)
        row = self.rows.rules[name]
        # A trunk that is gone stays named by the id that it had: a rule of a missing trunk takes no call.
        ids = [trunk_ids.get(trunk) or self.former_ids.get(trunk, trunk) for trunk in row.trunks or ()]
        return rule_info(base, row, self.lists.of_rule[name], ids, marker, self.reveal)


def wanted(owner: str, rows: Rows, retained: frozenset[str], reveal: Reveal, former_ids: Mapping[str, str]) -> Wanted:
    """What is to be there of these rows."""
    return Wanted(owner, rows, retained, reveal, lists_of(rows), former_ids)


def steps(holdings: Holdings, goal: Wanted) -> list[Step]:
    """The steps that are left to do, in order."""
    trunk_ids = holdings.inbound_ids()
    puts: list[Step] = []
    for name, trunk in goal.rows.trunks.items():
        halves = ((Part.INBOUND, trunk.inbound), (Part.OUTBOUND, trunk.outbound))
        puts += [step for part, half in halves if half and (step := _put(part, name, holdings, goal, trunk_ids))]
    for name, rule in goal.rows.rules.items():
        step = _put(Part.RULE, name, holdings, goal, trunk_ids, _needs(rule))
        puts += [step] if step is not None else []
    gone = [(name, held) for (part, name), held in holdings.mine.items() if not _is_wanted(part, name, goal.rows)]
    gone.sort(key=lambda named: (named[1].part is not Part.RULE, named[0]))
    return puts + [
        Step(Verb.RELEASE if _stays(name, held, goal.rows) else Verb.DELETE, held.part, name, held)
        for name, held in gone
    ]


def released(held: Held) -> Info:
    """What is written of an object that is let go."""
    return without_marker(held.info)


def _put(
    part: Part, name: str, holdings: Holdings, goal: Wanted, trunk_ids: Mapping[str, str], needs: tuple[str, ...] = ()
) -> Step | None:
    held = holdings.mine.get((part, name))
    if held is None:
        return Step(Verb.CREATE, part, name, None, needs)
    if held.info == goal.info(part, name, held.info, trunk_ids):
        return None
    return Step(Verb.REPLACE, part, name, held, needs)


def _needs(rule: RuleRow) -> tuple[str, ...]:
    return tuple(rule.trunks or ())


def _is_wanted(part: Part, name: str, rows: Rows) -> bool:
    if part is Part.RULE:
        return name in rows.rules
    trunk = rows.trunks.get(name)
    return trunk is not None and (trunk.inbound if part is Part.INBOUND else trunk.outbound) is not None


def _stays(name: str, held: Held, rows: Rows) -> bool:
    """Whether an object outlives its document. A half that a living trunk gives up does not."""
    return held.marker.retained and not (held.marker.kind is Kind.TRUNK and name in rows.trunks)
