"""One attempt at the desired rows, with some objects refused from the start: they keep the rows they have.

`desired` makes an attempt, looks at what it leads to, and makes another without the objects that clash. Kinds are
settled in the order in which they refer to each other (trunks, rules, numbers), so that a reference only resolves to
something that will be in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.model.compile import number_row, rule_row, trunk_row
from reconciler.model.complaints import complaint, of_broken, of_missing
from reconciler.model.limits import LimitsOf, limits_of_tables
from reconciler.model.live import Live
from reconciler.model.memo import Compiled, Memo, Settled
from reconciler.model.records import Verdict
from reconciler.model.references import Landscape, Missing, TrunkSeen, resolve_number, resolve_rule
from reconciler.model.renames import Renames
from reconciler.model.secrets import Secrets, carried_over, filled, folder_of
from reconciler.model.sources import Dependency, Key, Source
from reconciler.model.standing import Standings
from schemas.problems import Problem, Severity
from schemas.resources.conditions import ConditionType, Reason
from schemas.resources.dispatch_rule import DispatchRule
from schemas.resources.documents import Document
from schemas.resources.phone_number import PhoneNumber
from schemas.resources.trunk import Trunk
from schemas.tables.rows import Kind, Row

WARNING = Severity.WARNING


@dataclass(slots=True)
class Attempt:
    """`rows` by kind and id are what comes of it; `verdicts` say why other objects are held back."""

    standings: Standings
    live: Live
    memo: Memo
    refused: Mapping[Key, Verdict]
    secrets: Secrets = field(default_factory=Secrets)
    renames: Renames = field(default_factory=Renames)
    limits_of: LimitsOf = limits_of_tables
    rows: dict[Kind, dict[str, Row]] = field(default_factory=lambda: {kind: {} for kind in Kind})
    verdicts: dict[Key, Verdict] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    moved: set[Dependency] = field(default_factory=set)
    """What can be referred to and is not as it was when the memo was made."""

    def settle(self) -> None:
        """Settle every object."""
        self.verdicts.update(self.standings.held)
        self.moved |= self.memo.turn_secrets(self.secrets)
        self._settle_kind(Kind.TRUNK, Landscape({}, {}))
        trunks = self._trunks_in_force()
        self.moved |= self.memo.turn_trunks(trunks)
        held = self._held(Kind.TRUNK, trunks)
        self._settle_kind(Kind.RULE, Landscape(trunks, {}, held))
        rules = dict.fromkeys([*self.rows[Kind.RULE], *self._others(Kind.RULE)])
        self.moved |= self.memo.turn_rules(rules)
        land = Landscape(trunks, rules, held | self._held(Kind.RULE, rules))
        self._settle_kind(Kind.NUMBER, land)
        for source in self.standings.broken:
            self.problems += of_broken(source, land)

    def put(self, key: Key, row: Row) -> None:
        """Replace a row by one that differs in the age of its claim."""
        self.rows[key[0]][key[1]] = row
        known = self.memo.settled[key[0]].get(key[1])
        if known is not None:
            self.memo.settled[key[0]][key[1]] = replace(known, row=row)

    def place_of(self, key: Key) -> str:
        """Where an object is declared, as far as it is known; of another owner's object, whose it is."""
        if (owner := self.live.others.get(key)) is not None:
            return f"of the owner {owner}"
        source = self.standings.fresh[key[0]].get(key[1])
        place = str(source.place) if source is not None else ""
        return f"at {place}" if place else ""

    def numbers_held(self) -> Iterator[Source]:
        """The PhoneNumbers without a row: held back, or broken, maybe beyond their name."""
        for kind, id_ in self.verdicts:
            source = self.standings.fresh[kind].get(id_)
            if kind is Kind.NUMBER and source is not None and id_ not in self.rows[kind]:
                yield source
        for source in (*self.standings.broken, *self.standings.doubled):
            is_number = source.key[0] is Kind.NUMBER if source.key else source.written("kind") == Kind.NUMBER
            if is_number and (source.key is None or source.key[1] not in self.rows[Kind.NUMBER]):
                yield source

    def changeable(self, kind: Kind) -> Iterable[str] | None:
        """The ids that may differ from what is live; None = any may."""
        touched = self.standings.touched
        if touched is None or self.refused or self.moved or self.memo.last is None:
            return None
        if self.memo.last.rows is not self.live.mine:  # somebody else's publish came between, or nothing came of ours
            return None
        return [id_ for other, id_ in touched if other is kind]

    def _settle_kind(self, kind: Kind, land: Landscape) -> None:
        """Settle all objects of a kind, or, where nothing else can have changed, those that were touched."""
        ids = self.changeable(kind)
        if ids is None:
            self._settle_all(kind, land)
            return
        fresh, rows = self.standings.fresh[kind], dict(self.live.own(kind))
        self.rows[kind] = rows
        for id_ in ids:
            rows.pop(id_, None)
            source = fresh.get(id_)
            if source is not None:
                self._settle_one((kind, id_), source, land)
        self.memo.forget(kind, [id_ for id_ in ids if id_ not in fresh])

    def _settle_all(self, kind: Kind, land: Landscape) -> None:
        settled, rows, fresh = self.memo.settled[kind], self.rows[kind], self.standings.fresh[kind]
        live, moved = self.live.own(kind), self.moved
        suspects = {id_ for other, id_ in (*self.refused, *self.live.others) if other is kind}
        for id_, source in fresh.items():
            known = settled.get(id_)
            if (
                known is not None
                and known.source is source
                and known.row is live.get(id_)
                and not (moved and not known.looked_at.isdisjoint(moved))
                and not (suspects and id_ in suspects)
            ):
                rows[id_] = known.row
            else:
                self._settle_one((kind, id_), source, land)
        for key, document in self.standings.kept.items():
            if key[0] is kind:
                self._settle_kept(key, document, land)
        rows.update({id_: live[id_] for other, id_ in self.renames.contested if other is kind})
        if len(self.memo.compiled[kind]) > len(fresh):
            self.memo.forget(kind, self.memo.compiled[kind].keys() - fresh.keys())

    def _settle_one(self, key: Key, source: Source, land: Landscape) -> None:
        """An object that is new or changed, whose references may have moved, or with which something is wrong."""
        kind, id_ = key
        compiled = self.memo.compiled[kind].get(id_)
        self.memo.settled[kind].pop(id_, None)
        # What is missing may have become something that waits, or the other way round: it is looked at anew.
        stale = compiled is None or compiled.document is not source.document or bool(compiled.missing)
        if compiled is None or stale or not compiled.looked_at.isdisjoint(self.moved):
            assert source.document is not None
            compiled = _compile(source.document, land, self.live.revision + 1)
            compiled = _with_secrets(compiled, folder_of(source.place.file), self.secrets)
            self.memo.compiled[kind][id_] = compiled
        verdict = self._verdict(key, source, compiled)
        if verdict is not None:
            self.verdicts[key] = verdict
            self._keep_live(key)
            return
        assert compiled.row is not None
        row = self.rows[kind][id_] = self._claimed(key, compiled.row)
        if compiled.nothing_selected:
            what, hint = "no trunk has these labels", "this rule takes no call until one has"
            problem = complaint(source, ("spec", "trunkSelector"), what, hint, "no-trunk-selected")
            self.problems.append(replace(problem, severity=WARNING))
        self.problems += [replace(of_missing(source, missing), severity=WARNING) for missing in compiled.unsealed]
        if compiled.plain:
            self.memo.settled[kind][id_] = Settled(source, row, compiled.looked_at)

    def _verdict(self, key: Key, source: Source, compiled: Compiled) -> Verdict | None:
        """Why the present document is not put into force, and the complaints about it."""
        if key in self.refused:
            return self.refused[key]
        if (owner := self.live.others.get(key)) is not None:
            what = f"{key[0]} {key[1]} belongs to the owner {owner}"
            self.problems.append(complaint(source, (), what, "give this one another name", "other-owner"))
            return Verdict(ConditionType.ACCEPTED, Reason.CONFLICTED, what)
        # Waiting for something is only worth a word where nothing else is wrong.
        faults = [missing for missing in compiled.missing if not missing.held]
        if faults:
            return self._without(source, compiled, faults)
        if limits := self.limits_of(compiled.document, compiled.row):
            for limit in limits:
                problem = complaint(source, limit.path, limit.what, limit.hint, limit.code)
                self.problems.append(replace(problem, severity=limit.severity))
            what = "; ".join(limit.what for limit in limits)
            return Verdict(ConditionType.ACCEPTED, limits[0].reason, what)
        if compiled.missing:
            return self._without(source, compiled, compiled.missing)
        assert compiled.row is not None, "a number that is not known is a limit of every target"
        return None

    def _without(self, source: Source, compiled: Compiled, faults: Sequence[Missing]) -> Verdict:
        self.problems += [of_missing(source, missing) for missing in faults]
        return Verdict(ConditionType.RESOLVED_REFS, Reason(compiled.missing[0].reason), compiled.missing[0].words)

    def _settle_kept(self, key: Key, document: Document | None, land: Landscape) -> None:
        """An object whose last good document stands, if that still leads somewhere, else the row that it has."""
        live = self.live.own(key[0]).get(key[1])
        if live is None:
            return
        # Its manifest cannot be read now, so neither is what it says of secrets: those that are live stay.
        usable = document is not None and key not in self.refused
        compiled = _compile(document, land, live.claimed_since) if document is not None and usable else None
        if compiled is None or compiled.row is None or compiled.missing:
            self.rows[key[0]][key[1]] = live
        else:
            self.rows[key[0]][key[1]] = self._claimed(key, compiled.row)

    def _keep_live(self, key: Key) -> None:
        row = self.renames.predecessor(key, self.live)
        if row is not None:  # under the name that it has so far
            self.rows[key[0]][row.id] = row

    def _claimed(self, key: Key, template: Row) -> Row:
        """The row with the claim that it has so far, or a new one; the live row itself where nothing changes."""
        live = self.live.own(key[0]).get(key[1])
        row = carried_over(template, live) if live is not None else template
        before = self.renames.predecessor(key, self.live)
        since = before.claimed_since if before is not None else self.live.revision + 1
        row = row if row.claimed_since == since else replace(row, claimed_since=since)
        return live if live is not None and row == live else row

    def _trunks_in_force(self) -> dict[str, TrunkSeen]:
        """The trunks that have a row, with what can be seen of them; of a row without a document only its name."""
        out: dict[str, TrunkSeen] = {}
        for id_ in (*self.rows[Kind.TRUNK], *self._others(Kind.TRUNK)):
            source = self.standings.fresh[Kind.TRUNK].get(id_)
            document = source.document if source else self.standings.kept.get((Kind.TRUNK, id_))
            out[id_] = self.memo.trunk_seen(id_, document) if isinstance(document, Trunk) else UNSEEN
        return out

    def _held(self, kind: Kind, in_force: Mapping[str, object]) -> set[Key]:
        """What is declared and not in force."""
        return {key for key in self.verdicts if key[0] is kind and key[1] not in in_force}

    def _others(self, kind: Kind) -> list[str]:
        return [id_ for other, id_ in self.live.others if other is kind]


UNSEEN = TrunkSeen({}, "Same")
"""A trunk of which only its row is known: it has no labels, and its own namespace may refer to it."""


def _compile(document: Document, land: Landscape, since: int) -> Compiled:
    """The row of a document, in which secrets are named only."""
    if isinstance(document, Trunk):
        return Compiled(document, trunk_row(document, since))
    if isinstance(document, DispatchRule):
        resolved = resolve_rule(document, land)
        row = rule_row(document, resolved, since)
        nothing_selected = document.spec.trunk_selector is not None and not row.trunks
        return Compiled(document, row, resolved.missing, resolved.looked_at, nothing_selected)
    assert isinstance(document, PhoneNumber)
    resolved = resolve_number(document, land)
    return Compiled(document, number_row(document, resolved, since), resolved.missing, resolved.looked_at)


def _with_secrets(compiled: Compiled, folder: str, secrets: Secrets) -> Compiled:
    """The same with its sealed secrets; those that are missing are in the way only where they are needed."""
    if compiled.row is None:
        return compiled
    found = filled(compiled.row, compiled.document, folder, secrets)
    if not found.looked_at:
        return compiled
    return replace(
        compiled,
        row=found.row,
        missing=(*compiled.missing, *(found.unreadable if secrets.needed else ())),
        looked_at=compiled.looked_at | found.looked_at,
        unsealed=() if secrets.needed else found.unreadable,
    )
