"""What is reported about an object: four conditions with a closed set of reasons, in a cluster and in a folder alike.

The reconciler makes them; `reconcile status` prints them, and later the operator writes them into `status`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from schemas.resources import bounds
from schemas.resources.base import Maybe, Part


class ConditionType(StrEnum):
    """The four questions: is it sound, are its references there, do the bridges use it, and all of that together."""

    ACCEPTED = "Accepted"
    RESOLVED_REFS = "ResolvedRefs"
    PROGRAMMED = "Programmed"
    READY = "Ready"


class Reason(StrEnum):
    """Why a condition is as it is; stable for machines."""

    ACCEPTED = "Accepted"
    INVALID = "Invalid"
    CONFLICTED = "Conflicted"
    NOT_ALLOWED = "NotAllowed"
    UNSUPPORTED_BY_TARGET = "UnsupportedByTarget"
    RESOLVED_REFS = "ResolvedRefs"
    TRUNK_NOT_FOUND = "TrunkNotFound"
    RULE_NOT_FOUND = "RuleNotFound"
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105 - a reason's name, not a secret
    REF_NOT_PERMITTED = "RefNotPermitted"
    PROGRAMMED = "Programmed"
    PENDING = "Pending"
    NO_BRIDGE = "NoBridge"
    REJECTED = "Rejected"
    REMOTE_ERROR = "RemoteError"
    BLOCKED_BY_SAFETY = "BlockedBySafety"
    READY = "Ready"


REASONS: dict[ConditionType, tuple[Reason, ...]] = {
    ConditionType.ACCEPTED: (
        Reason.ACCEPTED,
        Reason.INVALID,
        Reason.CONFLICTED,
        Reason.NOT_ALLOWED,
        Reason.UNSUPPORTED_BY_TARGET,
    ),
    ConditionType.RESOLVED_REFS: (
        Reason.RESOLVED_REFS,
        Reason.TRUNK_NOT_FOUND,
        Reason.RULE_NOT_FOUND,
        Reason.SECRET_NOT_FOUND,
        Reason.REF_NOT_PERMITTED,
    ),
    ConditionType.PROGRAMMED: (
        Reason.PROGRAMMED,
        Reason.PENDING,
        Reason.NO_BRIDGE,
        Reason.REJECTED,
        Reason.REMOTE_ERROR,
        Reason.BLOCKED_BY_SAFETY,
    ),
}
"""The reasons of each condition, the one of the good case first. Ready repeats the first bad one, or says Ready."""


class Condition(Part):
    """One answer about an object, in Kubernetes' form."""

    type: ConditionType = Field(description="The question.")
    status: Literal["True", "False", "Unknown"] = Field(description="The answer.")
    reason: Reason = Field(description="Why, for machines.")
    message: str = Field("", max_length=bounds.CONDITION_MESSAGE_CHARS_MAX, description="Why, for people.")
    observed_generation: Maybe[Annotated[int, Field(ge=0)]] = Field(None, description="The generation it is about.")
    last_transition_time: Maybe[Annotated[str, Field(max_length=64, json_schema_extra={"format": "date-time"})]] = (
        Field(None, description="When the answer last changed.")
    )


class Status(Part):
    """Everything that is reported about an object."""

    observed_generation: Maybe[Annotated[int, Field(ge=0)]] = Field(None, description="The generation it is about.")
    revision: Maybe[Annotated[int, Field(ge=0)]] = Field(
        None, description="The revision of the tables in which this object's own rows last changed."
    )
    conditions: Annotated[tuple[Condition, ...], Field(max_length=bounds.CONDITIONS_MAX)] = Field(
        (), description="Accepted, ResolvedRefs, Programmed and Ready."
    )
