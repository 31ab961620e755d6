"""The offer/answer model of one call (RFC 3264): who sends what, where to, in which codec, from the first INVITE on.

One `OfferAnswer` lives as long as its call. The call layer feeds it the bodies of INVITE, 200, ACK and re-INVITE and
gets back the body to send and a `Negotiated`, which the media session is set up by. What fails raises
`NegotiationFailure`, which carries the response to give, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from runtime.sip import dtls_terms
from runtime.sip.crypto_lines import CryptoLine
from runtime.sip.fields import write_warning
from runtime.sip.keying import (
    PLAIN,
    PLAIN_ALWAYS,
    SECURE,
    Encryption,
    Secured,
    Shaken,
    answered,
    attributes,
    dtls_attributes,
    our_answer,
    our_lines,
    our_terms,
    shaken_with,
)
from runtime.sip.payloads import CODECS, EVENT_FORMATS, EVENT_NAME, EVENT_PAYLOAD_TYPES, KnownCodec, Parameters
from runtime.sip.sdp import (
    Attributes,
    MediaDescription,
    Origin,
    SdpSyntaxError,
    SessionDescription,
    connection_to,
    parse_sdp,
    write_sdp,
)
from runtime.sip.streams import (
    EXTENDED_REPORTS,
    PACKET_MS_MAX,
    PTIME_MS,
    PTIME_MS_MAX,
    VOIP_METRICS,
    WARNING_MEDIA,
    WARNING_OTHER,
    WARNING_PROTOCOL,
    Refusal,
    Stream,
    codec_order,
    judge,
    our_direction,
    packet_ms,
)
from schemas.printable import printable

_TIMES: tuple[str, ...] = ("0 0",)


class NegotiationFailure(Exception):  # noqa: N818 - it is an outcome of negotiating, not only a mistake
    """An offer or answer that cannot be agreed on.

    `status` and `reason` are the response to an offer (400 for a broken one, 488, 491); `warning` is the value of a
    Warning header that tells people why, `text` its sentence alone, printable whatever the peer's SDP held.
    """

    def __init__(self, status: int, reason: str, code: int, text: str) -> None:
        super().__init__(f"{status} {reason}: {text}")
        self.status = status
        self.reason = reason
        self.text = printable(text)
        self.warning = write_warning(code, text)


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """What we bring into a call: our media address and port, and codecs (keys of CODECS) by preference.

    `dtmf`: whether key events are taken; `info_digits`, `tone_digits`: whether keys may go by SIP INFO, or as tones in
    the voice. `session_id` is that of o=.
    `direction` is the most that we want.
    """

    address: str
    port: int
    codecs: tuple[str, ...]
    dtmf: bool
    session_id: int
    direction: str = "sendrecv"
    info_digits: bool = False
    encryption: Encryption = PLAIN_ALWAYS
    tone_digits: bool = False


@dataclass(frozen=True, slots=True)
class Codec:
    """The agreed codec (a key of CODECS), its payload number each way, and what the peer says of it (a=fmtp)."""

    name: str
    payload_type_send: int
    payload_type_receive: int
    clock_hz: int
    parameters: Parameters = ()


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What both sides agreed on. `direction` is ours; `inactive` also where the stream was taken away.

    `remote_address` may be 0.0.0.0 or ::, and `direction` then does not send. `ptime_ms` is what the
    peer would like, `maxptime_ms` the most that it takes.
    """

    remote_address: str
    remote_port: int
    remote_rtcp: tuple[str, int]
    codec: Codec
    dtmf_payload_type_send: int | None
    dtmf_payload_type_receive: int | None
    direction: str
    ptime_ms: int = PTIME_MS
    maxptime_ms: int = PTIME_MS_MAX
    dtmf_clock_hz: int = 8_000
    wants_metrics: bool = False
    """The peer asks how it is heard, by VoIP metrics (RFC 3611)."""
    keys: Secured | None = None
    """How it is encrypted, where keys travel in SDP."""
    dtls: Shaken | None = None
    """Where they are made by DTLS; with ICE, `remote_address` means nothing."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """What we have offered, and how it is to be encrypted."""

    ours: SessionDescription
    local: LocalMedia
    lines: tuple[CryptoLine, ...]
    dtls: Shaken | None


class OfferAnswer:
    """The offer/answer state of one call; every field is a frozen value, replaced only when an exchange has worked."""

    def __init__(self) -> None:
        self._ours: SessionDescription | None = None
        self._version = 0
        self._negotiated: Negotiated | None = None
        self._active = 0
        self._offer: _Offer | None = None
        self._awaits_answer = False

    @property
    def negotiated(self) -> Negotiated | None:
        """What holds now, None before the first exchange."""
        return self._negotiated

    @property
    def awaits_answer(self) -> bool:
        """Whether an offer of ours is out that has not been answered."""
        return self._awaits_answer

    @property
    def has_offer(self) -> bool:
        """Whether `accept` can be called: our last offer is out, or was answered and nothing came after it."""
        return self._offer is not None

    def answer(self, offer: bytes, local: LocalMedia) -> tuple[bytes, Negotiated]:
        """Our answer to an offer of INVITE or re-INVITE, and what it means.

        Every m-line is answered in its place, all but the first audio that we can take with port 0; one that is
        encrypted goes first. 491 while an offer of ours is out.
        """
        if self._awaits_answer:
            raise NegotiationFailure(491, "Request Pending", WARNING_OTHER, "an offer of ours is not answered yet")
        theirs = _parsed(offer)
        verdicts = [judge(theirs, line, local.codecs, local.address, local.encryption) for line in theirs.media]
        media = [_refused(line) for line in theirs.media]
        streams = [(at, verdict) for at, verdict in enumerate(verdicts) if isinstance(verdict, Stream)]
        if streams:
            active, stream = min(streams, key=lambda found: not found[1].is_encrypted)
            negotiated = _agreed(stream, local)
            extra: Attributes = ()
            if stream.crypto is not None:
                line = self._our_line(stream.crypto, stream, local)
                negotiated = replace(negotiated, keys=Secured(line.suite, line.keys[0], stream.crypto.keys))
                extra = attributes((line,))
            elif stream.dtls is not None:
                before = self._negotiated.dtls if self._negotiated is not None else None
                shaken = shaken_with(stream.dtls, before, local.encryption)
                negotiated = replace(negotiated, dtls=shaken)
                extra = dtls_attributes(shaken, local.address, local.port)
            media[active] = _answered(theirs.media[active], stream, negotiated, local, extra)
        else:
            negotiated = self._taken_away(theirs, verdicts)
            active = next(at for at, line in enumerate(theirs.media) if line.kind == "audio")
        ours = self._next_description(local, tuple(media), theirs.times or _TIMES, negotiated.dtls)
        self._ours, self._negotiated, self._active, self._offer = ours, negotiated, active, None
        return write_sdp(ours), negotiated

    def offer(self, local: LocalMedia, *, anew: bool = False) -> bytes:
        """Our offer: for an INVITE of ours, a re-INVITE, or a 200 to an INVITE that came without one.

        In a call that is up, its m-lines keep their places (RFC 3264 section 8), and its encryption stays as it is.
        `anew`: that is to be agreed on again, since whoever answers may be somebody else. `accept` takes the answer.
        """
        protocol, lines, dtls = self._protection(local, anew=anew)
        extra = dtls_attributes(dtls, local.address, local.port) if dtls is not None else attributes(lines)
        media, times = [_offered(local, protocol, extra)], _TIMES
        if self._ours is not None:
            kept, media = media[0], [_refused(line) for line in self._ours.media]
            media[self._active], times = kept, self._ours.times
        ours = self._next_description(local, tuple(media), times, dtls)
        self._offer, self._awaits_answer = _Offer(ours, local, lines, dtls), True
        return write_sdp(ours)

    def insist(self) -> bytes | None:
        """Our offer the other way, where encryption is optional and it was refused; None where there is none.

        Who takes no keys within RTP/AVP (RFC 8643) may want RTP/SAVP, and who takes no DTLS, plain media.
        """
        offer = self._offer
        if offer is None or offer.local.encryption.policy != "allow" or not (offer.lines or offer.dtls):
            return None
        self.withdraw()
        other = replace(offer.local.encryption, policy="disable" if offer.dtls else "require")
        return self.offer(replace(offer.local, encryption=other), anew=True)

    def accept(self, answer: bytes) -> Negotiated:
        """What the answer to our last offer means.

        May be called again for the same offer: the answer of a final response can differ from that of an early one.
        """
        assert self._offer is not None, "an answer without an offer of ours"
        ours, local = self._offer.ours, self._offer.local
        theirs = _parsed(answer)
        if len(theirs.media) != len(ours.media):
            raise _failure(Refusal(WARNING_OTHER, "the answer has another number of m-lines than the offer"))
        line = theirs.media[self._active]
        verdict = judge(theirs, line, codec_order(line, local.codecs), local.address, local.encryption)
        if isinstance(verdict, Stream):
            protection = answered(theirs, line, ours.media[self._active].protocol, self._offer.lines, self._offer.dtls)
            if isinstance(protection, str):
                raise _failure(Refusal(WARNING_PROTOCOL, protection))
            negotiated = _agreed(verdict, local, offered=True)
            negotiated = replace(negotiated, keys=protection[0], dtls=protection[1])
        else:
            negotiated = self._taken_away(theirs, [verdict])
        self._ours, self._negotiated, self._awaits_answer = ours, negotiated, False
        return negotiated

    def withdraw(self) -> None:
        """Forget our offer: it was refused, and what held before goes on (RFC 3261 section 14.1)."""
        self._offer, self._awaits_answer = None, False

    def _our_line(self, theirs: CryptoLine, stream: Stream, local: LocalMedia) -> CryptoLine:
        """Our keys for a stream of theirs."""
        before = self._negotiated
        moved = before is not None and (before.remote_address, before.remote_port) != (stream.address, stream.port)
        return our_answer(theirs, before.keys if before else None, local.encryption, moved=moved)

    def _protection(self, local: LocalMedia, *, anew: bool) -> tuple[str, tuple[CryptoLine, ...], Shaken | None]:
        """The protocol of an offer of ours, and its keys or its certificate."""
        encryption, before = local.encryption, self._negotiated
        if before is None or self._ours is None or anew:
            if encryption.offers_dtls:
                return dtls_terms.OFFERED, (), our_terms(encryption, before.dtls if before else None)
            return SECURE if encryption.policy == "require" else PLAIN, our_lines(encryption), None
        protocol = self._ours.media[self._active].protocol
        if before.dtls is not None:
            return protocol, (), our_terms(encryption, before.dtls)
        return protocol, () if before.keys is None else (CryptoLine(1, before.keys.suite, (before.keys.ours,)),), None

    def _taken_away(self, theirs: SessionDescription, verdicts: list[Stream | Refusal]) -> Negotiated:
        """The standing agreement put to rest, where the peer has taken the audio away; else the failure."""
        audio = [media for media in theirs.media if media.kind == "audio"]
        if self._negotiated is not None and audio and all(media.port == 0 for media in audio):
            return replace(self._negotiated, direction="inactive")
        refusals = [verdict for verdict in verdicts if isinstance(verdict, Refusal)]
        # A refused video says nothing where there was audio to talk about.
        telling = [refusal for refusal in refusals if refusal.code != WARNING_MEDIA]
        raise _failure(next(iter(telling + refusals), Refusal(WARNING_MEDIA, "no audio is offered")))

    def _next_description(
        self,
        local: LocalMedia,
        media: tuple[MediaDescription, ...],
        times: tuple[str, ...],
        dtls: Shaken | None,
    ) -> SessionDescription:
        """Our next description; its version is one higher exactly when anything in it is new (RFC 3264 section 8)."""
        connection = connection_to(local.address)
        said: Attributes = (("ice-lite", None),) if dtls is not None and dtls.ice is not None else ()
        if self._ours is not None:
            same = SessionDescription(self._ours.origin, "-", connection, times, said, media)
            if same == self._ours:
                return same
        self._version += 1
        origin = Origin("-", str(local.session_id), str(self._version), "IN", connection.family, local.address)
        return SessionDescription(origin, "-", connection, times, said, media)


def _parsed(body: bytes) -> SessionDescription:
    try:
        return parse_sdp(body)
    except SdpSyntaxError as fault:
        raise NegotiationFailure(400, "Malformed Session Description", WARNING_OTHER, str(fault)) from None


def _failure(refusal: Refusal) -> NegotiationFailure:
    return NegotiationFailure(488, "Not Acceptable Here", refusal.code, refusal.text)


def _agreed(stream: Stream, local: LocalMedia, *, offered: bool = False) -> Negotiated:
    """What a stream means for us; where we `offered`, the numbers that we receive are our own."""
    codec = CODECS[stream.codec]
    events, clock_hz = stream.events if stream.events is not None and local.dtmf else (None, codec.encoding.clock_hz)
    return Negotiated(
        remote_address=stream.address,
        remote_port=stream.port,
        remote_rtcp=stream.rtcp,
        codec=Codec(
            stream.codec,
            stream.payload_type,
            codec.payload_type if offered else stream.payload_type,
            codec.encoding.clock_hz,
            stream.parameters,
        ),
        dtmf_payload_type_send=events,
        dtmf_payload_type_receive=EVENT_PAYLOAD_TYPES[clock_hz] if offered and events is not None else events,
        direction=our_direction(stream.direction, local.direction, silent=stream.silent),
        ptime_ms=stream.ptime_ms,
        maxptime_ms=stream.maxptime_ms,
        dtmf_clock_hz=clock_hz,
        wants_metrics=stream.wants_metrics,
    )


def _answered(
    line: MediaDescription, stream: Stream, negotiated: Negotiated, local: LocalMedia, extra: Attributes
) -> MediaDescription:
    """Our m-line for theirs: the one codec that is used, key events where they were offered, under their numbers."""
    events = negotiated.dtmf_payload_type_receive
    if stream.wants_metrics:
        extra = (*extra, (EXTENDED_REPORTS, VOIP_METRICS))
    return _audio(
        line.protocol,
        local.port,
        [(stream.payload_type, CODECS[stream.codec])],
        [] if events is None else [(events, negotiated.dtmf_clock_hz)],
        negotiated.direction,
        packet_ms(stream.ptime_ms),
        extra,
    )


def _offered(local: LocalMedia, protocol: str, extra: Attributes) -> MediaDescription:
    """Our codecs, and key events at the clock of each."""
    codecs = [(CODECS[name].payload_type, CODECS[name]) for name in local.codecs]
    clocks = dict.fromkeys(codec.encoding.clock_hz for _, codec in codecs)
    events = [(EVENT_PAYLOAD_TYPES[clock_hz], clock_hz) for clock_hz in sorted(clocks)] if local.dtmf else []
    return _audio(protocol, local.port, codecs, events, local.direction, PTIME_MS, extra)


def _audio(
    protocol: str,
    port: int,
    codecs: Sequence[tuple[int, KnownCodec]],
    events: Sequence[tuple[int, int]],
    direction: str,
    ptime_ms: int,
    extra: Attributes,
) -> MediaDescription:
    """An audio m-line of ours: the codecs under their numbers, and key events with number and clock."""
    said: list[tuple[str, str | None]] = []
    for number, codec in codecs:
        said.append(("rtpmap", f"{number} {codec.rtpmap}"))
        if codec.parameters:
            said.append(("fmtp", f"{number} {codec.parameters}"))
    for number, clock_hz in events:
        said += [("rtpmap", f"{number} {EVENT_NAME}/{clock_hz}"), ("fmtp", f"{number} {EVENT_FORMATS}")]
    said += [("ptime", str(ptime_ms)), ("maxptime", str(PACKET_MS_MAX)), *extra, (direction, None)]
    formats = tuple(str(number) for number, _ in (*codecs, *events))
    return MediaDescription("audio", port, protocol, formats, None, tuple(said))


def _refused(line: MediaDescription) -> MediaDescription:
    """An m-line that we do not take: as it was offered, with port 0 (RFC 3264 section 6)."""
    return MediaDescription(line.kind, 0, line.protocol, line.formats)
