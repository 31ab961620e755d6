"""The one definition of matching: two lists of named predicates, one for trunks and one for rules, and two orders.

`lookup.decide` runs them on the few candidates that the indexes yield, `explain` runs the same on as many as it
shows, and a test runs them on all rows without any index. A trunk takes a call when all of `TRUNK_PREDICATES` hold,
tried in that order; a rule when all of `RULE_PREDICATES` do. Of several that hold, the smallest `trunk_order` or
`rule_order` wins. The differences from LiveKit are stated in the user's documentation: closed by default, one number
form for trunks and rules alike, prefixes, priorities, and no clash that fails a call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

from schemas.tables import wording
from schemas.tables.decisions import CallFacts, OpensPin, Reason, UnknownPin
from schemas.tables.entries import RuleEntry, TrunkEntry
from schemas.tables.networks import Address
from schemas.tables.patterns import ANY_RANK, EXACT_RANK, received_number
from schemas.tables.rows import NumberRow


class Call(NamedTuple):
    """A call as the trunk predicates see it: parsed facts, and what its called number says.

    A tuple, as a frozen dataclass takes three times as long to make, and every decision makes one.
    """

    facts: CallFacts
    address: Address | None
    called: str
    caller: str
    serving: dict[str, NumberRow]
    """The inbound PhoneNumbers with the called number, by the trunk they name."""
    pointing: dict[str, NumberRow]
    """The same by the rule they point at."""


class Dispatch(NamedTuple):
    """A call as the rule predicates see it: on which trunk it came, and how PINs are tried."""

    call: Call
    trunk_id: str
    opens_pin: OpensPin | None
    unknown_pin: UnknownPin | None = None
    """For the words alone: no PIN that is not known opens anything."""


E = TypeVar("E")
C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Predicate(Generic[E, C]):
    """One thing that must hold. `because` says in words why it does not; `reason` is the refusal that follows."""

    name: str
    reason: Reason
    holds: Callable[[E, C], bool]
    because: Callable[[E, C], str]


def passed(predicates: Sequence[Predicate[E, C]], entry: E, call: C) -> int:
    """How many predicates hold before the first that does not; all of them = the entry takes the call."""
    count = 0
    for predicate in predicates:
        if not predicate.holds(entry, call):
            break
        count += 1
    return count


def on_trunk(entry: TrunkEntry, call: Call) -> Call:
    """The call as it comes by this trunk: from whom its carrier says that it is, where the trunk believes that."""
    if not (entry.trusts_identity and call.facts.asserted):
        return call
    caller = call.facts.caller_by(entry.row)
    return call._replace(facts=replace(call.facts, caller=caller), caller=received_number(caller))


def _takes_inbound(entry: TrunkEntry, _: Call) -> bool:
    return entry.inbound


def _source_allowed(entry: TrunkEntry, call: Call) -> bool:
    return entry.any_source or entry.row.id == call.facts.registered_on or entry.sources.holds(call.address)


def _region_served(entry: TrunkEntry, call: Call) -> bool:
    return not entry.regions or call.facts.region in entry.regions


def _caller_allowed(entry: TrunkEntry, call: Call) -> bool:
    return entry.callers.any or entry.callers.rank(on_trunk(entry, call).caller) is not None


def _caller_not_allowed(entry: TrunkEntry, call: Call) -> str:
    return wording.caller_not_allowed(entry, on_trunk(entry, call))


def _called_served(entry: TrunkEntry, call: Call) -> bool:
    return not entry.called_declared_only or entry.row.id in call.serving


TrunkPredicate = Predicate[TrunkEntry, Call]

TRUNK_PREDICATES: tuple[TrunkPredicate, ...] = (
    Predicate("inbound", Reason.SOURCE_NOT_ALLOWED, _takes_inbound, wording.not_inbound),
    Predicate("source", Reason.SOURCE_NOT_ALLOWED, _source_allowed, wording.source_not_allowed),
    Predicate("region", Reason.WRONG_REGION, _region_served, wording.wrong_region),
    Predicate("caller", Reason.CALLER_NOT_ALLOWED, _caller_allowed, _caller_not_allowed),
    Predicate("called", Reason.CALLED_NOT_SERVED, _called_served, wording.called_not_served),
)
KNOWN_AFTER = 2
"""A trunk for which this many predicates hold allows the call's source."""


def _serves_trunk(entry: RuleEntry, dispatch: Dispatch) -> bool:
    return entry.trunks is None or dispatch.trunk_id in entry.trunks


def _called_matches(entry: RuleEntry, dispatch: Dispatch) -> bool:
    call = dispatch.call
    return entry.to.any or entry.row.id in call.pointing or entry.to.rank(call.called) is not None


def _caller_matches(entry: RuleEntry, dispatch: Dispatch) -> bool:
    return entry.from_.any or entry.from_.rank(dispatch.call.caller) is not None


def _pin_opens(entry: RuleEntry, dispatch: Dispatch) -> bool:
    """LiveKit's filter: not asked yet, every rule stays; # alone, only open ones; a PIN, only those it opens."""
    pin = dispatch.call.facts.pin
    if pin is None:
        return True
    if entry.row.pin is None or not pin:
        return entry.row.pin is None and not pin
    return dispatch.opens_pin is not None and dispatch.opens_pin(entry.row, pin)


RulePredicate = Predicate[RuleEntry, Dispatch]

RULE_PREDICATES: tuple[RulePredicate, ...] = (
    Predicate("trunk", Reason.NO_RULE, _serves_trunk, wording.trunk_not_served),
    Predicate("to", Reason.NO_RULE, _called_matches, wording.called_not_matched),
    Predicate("from", Reason.NO_RULE, _caller_matches, wording.caller_not_matched),
    Predicate("pin", Reason.WRONG_PIN, _pin_opens, wording.pin_not_opening),
)
MATCH_PREDICATES = RULE_PREDICATES[:-1]
"""All but the PIN, which may cost a decryption and is tried last."""


_REGISTERED, _NAMED, _PASSWORD = range(3)
"""How a trunk knows a call's source, the best way first."""


def trunk_order(entry: TrunkEntry, call: Call) -> tuple[int, int, int, str]:
    """The place of a trunk among those that take the call; the smallest wins.

    One with a PhoneNumber for the called number, then the one whose registration the call came by, one that names the
    source's network, and one that lets any source try its password; then the incumbent: the claim on a number is as old
    as the younger of number and trunk.
    """
    number = call.serving.get(entry.row.id)
    trust = _REGISTERED if entry.row.id == call.facts.registered_on else _PASSWORD if entry.any_source else _NAMED
    if number is None:
        return 1, trust, *entry.order
    return 0, trust, max(number.claimed_since, entry.row.claimed_since), entry.row.id


def rule_order(entry: RuleEntry, dispatch: Dispatch) -> tuple[int, bool, int, int, int, int, str]:
    """The place of a rule among those that match the call; the smallest wins.

    Its priority, then rules that name the trunk, then LiveKit's number, then its name. In LiveKit's number each of
    `to` and `from` that is any weighs a thousand, which counts before all else; a longer prefix goes before a shorter
    and after an exact number, `to` before `from`; then come the PIN and the kind.
    """
    call = dispatch.call
    to = EXACT_RANK if entry.row.id in call.pointing else entry.to.rank(call.called)
    from_ = entry.from_.rank(call.caller)
    assert to is not None
    assert from_ is not None
    anys = (to == ANY_RANK) + (from_ == ANY_RANK)
    return entry.priority, entry.trunks is None, anys, to % ANY_RANK, from_ % ANY_RANK, entry.weight, entry.row.id
