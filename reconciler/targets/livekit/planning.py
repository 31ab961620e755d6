"""CORE. Documents beside what a LiveKit server holds: the plan, and the steps that carry it out.

The model and the gates are those of our own tables. What is added is what a server without our tables asks for: limits,
names for what it holds, marks, and a trunk that must never be without a number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from reconciler.errors import ReconcileError
from reconciler.model.complaints import complaint
from reconciler.model.desired import Desired, desire_once, settled
from reconciler.model.limits import Limit, LimitsOf
from reconciler.model.live import Live, rows_of
from reconciler.model.records import record_key
from reconciler.model.sources import Key, object_name
from reconciler.model.standing import Declared
from reconciler.plan.changes import Action, Change, FieldChange, Plan, diff
from reconciler.targets.livekit.hints import Hints, documents, hints_of
from reconciler.targets.livekit.holdings import Held, Holdings, names_by_id
from reconciler.targets.livekit.numbers import LIVE_SINCE, lists_of
from reconciler.targets.livekit.passing import is_nobodys
from reconciler.targets.livekit.phone_numbers.filling import with_numbers
from reconciler.targets.livekit.phone_numbers.ledger import Ledger
from reconciler.targets.livekit.phone_numbers.standing import Standing, Word, stand
from reconciler.targets.livekit.phone_numbers.steps import NumberStep, is_own, number_ends, number_puts
from reconciler.targets.livekit.reading import Reader, is_network
from reconciler.targets.livekit.steps import Step, Wanted, steps, wanted
from reconciler.targets.livekit.unsupported import Limits, without_numbers
from schemas.problems import Problem, Severity
from schemas.seal import Place, Sealer
from schemas.tables.rows import Kind, NumberRow, Rows, RuleRow, Secret, TrunkRow
from schemas.tables.tables import Tables

R = TypeVar("R", TrunkRow, RuleRow, NumberRow)
_ORDER = (Kind.TRUNK, Kind.RULE, Kind.NUMBER)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was applied last from this machine: `rows` of this owner and its `records`; empty on a new machine."""

    rows: Rows = field(default_factory=Rows)
    records: Mapping[str, bytes] = field(default_factory=dict)
    revision: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """One look at a server with one set of documents."""

    owner: str
    holdings: Holdings
    hints: Hints
    live: Live
    sealer: Sealer
    declared: Declared
    """The documents; those that ask for a number name it."""
    standing: Standing
    """LiveKit's own numbers."""
    digest: str = ""
    """Of all that the server holds."""

    def reveal(self, place: Place, secret: Secret) -> str | None:
        """The clear text of a secret, None where it is not known here."""
        clear = self.sealer.unseal(place, secret.sealed)
        return clear.decode(errors="surrogateescape") if clear is not None else None


@dataclass(frozen=True, slots=True)
class Course:
    """What an apply would do: the plan for people, and for the server the `steps` towards the `goal`."""

    plan: Plan
    desired: Desired
    goal: Wanted
    holdings: Holdings
    """What is held, under the names that it is to have."""
    steps: list[Step]
    number_puts: list[NumberStep]
    number_ends: list[NumberStep]

    def __bool__(self) -> bool:
        return bool(self.steps or self.number_puts or self.number_ends)

    def left(self, after: View) -> list[Step | NumberStep]:
        """The steps that would still be to do, by a look at what came of this."""
        rows, rule_ids = self.goal.rows, after.holdings.rule_ids()
        puts, ends = number_puts(after.standing, rows, rule_ids), number_ends(after.standing, rows)
        return [*steps(after.holdings, self.goal), *puts, *ends]


def view_of(
    owner: str,
    holdings: Holdings,
    declared: Declared,
    recorded: Recorded,
    sealer: Sealer,
    digest: str = "",
    standing: Standing | None = None,
) -> View:
    """What is live, in rows. `declared` has the numbers of those that ask for one."""
    standing = standing or Standing(owner, {}, {}, Ledger())
    hints = hints_of(declared, recorded.records)
    known = hints.over(recorded.rows)
    mine = Reader(holdings, known, recorded.rows, sealer, _own_numbers(holdings, standing)).rows()
    everyone = _joined(mine, *_rows_of_others(holdings, sealer))
    others = {key: held[0].marker.owner for key, held in holdings.others.items()}
    live = Live(recorded.revision, Tables.build(_without_hosts(everyone)), mine, others, recorded.records)
    return View(owner, holdings, hints, live, sealer, declared, standing, digest)


def _own_numbers(holdings: Holdings, standing: Standing) -> list[NumberRow]:
    """LiveKit's own numbers that are this owner's; a rule that is not its own is named by its id."""
    names = names_by_id(holdings.rule_ids())
    return [
        NumberRow(
            name, there.number, "", ", ".join(names.get(rule, rule) for rule in there.rules), claimed_since=LIVE_SINCE
        )
        for name, there in standing.live().items()
    ]


def limits_of(declared: Declared) -> LimitsOf:
    """What no LiveKit server can hold of these documents, whichever it is."""
    return Limits(hints_of(declared, {}))


def comparable(declared: Declared) -> Declared:
    """Documents as they are planned where no server is asked: who asks for a number gets one."""
    standing = stand("", documents(declared, {}), Ledger(), {}, Word(), {})
    return with_numbers(declared, standing)


def course(view: View, declared: Declared, desired: Desired | None = None) -> Course:
    """Plan. Raises ReconcileError for the adoption of an object that no document declares."""
    desired = desired or desired_of(view, declared)
    _check_adoptions(view, desired)
    desired = replace(desired, problems=(*desired.problems, *_open_to_strangers(desired)))
    holdings = view.holdings.renamed(desired.moves)
    goal = wanted(view.owner, desired.rows, _retained(view, desired.rows), view.reveal, holdings.inbound_ids())
    plan = _told(diff(view.live.mine, desired.rows, desired.moves), view, desired.rows, goal.retained)
    rule_ids, standing = holdings.rule_ids(), view.standing
    numbers = number_puts(standing, desired.rows, rule_ids), number_ends(standing, desired.rows)
    return Course(plan, desired, goal, holdings, steps(holdings, goal), *numbers)


def as_gated(plan: Plan) -> Plan:
    """The plan as safety gates are to see it: a half that is not there is an object to create, which opens nothing.

    An apply that was cut off between the two halves of a trunk would else be refused when it is made again.
    """
    return Plan(tuple(_as_gated(change) for change in plan.changes))


def _as_gated(change: Change) -> Change:
    old, new = change.old, change.new
    if not (isinstance(old, TrunkRow) and isinstance(new, TrunkRow)):
        return change
    return replace(change, old=replace(old, inbound=old.inbound or new.inbound, outbound=old.outbound or new.outbound))


def desired_of(view: View, declared: Declared) -> Desired:
    """The desired rows, without any trunk that would open because it has no number left."""
    return settled(lambda live: _desired_once(replace(view, live=live), declared), view.live)


def _desired_once(view: View, declared: Declared) -> Desired:
    limits = Limits(view.hints, view.live.others)
    limits.more.update({(Kind.NUMBER, name): limit for name, limit in view.standing.limits.items()})
    for key, ids in view.holdings.doubled.items():
        what = f"several objects at LiveKit are marked as {object_name(key)}: {', '.join(ids)}"
        limits.more[key] = Limit((), what, "delete all but one of them")
    while True:
        desired = desire_once(declared, view.live, limits_of=limits)
        found = _numberless(desired.rows)
        new = {key: limit for key, limit in found.items() if key not in limits.more}
        if not new:
            break
        limits.more.update(new)
    rows = desired.rows
    kept = {row.id: row for row in view.live.mine.numbers.values() if (Kind.TRUNK, row.trunk) in found}
    if kept:
        rows = replace(rows, numbers={**rows.numbers, **kept})
    if declared.unread or not all(file.whole for file in declared.files.values()):
        rows = _with_unknown(rows, view)
    rows = _without_trunkless(rows, view.live.others)
    return replace(desired, rows=rows) if rows is not desired.rows else desired


def _without_trunkless(rows: Rows, others: Mapping[Key, str]) -> Rows:
    """The rows without numbers that stood on a trunk that goes: LiveKit keeps numbers on trunks, and nowhere else."""
    gone = [
        row.id
        for row in rows.numbers.values()
        if row.trunk and row.trunk not in rows.trunks and (Kind.TRUNK, row.trunk) not in others
    ]
    return replace(rows, numbers={id_: row for id_, row in rows.numbers.items() if id_ not in gone}) if gone else rows


def _with_unknown(rows: Rows, view: View) -> Rows:
    """The rows, and what may be declared in what cannot be read: on a new machine no record tells."""

    def kept(kind: Kind, mine: Mapping[str, R]) -> dict[str, R]:
        return {id_: row for id_, row in mine.items() if record_key((kind, id_)) not in view.live.records}

    live = view.live.mine
    return Rows(
        {**kept(Kind.TRUNK, live.trunks), **rows.trunks},
        {**kept(Kind.RULE, live.rules), **rows.rules},
        {**kept(Kind.NUMBER, live.numbers), **rows.numbers},
    )


def _open_to_strangers(desired: Desired) -> Iterator[Problem]:
    """Warnings of rules that LiveKit would also use for calls that no trunk takes, which our own bridge refuses."""
    # A rule of LiveKit's own numbers names no trunk, for these arrive on none.
    assigned = {row.rule for row in desired.rows.numbers.values() if is_own(row)}
    for row in desired.rows.rules.values():
        source = desired.written((Kind.RULE, row.id))
        if row.trunks is None and source is not None and row.id not in assigned:
            what = "at LiveKit a rule without trunks also lets in calls that no trunk takes, from anywhere"
            problem = complaint(source, ("spec",), what, "name its trunks with trunkRefs", "lets-strangers-in")
            yield replace(problem, severity=Severity.WARNING)


def _numberless(rows: Rows) -> dict[Key, Limit]:
    lists = lists_of(rows)
    found: dict[Key, Limit] = {}
    for trunk in rows.trunks.values():
        limit = without_numbers(trunk, lists.called.get(trunk.id, ()), lists.calling.get(trunk.id, ()))
        if limit is not None:
            found[Kind.TRUNK, trunk.id] = limit
    return found


def _check_adoptions(view: View, desired: Desired) -> None:
    for held in view.holdings.mine.values():
        key = (held.marker.kind, held.marker.name)
        if held.adopted and (key[1] not in rows_of(desired.rows, key[0]) or key in desired.verdicts):
            hint = "an object that no sound document declares would be deleted; declare it first"
            raise ReconcileError(f"{held.id} cannot become {object_name(key)}", hint)
    for name in view.standing.adopted:
        if (Kind.NUMBER, name) in desired.verdicts:
            what = f"no number can become {object_name((Kind.NUMBER, name))}, which is held back"
            raise ReconcileError(what, desired.verdicts[Kind.NUMBER, name].message)


def _retained(view: View, rows: Rows) -> frozenset[str]:
    """Which objects outlive their documents; of those whose document is not known now, what their mark says."""
    marks = {object_name((h.marker.kind, h.marker.name)) for h in view.holdings.mine.values() if h.marker.retained}
    documented = {f"{Kind.TRUNK} {id_}" for id_ in view.hints.trunks} | {
        f"{Kind.RULE} {id_}" for id_ in view.hints.rules
    }
    living = {f"{Kind.TRUNK} {id_}" for id_ in rows.trunks} | {f"{Kind.RULE} {id_}" for id_ in rows.rules}
    return frozenset(living & (view.hints.retained | (marks - documented)))


def _told(plan: Plan, view: View, rows: Rows, retained: frozenset[str]) -> Plan:
    """The plan with the server's ids, and with what changes there in no row: the owner, the policy."""
    changes = {(change.kind, change.id): change for change in plan.changes}
    for held in view.holdings.mine.values():
        key = (held.marker.kind, held.marker.name)
        row = rows_of(rows, key[0]).get(key[1])
        beside = tuple(_beside(held, view.owner, object_name(key) in retained)) if row is not None else ()
        change = changes.get(key)
        if change is None and beside and row is not None:
            change = Change(Action.UPDATE, *key, row, row)
        if change is not None:
            changes[key] = replace(change, beside=tuple(dict.fromkeys((*change.beside, *beside))))
    for name, field_change in _beside_numbers(view):
        key = (Kind.NUMBER, name)
        row = rows.numbers.get(name)
        change = changes.get(key) or (Change(Action.UPDATE, *key, row, row) if row is not None else None)
        if change is not None:
            changes[key] = replace(change, beside=(*change.beside, field_change))
    told = [_with_objects(change, view) for change in changes.values()]
    return Plan(tuple(sorted(told, key=lambda change: (_ORDER.index(change.kind), change.id))))


def _beside(held: Held, owner: str, retained: bool) -> Iterator[FieldChange]:
    if held.adopted:
        yield FieldChange("owner", held.adopted, owner)
    if held.marker.retained != retained:
        words = ("Delete", "Retain")
        yield FieldChange("deletionPolicy", words[held.marker.retained], words[retained])
    if any(map(is_nobodys, held.info.numbers)):
        yield FieldChange("numbers", "given up by an apply that was cut off", "as declared")


def _beside_numbers(view: View) -> Iterator[tuple[str, FieldChange]]:
    words = ("Delete", "Retain")
    for name, was in view.standing.adopted.items():
        yield name, FieldChange("owner", was, view.owner)
    for name, (before, now) in view.standing.policies.items():
        yield name, FieldChange("deletionPolicy", words[before], words[now])


def _with_number(change: Change, standing: Standing) -> Change:
    """One of LiveKit's own numbers, with its id."""
    there = standing.live().get(change.moved_from or change.id)
    if there is None:
        return change
    if change.action is not Action.DELETE:
        return replace(change, objects=(there.id,) if there.id else ())
    entry = standing.ledger.entries.get(there.number)
    fate = "stays yours, of no rule" if entry is None or entry.retain else "is given back to LiveKit"
    return replace(change, objects=(*((there.id,) if there.id else ()), fate))


def _with_objects(change: Change, view: View) -> Change:
    row = change.old if change.old is not None else change.new
    if isinstance(row, NumberRow) and is_own(row):
        return _with_number(change, view.standing)
    keys: list[Key] = [(change.kind, change.moved_from or change.id)]
    if isinstance(row, NumberRow):
        keys = [(Kind.TRUNK, row.trunk), (Kind.RULE, row.rule)]
    held = [held for key in keys for held in view.holdings.objects(key)]
    stays = change.action is Action.DELETE and any(one.marker.retained for one in held)
    ids = tuple(one.id for one in held)
    return replace(change, objects=(*ids, "stays there, without an owner") if stays else ids)


def _rows_of_others(holdings: Holdings, sealer: Sealer) -> Iterator[Rows]:
    """The rows of each other owner: who else claims calls."""
    owners = {held.marker.owner for group in holdings.others.values() for held in group}
    for owner in sorted(owners):
        theirs = Holdings()
        for group in holdings.others.values():
            theirs.mine |= {(held.part, held.marker.name): held for held in group if held.marker.owner == owner}
        theirs.others = {key: group for key, group in holdings.others.items() if group[0].marker.owner != owner}
        yield Reader(theirs, Hints(), Rows(), sealer).rows()


def _without_hosts(rows: Rows) -> Rows:
    """The rows without the hosts' names that LiveKit lets people write among addresses: tables hold networks alone."""
    trunks = {
        id_: replace(row, inbound=replace(row.inbound, networks=tuple(filter(is_network, row.inbound.networks))))
        for id_, row in rows.trunks.items()
        if row.inbound is not None and not all(map(is_network, row.inbound.networks))
    }
    return replace(rows, trunks={**rows.trunks, **trunks}) if trunks else rows


def _joined(*all_rows: Rows) -> Rows:
    out = Rows()
    for rows in all_rows:
        out.trunks.update(rows.trunks)
        out.rules.update(rows.rules)
        out.numbers.update(rows.numbers)
    return out
