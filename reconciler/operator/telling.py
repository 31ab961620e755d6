"""What the operator says in its log: each change, each refusal and each new error once, none of it unbounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from reconciler.model.records import Verdict
from reconciler.model.sources import Key, object_id, object_name
from reconciler.operator.gathered import Gathered
from reconciler.operator.passing import Passed
from reconciler.plan.pinned import nothing_while_pinned
from reconciler.plan.render import brief
from reconciler.targets.target import Manner, Planned
from schemas.problems import Problem

LINES_PER_PASS_MAX = 50
TOLD_MAX = 10_000
"""Errors that are remembered as told."""


class OperatorTelling:
    """`say` gets lines, `account` what was done or refused."""

    def __init__(self, manner: Manner, say: Callable[[str], None], account: Callable[[Planned], None]) -> None:
        self._manner = manner
        self._say = say
        self._account = account
        self._told: dict[tuple[str, str, str], None] = {}
        self._kept: Mapping[Key, Verdict] = {}
        self._trouble = ""
        self._greeted = False
        self._refused = ""
        self._pin = ""

    def passed(self, passed: Passed, gathered: Gathered, keys: Iterable[Key], took_s: float) -> None:
        """What a pass did."""
        planned = passed.planned
        if self._trouble:
            self._say(f"{self._manner.it} answers again")
        self._trouble = ""
        if not self._greeted:
            standing = self._manner.standing.format(revision=planned.revision)
            self._say(f"{len(gathered):,} objects, {standing}")
            self._greeted = True
        within = [p for key in keys if (one := gathered.get(key)) is not None for p in one.source.problems]
        self._problems([*within, *planned.desired.problems], planned.desired.verdicts)
        self._changes(planned, passed, took_s)
        waiting = [(key, verdict) for key, verdict in passed.kept.items() if self._kept.get(key) != verdict]
        for key, verdict in waiting[:LINES_PER_PASS_MAX]:
            self._say(f"{object_name(key)} waits: {verdict.message}")
        if len(waiting) > LINES_PER_PASS_MAX:
            self._say(f"and {len(waiting) - LINES_PER_PASS_MAX:,} more wait: see the statuses")
        self._kept = passed.kept

    def moved(self, moved_by: str) -> None:
        """Somebody else has changed what is live."""
        self._say(f"{moved_by}: what is declared is applied again")

    def trouble(self, trouble: str) -> None:
        """What is in the way: told once, until it is something else."""
        if trouble != self._trouble:
            self._say(trouble)
            self._trouble = trouble

    def _problems(self, problems: Sequence[Problem], verdicts: Iterable[Key]) -> None:
        """The errors that were not told yet; one that comes back after its object was in force is told again."""
        wrong = {*map(object_id, verdicts), *(p.object_id for p in problems if p.is_error)}
        self._told = {told: None for told in self._told if told[0] in wrong}
        new = [p for p in problems if p.is_error and _mark(p) not in self._told]
        for problem in new[:LINES_PER_PASS_MAX]:
            self._say(f"{problem.object_id}: {problem}")
        if len(new) > LINES_PER_PASS_MAX:
            self._say(f"and {len(new) - LINES_PER_PASS_MAX:,} more errors: see the statuses")
        self._told |= {_mark(problem): None for problem in new}
        while len(self._told) > TOLD_MAX:
            del self._told[next(iter(self._told))]

    def _changes(self, planned: Planned, passed: Passed, took_s: float) -> None:
        refused = "; ".join(map(str, planned.refused))
        if refused and refused != self._refused:
            self._say(f"refused as unsafe, {self._manner.stay}: {refused}")
        pin = nothing_while_pinned(planned.pin, planned.waiting, applied=True) if planned.pin is not None else ""
        if pin and pin != self._pin:
            self._say(pin)
        if refused != self._refused or (planned.plan and not refused) or planned.deals:
            self._account(planned)
        self._refused, self._pin = refused, pin
        if refused:
            return
        changes = [change for change in planned.plan.changes if (change.kind, change.id) not in passed.held]
        for change in changes[:LINES_PER_PASS_MAX]:
            what = brief(change)
            self._say(self._manner.change.format(revision=planned.revision, what=what, ms=round(took_s * 1000)))
        if len(changes) > LINES_PER_PASS_MAX:
            self._say(f"{len(changes) - LINES_PER_PASS_MAX:,} more changes in revision {planned.revision}")


def _mark(problem: Problem) -> tuple[str, str, str]:
    """What makes it another error; a hint names objects that come and go."""
    return problem.object_id, str(problem.where), problem.what
