"""The turn that a plan makes: the tables before it, and after it.

The safety gates and the effects on calls ask the same two tables. Those after are made once, when somebody asks: an
edit that no question is about should not pay for them.
"""

from __future__ import annotations

from functools import cached_property

from reconciler.plan.changes import Plan
from schemas.tables.rows import Kind
from schemas.tables.tables import Tables


class Turn:
    """`before` are the tables of all owners that `plan` was made on.

    `has_own_numbers`: numbers without a trunk are the target's own, whose calls go to the rule that they point at.
    """

    def __init__(self, before: Tables, plan: Plan, *, has_own_numbers: bool = False) -> None:
        self.before = before
        self.plan = plan
        self.has_own_numbers = has_own_numbers

    @cached_property
    def renamed(self) -> dict[str, str]:
        """The new ids of the rules that move, by their old ones."""
        moves = (change for change in self.plan.changes if change.kind is Kind.RULE and change.moved_from)
        return {change.moved_from: change.id for change in moves}

    @cached_property
    def after(self) -> Tables:
        """The tables once the plan is carried out."""
        return self.before.applied(self.plan.delta) if self.plan else self.before
