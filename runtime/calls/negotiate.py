"""Between offer/answer and the media session: what a call brings in, and what was agreed in the session's words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container
from dataclasses import replace
from functools import lru_cache

from runtime.calls.commands import Ports
from runtime.limits import MEDIA_TIMEOUT_INITIAL_S
from runtime.media.codecs.codec import CODECS, OPUS
from runtime.media.codecs.opus import OpusWishes
from runtime.media.config import StreamConfig
from runtime.media.dtls import Fingerprint
from runtime.media.dtls_leg import Handshake
from runtime.media.ice_checks import IceNames
from runtime.media.protection import Keys, MasterKey
from runtime.media.source import Peer
from runtime.media.srtp import SUITES
from runtime.routing.orders import Orders
from runtime.sip.keying import Encryption, Secured, Shaken
from runtime.sip.message import Response
from runtime.sip.offer_answer import LocalMedia, Negotiated, NegotiationFailure, OfferAnswer
from runtime.sip.path import Address
from runtime.sip.payloads import Parameters
from runtime.sip.streams import WARNING_OTHER, packet_ms
from schemas.tables.networks import NetworkSet, compile_networks
from schemas.tables.rows import TrunkRow

SESSION_ID_BYTES = 6

Certificate = tuple[tuple[str, bytes], ...]
"""By which hashes a certificate is known: (algorithm, digest)."""

NETWORK_LISTS_REMEMBERED = 256
"""A trunk's list is compiled once, not with each of its calls."""

TALKING = "sendrecv"
HOLDING = "sendonly"
"""What we want of a call: its media, or to hear nothing of it for a while (RFC 3264 section 8.4)."""


def local_media(
    orders: Orders, ports: Ports, host: str, entropy: Callable[[int], bytes], certificate: Certificate
) -> LocalMedia:
    """What this call may speak, and where it is heard: `host` is what its peer is told, `certificate` our own."""
    return LocalMedia(
        host,
        ports.port,
        tuple(codec.name for codec in orders.codecs),
        orders.dtmf,
        session_id=int.from_bytes(entropy(SESSION_ID_BYTES)),
        info_digits=orders.info_digits,
        encryption=Encryption(orders.encryption, entropy, orders.keying, certificate),
        tone_digits=orders.inband_digits,
    )


class MediaEnds:
    """The RTP and RTCP ports of all calls, by whichever of our addresses: nobody may name one as its own.

    `is_external(address)` says whether an address is one that the world sees our media at.
    """

    def __init__(self, is_external: Callable[[str], bool]) -> None:
        self._is_external = is_external
        self._ends: set[Address] = set()
        self._ports: Counter[int] = Counter()

    def add(self, ports: Ports) -> None:
        """A call has these."""
        self._ends |= media_ends(ports)
        self._ports.update((ports.port, ports.port + 1))

    def remove(self, ports: Ports) -> None:
        """It is over."""
        self._ends -= media_ends(ports)
        self._ports -= Counter((ports.port, ports.port + 1))

    def __len__(self) -> int:
        return len(self._ends)

    def __contains__(self, address: object) -> bool:
        if address in self._ends:
            return True
        return isinstance(address, tuple) and address[1] in self._ports and self._is_external(address[0])


def media_peer(trunk: TrunkRow, signalled_by: str) -> Peer:
    """Who may be heard and spoken to in a call of this trunk, whose signalling comes from there."""
    return Peer(signalled_by, _networks(trunk.media_networks) if trunk.media_networks else None)


@lru_cache(maxsize=NETWORK_LISTS_REMEMBERED)
def _networks(listed: tuple[str, ...]) -> NetworkSet:
    return compile_networks(listed)


def media_ends(ports: Ports) -> set[Address]:
    """Where a call's packets come from and go to on our side, RTP and RTCP."""
    return {(ports.address, ports.port), (ports.address, ports.port + 1)}


def stream_of(negotiated: Negotiated, timeout_s: float) -> StreamConfig:
    """How packets flow by this agreement."""
    codec = negotiated.codec
    stream = StreamConfig(
        codec=CODECS[codec.name],
        payload_type_send=codec.payload_type_send,
        payload_type_receive=codec.payload_type_receive,
        dtmf_send=negotiated.dtmf_payload_type_send,
        dtmf_receive=negotiated.dtmf_payload_type_receive,
        remote=(negotiated.remote_address, negotiated.remote_port),
        remote_rtcp=negotiated.remote_rtcp,
        send="send" in negotiated.direction,
        receive="recv" in negotiated.direction,
        ptime_ms=packet_ms(negotiated.ptime_ms),
        wants_metrics=negotiated.wants_metrics,
        keys=None if negotiated.keys is None else _keys(negotiated.keys),
        handshake=None if negotiated.dtls is None else _handshake(negotiated.dtls),
        dtmf_clock_hz=negotiated.dtmf_clock_hz,
        opus=_wishes(codec.parameters, packet_ms(negotiated.ptime_ms), negotiated.maxptime_ms),
    )
    return with_timeout(stream, timeout_s)


def _wishes(parameters: Parameters, ptime_ms: int, maxptime_ms: int) -> OpusWishes:
    """What a listener to Opus said of itself (RFC 7587 section 6.1); what makes no sense was not said."""
    said = dict(reversed(parameters))
    return OpusWishes(
        playback_hz=_number(said.get("maxplaybackrate")) or OPUS.rate_hz,
        bitrate=_number(said.get("maxaveragebitrate")),
        fec=said.get("useinbandfec", "0") == "1",
        dtx=said.get("usedtx") == "1",
        constant=said.get("cbr") == "1",
        packet_ms=ptime_ms,
        packet_ms_max=maxptime_ms,
    )


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 6 else 0


def _keys(agreed_on: Secured) -> Keys:
    theirs = tuple(MasterKey(each.key, each.mki, each.lifetime) for each in agreed_on.theirs)
    return Keys(SUITES[agreed_on.suite], MasterKey(agreed_on.ours.key, agreed_on.ours.mki), theirs)


def _handshake(agreed_on: Shaken) -> Handshake:
    theirs, ice = agreed_on.theirs, agreed_on.ice
    return Handshake(
        tuple(Fingerprint(algorithm, digest) for algorithm, digest in theirs.hashes),
        agreed_on.client,
        agreed_on.ours.mux,
        None if ice is None else IceNames(ice.ufrag, ice.password, theirs.ufrag),
    )


def with_timeout(stream: StreamConfig, timeout_s: float) -> StreamConfig:
    """The same packets, missed after another time."""
    return replace(stream, timeout_s=timeout_s, timeout_initial_s=max(timeout_s, MEDIA_TIMEOUT_INITIAL_S))


def early(stream: StreamConfig, *, silent: bool = False, waits: bool = False) -> StreamConfig:
    """The same packets before the answer: nobody is missed yet. `silent` and `waits` as in `StreamConfig`."""
    return replace(stream, silent=silent, waits=waits, timeout_s=float("inf"), timeout_initial_s=float("inf"))


def describe(
    offer_answer: OfferAnswer, offer: bytes, local: LocalMedia, timeout_s: float, own: Container[Address]
) -> tuple[bytes, StreamConfig | None]:
    """Our SDP for an INVITE: the answer and what it means, or our own offer when it brought none (late offer)."""
    if not offer:
        # In a call that is up, whoever asks for an offer may put another device in its place.
        return offer_answer.offer(local, anew=True), None
    body, negotiated = offer_answer.answer(offer, local)
    return body, agreed(negotiated, local, timeout_s, own)


def agreed(negotiated: Negotiated, local: LocalMedia, timeout_s: float, own: Container[Address]) -> StreamConfig:
    """How packets flow by this agreement; NegotiationFailure where they would flow in a circle.

    A phone that we hold hears silence, or music: the room is not to be heard, and a firewall on the way stays open.

    `own` are the bridge's own RTP and RTCP ports: a call that names one as its own would keep itself alive.
    """
    no_events = negotiated.dtmf_payload_type_send is None
    stream = replace(
        stream_of(negotiated, timeout_s),
        silent=local.direction == HOLDING,
        keys_by_info=local.info_digits and no_events,
        keys_by_tone=local.tone_digits and not local.info_digits and no_events,
        hears_tones=local.tone_digits,
    )
    if stream.remote in own or stream.remote_rtcp in own:
        text = "the session description names a media port of the bridge itself"
        raise NegotiationFailure(488, "Not Acceptable Here", WARNING_OTHER, text)
    return stream


def answered_with(
    offer_answer: OfferAnswer,
    body: bytes,
    early_stream: StreamConfig | None,
    local: LocalMedia,
    timeout_s: float,
    own: Container[Address],
) -> StreamConfig:
    """What the answer to an offer of ours means. One that came early and reliably need not come again (RFC 6337)."""
    is_agreed = not offer_answer.awaits_answer
    if early_stream is not None and is_agreed and not (body and offer_answer.has_offer):
        return early_stream
    return agreed(offer_answer.accept(body), local, timeout_s, own)


def answers_early(offer_answer: OfferAnswer, response: Response) -> bool:
    """Whether a provisional response tells what is heard before the answer (RFC 3960)."""
    return bool(response.body) and is_sdp(response) and offer_answer.has_offer


def is_sdp(response: Response) -> bool:
    """Whether its body is a session description."""
    return (response.headers.first("Content-Type") or "").lower().startswith("application/sdp")
