"""Safety gates: which plans are too dangerous to carry out unasked, and the flag that would allow each.

A gate looks at what is live beside what a plan would make of it, and refuses five kinds of accident: everything
gone (an empty folder, a wrong path) or replaced (another folder), much gone at once, the trunk gone from under rules
and numbers that still need it, a list of declared numbers or addresses emptied, because empty means "any" and opens
what was closed, and a declared number left to nobody. A refusal names the objects and the flag; nothing is applied
until the person repeats the command with it. A watcher asks the same gates and keeps the old tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from reconciler.plan.changes import Action, Change, by_kind
from reconciler.plan.turn import Turn
from reconciler.plan.unrouted import Unrouted, unrouted
from schemas.tables.rows import Kind, NumberRow, Row, Rows, RuleRow, TrunkRow
from schemas.tables.tables import Tables

DELETIONS_COUNTED_FROM = 10
"""Rows of a kind from which on the share of deletions is looked at: half of four is not an accident."""
DELETIONS_SHARE_MAX = 0.30
REPLACED_COUNTED_FROM = 2
"""One object under another name is a renaming; two and more may be another folder."""
NAMES_SHOWN_MAX = 10


@dataclass(frozen=True, slots=True)
class Allowances:
    """What the person has allowed by flags: `deletes` objects at most (None = not said), and names to become any.

    `unrouted` are numbers that nobody may answer any more, or the objects (KIND/NAMESPACE/NAME) whose change does it.
    """

    deletes: int | None = None
    any: frozenset[str] = frozenset()
    unrouted: frozenset[str] = frozenset()
    purchases: bool = False
    """Whether numbers may be bought."""
    releases: bool = False
    """Whether numbers that were bought may be given back."""
    gone: frozenset[str] = frozenset()
    """Objects (KIND/NAMESPACE/NAME) whose deletion is allowed, and counts for nothing beside that of others."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a plan is unsafe. `flags` is what to add to `reconcile apply`; `names` are the objects concerned."""

    code: str
    what: str
    names: tuple[str, ...]
    flags: str
    cause: str = ""
    """`KIND/NAMESPACE/NAME` of the one object whose change it is, where it concerns others."""

    def __str__(self) -> str:
        shown = ", ".join(self.names[:NAMES_SHOWN_MAX])
        more = len(self.names) - NAMES_SHOWN_MAX
        return f"{self.what}: {shown}{f' and {more} more' if more > 0 else ''}"


@dataclass(frozen=True, slots=True)
class _Opening:
    """One list of the tables whose emptiness means "any"; `closed` tells whether a row still restricts it."""

    field: str
    kind: Kind
    closed: Callable[[Row], bool]


def _inbound_closes(column: str) -> Callable[[Row], bool]:
    def closed(row: Row) -> bool:
        assert isinstance(row, TrunkRow)
        return row.inbound is None or bool(getattr(row.inbound, column))

    return closed


def _destinations_closed(row: Row) -> bool:
    assert isinstance(row, TrunkRow)
    return row.outbound is None or bool(row.outbound.allowed_destinations)


def _media_closed(row: Row) -> bool:
    assert isinstance(row, TrunkRow)
    return bool(row.media_networks)


def _callers_closed(row: Row) -> bool:
    assert isinstance(row, RuleRow)
    return bool(row.from_)


def _trunks_closed(row: Row) -> bool:
    assert isinstance(row, RuleRow)
    return row.trunks is not None


_OPENINGS = (
    _Opening("inbound.allowedAddresses", Kind.TRUNK, _inbound_closes("networks")),
    _Opening("inbound.allowedNumbers", Kind.TRUNK, _inbound_closes("allowed_numbers")),
    _Opening("inbound.calledNumbers", Kind.TRUNK, _inbound_closes("called_declared_only")),
    _Opening("outbound.allowedDestinations", Kind.TRUNK, _destinations_closed),
    _Opening("mediaAddresses", Kind.TRUNK, _media_closed),
    _Opening("match.from", Kind.RULE, _callers_closed),
    _Opening("trunkRefs", Kind.RULE, _trunks_closed),
)


def refusals(turn: Turn, live: Rows, allowed: Allowances = Allowances(), held_back: int = 0) -> tuple[Refusal, ...]:
    """Why a plan must not be applied without being allowed; empty = safe. `live` are the rows that its owner has.

    `held_back` documents are declared all the same, and wait for something to be mended.
    """
    return (*_deletions(turn, live, allowed, held_back), *_openings(turn, allowed), *_without_route(turn, allowed))


def _deletions(turn: Turn, live: Rows, allowed: Allowances, held_back: int) -> list[Refusal]:
    plan = turn.plan
    held = {kind: len(rows) for kind, rows in by_kind(live)}
    asked: list[Change] = []
    for one in plan.changes:
        if one.action is Action.DELETE and f"{one.kind}/{one.id}" in allowed.gone:
            held[one.kind] -= 1
        elif one.action is Action.DELETE:
            asked.append(one)
    total = len(asked)
    if total == 0 or (allowed.deletes is not None and total <= allowed.deletes):
        return []
    names, flags = tuple(one.name for one in asked), f"--allow-deletes {total}"
    if total == sum(held.values()) and plan.count(Action.CREATE) == 0:
        what = f"nothing is declared any more, all {total} live objects would be deleted"
        if held_back:
            waiting = "the one document is" if held_back == 1 else f"all {held_back:,} documents are"
            what = f"all {total} live objects would be deleted while {waiting} held back: mend what is wrong first"
        return [Refusal("empty-desired-state", what, names, flags)]
    if total == sum(held.values()) and total >= REPLACED_COUNTED_FROM:
        what = f"all {total} live objects would be deleted, and others put in their place: is this the right folder?"
        return [Refusal("everything-replaced", what, names, flags)]
    out = _trunks_in_use(turn, asked, flags)
    for kind, count in held.items():
        gone = sum(one.kind is kind for one in asked)
        if count >= DELETIONS_COUNTED_FROM and gone > count * DELETIONS_SHARE_MAX:
            what = f"{gone} of {count} {kind}s would be deleted, more than {DELETIONS_SHARE_MAX:.0%}"
            mine = tuple(name for name in names if name.startswith(f"{kind} "))
            out.append(Refusal("many-deletions", what, mine, flags))
    if not out and allowed.deletes is not None:
        what = f"{total} objects would be deleted, more than the {allowed.deletes} allowed"
        out.append(Refusal("more-deletions-than-allowed", what, names, flags))
    return out


def _trunks_in_use(turn: Turn, asked: Iterable[Change], flags: str) -> list[Refusal]:
    """Trunks that are deleted while something refers to them that would take no call any more."""
    gone = {change.id for change in asked if change.kind is Kind.TRUNK}
    if not gone:
        return []
    after = turn.after
    stranded = [f"{Kind.NUMBER} {row.id}" for row in after.numbers.by_id.values() if row.trunk in gone]
    left = {entry.row.id for entry in after.trunks.values()}
    for entry in after.rules.values():
        named = entry.row.trunks
        if not left if named is None else gone & {*named} and not left & {*named}:
            stranded.append(f"{Kind.RULE} {entry.row.id}")
    if not stranded:
        return []
    more = f" and {len(stranded) - 1} more" if len(stranded) > 1 else ""
    what = f"would be deleted, though {min(stranded)}{more} would take no call without it"
    return [Refusal("trunk-in-use", what, tuple(f"{Kind.TRUNK} {id_}" for id_ in sorted(gone)), flags)]


def _openings(turn: Turn, allowed: Allowances) -> list[Refusal]:
    opened: dict[str, list[str]] = {}
    for change in turn.plan.changes:
        if change.old is None or change.new is None:
            continue
        for opening in _OPENINGS:
            if opening.kind is change.kind and opening.closed(change.old) and not opening.closed(change.new):
                opened.setdefault(change.name, []).append(opening.field)
    for name in _rules_left_open(turn):
        opened.setdefault(name, []).append("match.to")
    out = []
    for name, fields in opened.items():
        kind, _, id_ = name.partition(" ")
        if not allowed.any & {name, f"{kind}/{id_}", id_}:
            what = f"{' and '.join(fields)} had entries and would be empty, which means any"
            out.append(Refusal("becomes-any", what, (name,), f"--allow-any {kind}/{id_}"))
    return out


def _without_route(turn: Turn, allowed: Allowances) -> list[Refusal]:
    """One refusal for each object whose change leaves numbers to nobody."""
    by_cause: dict[str, list[Unrouted]] = {}
    for lost in unrouted(turn):
        if not allowed.unrouted & lost.names:
            by_cause.setdefault(lost.cause, []).append(lost)
    out = []
    for cause, numbers in by_cause.items():
        few = f"calls to {numbers[0].number}" if len(numbers) == 1 else f"calls to {len(numbers):,} numbers"
        names = tuple(f"{Kind.NUMBER} {id_}" for lost in numbers for id_ in lost.ids)
        flags = f"--allow-unrouted {cause}"
        out.append(Refusal("unrouted", f"{few} would be answered by nobody any more", names, flags, cause))
    return out


def _rules_left_open(turn: Turn) -> list[str]:
    """Rules that served certain called numbers (their own, or of PhoneNumbers that point at them) and would serve any.

    Only rules and numbers that the plan touches can be concerned.
    """
    touched: dict[str, str] = {}
    for change in turn.plan.changes:
        if change.kind is Kind.RULE:
            touched[change.moved_from or change.id] = change.id
        elif isinstance(change.old, NumberRow) and change.old.rule:
            touched.setdefault(change.old.rule, change.old.rule)
    if not touched:
        return []
    before, after = turn.before, turn.after
    return [
        f"{Kind.RULE} {id_}"
        for old, id_ in sorted(touched.items())
        if _serves_certain(before, old) and _serves_any(after, id_)
    ]


def _serves_certain(tables: Tables, rule_id: str) -> bool:
    return tables.rule(rule_id) is not None and not _serves_any(tables, rule_id)


def _serves_any(tables: Tables, rule_id: str) -> bool:
    rule = tables.rule(rule_id)
    return rule is not None and not rule.to and tables.numbers.pointing.get(rule_id) is None
