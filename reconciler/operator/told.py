"""CORE. What stands in an object's status: four conditions, what they are about, and since when they are so.

A status is written only where it says something else than what stands there. `lastTransitionTime` moves with the answer
alone (True, False, Unknown), as Kubernetes has it, and an Event goes out only when Ready turns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from reconciler.model.records import Verdict
from schemas.resources import bounds
from schemas.resources.conditions import Condition, ConditionType, Reason

EVENT_CHARS_MAX = 1_024
"""The API server takes no longer message of an Event."""
_QUIET = frozenset({Reason.PENDING, Reason.NO_BRIDGE, Reason.REMOTE_ERROR})
"""Reasons that are no fault of an object, and that many have at once: nobody is told of them by an Event."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One condition as it stands in a status; `since` is its lastTransitionTime."""

    type: str
    status: str
    reason: str
    message: str = ""
    generation: int = 0
    since: str = ""


@lru_cache(4_096)
def _answer(type_: str, status: str, reason: str, message: str, generation: int, since: str) -> Answer:
    """An answer: what thousands of objects say at the same time is kept once."""
    return Answer(type_, status, reason, message, generation, since)


@dataclass(frozen=True, slots=True)
class Told:
    """A whole status."""

    generation: int = 0
    revision: int = 0
    answers: tuple[Answer, ...] = ()

    def answer(self, type_: ConditionType) -> Answer | None:
        """The condition of this type."""
        return next((answer for answer in self.answers if answer.type == type_), None)


@dataclass(frozen=True, slots=True)
class Turned:
    """An Event that is worth to be sent: `warning` False = for the good."""

    warning: bool
    reason: str
    message: str


NOTHING = Told()


def told_of(status: Any) -> Told:
    """What stands in a status, however it came there."""
    if not isinstance(status, Mapping) or not isinstance(conditions := status.get("conditions", ()), list | tuple):
        return NOTHING
    answers = tuple(
        _answer(
            str(one.get("type", "")),
            str(one.get("status", "")),
            str(one.get("reason", "")),
            str(one.get("message", "")),
            _number(one.get("observedGeneration")),
            str(one.get("lastTransitionTime", "")),
        )
        for one in conditions
        if isinstance(one, Mapping)
    )
    return Told(_number(status.get("observedGeneration")), _number(status.get("revision")), answers)


def told_now(conditions: Sequence[Condition], revision: int, generation: int, before: Told, now: str) -> Told:
    """The status that says this; `now` is the time for answers that turned, as RFC 3339 has it."""
    known = {answer.type: answer for answer in before.answers}
    answers = []
    for one in conditions:
        last = known.get(one.type)
        since = last.since if last is not None and last.status == one.status and last.since else now
        message = one.message[: bounds.CONDITION_MESSAGE_CHARS_MAX]
        answers.append(_answer(one.type.value, one.status, one.reason.value, message, generation, since))
    return Told(generation, revision, tuple(answers))


def body_of(told: Told) -> dict[str, Any]:
    """The status as it is written."""
    return {
        "observedGeneration": told.generation,
        "revision": told.revision,
        "conditions": [
            {
                "type": one.type,
                "status": one.status,
                "reason": one.reason,
                "message": one.message,
                "observedGeneration": one.generation,
                "lastTransitionTime": one.since,
            }
            for one in told.answers
        ],
    }


def turned(before: Told, after: Told) -> Turned | None:
    """What an Event is to say of this change: Ready fell, or rose again. The first rise of all goes without one."""
    was, now = before.answer(ConditionType.READY), after.answer(ConditionType.READY)
    if (
        now is None
        or now.reason in _QUIET
        or (was is not None and (was.status, was.reason) == (now.status, now.reason))
    ):
        return None
    if now.status == "True":
        back = was is not None and was.reason not in _QUIET
        return Turned(warning=False, reason=now.reason, message="as declared again") if back else None
    return Turned(warning=True, reason=now.reason, message=now.message[:EVENT_CHARS_MAX])


def unreached(sound: bool, message: str, complaint: str) -> tuple[Condition, ...]:
    """The conditions of an object that nobody could apply, because what it goes to did not answer (`message`)."""
    accepted = Condition(
        type=ConditionType.ACCEPTED,
        status="True" if sound else "False",
        reason=Reason.ACCEPTED if sound else Reason.INVALID,
        message="" if sound else complaint,
    )
    resolved = Condition(
        type=ConditionType.RESOLVED_REFS, status="Unknown", reason=Reason.RESOLVED_REFS, message="not looked at"
    )
    away = [
        Condition(type=type_, status="Unknown", reason=Reason.REMOTE_ERROR, message=message)
        for type_ in (ConditionType.PROGRAMMED, ConditionType.READY)
    ]
    return accepted, resolved, *away


def waiting(conditions: tuple[Condition, ...], verdict: Verdict) -> tuple[Condition, ...]:
    """The same of an object whose change waits: its last version may be in use, and its present one is not."""
    blocked = [
        Condition(type=type_, status="False", reason=verdict.reason, message=verdict.message)
        for type_ in (ConditionType.PROGRAMMED, ConditionType.READY)
    ]
    return *conditions[:2], *blocked


def with_remarks(conditions: tuple[Condition, ...], remarks: Sequence[str]) -> tuple[Condition, ...]:
    """The same; what is worth a warning stands beside Accepted."""
    if not remarks or conditions[0].status != "True":
        return conditions
    accepted = conditions[0].model_copy(update={"message": "; ".join(remarks)})
    return accepted, *conditions[1:]


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
