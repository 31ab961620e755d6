"""What every target offers, and what it answers: the commands and the watch loop know no other kind.

A target is one owner's hand on one place where desired state goes. It reads what is live into rows, so that references,
clashes, gates, effects and rendering are the same for all; how it writes, and what it remembers, is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from reconciler.errors import ReconcileError
from reconciler.model.desired import Desired
from reconciler.model.records import Verdict
from reconciler.model.sources import Key, Source
from reconciler.model.standing import Declared
from reconciler.plan.changes import Plan
from reconciler.plan.gates import Allowances, Refusal
from reconciler.plan.pinned import Pin
from reconciler.plan.turn import Turn
from reconciler.targets.status import Status
from schemas.problems import Problem, Where
from schemas.resources.conditions import Condition, ConditionType, Reason
from schemas.tables.digest import EMPTY_DIGEST
from schemas.tables.rows import Kind


@dataclass(frozen=True, slots=True)
class Deal:
    """A number that was bought or, with `is_release`, given back for good. `name` is its PhoneNumber's.

    `asked` says what was asked for, in words; "" = it was not bought from here.
    """

    number: str
    name: str
    asked: str = ""
    is_release: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """What an apply would do at `revision`, or did. `refused` non-empty: it would not, unless that is allowed."""

    turn: Turn
    desired: Desired
    refused: tuple[Refusal, ...]
    revision: int
    digest: str = EMPTY_DIGEST
    """Of what was live when it was made: a saved plan counts on that alone."""
    made_on: int = 0
    """The revision that it was made on: the same, unless it was published."""
    published: str = ""
    """The digest of what was live after; "" = nothing was written."""
    written: int = 0
    """How many objects were written, where a target writes one at a time."""
    pin: Pin | None = None
    """What keeps the tables as a rollback left them; then there is nothing in `plan`."""
    waiting: Plan = field(default_factory=Plan)
    """What would be planned without the pin."""
    ends_pin: int = 0
    """The revision that the tables were pinned to until this apply; 0 = none."""
    documents: str = ""
    """The fingerprint of the documents as they were last read whole, where a target knows pins."""
    cut: ReconcileError | None = None
    """What ended an apply when something was written already, and before all of it was read back."""
    left: frozenset[Key] = frozenset()
    """Changes that were not carried out, where a target may do only a part of them."""
    deals: tuple[Deal, ...] = ()
    """What became known of numbers that are bought and given back, in its order."""
    unwritten: tuple[tuple[Source, str], ...] = ()
    """Documents that asked for a number, and the number that is to be written into each."""

    def with_problems(self, problems: Sequence[Problem]) -> Planned:
        """The same, and what else is wrong."""
        desired = replace(self.desired, problems=(*self.desired.problems, *problems))
        return replace(self, desired=desired) if problems else self

    @property
    def plan(self) -> Plan:
        """What would change."""
        return self.turn.plan

    @property
    def places(self) -> dict[tuple[Kind, str], Where]:
        """Where each changed object is declared now."""
        out = {}
        for change in (*self.plan.changes, *self.waiting.changes):
            source = self.desired.sources[change.kind].get(change.id)
            if source is not None:
                out[(change.kind, change.id)] = source.place
        return out


@dataclass(frozen=True, slots=True)
class Manner:
    """How messages speak of a target, and how patient one has to be with it."""

    address: str
    """Which one it is, in a plan file."""
    it: str
    nothing: str
    """What is said of a plan without changes."""
    stay: str
    """That nothing was changed."""
    standing: str
    """What a watcher says it stands at; may name the `revision`."""
    change: str
    """A watcher's line of `what` has changed, after so many `ms`; may name the `revision`."""
    leaves_out: frozenset[str] = frozenset()
    """Codes of problems that do not concern it."""
    backoff_s: tuple[float, float] = (0.0, 0.0)
    """The first pause of a watcher after a failure, and the longest; 0: the next regular look."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What can be told of single objects after an apply: `of` gives the revision of its rows, and its conditions.

    While `state` is the same, so is what `of` says.
    """

    of: Callable[[Key], tuple[int, tuple[Condition, ...]]]
    state: Hashable


class Away(ReconcileError):  # noqa: N818 - `raise Away`
    """The target is not reached, or does not answer. `wait_s`: how long it asks to be left alone."""

    def __init__(self, message: str, hint: str = "", wait_s: float = 0.0) -> None:
        super().__init__(message, hint)
        self.wait_s = wait_s


class Target(Protocol):
    """One owner's hand on one place. Every method may raise ReconcileError or StoreError."""

    @property
    def manner(self) -> Manner:
        """How messages speak of it."""
        ...

    def moved_by(self) -> str:
        """Who or what has changed what is live since it was last looked at, in words; "" = nobody, or not asked yet."""
        ...

    def give_up(self) -> None:
        """End an apply that another thread is in the middle of, if that may take long."""
        ...

    def plan(self, declared: Declared, allowed: Allowances) -> Planned:
        """What would change, against what is live now."""
        ...

    def apply(
        self,
        declared: Declared,
        allowed: Allowances,
        note: str = "",
        check: Callable[[Planned], None] | None = None,
    ) -> Planned:
        """Plan and carry out. `check` sees each plan before anything is written, and may raise.

        A refused plan changes nothing, but leaves word of what it held back. What raises has changed nothing: once
        something is written, what ends an apply is in the answer's `cut`, to be raised when the rest is noted down.
        """
        ...

    def status(self) -> Status:
        """Every object of this owner with its conditions."""
        ...

    def reported(self) -> Reported:
        """The same of single objects, as they are after the last apply of this very target: for who asks often."""
        ...

    def applied_last(self) -> Declared:
        """The documents that were applied last, as they were remembered; without their secrets."""
        ...

    def done(self, planned: Planned) -> str:
        """The sentence after an apply."""
        ...

    def facts(self, planned: Planned) -> dict[str, Any]:
        """What belongs to a report for machines beside the plan."""
        ...


def blocked(planned: Planned) -> dict[Key, Verdict]:
    """Why nothing of a plan that is refused, or waits for the end of a pin, is in force, for each of its objects."""
    if planned.pin is not None:
        what = f"{planned.pin}, {planned.pin.until}"
        verdict = Verdict(ConditionType.PROGRAMMED, Reason.PENDING, what)
    elif planned.refused:
        why = "; ".join(refusal.what for refusal in planned.refused)
        verdict = Verdict(ConditionType.PROGRAMMED, Reason.BLOCKED_BY_SAFETY, f"refused as unsafe: {why}")
    else:
        return {}
    return {(change.kind, change.id): verdict for change in (*planned.plan.changes, *planned.waiting.changes)}
