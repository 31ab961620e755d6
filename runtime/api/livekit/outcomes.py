"""CORE. What became of a call or a transfer, in LiveKit's words: a message, or the error that its SDKs understand."""

from __future__ import annotations

from google.protobuf.message import Message
from livekit.protocol import sip

from runtime.api.livekit import sip_status
from runtime.api.livekit.control import Outcome
from runtime.api.livekit.twirp import Code, TwirpError
from runtime.routing.dial import Dialled, Failure, Transferred


def told(outcome: Outcome) -> Message:
    """The answer to who asked for it. Raises TwirpError where it was not done."""
    match outcome:
        case Dialled():
            return sip.SIPParticipantInfo(
                participant_id=outcome.participant_id,
                participant_identity=outcome.identity,
                room_name=outcome.room,
                sip_call_id=outcome.call_id,
            )
        case Transferred():
            return _transferred(outcome)
        case Failure():
            raise _error(outcome, outcome.sip_status, outcome.sip_reason)


def _transferred(outcome: Transferred) -> sip.TransferSIPParticipantResponse:
    status, reason, failure = outcome.sip_status, outcome.sip_reason, outcome.failure
    if failure is not None:
        if not status:
            status, reason = failure.sip_status, failure.sip_reason
        names = {"sip_transfer_id": outcome.transfer_id, "sip_transfer_reason": str(outcome.reason)}
        raise _error(failure, status, reason, **names)
    return sip.TransferSIPParticipantResponse(
        transfer_id=outcome.transfer_id,
        status=sip.STS_TRANSFER_SUCCESSFUL,
        reason=outcome.reason.value,
        sip_status=sip_status.sip_status(status, reason) if status else None,
    )


def _error(failure: Failure, status: int, reason: str, **names: str) -> TwirpError:
    """A SIP response that says why decides on the code, else the kind of failure does."""
    if not sip_status.is_failure(status):
        return TwirpError(Code(failure.kind.value), failure.words, **names)
    msg = sip_status.sentence(status, reason)
    if failure.words:
        msg = f"{msg}; {failure.words}"
    return TwirpError(sip_status.code_of(status), msg, **names, **sip_status.meta(status, reason, msg))
