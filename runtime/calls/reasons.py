"""Why a call ended, as stable codes: those of the bridge itself. A refusal by the tables has its own `Reason`.

Where a layer below finds out why, the name is that layer's.

Records carry them, `runtime/docs.md` explains each; a test holds the two together.
"""

from __future__ import annotations

from enum import StrEnum

from runtime.calls.record import EndedBy
from runtime.gate.trunks import Limit
from runtime.sip import events as sip
from runtime.sip.auth.server import Fault
from runtime.sip.grammar import quotable
from runtime.stir import verdict as stir


class EndReason(StrEnum):
    """What the bridge, a peer, a room or the network did."""

    HANGUP = "hangup"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    MEDIA_TIMEOUT = "media-timeout"
    NO_ACK = "no-ack"
    MAX_DURATION = "max-duration"
    SHUTDOWN = "shutdown"
    LEG_LOST = "leg-lost"
    SESSION_EXPIRED = "session-expired"
    NO_PRACK = "no-prack"
    WRONG_CREDENTIALS = Fault.WRONG_CREDENTIALS.value
    LOCKED_OUT = Fault.LOCKED_OUT.value
    ANOTHER_NUMBER = "another-number"
    SECRET_UNREADABLE = "secret-unreadable"  # noqa: S105 - a reason's name, not a secret
    PIN_LOCKED_OUT = "pin-locked-out"
    SYNTAX = Fault.SYNTAX.value
    BODY = "body"
    MEDIA = "media"
    ROOM_FULL = "room-full"
    ENDED_BY_ROOM = "ended-by-room"
    RINGING_TIMEOUT = "ringing-timeout"
    ROOM_UNREACHABLE = "room-unreachable"
    ROOM_REFUSED = "room-refused"
    ROOM_LOST = "room-lost"
    ROOM_CLOSED = "room-closed"
    REMOVED = "removed"
    DUPLICATE_IDENTITY = "duplicate-identity"
    NO_PORTS = "no-ports"
    FULL = "full"
    TRUNK_CALLS = Limit.CALLS.value
    TRUNK_RATE = Limit.RATE.value
    BUSY = "busy"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"
    TRUNK_FAILURE = "trunk-failure"
    NO_ANSWER = "no-answer"
    NOT_PLACED = "not-placed"
    UNREACHABLE = "unreachable"
    TRANSFERRED = "transferred"
    NOT_REPLACED = "not-replaced"
    IDENTITY_MISSING = stir.Fault.MISSING.value
    IDENTITY_STALE = stir.Fault.STALE.value
    IDENTITY_NO_CERTIFICATE = stir.Fault.NO_CERTIFICATE.value
    IDENTITY_UNTRUSTED = stir.Fault.UNTRUSTED.value
    IDENTITY_INVALID = stir.Fault.INVALID.value


ENDINGS: dict[type[sip.Event], tuple[int, EndReason, str, EndedBy]] = {
    sip.ByeReceived: (200, EndReason.HANGUP, "the {who} hung up", EndedBy.CALLER),
    sip.Cancelled: (487, EndReason.CANCELLED, "the caller gave up before the answer", EndedBy.CALLER),
    sip.InviteExpired: (487, EndReason.EXPIRED, "the INVITE expired before the answer", EndedBy.CALLER),
    sip.AckMissing: (200, EndReason.NO_ACK, "the answer was never acknowledged", EndedBy.NETWORK),
    sip.PrackMissing: (504, EndReason.NO_PRACK, "the ringing was never acknowledged (PRACK)", EndedBy.NETWORK),
    sip.SessionExpired: (
        200,
        EndReason.SESSION_EXPIRED,
        "the session timer ran out: the other side is not there any more",
        EndedBy.NETWORK,
    ),
    sip.LegEnded: (481, EndReason.LEG_LOST, "the dialog ended", EndedBy.NETWORK),
}
"""The ends that the endpoint tells of: status for the record, reason, words, by whom. The caller may be a callee."""


def refusal_reason(status: int) -> EndReason:
    """What a final response of 300 and more to an INVITE of ours means, in LiveKit's classes."""
    if status in (486, 600):
        return EndReason.BUSY
    if status in (401, 403, 407, 488) or status > 600:
        return EndReason.REJECTED
    return EndReason.TRUNK_FAILURE if 500 <= status < 600 else EndReason.UNAVAILABLE


Q850_NORMAL = 16
Q850_CAUSES = {
    EndReason.SHUTDOWN: 41,
    EndReason.ROOM_LOST: 41,
    EndReason.MEDIA_TIMEOUT: 102,
    EndReason.MEDIA: 88,
    EndReason.NO_ANSWER: 19,
}
"""ITU-T Q.850: temporary failure, recovery on timer expiry, incompatible destination, no answer; else normal."""


def reason_header(reason: str, words: str) -> str:
    """The Reason header of a BYE of ours (RFC 3326), with the words for people in it."""
    cause = next((cause for known, cause in Q850_CAUSES.items() if known == reason), Q850_NORMAL)
    return f'Q.850;cause={cause};text="{quotable(words)}"'


def stir_reason(status: int, words: str) -> str:
    """The Reason header that tells a carrier what is wrong with its Identity header (RFC 9410)."""
    return f'STIR;cause={status};text="{quotable(words)}"'
