"""Why a call goes where it goes: `decide`'s own predicates, run on more rows and put into words.

The bridge explains the calls it refuses, `reconcile explain` any call. The decision is `decide`'s; the trail says of
each trunk and each rule which predicate it fails and why, or how it stands among those that fit. What decided comes
first: the trunk that takes the call, the rules by nearness, then the other trunks by nearness. At most
`TRAIL_LINES_MAX` rows are shown and the others counted. Of a kind with more rows than `examined_max` only those that
the indexes yield are examined, and of them no more than that, so that a bridge can afford to explain every refusal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from schemas.tables.decisions import (
    Admitted,
    CallFacts,
    Decision,
    OpensPin,
    PinNeeded,
    Reason,
    Refused,
    Undecided,
    UnknownPin,
)
from schemas.tables.entries import RuleEntry, TrunkEntry
from schemas.tables.lookup import decide, find_trunk, near_rules, near_trunks, read_call
from schemas.tables.predicates import (
    RULE_PREDICATES,
    TRUNK_PREDICATES,
    Call,
    Dispatch,
    on_trunk,
    passed,
    rule_order,
    trunk_order,
)
from schemas.tables.rendering import as_json, render
from schemas.tables.rows import Kind, RuleRow
from schemas.tables.sharded import ShardedMap
from schemas.tables.tables import Tables
from schemas.tables.trail import NOT_INDEXED, TAKES, Explanation, Omitted, TrailLine
from schemas.tables.wording import identity_note, rule_fit, trunk_fit, undecided, user_doubt

__all__ = ["Explanation", "Omitted", "TrailLine", "as_json", "explain", "render"]

NOT_ASKED = "no PIN is asked for here, so the one entered does not count"

TRAIL_LINES_MAX = 50
"""How many trunks and rules a trail shows."""

EXAMINED_MAX = 50
"""How many trunks, and as many rules, a bridge examines for one refusal: half a millisecond in all.

A source that is refused again and again must not take the time of calls that are up, however many trunks allow it.
"""

_BY_TRUNK = {Reason.NO_TRUNK, *(predicate.reason for predicate in TRUNK_PREDICATES)}
"""The refusals of calls that no trunk takes."""

E = TypeVar("E", TrunkEntry, RuleEntry)
Order = tuple[int | str, ...]
Judged = tuple[Order, TrailLine]


def explain(
    tables: Tables,
    facts: CallFacts,
    opens_pin: OpensPin | None = None,
    *,
    unknown_pin: UnknownPin | None = None,
    decision: Decision | Undecided | None = None,
    examined_max: int = EXAMINED_MAX,
) -> Explanation:
    """Explain one call; the first three arguments are those of `decide`, whose `decision` may be known already.

    Else it is sought as a bridge does, who looks at a PIN only after having asked for one; without
    `unknown_pin` every PIN is known.
    """
    notes: list[str] = []
    if decision is None:
        has_pin = facts.pin is not None
        facts, decision = _decide(tables, facts, opens_pin, unknown_pin)
        notes += [NOT_ASKED] if has_pin and facts.pin is None else []
    call = read_call(tables, facts)
    near = near_trunks(tables, call)
    trunks = sorted(_judge_trunk(entry, call) for entry in _examined(tables.trunks, near, examined_max))
    rules: list[Judged] = []
    unexamined = Counter({Kind.TRUNK: len(tables.trunks) - len(trunks)})
    trunk = None if isinstance(decision, Refused) and decision.reason in _BY_TRUNK else find_trunk(tables, call)
    if trunk is not None and (doubt := user_doubt(trunk.row, facts.authenticated_as)):
        notes.append(doubt)
    if isinstance(decision, Admitted | PinNeeded) and (wanted := identity_note(decision.trunk)):
        notes.append(wanted)
    if trunk is not None and not trunk.challenges(facts.authenticated_as):
        dispatch = Dispatch(on_trunk(trunk, call), trunk.row.id, opens_pin, unknown_pin)
        near_by = near_rules(tables, dispatch)
        rules = sorted(_judge_rule(entry, dispatch) for entry in _examined(tables.rules, near_by, examined_max))
        unexamined[Kind.RULE] = len(tables.rules) - len(rules)
    first = 0 if trunk is None else 1
    lines = [line for _, line in (*trunks[:first], *rules, *trunks[first:])]
    omitted = _omitted(lines[TRAIL_LINES_MAX:], unexamined)
    return Explanation(facts, decision, tuple(lines[:TRAIL_LINES_MAX]), omitted, tuple(notes))


def _decide(
    tables: Tables, facts: CallFacts, opens_pin: OpensPin | None, unknown_pin: UnknownPin | None
) -> tuple[CallFacts, Decision | Undecided]:
    """The decision, and the facts that it rests on.

    The best rule that a PIN opens is the same whichever of the unknown PINs it is, if it is so when it is none and when
    it is all of them.
    """
    unasked = replace(facts, pin=None)
    decision = decide(tables, unasked)
    if facts.pin is None or not isinstance(decision, PinNeeded):
        return unasked, decision
    decision = decide(tables, facts, opens_pin)
    if unknown_pin is None:
        return facts, decision

    def may_open(rule: RuleRow, pin: str) -> bool:
        return bool(unknown_pin(rule)) or (opens_pin is not None and opens_pin(rule, pin))

    most = decide(tables, facts, may_open)
    if most == decision:
        return facts, decision
    assert isinstance(most, Admitted | Refused), "a PIN has been entered"
    assert most.trunk is not None, "a rule takes calls of a trunk"
    assert most.rule is not None, "it is another rule's decision"
    return facts, Undecided(most.trunk, most.rule, *undecided(most.rule.id, unknown_pin(most.rule)))


def _examined(every: ShardedMap[str, E], near: Iterable[E], examined_max: int) -> list[E]:
    if len(every) <= examined_max:
        return list(every.values())
    return list({entry.row.id: entry for entry in islice(near, examined_max)}.values())


def _judge_trunk(entry: TrunkEntry, call: Call) -> Judged:
    """A trunk's line. Those that take the call sort first, in their order, then those that stop latest."""
    trunk_id, every = entry.row.id, len(TRUNK_PREDICATES)
    count = passed(TRUNK_PREDICATES, entry, call)
    if count == every:
        return (0, *trunk_order(entry, call)), TrailLine(Kind.TRUNK, trunk_id, TAKES, trunk_fit(entry, call))
    failed = TRUNK_PREDICATES[count]
    line = TrailLine(Kind.TRUNK, trunk_id, failed.name, failed.because(entry, call))
    return (every - count, trunk_id not in call.serving, *entry.order), line


def _judge_rule(entry: RuleEntry, dispatch: Dispatch) -> Judged:
    """A rule's line, sorted likewise."""
    rule_id, every = entry.row.id, len(RULE_PREDICATES)
    count = passed(RULE_PREDICATES, entry, dispatch)
    if count == every:
        return (0, *rule_order(entry, dispatch)), TrailLine(Kind.RULE, rule_id, TAKES, rule_fit(entry, dispatch))
    failed = RULE_PREDICATES[count]
    line = TrailLine(Kind.RULE, rule_id, failed.name, failed.because(entry, dispatch))
    return (every - count, rule_id not in dispatch.call.pointing, *entry.order), line


def _omitted(lines: Iterable[TrailLine], unexamined: Counter[Kind]) -> tuple[Omitted, ...]:
    counts = Counter((line.kind, line.predicate) for line in lines)
    counts.update({(kind, NOT_INDEXED): count for kind, count in unexamined.items() if count})
    return tuple(Omitted(kind, predicate, count) for (kind, predicate), count in counts.items())
