"""What becomes of one call, in the terms of a person who waits for it: which rule takes it, into which room.

Decided by the bridge's own matcher; nothing here knows a rule of matching. A caller is taken to know what is asked:
whether it is asked for a password or a PIN belongs to the outcome. A pattern (`+1415*`, or `*` for any) can stand
for a number: it gets what a number gets that it is all that is known of, and the room's name shows it as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from schemas.resources.base import DEFAULT_NAMESPACE
from schemas.tables.decisions import Admitted, CallFacts, Challenged, PinNeeded, Refused
from schemas.tables.entries import serves_inbound
from schemas.tables.lookup import decide
from schemas.tables.naming import ANY_SUFFIX, room_pattern
from schemas.tables.tables import Tables

ANYBODY = ANY_SUFFIX
"""The caller, or the called number, of which nothing is known."""

_HOME = f"{DEFAULT_NAMESPACE}/"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`rule` "" = nobody answers, for `reason`; two such outcomes are equal, whatever the reasons."""

    rule: str = ""
    room: str = ""
    asks_password: bool = False
    asks_pin: bool = False
    reason: str = field(default="", compare=False)

    @property
    def is_answered(self) -> bool:
        """Whether anybody answers."""
        return bool(self.rule)

    def __str__(self) -> str:
        if not self.rule:
            return "nobody answers"
        asked = [word for word, asks in (("a password", self.asks_password), ("a PIN", self.asks_pin)) if asks]
        after = f" after {' and '.join(asked)}" if asked else ""
        return f"{self.rule.removeprefix(_HOME)}/{self.room}{after}"


def outcome_of(tables: Tables, facts: CallFacts) -> Outcome:
    """What becomes of this call."""
    decision = decide(tables, facts)
    asks_password = isinstance(decision, Challenged)
    if isinstance(decision, Challenged):
        inbound = decision.trunk.inbound
        assert inbound is not None, "a trunk that challenges takes calls"
        assert inbound.auth is not None, "and has a password"
        decision = decide(tables, replace(facts, authenticated_as=inbound.auth.username))
    if isinstance(decision, Admitted | PinNeeded):
        room = room_pattern(decision.rule, facts.caller, facts.called).replace("*_*", "*")
        return Outcome(decision.rule.id, room, asks_password, isinstance(decision, PinNeeded))
    return Outcome(reason=decision.reason.value if isinstance(decision, Refused) else "another-password")


def outcome_of_own(tables: Tables, called: str) -> Outcome:
    """What becomes of a call to a number that arrives on no trunk: it goes to the rule that it points at, or none."""
    rows = (row for row in tables.numbers.rows(called) if not row.trunk and serves_inbound(row))
    rule = next((rule for row in rows if (rule := tables.rule(row.rule)) is not None), None)
    if rule is None:
        return Outcome(reason="no-rule")
    return Outcome(rule.id, room_pattern(rule, ANYBODY, called).replace("*_*", "*"), asks_pin=rule.pin is not None)
