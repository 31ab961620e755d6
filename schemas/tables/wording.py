"""Why a predicate does not hold, in words, and which manifest field would change that.

`predicates` puts these beside its tests; they run only when a refusal or a trail is to be read. Lists are cut short,
and whatever a stranger sent is cut and escaped: a sentence ends up in logs and terminals.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from schemas.tables.decisions import Reason
from schemas.tables.patterns import is_prefix

if TYPE_CHECKING:
    from schemas.tables.entries import RuleEntry, TrunkEntry
    from schemas.tables.predicates import Call, Dispatch
    from schemas.tables.rows import TrunkRow

LISTED_MAX = 4
"""How many entries of a list a sentence names."""

SHOWN_CHARS_MAX = 48
"""How much of a stranger's text a sentence repeats."""


def shown(text: str) -> str:
    """A stranger's text, cut, and escaped where a terminal could mind it."""
    cut = text if len(text) <= SHOWN_CHARS_MAX else text[:SHOWN_CHARS_MAX] + "…"
    return cut if cut.isprintable() else cut.encode("unicode_escape").decode("ascii")


def listed(texts: Iterable[str]) -> str:
    """`a, b, c, d and 7 more`."""
    every = list(texts)
    more = len(every) - LISTED_MAX
    names = ", ".join(every[:LISTED_MAX])
    return f"{names} and {more} more" if more > 0 else names


def _number(role: str, text: str) -> str:
    return f"{role} {shown(text)}" if text else f"an empty {role} number"


def not_inbound(_: TrunkEntry, __: Call) -> str:
    """For predicate `inbound`."""
    return "takes no inbound calls"


def source_not_allowed(entry: TrunkEntry, call: Call) -> str:
    """For predicate `source`."""
    if call.address is None:
        return f"source {shown(call.facts.source)} is not an IP address"
    networks = entry.row.inbound.networks if entry.row.inbound else ()
    outbound = entry.row.outbound
    if not networks and outbound is not None and outbound.register_expires_ms is not None:
        source = shown(call.facts.source)
        return f"source {source} is not allowed: the call did not come by the trunk's registration, to its Contact"
    if not networks:
        return f"source {shown(call.facts.source)} is not allowed: neither addresses nor auth are declared"
    return f"source {shown(call.facts.source)} is not in {listed(networks)}"


def wrong_region(entry: TrunkEntry, call: Call) -> str:
    """For predicate `region`."""
    here = f"this bridge is in {call.facts.region}" if call.facts.region else "this bridge has no region"
    return f"serves only {listed(entry.row.regions)}, and {here}"


def caller_not_allowed(entry: TrunkEntry, call: Call) -> str:
    """For predicate `caller`."""
    allowed = entry.row.inbound.allowed_numbers if entry.row.inbound else ()
    return f"{_number('caller', call.caller)} is not in {listed(allowed)}"


def called_not_served(_: TrunkEntry, call: Call) -> str:
    """For predicate `called`."""
    return f"serves only its PhoneNumbers, and {_number('called', call.called)} is none of them"


def trunk_not_served(entry: RuleEntry, dispatch: Dispatch) -> str:
    """For predicate `trunk`."""
    trunks = listed(entry.row.trunks or ()) or "no trunk at all"
    return f"serves {trunks}, and the call is on {dispatch.trunk_id}"


def called_not_matched(entry: RuleEntry, dispatch: Dispatch) -> str:
    """For predicate `to`."""
    called = _number("called", dispatch.call.called)
    if entry.row.to:
        return f"{called} is not in {listed(entry.row.to)}, and no PhoneNumber with it points here"
    return f"{called} is not among the PhoneNumbers that point here"


def caller_not_matched(entry: RuleEntry, dispatch: Dispatch) -> str:
    """For predicate `from`."""
    return f"{_number('caller', dispatch.call.caller)} is not in {listed(entry.row.from_)}"


def pin_not_opening(entry: RuleEntry, dispatch: Dispatch) -> str:
    """For predicate `pin`; the PIN itself is never repeated."""
    if not dispatch.call.facts.pin:
        return "asks for a PIN, and none was entered"
    if entry.row.pin is None:
        return "has no PIN, and one was entered"
    unknown = dispatch.unknown_pin(entry.row) if dispatch.unknown_pin is not None else ""
    return f"its PIN is not known here ({unknown})" if unknown else "has another PIN than the one entered"


def trunk_fit(entry: TrunkEntry, call: Call) -> str:
    """How a trunk takes the call."""
    number = call.serving.get(entry.row.id)
    words = f"takes the call, PhoneNumber {number.id} names it" if number else "takes the call, as any called number"
    return f"{words}, and asks for a password" if entry.challenges(call.facts.authenticated_as) else words


def user_doubt(row: TrunkRow, user: str | None) -> str:
    """Why a proven user name makes no difference on a trunk; "" = it does, or there is none."""
    if user is None or row.inbound is None:
        return ""
    if row.inbound.auth is None:
        return f"Trunk {row.id} asks for no password, so the user name does not count"
    if row.inbound.auth.username == user:
        return ""
    return f"the user name of Trunk {row.id} is {shown(row.inbound.auth.username)}, not {shown(user)}"


def identity_note(row: TrunkRow) -> str:
    """What a trunk that takes a call still wants to know of its caller; "" = nothing."""
    check = row.inbound.identity if row.inbound is not None else None
    if check is None:
        return ""
    if check.verify == "require":
        return f"Trunk {row.id} then asks for an Identity header that can be verified (inbound.identity), or refuses"
    return f"Trunk {row.id} then verifies the Identity header, and shows the result (inbound.identity)"


def rule_fit(entry: RuleEntry, dispatch: Dispatch) -> str:
    """How a rule matches the call, in the terms of its order."""
    call, row = dispatch.call, entry.row
    number = call.pointing.get(row.id)
    terms = [
        "" if row.priority is None else f"priority {row.priority}",
        "every trunk" if row.trunks is None else "names the trunk",
        f"PhoneNumber {number.id} points here" if number else _fit("to", call.called, row.to),
        _fit("from", call.caller, row.from_),
        "" if row.pin is None else "asks for a PIN" if call.facts.pin is None else "the PIN opens it",
    ]
    return f"matches the call: {', '.join(term for term in terms if term)}"


def _fit(field: str, number: str, patterns: tuple[str, ...]) -> str:
    """`to any`, `to +1415*`: by which pattern a list fits."""
    fitting = [p for p in patterns if p == number or (is_prefix(p) and number.startswith(p[:-1]))]
    return f"{field} {max(fitting, key=lambda p: (not is_prefix(p), len(p)))}" if fitting else f"{field} any"


_HINTS = {
    Reason.NO_TRUNK: "declare a Trunk with spec.inbound.allowedAddresses",
    Reason.SOURCE_NOT_ALLOWED: "add the source to spec.inbound.allowedAddresses of the Trunk that should take it",
    Reason.WRONG_REGION: "change spec.regions of Trunk {trunk}, or start the bridge with one of its regions",
    Reason.CALLER_NOT_ALLOWED: "add the caller to spec.inbound.allowedNumbers of Trunk {trunk}",
    Reason.CALLED_NOT_SERVED: (
        "declare a PhoneNumber with this number and spec.trunkRef to {trunk}, "
        "or set spec.inbound.calledNumbers of the Trunk to any"
    ),
    Reason.NO_RULE: (
        "add the number to spec.match.to of a DispatchRule that serves Trunk {trunk}, "
        "or point spec.dispatchRuleRef of its PhoneNumber at one"
    ),
    Reason.PIN_REQUIRED: "enter the PIN, or declare a DispatchRule without spec.pinFrom for this call",
    Reason.WRONG_PIN: "enter the PIN that spec.pinFrom of a matching DispatchRule resolves to",
}


def undecided(rule_id: str, unknown: str) -> tuple[str, str]:
    """Sentence and hint of a decision that rests on a PIN that is not known, for this reason."""
    sentence = f"the PIN of DispatchRule {rule_id} is not known here ({unknown})"
    return sentence, "give this command the secrets and the key that the reconciler has, or place the call"


def hint(reason: Reason, trunk_id: str = "") -> str:
    """Which manifest field to change, for each reason."""
    return _HINTS[reason].format(trunk=trunk_id)
