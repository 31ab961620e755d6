"""Who may claim what: ages of claims, clashes between objects, and rules that must not open by accident.

The last step of an attempt, over the rows that change only. A claim is as old as the revision in which the row took
its present one; the incumbent of a clash stays, the newcomer is Conflicted and keeps the row it had, and of two
newcomers in one change both are. Documents are only looked at to find the place of a complaint.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from reconciler.model.attempt import Attempt
from reconciler.model.complaints import complaint, of_waiting_rule
from reconciler.model.live import rows_of
from reconciler.model.records import Verdict
from reconciler.model.sources import Key, Path, Source, object_name
from schemas.problems import Problem
from schemas.resources.base import DEFAULT_NAMESPACE
from schemas.resources.conditions import ConditionType, Reason
from schemas.tables.conflicts import Clash, claim_of, find_clashes
from schemas.tables.rows import Delta, Kind, NumberRow, Row, RuleRow
from schemas.tables.tables import Tables


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an object must not have its new row; `problem` None where no document of this pass is to blame."""

    verdict: Verdict
    problem: Problem | None


Refusals = dict[Key, Refusal]
Age = tuple[str, str, str]


def settle_claims(attempt: Attempt) -> Refusals:
    """Date the claims of the changed rows, and say which objects must not have their new rows after all."""
    changed = _changed(attempt)
    if not changed:
        return {}
    refusals: Refusals = {}
    claiming: list[Row] = []
    for key, row in changed.items():
        _refuse_new_number(attempt, key, row, refusals)
        before = attempt.renames.predecessor(key, attempt.live)
        if before is None or claim_of(attempt.renames.brought_up_to_date(before)) != claim_of(row):
            row = _dated(attempt, key, row, attempt.live.revision + 1)
            claiming.append(row)
        elif attempt.renames.moves:  # an old claim under a new name, which others may meet
            claiming.append(row)
        changed[key] = row
    tables, deleted = attempt.live.tables, tuple(_deleted(attempt))
    _refuse_open_rules(attempt, tables.applied(Delta(tuple(changed.values()), deleted)), changed, refusals)
    if refusals:  # first without these: a rule that only seems to serve any number clashes with everybody's
        return refusals
    # Only new claims can meet others: a rule whose room changes is not held against all its numbers again.
    for clash in sorted(find_clashes(tables, Delta(tuple(claiming), deleted)), key=partial(_seniority, attempt)):
        _refuse_newcomers(attempt, clash, changed, refusals)
    return refusals


def _seniority(attempt: Attempt, clash: Clash) -> tuple[bool, Age]:
    """Clashes with incumbents first, then those of old objects: who is refused itself is in nobody's way."""
    return clash.both_new, max(_age(attempt, clash.newcomer), _age(attempt, clash.incumbent))


def _age(attempt: Attempt, key: Key) -> Age:
    """What sorts objects of a cluster by age, then by namespace and name; `born` is "" outside of one."""
    source = attempt.standings.fresh[key[0]].get(key[1])
    return (source.born if source is not None else "", key[1], key[0])


def _changed(attempt: Attempt) -> dict[Key, Row]:
    """The rows that are not live as they are."""
    out: dict[Key, Row] = {}
    for kind, rows in attempt.rows.items():
        live, ids = rows_of(attempt.live.mine, kind), attempt.changeable(kind)
        looked_at = rows.items() if ids is None else [(id_, rows[id_]) for id_ in ids if id_ in rows]
        out |= {(kind, id_): row for id_, row in looked_at if live.get(id_) is not row}
    return out


def _deleted(attempt: Attempt) -> Iterator[Key]:
    for kind, rows in attempt.rows.items():
        live, ids = rows_of(attempt.live.mine, kind), attempt.changeable(kind)
        gone = live.keys() - rows.keys() if ids is None else [id_ for id_ in ids if id_ in live and id_ not in rows]
        for id_ in gone:
            yield kind, id_


def _dated(attempt: Attempt, key: Key, row: Row, since: int) -> Row:
    """The row with a claim of that age."""
    if row.claimed_since != since:
        row = replace(row, claimed_since=since)
        attempt.put(key, row)
    return row


def _refuse_new_number(attempt: Attempt, key: Key, row: Row, refusals: Refusals) -> None:
    """A PhoneNumber is its number: another one under its name would lose the first."""
    live = attempt.renames.predecessor(key, attempt.live)
    if isinstance(row, NumberRow) and isinstance(live, NumberRow) and row.number != live.number:
        what = f"the number of {object_name(key)} is {live.number}, and cannot change"
        hint = "declare the other number as a PhoneNumber with another name"
        _refuse(attempt, key, Reason.INVALID, ("spec", "number"), what, hint, "immutable", refusals)


def _refuse_newcomers(attempt: Attempt, clash: Clash, changed: dict[Key, Row], refusals: Refusals) -> None:
    """Refuse whoever claims only now what somebody else claims; nobody, where both have claimed it of old.

    Of two newcomers of a cluster the younger one is refused.
    """
    sides = [(clash.newcomer, clash.incumbent)]
    if clash.both_new and (older := _older(attempt, clash)) is not None:
        if older in refusals:
            return
        younger = clash.newcomer if older == clash.incumbent else clash.incumbent
        sides = [(younger, older)]
    elif clash.both_new:
        sides.append((clash.incumbent, clash.newcomer))
    for key, other in sides:
        if key in changed:
            what = (
                f"{object_name(key)} claims the same calls as {object_name(other)} {attempt.place_of(other)}".rstrip()
            )
            hint = f"{clash.why}; change {'one of them' if len(sides) > 1 else 'this one'}"
            _refuse(attempt, key, Reason.CONFLICTED, ("spec",), what, hint, "conflict", refusals)


def _older(attempt: Attempt, clash: Clash) -> Key | None:
    """The older one of two objects of a cluster; None where that is not known of both."""
    newcomer, incumbent = _age(attempt, clash.newcomer), _age(attempt, clash.incumbent)
    if not (newcomer[0] and incumbent[0]):
        return None
    return clash.newcomer if newcomer < incumbent else clash.incumbent


def _refuse_open_rules(attempt: Attempt, after: Tables, changed: dict[Key, Row], refusals: Refusals) -> None:
    """A rule whose only numbers are held back would take calls to any number: it waits for them."""
    opening = {
        key[1]
        for key in changed
        if key[0] is Kind.RULE
        and _any(after, after.rule(key[1]))
        and not _any(attempt.live.tables, attempt.live.tables.rule(key[1]))
    }
    for number in attempt.numbers_held() if opening else ():
        for rule_id in sorted(opening & rules_meant_by(number, opening, attempt.standings.unread)):
            rule: Key = (Kind.RULE, rule_id)
            source = attempt.standings.fresh[Kind.RULE].get(rule_id)
            if source is not None:
                problem = of_waiting_rule(source, rule, number)
                verdict = Verdict(ConditionType.PROGRAMMED, Reason.BLOCKED_BY_SAFETY, problem.what)
                refusals.setdefault(rule, Refusal(verdict, problem))


def rules_meant_by(number: Source, rules: Collection[str], unread: Collection[str]) -> set[str]:
    """The ids among `rules` that a PhoneNumber points at, as far as it can be read.

    Where the reference is misspelt, every rule that the document names; where part of the text cannot be read, every
    rule of the namespace: rather a rule too many waits than one opens by accident.
    """
    home = number.key[1].partition("/")[0] if number.key else number.written("metadata", "namespace")
    namespace = home if isinstance(home, str) else DEFAULT_NAMESPACE
    name = number.written("spec", "dispatchRuleRef", "name")
    if isinstance(name, str):
        return {f"{namespace}/{name}"}
    if number.document is not None:
        return set()
    named = {f"{namespace}/{text}" for text in _texts(number.data)} & set(rules)
    if not named and number.place.file in unread:
        return {id_ for id_ in rules if id_.startswith(f"{namespace}/")}
    return named


def _texts(data: Any) -> Iterator[str]:
    """Every text in a document."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict | list):
        for value in data.values() if isinstance(data, dict) else data:
            yield from _texts(value)


def _any(tables: Tables, rule: RuleRow | None) -> bool:
    return rule is not None and not rule.to and tables.numbers.pointing.get(rule.id) is None


def _refuse(
    attempt: Attempt, key: Key, reason: Reason, path: Path, what: str, hint: str, code: str, refusals: Refusals
) -> None:
    source = attempt.standings.fresh[key[0]].get(key[1])
    problem = complaint(source, path, what, hint, code) if source is not None else None
    refusals.setdefault(key, Refusal(Verdict(ConditionType.ACCEPTED, reason, what), problem))
