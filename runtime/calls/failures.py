"""Why a call of ours did not come about, for whoever asked for it: the call's record as a `Failure`.

Once an INVITE went out no failure says `unavailable`: that invites to try again, and somebody would be called twice.
"""

from __future__ import annotations

from typing import Final

from runtime.calls.reasons import EndReason
from runtime.calls.record import CallRecord
from runtime.routing.dial import Failure, FailureKind

_KINDS: Final[dict[str, FailureKind]] = {
    EndReason.NO_ANSWER: FailureKind.DEADLINE_EXCEEDED,
    EndReason.UNREACHABLE: FailureKind.FAILED_PRECONDITION,
    EndReason.MEDIA: FailureKind.FAILED_PRECONDITION,
    EndReason.ROOM_REFUSED: FailureKind.FAILED_PRECONDITION,
    EndReason.ROOM_FULL: FailureKind.RESOURCE_EXHAUSTED,
    EndReason.ROOM_CLOSED: FailureKind.CANCELED,
    EndReason.REMOVED: FailureKind.CANCELED,
    EndReason.DUPLICATE_IDENTITY: FailureKind.CANCELED,
    EndReason.ENDED_BY_ROOM: FailureKind.CANCELED,
}

_NOTHING_SENT: Final = frozenset({EndReason.ROOM_UNREACHABLE, EndReason.ROOM_LOST, EndReason.SHUTDOWN})


def failure_of(record: CallRecord) -> Failure:
    """What became of a call that was not answered, or was over before whoever waited for it could be told."""
    if record.status >= 300 and record.sip_reason:
        return Failure(FailureKind.FAILED_PRECONDITION, record.words, record.status, record.sip_reason)
    if record.reason in _NOTHING_SENT and not record.sip_call_id:
        return Failure(FailureKind.UNAVAILABLE, record.words)
    return Failure(_KINDS.get(record.reason, FailureKind.ABORTED), record.words)
