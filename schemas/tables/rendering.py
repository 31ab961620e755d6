"""An `Explanation` as text for people and as a JSON-able dict for machines.

`reconcile explain` prints either, the bridge's API and call records carry the dict. The dict has a `version`, raised
when a field changes its meaning or goes. A PIN is never in either: only whether one was entered.
"""

from __future__ import annotations

from typing import TypedDict

from schemas.tables.decisions import (
    ANSWERED_STATUS,
    Admitted,
    CallFacts,
    Challenged,
    Decision,
    PinNeeded,
    Refused,
    Undecided,
)
from schemas.tables.naming import room_pattern
from schemas.tables.trail import Explanation
from schemas.tables.wording import shown

FORMAT_VERSION = 1


class TrailJson(TypedDict):
    """One line of the trail."""

    kind: str
    id: str
    predicate: str
    words: str


class OmittedJson(TypedDict):
    """Rows that the trail leaves out."""

    kind: str
    predicate: str
    count: int


class ExplanationJson(TypedDict):
    """The whole, version 1."""

    version: int
    call: dict[str, str]
    decision: dict[str, str | int | bool]
    trail: list[TrailJson]
    omitted: list[OmittedJson]
    notes: list[str]


def render(explanation: Explanation) -> str:
    """Lines for a terminal: the call, the trail, the decision, and what to change."""
    facts = explanation.facts
    asserted = f" (asserted {shown(facts.asserted)})" if facts.asserted else ""
    registered = f" by the registration of {shown(facts.registered_on)}" if facts.registered_on else ""
    way = f"{asserted} at {shown(facts.source)}{registered}"
    lines = [f"call from {_user(facts.caller)}{way} to {_user(facts.called)}"]
    lines += [f"  {line}" for line in explanation.trail]
    lines += [f"  … {omitted}" for omitted in explanation.omitted]
    lines += _outcome(explanation.decision, facts)
    lines += [f"note: {note}" for note in explanation.notes]
    return "\n".join(lines)


def as_json(explanation: Explanation) -> ExplanationJson:
    """The same as plain values."""
    return {
        "version": FORMAT_VERSION,
        "call": _call_json(explanation.facts),
        "decision": _decision_json(explanation.decision, explanation.facts),
        "trail": [
            {"kind": line.kind.value, "id": line.id, "predicate": line.predicate, "words": line.words}
            for line in explanation.trail
        ],
        "omitted": [
            {"kind": omitted.kind.value, "predicate": omitted.predicate, "count": omitted.count}
            for omitted in explanation.omitted
        ],
        "notes": list(explanation.notes),
    }


def _user(text: str) -> str:
    return shown(text) or "an empty number"


def _outcome(decision: Decision | Undecided, facts: CallFacts) -> list[str]:
    if isinstance(decision, Admitted):
        room = room_pattern(decision.rule, facts.caller_by(decision.trunk), facts.called)
        return [f"admitted: room {shown(room)} by DispatchRule {decision.rule.id} on Trunk {decision.trunk.id}"]
    if isinstance(decision, PinNeeded):
        return [f"asks for a PIN: DispatchRule {decision.rule.id} on Trunk {decision.trunk.id}"]
    if isinstance(decision, Challenged):
        return [f"asks for a password: 401 by Trunk {decision.trunk.id}"]
    if isinstance(decision, Undecided):
        return [f"cannot be decided: {decision.sentence}", f"hint: {decision.hint}"]
    if _is_answered(facts):
        return [
            f"hung up on, after it was answered and asked for a PIN: {decision.reason}: {decision.sentence}",
            f"hint: {decision.hint}",
        ]
    silence = "; a stranger, who may be met with silence" if decision.stranger else ""
    return [
        f"refused: {decision.sip_status} {decision.reason}: {decision.sentence}{silence}",
        f"hint: {decision.hint}",
    ]


def _is_answered(facts: CallFacts) -> bool:
    """Whoever has been asked for a PIN was answered for that."""
    return facts.pin is not None


def _call_json(facts: CallFacts) -> dict[str, str]:
    pin = "entered" if facts.pin else "not-asked" if facts.pin is None else "none"
    call = {"source": facts.source, "called": facts.called, "caller": facts.caller, "region": facts.region, "pin": pin}
    if facts.asserted:
        call["asserted"] = facts.asserted
    if facts.registered_on:
        call["registeredOn"] = facts.registered_on
    return call if facts.authenticated_as is None else call | {"authenticatedAs": facts.authenticated_as}


def _decision_json(decision: Decision | Undecided, facts: CallFacts) -> dict[str, str | int | bool]:
    if isinstance(decision, Refused):
        return {
            "outcome": "refused",
            "reason": decision.reason.value,
            "sipStatus": ANSWERED_STATUS if _is_answered(facts) else decision.sip_status,
            "trunk": decision.trunk.id if decision.trunk else "",
            "stranger": decision.stranger,
            "sentence": decision.sentence,
            "hint": decision.hint,
        }
    if isinstance(decision, Undecided):
        return {
            "outcome": "undecided",
            "trunk": decision.trunk.id,
            "rule": decision.rule.id,
            "sentence": decision.sentence,
            "hint": decision.hint,
        }
    if isinstance(decision, Challenged):
        return {"outcome": "challenged", "trunk": decision.trunk.id}
    matched: dict[str, str | int | bool] = {
        "outcome": "admitted" if isinstance(decision, Admitted) else "pin-needed",
        "trunk": decision.trunk.id,
        "rule": decision.rule.id,
        "number": decision.number.id if decision.number else "",
    }
    if isinstance(decision, Admitted):
        matched["room"] = room_pattern(decision.rule, facts.caller_by(decision.trunk), facts.called)
    return matched
