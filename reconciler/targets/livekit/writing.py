"""CORE. Rows -> objects of a LiveKit server, each built on the one that was read there last.

A replacement clears whatever it leaves out, so a new object is the old one with the fields that a row knows put
over; and where the old one means the same already, its own form stays. What no manifest can say (a room's tags, an
agent's deployment) survives, and so does the name that somebody gave to a trunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from livekit.protocol import sip

from reconciler.targets.livekit.holdings import Info
from reconciler.targets.livekit.marker import METADATA_GAP, NAME_GAP, Marker, marked, parted
from reconciler.targets.livekit.reading import EVERYWHERE, is_open, network_form
from schemas.ids import normalise_number
from schemas.livekit_words import (
    TRANSPORT,
    TrunkInfo,
    put_headers,
    put_media,
    put_room,
    put_room_choice,
    read_headers,
    read_media,
    read_room,
    read_room_choice,
)
from schemas.seal import INBOUND_PASSWORD, OUTBOUND_PASSWORD, PIN, Place
from schemas.tables.rows import NO_WISHES, ROOM_DEFAULTS, Auth, Headers, Inbound, Kind, Media, RuleRow, Secret, TrunkRow

Reveal = Callable[[Place, Secret], str | None]
"""The clear text of a sealed secret, on its way to the server and nowhere else; None: what is there stays."""

T = TypeVar("T", bound=TrunkInfo)

_USUAL = Inbound()


def inbound_info(
    base: sip.SIPInboundTrunkInfo | None, row: TrunkRow, numbers: Sequence[str], marker: Marker, reveal: Reveal
) -> sip.SIPInboundTrunkInfo:
    """The inbound half of a trunk; `numbers` are those that it serves, none = any."""
    half = row.inbound
    assert half is not None
    info = deepcopy(base) if base is not None else sip.SIPInboundTrunkInfo(name=_shown(row.id))
    _put_common(info, row, numbers, marker, half.headers)
    _put_numbers(info.allowed_numbers, half.allowed_numbers)
    _put_auth(info, half.auth, Place(Kind.TRUNK, row.id, INBOUND_PASSWORD), reveal)
    info.auth_realm = half.auth.realm if half.auth is not None else ""
    stays_open = is_open(info) and sorted(half.networks) == sorted(EVERYWHERE)
    if not stays_open and [network_form(address) for address in info.allowed_addresses] != [*half.networks]:
        _put_list(info.allowed_addresses, half.networks)
    info.krisp_enabled = half.noise_cancellation
    _put_duration(info, "ringing_timeout", half.ringing_timeout_ms, _USUAL.ringing_timeout_ms)
    _put_duration(info, "max_call_duration", half.max_call_duration_ms, _USUAL.max_call_duration_ms)
    return info


def outbound_info(
    base: sip.SIPOutboundTrunkInfo | None, row: TrunkRow, numbers: Sequence[str], marker: Marker, reveal: Reveal
) -> sip.SIPOutboundTrunkInfo:
    """The outbound half of a trunk; `numbers` are its caller ids."""
    half = row.outbound
    assert half is not None
    info = deepcopy(base) if base is not None else sip.SIPOutboundTrunkInfo(name=_shown(row.id))
    _put_common(info, row, numbers, marker, half.headers)
    _put_auth(info, half.auth, Place(Kind.TRUNK, row.id, OUTBOUND_PASSWORD), reveal)
    info.address = half.addresses[0]
    info.transport = TRANSPORT[half.transport]
    info.from_host = half.from_host
    info.destination_country = half.destination_country
    return info


def rule_info(
    base: sip.SIPDispatchRuleInfo | None,
    row: RuleRow,
    numbers: Sequence[str],
    trunk_ids: Sequence[str],
    marker: Marker,
    reveal: Reveal,
) -> sip.SIPDispatchRuleInfo:
    """A dispatch rule; `numbers` are its own called numbers and those of PhoneNumbers that point at it."""
    info = deepcopy(base) if base is not None else sip.SIPDispatchRuleInfo(name=_shown(row.id))
    info.name = marked(parted(info.name, NAME_GAP)[0], marker, NAME_GAP)
    pin = reveal(Place(Kind.RULE, row.id, PIN), row.pin) if row.pin is not None else ""
    put_room_choice(info, row, read_room_choice(info)[3] if pin is None else pin)
    _put_list(info.trunk_ids, trunk_ids)
    _put_numbers(info.numbers, numbers, in_order=False)
    _put_numbers(info.inbound_numbers, row.from_)
    info.metadata = row.metadata
    _put_map(info.attributes, dict(row.attributes))
    info.hide_phone_number = row.hide_phone_number
    info.krisp_enabled = row.noise_cancellation
    _put_media(info, row.media)
    if read_room(info) != row.room:
        info.room_preset = row.room.preset
        if info.HasField("room_config") or row.room != ROOM_DEFAULTS:
            put_room(info.room_config, row.room)
    return info


def without_marker(info: Info) -> Info:
    """The object as its user left it."""
    if isinstance(info, sip.SIPDispatchRuleInfo):
        rule = deepcopy(info)
        rule.name = parted(rule.name, NAME_GAP)[0]
        return rule
    return _unmarked_trunk(info)


def marked_as(info: Info, other: Info) -> Info:
    """The object with the mark of another, and else as it is."""
    out = deepcopy(info)
    if isinstance(out, sip.SIPDispatchRuleInfo):
        out.name = marked(parted(out.name, NAME_GAP)[0], parted(other.name, NAME_GAP)[1], NAME_GAP)
    else:
        assert not isinstance(other, sip.SIPDispatchRuleInfo)
        out.metadata = marked(
            parted(out.metadata, METADATA_GAP)[0], parted(other.metadata, METADATA_GAP)[1], METADATA_GAP
        )
    return out


def _unmarked_trunk(info: T) -> T:
    trunk = deepcopy(info)
    trunk.metadata = parted(trunk.metadata, METADATA_GAP)[0]
    return trunk


def _put_common(info: TrunkInfo, row: TrunkRow, numbers: Sequence[str], marker: Marker, headers: Headers) -> None:
    info.metadata = marked(row.metadata, marker, METADATA_GAP)
    _put_numbers(info.numbers, numbers, in_order=False)
    if read_headers(info) != headers:
        put_headers(info, headers)
    _put_media(info, row.media)


def _put_media(info: TrunkInfo | sip.SIPDispatchRuleInfo, media: Media) -> None:
    wanted = Media(media.codecs, media.encryption, timeout_ms=media.timeout_ms) if media != NO_WISHES else NO_WISHES
    if read_media(info) != wanted:
        put_media(info, wanted)


def _put_auth(info: TrunkInfo, auth: Auth | None, place: Place, reveal: Reveal) -> None:
    info.auth_username = auth.username if auth is not None else ""
    password = reveal(place, auth.password) if auth is not None else ""
    if password is not None:
        info.auth_password = password


def _put_duration(info: sip.SIPInboundTrunkInfo, name: str, wanted_ms: int, usual_ms: int) -> None:
    """A duration; the usual one is what LiveKit takes where none is set, and is left unset."""
    held: Duration = getattr(info, name)
    if (held.ToMilliseconds() or usual_ms) != wanted_ms:
        held.FromMilliseconds(wanted_ms)


def _put_numbers(home: Any, wanted: Sequence[str], *, in_order: bool = True) -> None:
    """Numbers, in the form that they have there if they are the same. The order of called numbers says nothing."""
    held, new = [normalise_number(number) for number in home], [*wanted]
    if held != new if in_order else sorted(held) != sorted(new):
        _put_list(home, wanted)


def _put_list(home: Any, wanted: Iterable[str]) -> None:
    del home[:]
    home.extend(wanted)


def _put_map(home: Any, wanted: dict[str, str]) -> None:
    home.clear()
    home.update(wanted)


def _shown(row_id: str) -> str:
    """What a new object is called: `carrier` in the namespace default, else `namespace/carrier`."""
    return row_id.removeprefix("default/")
