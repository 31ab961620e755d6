"""Who may claim what: ages of claims, clashes between objects, and rules that must not open by accident.

The last step of an attempt, over the rows that change only. A claim is as old as the revision in which the row took
its present one; the incumbent of a clash stays, the newcomer is Conflicted and keeps the row it had, and of two
newcomers in one change both are. Documents are only looked at to find the place of a complaint.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from reconciler.model.attempt import Attempt
from reconciler.model.complaints import complaint
from reconciler.model.live import rows_of
from reconciler.model.records import Verdict
from reconciler.model.sources import Key, Path, object_name
from schemas.problems import Problem
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


def settle_claims(attempt: Attempt) -> Refusals:
    """Date the claims of the changed rows, and say which objects must not have their new rows after all."""
    changed = _changed(attempt)
    if not changed:
        return {}
    refusals: Refusals = {}
    claiming: list[Row] = []
    for key, row in changed.items():
        _refuse_new_number(attempt, key, row, refusals)
        live = attempt.live.own(key[0]).get(key[1])
        if live is None or claim_of(live) != claim_of(row):
            row = _dated(attempt, key, row, attempt.live.revision + 1)
            claiming.append(row)
        changed[key] = row
    before, deleted = attempt.live.tables, tuple(_deleted(attempt))
    # Only new claims can meet others: a rule whose room changes is not held against all its numbers again.
    for clash in find_clashes(before, Delta(tuple(claiming), deleted)):
        _refuse_newcomers(attempt, clash, changed, refusals)
    _refuse_open_rules(attempt, before.applied(Delta(tuple(changed.values()), deleted)), changed, refusals)
    return refusals


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
    live = attempt.live.own(key[0]).get(key[1])
    if isinstance(row, NumberRow) and isinstance(live, NumberRow) and row.number != live.number:
        what = f"the number of {object_name(key)} is {live.number}, and cannot change"
        hint = "declare the other number as a PhoneNumber with another name"
        _refuse(attempt, key, Reason.INVALID, ("spec", "number"), what, hint, "immutable", refusals)


def _refuse_newcomers(attempt: Attempt, clash: Clash, changed: dict[Key, Row], refusals: Refusals) -> None:
    """Refuse whoever claims only now what somebody else claims; nobody, where both have claimed it of old."""
    sides = [(clash.newcomer, clash.incumbent)]
    sides += [(clash.incumbent, clash.newcomer)] if clash.both_new else []
    for key, other in sides:
        if key in changed:
            what = (
                f"{object_name(key)} claims the same calls as {object_name(other)} {attempt.place_of(other)}".rstrip()
            )
            hint = f"{clash.why}; change {'one of them' if clash.both_new else 'this one'}"
            _refuse(attempt, key, Reason.CONFLICTED, ("spec",), what, hint, "conflict", refusals)


def _refuse_open_rules(attempt: Attempt, after: Tables, changed: dict[Key, Row], refusals: Refusals) -> None:
    """A rule whose only numbers are held back would take calls to any number: it waits for them."""
    for key in attempt.verdicts:
        rule_id = attempt.rule_meant_by(key)
        if rule_id is None or (Kind.RULE, rule_id) not in changed:
            continue
        rule, live = after.rule(rule_id), attempt.live.tables.rule(rule_id)
        if not _any(after, rule) or (live is not None and _any(attempt.live.tables, live)):
            continue
        what = f"DispatchRule {rule_id} would take calls to any number while {object_name(key)} is held back"
        hint = f"mend {object_name(key)}, or list numbers in match.to"
        _refuse(
            attempt, (Kind.RULE, rule_id), Reason.BLOCKED_BY_SAFETY, ("spec", "match"), what, hint, "opens", refusals
        )


def _any(tables: Tables, rule: RuleRow | None) -> bool:
    return rule is not None and not rule.to and tables.numbers.pointing.get(rule.id) is None


def _refuse(
    attempt: Attempt, key: Key, reason: Reason, path: Path, what: str, hint: str, code: str, refusals: Refusals
) -> None:
    source = attempt.standings.fresh[key[0]].get(key[1])
    problem = complaint(source, path, what, hint, code) if source is not None else None
    question = ConditionType.PROGRAMMED if reason is Reason.BLOCKED_BY_SAFETY else ConditionType.ACCEPTED
    refusals.setdefault(key, Refusal(Verdict(question, reason, what), problem))
