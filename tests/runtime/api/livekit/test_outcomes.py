"""What became of a call is an answer in LiveKit's words, or the error that its clients understand."""

from __future__ import annotations

import pytest
from livekit.api.twirp_client import ServerError, SipCallError
from livekit.protocol import sip

from runtime.api.livekit.control import Outcome
from runtime.api.livekit.outcomes import told
from runtime.api.livekit.twirp import STATUS, TwirpError
from runtime.routing.dial import Dialled, Failure, FailureKind, TransferReason, Transferred


def failed(outcome: Outcome) -> SipCallError:
    """The error as LiveKit's own client reads it."""
    with pytest.raises(TwirpError) as fault:
        told(outcome)
    error = fault.value
    return SipCallError.from_server_error(ServerError(error.code, error.msg, status=error.status, metadata=error.meta))


def test_a_call_in_its_room_is_a_participant() -> None:
    assert told(Dialled("SCL_a", "PA_b", "sip_1", "lobby")) == sip.SIPParticipantInfo(
        participant_id="PA_b", participant_identity="sip_1", room_name="lobby", sip_call_id="SCL_a"
    )


def test_a_busy_phone_is_told_with_its_status() -> None:
    error = failed(Failure(FailureKind.UNAVAILABLE, "carrier said no", 486, "Busy Here"))
    assert (error.code, error.status) == ("resource_exhausted", 429), "the response decides, not the kind"
    assert (error.sip_status_code, error.sip_status) == (486, "Busy Here")
    assert error.message == "sip status 486: Busy Here; carrier said no"


@pytest.mark.parametrize("kind", FailureKind)
@pytest.mark.parametrize("status", [0, 100, 200, 700])
def test_without_a_response_the_kind_decides(kind: FailureKind, status: int) -> None:
    error = failed(Failure(kind, "no trunk has this number", status))
    assert (error.code, error.message, error.metadata) == (kind.value, "no trunk has this number", {})
    assert error.status in STATUS.values()


@pytest.mark.parametrize("reason", TransferReason)
def test_a_transfer_that_was_done_is_told_with_its_reason(reason: TransferReason) -> None:
    answer = told(Transferred("STR_a", reason, 200, "OK"))
    assert answer == sip.TransferSIPParticipantResponse(
        transfer_id="STR_a",
        status=sip.STS_TRANSFER_SUCCESSFUL,
        reason=sip.SIPTransferReason.Value(reason),
        sip_status=sip.SIPStatus(code=sip.SIP_STATUS_OK, status="OK"),
    )
    quiet = told(Transferred("STR_a", reason))
    assert isinstance(quiet, sip.TransferSIPParticipantResponse)
    assert not quiet.HasField("sip_status")


@pytest.mark.parametrize("in_failure", [True, False])
def test_a_transfer_that_was_refused_is_told_with_its_status(in_failure: bool) -> None:
    response = (603, "Decline")
    failure = Failure(FailureKind.ABORTED, "they declined", *(response if in_failure else ()))
    error = failed(Transferred("STR_a", TransferReason.REJECTED, *(() if in_failure else response), failure=failure))
    assert (error.code, error.sip_status_code, error.sip_status) == ("permission_denied", 603, "Decline")
    assert (error.sip_transfer_reason, error.sip_transfer_id) == ("STR_REJECTED", "STR_a")


def test_a_transfer_that_nobody_answered_has_a_reason_and_no_status() -> None:
    failure = Failure(FailureKind.DEADLINE_EXCEEDED, "nobody answered within 30 s")
    error = failed(Transferred("STR_a", TransferReason.RINGING_TIMEOUT, failure=failure))
    assert (error.code, error.sip_status_code, error.sip_transfer_reason) == (
        "deadline_exceeded",
        None,
        "STR_RINGING_TIMEOUT",
    )
