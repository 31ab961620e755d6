"""CORE. What is to be done with LiveKit's own numbers to come from what is held to the rows that are wanted.

A number is known by its digits and not by the name of its document: one that is wanted under any name is never
unassigned, let alone released, because another name of it has gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.sources import Key
from reconciler.targets.livekit.phone_numbers.holdings import HeldNumber
from reconciler.targets.livekit.phone_numbers.standing import Standing
from schemas.tables.rows import Kind, NumberRow, Rows

PART = "phone number"


class NumberVerb(StrEnum):
    """What happens to one number. RETIRE takes it from its rule, and keeps it: its document is gone."""

    BUY = "buy"
    ASSIGN = "assign"
    RETIRE = "retire"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class NumberStep:
    """One number's way. `rule` is the `namespace/name` that it is to point at, "" = none; `held` what was read."""

    verb: NumberVerb
    name: str
    number: str
    rule: str = ""
    held: HeldNumber | None = None

    @property
    def part(self) -> str:
        """What it is, in messages."""
        return PART

    @property
    def key(self) -> Key:
        """The declared object that it is one of."""
        return Kind.NUMBER, self.name


def is_own(row: NumberRow) -> bool:
    """Whether a row is one of LiveKit's own numbers: those that arrive on no trunk."""
    return not row.trunk


def number_puts(standing: Standing, rows: Rows, rule_ids: Mapping[str, str]) -> list[NumberStep]:
    """What is to be bought and assigned. `rule_ids` are those of the rules that are there."""
    held = standing.held or {}
    steps = []
    for row in rows.numbers.values():
        entry = standing.ledger.entries.get(row.number)
        if not is_own(row) or entry is None:  # what is not ours already is as declared
            continue
        there = held.get(row.number)
        if there is None:
            steps.append(NumberStep(NumberVerb.BUY, row.id, row.number, row.rule))
        elif there.rules != ((rule_ids.get(row.rule, row.rule),) if row.rule else ()):
            steps.append(NumberStep(NumberVerb.ASSIGN, row.id, row.number, row.rule, there))
    return steps


def number_ends(standing: Standing, rows: Rows) -> list[NumberStep]:
    """What is to be unassigned or released, because no row wants it any more."""
    wanted = {row.number for row in rows.numbers.values() if is_own(row)}
    steps = []
    for name, there in standing.live().items():
        entry = standing.ledger.entries.get(there.number)
        if entry is not None and there.number not in wanted and name not in standing.settled:
            verb = NumberVerb.RETIRE if entry.retain else NumberVerb.RELEASE
            steps.append(NumberStep(verb, name, there.number, "", there))
    return steps
