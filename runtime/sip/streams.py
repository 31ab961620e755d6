"""One audio m-line of the peer: whether we can take it, and what it then means (RFC 3264 sections 5 and 6).

`offer_answer` asks `judge` for every m-line; the answer is a `Stream`, or a `Refusal` that says why not in words that
go into the Warning header.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from runtime.sip.crypto_lines import CryptoLine
from runtime.sip.dtls_terms import DtlsTerms
from runtime.sip.keying import PLAIN_ALWAYS, Encryption, crypto_of, dtls_of, protection_refusal
from runtime.sip.payloads import CODECS, Parameters, encodings, events_beside, parameters_of, payload_type_of
from runtime.sip.sdp import MediaDescription, SessionDescription, rtcp_attribute

PTIME_MS = 20
PTIME_MS_MAX = 200
PACKET_MS_MIN = 10
PACKET_MS_MAX = 60
"""What we send, and say that we would like at the most; longer packets are played all the same."""

# Warning codes of RFC 3261 section 20.43.
WARNING_ADDRESS = 301
WARNING_PROTOCOL = 302
WARNING_MEDIA = 304
WARNING_FORMAT = 305
WARNING_OTHER = 399

_SENDS = {"sendrecv", "sendonly"}
_RECEIVES = {"sendrecv", "recvonly"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an m-line cannot be taken: a warning code and a sentence."""

    code: int
    text: str


EXTENDED_REPORTS = "rtcp-xr"
VOIP_METRICS = "voip-metrics"


@dataclass(frozen=True, slots=True)
class Stream:
    """What the peer says in a usable m-line: payload numbers are those it wants to receive.

    `codec` is a key of CODECS; `events`: number and clock of key events.

    `direction` is the peer's; `silent`: nothing may be sent to it (address 0.0.0.0).
    """

    codec: str
    payload_type: int
    parameters: Parameters
    events: tuple[int, int] | None
    address: str
    port: int
    rtcp: tuple[str, int]
    direction: str
    silent: bool
    ptime_ms: int
    maxptime_ms: int
    crypto: CryptoLine | None = None
    """The keys of the peer's that are taken, where the stream is encrypted by such."""
    dtls: DtlsTerms | None = None
    """What it says of its certificate, where the stream is encrypted by DTLS; with ICE, `address` means nothing."""
    wants_metrics: bool = False
    """It asks for VoIP metrics (RFC 3611 section 5.1)."""

    @property
    def is_encrypted(self) -> bool:
        """Whether it is."""
        return self.crypto is not None or self.dtls is not None


def judge(
    description: SessionDescription,
    media: MediaDescription,
    codecs: tuple[str, ...],
    local_address: str,
    encryption: Encryption = PLAIN_ALWAYS,
) -> Stream | Refusal:
    """Whether this m-line can be taken with one of `codecs`, the first of them that it offers."""
    refusal = _transport_refusal(description, media, encryption)
    if refusal is not None:
        return refusal
    dtls = dtls_of(description, media, encryption)
    by_ice = dtls is not None and bool(dtls.ufrag)
    address = _address(description, media, local_address)
    if isinstance(address, Refusal):
        if not by_ice:
            return address
        address = "::" if ":" in local_address else "0.0.0.0"  # noqa: S104 - no address, and nothing is bound
    known = encodings(media)
    for name in codecs:
        encoding = CODECS[name].encoding
        payload_type = payload_type_of(known, encoding)
        if payload_type is not None:
            return Stream(
                codec=name,
                payload_type=payload_type,
                parameters=parameters_of(media, payload_type),
                events=events_beside(known, encoding.clock_hz),
                address=address,
                port=media.port,
                rtcp=_rtcp(media, address),
                direction=description.direction_of(media),
                silent=not by_ice and ipaddress.ip_address(address).is_unspecified,
                ptime_ms=_ptime_ms(media),
                maxptime_ms=_milliseconds(media.attribute("maxptime")) or PTIME_MS_MAX,
                crypto=crypto_of(media, encryption),
                dtls=dtls,
                wants_metrics=VOIP_METRICS in (media.attribute(EXTENDED_REPORTS) or "").split(),
            )
    offered = ", ".join(encoding.name for encoding in known.values()) or " ".join(media.formats)
    return Refusal(WARNING_FORMAT, f"no codec in common; offered: {offered[:120]}; allowed here: {', '.join(codecs)}")


def codec_order(description_media: MediaDescription, ours: tuple[str, ...]) -> tuple[str, ...]:
    """Our codecs in the order of the peer's m-line: of an answer, the first format is the one it chose."""
    names = [encoding.name for encoding in encodings(description_media).values()]
    return tuple(sorted((name for name in ours if name in names), key=names.index))


def our_direction(theirs: str, wanted: str, *, silent: bool = False) -> str:
    """Our direction where the peer states `theirs` and we would like `wanted` (RFC 3264 section 6.1).

    `silent`: we do not send, as the old way of putting a call on hold asks (section 8.4).
    """
    send = theirs in _RECEIVES and wanted in _SENDS and not silent
    receive = theirs in _SENDS and wanted in _RECEIVES
    return {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}.get(
        (send, receive), "inactive"
    )


def _transport_refusal(
    description: SessionDescription, media: MediaDescription, encryption: Encryption
) -> Refusal | None:
    if media.kind != "audio":
        return Refusal(WARNING_MEDIA, f"{media.kind[:20]} is not served, only audio")
    if media.port == 0:
        return Refusal(WARNING_MEDIA, "the audio stream is not in use")
    unsafe = protection_refusal(description, media, encryption)
    return Refusal(WARNING_PROTOCOL, unsafe) if unsafe else None


def _address(description: SessionDescription, media: MediaDescription, local_address: str) -> str | Refusal:
    """The peer's literal address. A name would have us ask a stranger's DNS in the middle of a call."""
    connection = description.connection_of(media)
    if connection is None:
        return Refusal(WARNING_ADDRESS, "no connection address (c=) for the audio")
    try:
        address = ipaddress.ip_address(connection.address)
    except ValueError:
        return Refusal(WARNING_ADDRESS, f"the media address must be a literal IP: {connection.address[:80]}")
    if address.is_unspecified:
        return str(address)
    if address.is_multicast or str(address) == "255.255.255.255" or "%" in connection.address:
        return Refusal(WARNING_ADDRESS, f"not a unicast media address: {connection.address[:80]}")
    if address.version != ipaddress.ip_address(local_address).version:
        return Refusal(WARNING_ADDRESS, f"no IPv{address.version} media address on our side")
    return str(address)


def _rtcp(media: MediaDescription, address: str) -> tuple[str, int]:
    """Where RTCP goes: `a=rtcp` (RFC 3605), else one above the media port. An address that is no literal is ignored."""
    stated = rtcp_attribute(media)
    if stated is None:
        return address, min(media.port + 1, 65_535)
    port, host = stated
    if host is None:
        return address, port
    try:
        stated_address = ipaddress.ip_address(host)
    except ValueError:
        return address, port
    same_kind = stated_address.version == ipaddress.ip_address(address).version
    usable = same_kind and not stated_address.is_multicast and not stated_address.is_unspecified
    return (str(stated_address) if usable else address), port


def _ptime_ms(media: MediaDescription) -> int:
    """The packet length that the peer would like, its `maxptime` kept; nonsense counts as 20 ms."""
    wish = _milliseconds(media.attribute("ptime")) or PTIME_MS
    most = _milliseconds(media.attribute("maxptime")) or PTIME_MS_MAX
    return min(wish, most)


def packet_ms(wish_ms: int) -> int:
    """The length of our packets for a peer that would like `wish_ms`: whole tens."""
    return max(PACKET_MS_MIN, min(wish_ms // PACKET_MS_MIN * PACKET_MS_MIN, PACKET_MS_MAX))


def _milliseconds(text: str | None) -> int | None:
    text = (text or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        return None
    value = int(text)
    return value if 1 <= value <= PTIME_MS_MAX else None
