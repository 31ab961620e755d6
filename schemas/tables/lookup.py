"""Which room a call goes to: `decide`, the hot path of routing, and the names that a caller of it needs.

The bridge calls it once per INVITE, and once more with a PIN or a verified user name. Indexes yield a few candidates,
and the predicates of `predicates.py` are run on those; nothing here knows a matching rule of its own. A decision takes
some microseconds, whether there are a thousand numbers or a million. It never fails: what clashes is ordered.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.tables.decisions import (
    Admitted,
    CallFacts,
    Challenged,
    Decision,
    OpensPin,
    PinNeeded,
    Reason,
    Refused,
    refused,
)
from schemas.tables.entries import ANY_SOURCE, RuleEntry, TrunkEntry, serves_inbound
from schemas.tables.index_sources import TrunkBucket
from schemas.tables.media import not_honoured
from schemas.tables.networks import Network, parse_address
from schemas.tables.patterns import received_number
from schemas.tables.predicates import (
    KNOWN_AFTER,
    MATCH_PREDICATES,
    RULE_PREDICATES,
    TRUNK_PREDICATES,
    Call,
    Dispatch,
    on_trunk,
    passed,
    rule_order,
    trunk_order,
)
from schemas.tables.rows import NumberRow
from schemas.tables.tables import Tables
from schemas.tables.wording import hint, shown

__all__ = [
    "Admitted",
    "CallFacts",
    "Challenged",
    "Decision",
    "OpensPin",
    "PinNeeded",
    "Reason",
    "Refused",
    "decide",
]

_ALL_TRUNK_PREDICATES = len(TRUNK_PREDICATES)
_ALL_MATCH_PREDICATES = len(MATCH_PREDICATES)
_PIN = RULE_PREDICATES[-1]

NEAREST_EXAMINED_MAX = 50
"""Trunks of one network among which the nearest is sought for the words of a refusal; thousands may share it."""


def decide(tables: Tables, facts: CallFacts, opens_pin: OpensPin | None = None) -> Decision:
    """Decide one call. Without `opens_pin` no PIN opens anything."""
    call = read_call(tables, facts)
    trunk = find_trunk(tables, call)
    if trunk is None:
        return _trunk_refused(tables, call)
    if trunk.challenges(facts.authenticated_as):
        return Challenged(trunk.row)
    dispatch = Dispatch(on_trunk(trunk, call), trunk.row.id, opens_pin)
    rule, matched = _find_rule(tables, dispatch)
    return rule_decision(dispatch, trunk, rule, matched=matched)


def read_call(tables: Tables, facts: CallFacts) -> Call:
    """Parse what the wire told, and look up the PhoneNumbers with the called number."""
    called = received_number(facts.called)
    serving: dict[str, NumberRow] = {}
    pointing: dict[str, NumberRow] = {}
    for row in reversed(tables.numbers.rows(called)):  # the incumbent comes last, and stays
        if serves_inbound(row):
            serving[row.trunk] = row
            pointing[row.rule] = row
    return Call(facts, parse_address(facts.source), called, received_number(facts.caller), serving, pointing)


def find_trunk(tables: Tables, call: Call) -> TrunkEntry | None:
    """The trunk that takes the call: one with a PhoneNumber for it, else one that serves any called number."""
    taking: list[TrunkEntry] = []
    for trunk_id in call.serving:
        named = tables.trunks.get(trunk_id)
        if named is not None and passed(TRUNK_PREDICATES, named, call) == _ALL_TRUNK_PREDICATES:
            taking.append(named)
    if not taking:
        buckets = tables.source_index.any_called
        for network in tables.source_index.networks_holding(call.address):
            # All in one bucket are equal but for their age, in which they are sorted: the first that fits is the best.
            for entry in buckets.get(network) or ():
                if passed(TRUNK_PREDICATES, entry, call) == _ALL_TRUNK_PREDICATES:
                    taking.append(entry)
                    break
        registered = tables.trunks.get(call.facts.registered_on)
        if registered is not None and passed(TRUNK_PREDICATES, registered, call) == _ALL_TRUNK_PREDICATES:
            taking.append(registered)
    if len(taking) < 2:
        return taking[0] if taking else None
    return min(taking, key=lambda entry: trunk_order(entry, call))


def near_trunks(tables: Tables, call: Call) -> Iterator[TrunkEntry]:
    """The trunks that the indexes yield for a call, some perhaps twice: by PhoneNumbers, registration and source."""
    for trunk_id in call.serving:
        if (entry := tables.trunks.get(trunk_id)) is not None:
            yield entry
    if (entry := tables.trunks.get(call.facts.registered_on)) is not None:
        yield entry
    for _, bucket in _buckets_at(tables, call):
        yield from bucket


def near_rules(tables: Tables, dispatch: Dispatch) -> Iterator[RuleEntry]:
    """The rules that the indexes yield for a call, some perhaps twice: those pointed at, then those in place."""
    call = dispatch.call
    for rule_id in call.pointing:
        if (entry := tables.rules.get(rule_id)) is not None:
            yield entry
    for _, bucket in tables.rule_index.candidates(dispatch.trunk_id, call.called, call.caller):
        yield from bucket


def _find_rule(tables: Tables, dispatch: Dispatch) -> tuple[RuleEntry | None, bool]:
    """The best rule, and whether any rule matched but for its PIN."""
    call = dispatch.call
    best: RuleEntry | None = None
    best_order: tuple[int, bool, int, int, int, int, str] | None = None
    matched = False
    candidates = tables.rule_index.candidates(dispatch.trunk_id, call.called, call.caller)
    for rule_id in call.pointing:
        pointed = tables.rules.get(rule_id)
        if pointed is not None:
            candidates.append((True, (pointed,)))
    for first_is_best, bucket in candidates:
        for entry in bucket:
            if passed(MATCH_PREDICATES, entry, dispatch) < _ALL_MATCH_PREDICATES:
                continue
            matched = True
            order = rule_order(entry, dispatch)
            better = best_order is None or order < best_order
            if better and not _PIN.holds(entry, dispatch):
                continue
            if better:
                best, best_order = entry, order
            if first_is_best:
                break
    return best, matched


def rule_decision(dispatch: Dispatch, trunk: TrunkEntry, rule: RuleEntry | None, *, matched: bool) -> Decision:
    """What follows from the best rule, or from there being none; `matched` = one would match but for its PIN."""
    call = dispatch.call
    if rule is None:
        return _rule_refused(dispatch, trunk, matched=matched)
    number = call.serving.get(trunk.row.id) or call.pointing.get(rule.row.id)
    facts = call.facts
    refusal = not_honoured(trunk.row, rule.row, facts.caller, facts.called)
    if refusal is not None:
        return refusal  # before a PIN is asked for: its caller would be answered by these rows
    if rule.row.pin is not None and facts.pin is None:
        return PinNeeded(trunk.row, rule.row, number)
    return Admitted(trunk.row, rule.row, number)


def _rule_refused(dispatch: Dispatch, trunk: TrunkEntry, *, matched: bool) -> Refused:
    trunk_id = trunk.row.id
    if not matched:
        sentence = f"no DispatchRule for called {shown(dispatch.call.called)} on Trunk {trunk_id}"
        return refused(Reason.NO_RULE, sentence, hint(Reason.NO_RULE, trunk_id), trunk=trunk.row)
    if not dispatch.call.facts.pin:
        sentence = "every DispatchRule that matches the call asks for a PIN, and none was entered"
        return refused(Reason.PIN_REQUIRED, sentence, hint(Reason.PIN_REQUIRED), trunk=trunk.row)
    sentence = "no DispatchRule that matches the call has the PIN that was entered"
    return refused(Reason.WRONG_PIN, sentence, hint(Reason.WRONG_PIN), trunk=trunk.row)


def _trunk_refused(tables: Tables, call: Call) -> Refused:
    """The refusal by the trunk that came nearest among those that allow the source, the oldest of each network."""
    nearest: TrunkEntry | None = None
    nearest_order: tuple[int, int, str] | None = None
    named = False
    registered = tables.trunks.get(call.facts.registered_on)
    if registered is not None and registered.inbound:
        named = True
        nearest, nearest_order = registered, (-passed(TRUNK_PREDICATES, registered, call), *registered.order)
    for network, bucket in _buckets_at(tables, call):
        named = named or network != ANY_SOURCE
        for entry in bucket[:NEAREST_EXAMINED_MAX]:
            count = passed(TRUNK_PREDICATES, entry, call)
            order = (-count, *entry.order)
            if nearest_order is None or order < nearest_order:
                nearest, nearest_order = entry, order
            if count == _ALL_TRUNK_PREDICATES - 1:
                break  # none can come nearer, and the rest of the bucket is younger
    return trunk_refusal(call, nearest, known=named, declared=len(tables.trunks) > 0)


def _buckets_at(tables: Tables, call: Call) -> list[tuple[Network, TrunkBucket]]:
    index = tables.source_index
    return [
        (network, bucket)
        for network in index.networks_holding(call.address)
        for buckets in (index.any_called, index.declared_called)
        if (bucket := buckets.get(network)) is not None
    ]


def trunk_refusal(call: Call, nearest: TrunkEntry | None, *, known: bool, declared: bool) -> Refused:
    """The refusal when no trunk takes the call. `known` = a trunk names the source; `declared` = there are trunks."""
    stranger = not known and call.facts.authenticated_as is None
    if nearest is None:
        reason = Reason.SOURCE_NOT_ALLOWED if declared else Reason.NO_TRUNK
        sentence = f"no Trunk allows source {shown(call.facts.source)}" if declared else "no Trunk is declared"
        return refused(reason, sentence, hint(reason), stranger=stranger)
    count = passed(TRUNK_PREDICATES, nearest, call)
    assert KNOWN_AFTER <= count < _ALL_TRUNK_PREDICATES
    failed = TRUNK_PREDICATES[count]
    trunk_id = nearest.row.id
    sentence = f"Trunk {trunk_id}: {failed.because(nearest, call)}"
    return refused(failed.reason, sentence, hint(failed.reason, trunk_id), trunk=nearest.row, stranger=stranger)
