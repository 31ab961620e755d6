"""What a call's trunk, and its rule or the request for it, order: the same for calls that come and calls that go.

`route` makes them for an INVITE (`Admission`), `place` for a call of ours (`Placement`). Whoever has a call reads them
from here, whichever way it went.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, get_args

from runtime.limits import MEDIA_TIMEOUT_S
from runtime.media.codecs.codec import CODECS, Codec
from runtime.sip.keying import WAYS, Policy, Way
from schemas.ringing import USUAL
from schemas.tables.media import codecs_of
from schemas.tables.rows import Headers, Media, Pairs, Recording, Room, TrunkRow

IDS: Final = frozenset({"sip.callID", "sip.callIDFull", "sip.callTag", "sip.callStatus", "sip.trunkID", "sip.ruleID"})
"""Attributes that no header may set: the bridge, and whoever reads a call's history, rely on them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundOrders:
    """What is done with the sound of a call."""

    cleaned: bool = False
    """Noise is taken out of what the phone says."""
    ringing: str = USUAL
    """The ringing tone that is heard, by its name in `schemas/ringing`."""
    hold_music: str = ""
    """What the phone hears while the room has it on hold: "" silence, `builtIn`, or a file among the prompts."""
    recording: Recording | None = None


AS_IT_IS: Final = SoundOrders()


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """How a call is to be. Times are seconds."""

    trunk: TrunkRow
    policy: Headers
    """What becomes of headers and attributes: that of the trunk's half which the call goes through."""
    room: str
    identity: str
    name: str
    metadata: str
    attributes: Pairs
    headers: Pairs = ()
    """The caller's, that the room may ask for; those of somebody who is called come with the answer."""
    codecs: tuple[Codec, ...]
    dtmf: bool
    """Keys travel as telephone-events (RFC 4733), where the phone agrees."""
    info_digits: bool
    """Keys travel by SIP INFO: those of the phone, and those for it where it takes no telephone-events."""
    inband_digits: bool = False
    """Keys travel as tones in the voice: those of the phone, and those for it where it takes no other."""
    hides_number: bool
    """The number of whoever is on the phone is not to be seen."""
    media_timeout_s: float
    max_call_duration_s: float
    ringing_timeout_s: float
    room_codec: str
    room_settings: Room
    """How the room is made, if this call makes it."""
    encryption: Policy = "disable"
    """Whether its media is encrypted towards the phone."""
    keying: tuple[Way, ...] = WAYS
    """How keys may come about; the first one is offered."""
    sound: SoundOrders = AS_IT_IS
    messages: bool = False
    """What the phone writes goes to the room."""


def spoken(media: Media) -> tuple[Codec, ...]:
    """What a call may be coded in, best first."""
    return tuple(CODECS[name] for name in codecs_of(media))


def encryption_of(media: Media) -> Policy:
    """Whether media is encrypted: never, as the peer can, or always."""
    return next((policy for policy in get_args(Policy) if policy == media.encryption), "disable")


def keying_of(media: Media) -> tuple[Way, ...]:
    """How keys come about, the way that is offered first."""
    return tuple(way for name in media.keying for way in WAYS if way == name) or WAYS


def takes_digits(media: Media) -> bool:
    """Whether telephone-events are agreed on."""
    return not media.dtmf or "rfc4733" in media.dtmf


def takes_info(media: Media) -> bool:
    """Whether keys may come and go by SIP INFO."""
    return "info" in media.dtmf


def hears_tones(media: Media) -> bool:
    """Whether keys may come and go as tones in the voice."""
    return "inband" in media.dtmf


def media_timeout_s(media: Media) -> float:
    """After how much silence a call is over."""
    return MEDIA_TIMEOUT_S if not media.timeout_ms else media.timeout_ms / 1000


def with_ids(own: Mapping[str, str], others: Mapping[str, str]) -> Pairs:
    """A participant's attributes: those of others may replace its own, but for the ids."""
    ids = {name: value for name, value in own.items() if name in IDS}
    return tuple(sorted({**own, **others, **ids}.items()))
