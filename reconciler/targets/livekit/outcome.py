"""CORE. What became of the objects of a plan, as problems and verdicts: what failed, and what nobody has read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reconciler.errors import ReconcileError
from reconciler.model.desired import Desired
from reconciler.model.records import Verdict
from reconciler.model.sources import Key, object_id, object_name
from reconciler.plan.changes import Plan
from reconciler.targets.livekit.carrying import Failure
from reconciler.targets.livekit.phone_numbers.steps import NumberStep
from reconciler.targets.livekit.steps import Step
from schemas.problems import Problem, Where
from schemas.resources.conditions import ConditionType, Reason

_CODES = {Reason.REJECTED: "livekit-refused", Reason.PENDING: "livekit-waits", Reason.REMOTE_ERROR: "livekit-failed"}


def with_failures(desired: Desired, failures: Sequence[Failure]) -> Desired:
    """The same, and what was not done of it."""
    problems, verdicts = [*desired.problems], dict(desired.verdicts)
    for failure in failures:
        key, what = failure.key, f"{object_name(failure.key)}, {failure.step.part}: {failure.what}"
        source = desired.written(key)
        where = source.place if source is not None else Where("LiveKit")
        hint = "plan and apply again" if failure.reason is Reason.REMOTE_ERROR else ""
        problems.append(Problem(where, what, hint, _CODES[failure.reason], object_id=object_id(key)))
        verdicts.setdefault(key, Verdict(ConditionType.PROGRAMMED, failure.reason, what))
    return replace(desired, problems=tuple(problems), verdicts=verdicts)


def not_as_written(left: Sequence[Step | NumberStep], failures: Sequence[Failure]) -> list[Failure]:
    """What is not there though nothing failed: somebody else wrote it, or the server took it otherwise."""
    known = {failure.key for failure in failures}
    what = "LiveKit holds it otherwise than it was written"
    return [Failure(step, Reason.REMOTE_ERROR, what) for step in left if step.key not in known]


def in_doubt(plan: Plan, cut: ReconcileError) -> dict[Key, Verdict]:
    """Of each object of a plan that was cut off: nobody has read back whether it is in force."""
    verdict = Verdict(ConditionType.PROGRAMMED, Reason.PENDING, f"an apply was cut off: {cut}")
    return {(change.kind, change.id): verdict for change in plan.changes}
