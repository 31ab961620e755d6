"""CORE. LiveKit's SIPMediaConfig as the bridge's own media wishes, which are merged over those of the trunk.

LiveKit takes any codec's name and offers those that it knows. So do we: what is unknown stays in the list, and a call
that is left without a codec is refused where calls are placed, with the names.
"""

from __future__ import annotations

from collections.abc import Iterable

from livekit.protocol import sip

from runtime.api.livekit.limits import CODECS_MAX, MEDIA_TIMEOUT_S_MAX
from runtime.api.livekit.values import invalid, seconds
from schemas.tables.media import CODECS
from schemas.tables.rows import NO_WISHES, Media

CODEC_CHARS_MAX = 64
_RATE_HZ = {"pcmu": 8_000, "pcma": 8_000, "g722": 8_000, "amr-wb": 16_000}
"""What `rate` 0 means; that of G.722 is RFC 3551's, not its true one."""
_ONLY_RATE_HZ = {"opus": 48_000, **_RATE_HZ}
_DIGITS = "telephone-event"
_ENCRYPTION = {
    sip.SIP_MEDIA_ENCRYPT_DISABLE: "disable",
    sip.SIP_MEDIA_ENCRYPT_ALLOW: "allow",
    sip.SIP_MEDIA_ENCRYPT_REQUIRE: "require",
}


def media_wishes(request: sip.CreateSIPParticipantRequest) -> Media:
    """The `media` of a request, with the older `media_encryption`, whose DISABLE means that nothing was said."""
    config, encryption = request.media, None
    if config.HasField("encryption"):
        encryption = _encryption(config.encryption, "media.encryption")
    elif request.media_encryption != sip.SIP_MEDIA_ENCRYPT_DISABLE:
        encryption = _encryption(request.media_encryption, "media_encryption")
    wishes = Media(codecs=_codecs(config), encryption=encryption, timeout_ms=_timeout_ms(config))
    return NO_WISHES if wishes == NO_WISHES else wishes


def _encryption(value: sip.SIPMediaEncryption, argument: str) -> str:
    known = _ENCRYPTION.get(value)
    if known is None:
        raise invalid(argument, f"is none that is known: {value}")
    return known


def _codecs(config: sip.SIPMediaConfig) -> tuple[str, ...]:
    """Exactly the codecs to use, best first; none = the trunk's, or all."""
    if len(config.codecs) > CODECS_MAX:
        raise invalid("media.codecs", f"lists more than {CODECS_MAX} codecs")
    if config.only_listed_codecs and not config.codecs:
        raise invalid("media.codecs", "is required where only_listed_codecs is set")
    listed = _distinct(_codec(codec) for codec in config.codecs)
    if config.only_listed_codecs or not listed:
        return listed
    return _distinct((*CODECS, *listed))


def _codec(codec: sip.SIPCodec) -> str:
    """A codec by the name that manifests have for it, and with its rate where that makes it another one."""
    name = codec.name.lower()
    if not name or len(name) > CODEC_CHARS_MAX or "/" in name or any(character.isspace() for character in name):
        words = f"has a codec whose name is none: 1 to {CODEC_CHARS_MAX} characters without space and slash"
        raise invalid("media.codecs", words)
    if name == _DIGITS:
        return ""  # digits are offered with every codec
    rate = codec.rate or _RATE_HZ.get(name)
    if rate is None:
        raise invalid("media.codecs", f"needs the `rate` of {codec.name}")
    return name if rate == _ONLY_RATE_HZ.get(name, 0) else f"{name}/{rate}"


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))


def _timeout_ms(config: sip.SIPMediaConfig) -> int | None:
    timeout_s = seconds(config.media_timeout, "media.media_timeout")
    if timeout_s > MEDIA_TIMEOUT_S_MAX:
        raise invalid("media.media_timeout", f"must not exceed {MEDIA_TIMEOUT_S_MAX:.0f} s")
    return max(1, round(timeout_s * 1000)) if timeout_s else None
