"""CORE. Rows of the live tables in LiveKit's words: SIPInboundTrunkInfo, SIPOutboundTrunkInfo, SIPDispatchRuleInfo.

One Trunk is both of LiveKit's trunks, under one id. Passwords and PINs are not in these objects: a row holds them
sealed, and this module never sees a key. Where LiveKit has one value and a row several (`outbound.addresses`) it is the
first.
"""

from __future__ import annotations

from collections.abc import Sequence

from livekit.protocol import sip

from schemas.ids import derived_id
from schemas.livekit_words import TRANSPORT, put_headers, put_media, put_room, put_room_choice
from schemas.tables.rows import ROOM_DEFAULTS, Auth, Kind, RuleRow, TrunkRow

DEFAULT_NAMESPACE = "default"
"""What `schemas/resources` puts where none is written. Not imported from there: pydantic would come with it."""

ID_PREFIX = {Kind.TRUNK: "ST", Kind.RULE: "SDR"}
LIVEKIT_WORD = {Kind.TRUNK: "sip trunk", Kind.RULE: "sip dispatch rule"}

TrunkInfo = sip.SIPInboundTrunkInfo | sip.SIPOutboundTrunkInfo | sip.SIPTrunkInfo


def livekit_id(kind: Kind, row_id: str) -> str:
    """`ST_…` or `SDR_…` of an object: always the same for one namespace/name."""
    namespace, _, name = row_id.partition("/")
    return derived_id(ID_PREFIX[kind], namespace, name)


def shown_name(row_id: str) -> str:
    """A name that is also taken as an id: `carrier` in the namespace default, else `namespace/carrier`."""
    return row_id.removeprefix(f"{DEFAULT_NAMESPACE}/")


def inbound_trunk(row: TrunkRow, numbers: Sequence[str]) -> sip.SIPInboundTrunkInfo:
    """The inbound half of a trunk; `numbers` are those that it serves, none when it serves any."""
    half = row.inbound
    assert half is not None, "only trunks that take calls are listed here"
    info = sip.SIPInboundTrunkInfo(
        sip_trunk_id=livekit_id(Kind.TRUNK, row.id),
        name=shown_name(row.id),
        metadata=row.metadata,
        numbers=numbers,
        allowed_addresses=half.networks,
        allowed_numbers=half.allowed_numbers,
        auth_username=_username(half.auth),
        auth_realm=half.auth.realm if half.auth is not None else "",
        krisp_enabled=half.noise_cancellation,
    )
    info.ringing_timeout.FromMilliseconds(half.ringing_timeout_ms)
    info.max_call_duration.FromMilliseconds(half.max_call_duration_ms)
    put_headers(info, half.headers)
    put_media(info, row.media)
    return info


def outbound_trunk(row: TrunkRow, numbers: Sequence[str]) -> sip.SIPOutboundTrunkInfo:
    """The outbound half of a trunk; `numbers` are its caller ids."""
    half = row.outbound
    assert half is not None, "only trunks that place calls are listed here"
    info = sip.SIPOutboundTrunkInfo(
        sip_trunk_id=livekit_id(Kind.TRUNK, row.id),
        name=shown_name(row.id),
        metadata=row.metadata,
        address=half.addresses[0] if half.addresses else "",
        destination_country=half.destination_country,
        transport=TRANSPORT.get(half.transport, sip.SIP_TRANSPORT_AUTO),
        numbers=numbers,
        auth_username=_username(half.auth),
        from_host=half.from_host,
    )
    put_headers(info, half.headers)
    put_media(info, row.media)
    return info


def old_trunk(row: TrunkRow, inbound: Sequence[str], outbound: Sequence[str]) -> sip.SIPTrunkInfo:
    """A whole trunk in the form that LiveKit had first: its kind LEGACY takes and places calls."""
    kinds = sip.SIPTrunkInfo.TrunkKind
    info = sip.SIPTrunkInfo(
        sip_trunk_id=livekit_id(Kind.TRUNK, row.id),
        kind=kinds.TRUNK_LEGACY,
        name=shown_name(row.id),
        metadata=row.metadata,
    )
    if row.outbound is None:
        info.kind = kinds.TRUNK_INBOUND
    elif row.inbound is None:
        info.kind = kinds.TRUNK_OUTBOUND
    if row.inbound is not None:
        info.inbound_addresses.extend(row.inbound.networks)
        info.inbound_numbers.extend(inbound)
        info.inbound_username = _username(row.inbound.auth)
    if row.outbound is not None:
        info.outbound_address = row.outbound.addresses[0] if row.outbound.addresses else ""
        info.outbound_number = outbound[0] if outbound else ""
        info.transport = TRANSPORT.get(row.outbound.transport, sip.SIP_TRANSPORT_AUTO)
        info.outbound_username = _username(row.outbound.auth)
    return info


def dispatch_rule(row: RuleRow, numbers: Sequence[str]) -> sip.SIPDispatchRuleInfo:
    """A rule; `numbers` are its own called numbers and those of PhoneNumbers that point at it. A PIN is not told."""
    info = sip.SIPDispatchRuleInfo(
        sip_dispatch_rule_id=livekit_id(Kind.RULE, row.id),
        trunk_ids=[livekit_id(Kind.TRUNK, trunk) for trunk in row.trunks or ()],
        hide_phone_number=row.hide_phone_number,
        inbound_numbers=row.from_,
        numbers=numbers,
        name=shown_name(row.id),
        metadata=row.metadata,
        attributes=dict(row.attributes),
        room_preset=row.room.preset,
        krisp_enabled=row.noise_cancellation,
    )
    put_room_choice(info, row)
    if row.room != ROOM_DEFAULTS:
        put_room(info.room_config, row.room)
    put_media(info, row.media)
    return info


def _username(auth: Auth | None) -> str:
    return auth.username if auth is not None else ""
