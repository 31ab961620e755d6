"""Media wishes of a trunk or a dispatch rule. Unset fields stay None, so that the two can be merged."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from schemas.resources import bounds
from schemas.resources.base import Maybe, Part
from schemas.resources.values import DurationMs, between, distinct, refuse, shown, text_of

CODECS = ("opus", "g722", "pcmu", "pcma")
"""The codecs of a phone leg, by the names that documents use."""

_OTHER_NAMES = {
    "ulaw": "pcmu", "mulaw": "pcmu", "mu-law": "pcmu", "g711u": "pcmu", "g711": "pcmu", "g.711": "pcmu",
    "alaw": "pcma", "a-law": "pcma", "g711a": "pcma", "g.722": "g722",
}  # fmt: skip
_DTMF_NAMES = frozenset({"telephone-event", "rfc2833", "rfc4733", "dtmf"})


def codec(value: object) -> str:
    """A codec's name out of `CODECS`."""
    name = text_of(value)
    if name in CODECS:
        return name
    plain = name.lower().partition("/")[0]
    meant = _OTHER_NAMES.get(plain, plain)
    if meant in CODECS:
        raise refuse("bad-codec", f"{shown(name)} is not a codec's name", f"did you mean `{meant}`?")
    if plain in _DTMF_NAMES:
        raise refuse("bad-codec", f"{shown(name)} is not a codec", "digits are chosen by `dtmf: [rfc4733]`")
    raise refuse("bad-codec", f"the codec {shown(name)} is not supported", f"choose from {', '.join(CODECS)}")


Codec = Annotated[str, PlainValidator(codec), WithJsonSchema({"type": "string", "enum": list(CODECS)})]


class Media(Part):
    """Codecs, encryption, digits and the silence limit of the phone leg."""

    codecs: Maybe[
        Annotated[tuple[Codec, ...], Field(min_length=1, max_length=bounds.CODECS_MAX), AfterValidator(distinct)]
    ] = Field(None, description="Exactly these codecs, in this order of preference.")
    encryption: Maybe[Literal["disable", "allow", "require"]] = Field(
        None, description="SRTP: never, when the peer offers it, or always."
    )
    keying: Maybe[
        Annotated[
            tuple[Literal["sdes", "dtls"], ...],
            Field(min_length=1, max_length=bounds.KEYING_MAX),
            AfterValidator(distinct),
        ]
    ] = Field(
        None,
        description="How keys of SRTP come about: in SDP (sdes), or by a handshake beside media (dtls); "
        "these are taken, and the first one is offered.",
    )
    room_codec: Maybe[Literal["auto", "opus", "pcmu", "pcma"]] = Field(
        None, description="The codec towards the room; auto avoids transcoding where it can."
    )
    dtmf: Maybe[
        Annotated[
            tuple[Literal["rfc4733", "info", "inband"], ...],
            Field(min_length=1, max_length=bounds.DTMF_MAX),
            AfterValidator(distinct),
        ]
    ] = Field(
        None,
        description="How digits travel: RFC 4733 events, SIP INFO, tones in the voice (inband); several may be.",
    )
    timeout: Maybe[Annotated[DurationMs, between(bounds.SECOND_MS, bounds.MEDIA_TIMEOUT_MAX_MS)]] = Field(
        None, description="A call without any RTP for this long is ended; 1s to 10m."
    )
