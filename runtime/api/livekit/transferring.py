"""CORE. LiveKit's TransferSIPParticipantRequest as the bridge's own TransferRequest, or why it cannot be one."""

from __future__ import annotations

from livekit.protocol import sip

from runtime.api.livekit import addresses, headers, limits
from runtime.api.livekit.values import invalid, need, seconds, within
from runtime.routing.dial import TRANSFER_TIMEOUT_S, TransferRequest
from runtime.sip.uri import TelUri


def transfer_request(request: sip.TransferSIPParticipantRequest) -> TransferRequest:
    """What is asked for. TwirpError for what cannot be sent."""
    need(request, "room_name", "participant_identity", "transfer_to")
    asked_s = seconds(request.ringing_timeout, "ringing_timeout")
    return TransferRequest(
        room=within(request.room_name, limits.NAME_BYTES_MAX, "room_name"),
        identity=within(request.participant_identity, limits.NAME_BYTES_MAX, "participant_identity"),
        refer_to=_refer_to(request.transfer_to),
        dialtone=request.play_dialtone,
        headers=headers.settable(request.headers, "headers"),
        ringing_timeout_s=min(asked_s, limits.RINGING_S_MAX) or TRANSFER_TIMEOUT_S,
    )


def _refer_to(text: str) -> str:
    """The value of Refer-To, as LiveKit writes it: SIP URIs in `<>`, tel URIs without.

    A tel URI with parameters needs them all the same: behind a bare one they would be parameters of the header (RFC
    3261 section 20).
    """
    inner = text[1:-1] if text.startswith("<") and text.endswith(">") else text
    if not inner.lower().startswith(("sip:", "sips:", "tel:")):
        raise invalid("transfer_to", "must be a valid SIP(S) or TEL URI (sip:, sips: or tel:)")
    uri = addresses.read_uri(inner, "transfer_to")
    return inner if isinstance(uri, TelUri) and not uri.params else f"<{inner}>"
