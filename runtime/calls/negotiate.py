"""Between offer/answer and the media session: what a call brings in, and what was agreed in the session's words."""

from __future__ import annotations

from runtime.calls.commands import Ports
from runtime.limits import MEDIA_TIMEOUT_INITIAL_S
from runtime.media.session import StreamConfig
from runtime.routing.route import LAWS, Admission
from runtime.sip.offer_answer import LocalMedia, Negotiated, OfferAnswer


def local_media(admission: Admission, ports: Ports, session_id: int) -> LocalMedia:
    """What this call may speak, and where it is heard."""
    return LocalMedia(ports.address, ports.port, admission.codecs, admission.dtmf, session_id)


def stream_of(negotiated: Negotiated, timeout_s: float) -> StreamConfig:
    """How packets flow by this agreement. On hold nothing is sent, and nothing is missed."""
    codec = negotiated.codec
    return StreamConfig(
        codec=LAWS[codec.name],
        payload_type_send=codec.payload_type_send,
        payload_type_receive=codec.payload_type_receive,
        dtmf_send=negotiated.dtmf_payload_type_send,
        dtmf_receive=negotiated.dtmf_payload_type_receive,
        remote=(negotiated.remote_address, negotiated.remote_port),
        remote_rtcp=negotiated.remote_rtcp,
        send="send" in negotiated.direction,
        receive="recv" in negotiated.direction,
        ptime_ms=negotiated.ptime_ms,
        timeout_s=timeout_s,
        timeout_initial_s=max(timeout_s, MEDIA_TIMEOUT_INITIAL_S),
    )


def describe(
    offer_answer: OfferAnswer, offer: bytes, local: LocalMedia, timeout_s: float
) -> tuple[bytes, StreamConfig | None]:
    """Our SDP for an INVITE: the answer and what it means, or our own offer when it brought none (late offer)."""
    if not offer:
        return offer_answer.offer(local), None
    body, negotiated = offer_answer.answer(offer, local)
    return body, stream_of(negotiated, timeout_s)
