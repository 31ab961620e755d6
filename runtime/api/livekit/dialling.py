"""CORE. LiveKit's CreateSIPParticipantRequest as the bridge's own DialRequest, or why it cannot be one.

The rules are LiveKit's (livekit-protocol, `CreateSIPParticipantRequest.ValidateResult`, and what livekit-sip refuses
when it builds the INVITE), so that a request that was good there is good here. Whatever becomes part of a SIP message
is checked here and nowhere else: `DialRequest` is true inside. Which number calls, where the request names none, and
which trunk that number belongs to, is for whoever places the call.
"""

from __future__ import annotations

from collections.abc import Mapping

from livekit.protocol import sip

from runtime.api.livekit import addresses, headers, limits, listing
from runtime.api.livekit.media import media_wishes
from runtime.api.livekit.twirp import Code, TwirpError
from runtime.api.livekit.values import invalid, name_within, need, seconds, within
from runtime.media.dtmf import DIGITS_QUEUED_MAX, is_digits
from runtime.routing.dial import CALL_DURATION_S_MAX, RINGING_TIMEOUT_S, DialRequest, InlineTrunk
from schemas.ids import is_country
from schemas.tables.rows import Headers, Kind, Pairs
from schemas.tables.tables import Tables

_INCLUDE = {sip.SIP_NO_HEADERS: None, sip.SIP_X_HEADERS: "x", sip.SIP_ALL_HEADERS: "all"}


def dial_request(request: sip.CreateSIPParticipantRequest, tables: Tables) -> DialRequest:
    """What is asked for, with its trunk found in `tables`. TwirpError for what cannot be dialled."""
    need(request, "sip_call_to", "room_name")
    _check_to_header(request)
    _check_destination(request.destination)
    trunk, inline, transport = _trunk_of(request, tables)
    return DialRequest(
        call_to=addresses.user(request.sip_call_to, "sip_call_to"),
        room=name_within(request.room_name, limits.NAME_BYTES_MAX, "room_name"),
        trunk=trunk,
        inline=inline,
        caller=addresses.user(request.sip_number, "sip_number"),
        to_user=addresses.to_user(request.to_user_override, "to_user_override"),
        request_uri=addresses.request_destination(request.sip_request_uri, transport, "sip_request_uri")
        if request.HasField("sip_request_uri")
        else None,
        from_=addresses.named_address(request.sip_from_header, transport, "sip_from_header")
        if request.HasField("sip_from_header")
        else None,
        display_name=addresses.display_name(request.display_name, "display_name")
        if request.HasField("display_name")
        else None,
        identity=name_within(request.participant_identity, limits.NAME_BYTES_MAX, "participant_identity"),
        name=within(request.participant_name, limits.NAME_BYTES_MAX, "participant_name"),
        metadata=within(request.participant_metadata, limits.METADATA_BYTES_MAX, "participant_metadata"),
        attributes=_attributes(request.participant_attributes),
        dtmf=_digits(request.dtmf),
        dialtone=request.play_dialtone or request.play_ringtone,
        hide_number=request.hide_phone_number,
        headers=headers.settable(request.headers, "headers"),
        include_headers=_include(request.include_headers),
        media=media_wishes(request),
        ringing_timeout_s=_limit_s(request, "ringing_timeout", RINGING_TIMEOUT_S, limits.RINGING_S_MAX),
        max_call_duration_s=_limit_s(request, "max_call_duration", CALL_DURATION_S_MAX, CALL_DURATION_S_MAX),
        noise_cancellation=request.krisp_enabled,
        country=request.destination.country,
        wait_until_answered=request.wait_until_answered,
    )


# -- the trunk ---------------------------------------------------------------------------------------------------------


def _trunk_of(request: sip.CreateSIPParticipantRequest, tables: Tables) -> tuple[str, InlineTrunk | None, str]:
    """The trunk by name, or the one in the request, or neither where the caller's number tells it; its transport."""
    inline = _inline(request.trunk) if request.HasField("trunk") else None
    if request.sip_trunk_id:
        row_id = listing.existing(tables, Kind.TRUNK, "sip_trunk_id", request.sip_trunk_id)
        row = tables.trunk(row_id)
        if row is None or row.outbound is None:
            hint = "declare its `outbound`, or name another"
            raise TwirpError(Code.FAILED_PRECONDITION, f"Trunk {row_id} places no calls: it has no `outbound`; {hint}")
        return row_id, None, row.outbound.transport  # as with LiveKit, it goes before a trunk in the request
    if not request.sip_number:
        if inline is None:
            raise invalid("sip_trunk_id", "is required, or a `trunk`, or the sip_number of one")
        hint = "set sip_number to the number that calls"
        raise TwirpError(Code.FAILED_PRECONDITION, f"no numbers on outbound trunk: {hint}", argument="sip_number")
    return "", inline, inline.transport if inline is not None else addresses.AUTO


def _inline(trunk: sip.SIPOutboundConfig) -> InlineTrunk:
    if not trunk.hostname:
        raise invalid("trunk.hostname", "is required")
    host, port = addresses.host_port(trunk.hostname, "trunk.hostname")
    if bool(trunk.auth_username) != bool(trunk.auth_password):
        missing = "auth_password" if trunk.auth_username else "auth_username"
        raise invalid(f"trunk.{missing}", "is required where its other half is set")
    policy = Headers(
        to_attributes=headers.to_attributes(trunk.headers_to_attributes, "trunk.headers_to_attributes"),
        from_attributes=headers.from_attributes(trunk.attributes_to_headers, "trunk.attributes_to_headers"),
    )
    return InlineTrunk(
        host,
        port,
        addresses.transport(trunk.transport, "trunk.transport"),
        within(trunk.auth_username, limits.NAME_BYTES_MAX, "trunk.auth_username"),
        within(trunk.auth_password, limits.PASSWORD_BYTES_MAX, "trunk.auth_password").encode(),
        policy,
        addresses.host(trunk.from_host, "trunk.from_host") if trunk.from_host else "",
    )


# -- fields ------------------------------------------------------------------------------------------------------------


def _check_to_header(request: sip.CreateSIPParticipantRequest) -> None:
    if request.HasField("sip_to_header"):
        raise invalid("sip_to_header", "cannot be used with sip_call_to: set to_user_override to change the To user")


def _check_destination(place: sip.Destination) -> None:
    """LiveKit Cloud chooses a region by it, this bridge does not; what is wrong there is wrong here."""
    if place.city and not (place.country or place.region):
        raise invalid("destination.country", "or region is required where city is set")
    if place.country and not is_country(place.country):
        raise invalid("destination.country", "must be two capital letters, like US (ISO 3166-1 alpha-2)")


def _attributes(attributes: Mapping[str, str]) -> Pairs:
    size = sum(len(key.encode()) + len(value.encode()) for key, value in attributes.items())
    if size > limits.ATTRIBUTES_BYTES_MAX:
        raise invalid("participant_attributes", f"are longer than {limits.ATTRIBUTES_BYTES_MAX} bytes together")
    return tuple(sorted(attributes.items()))


def _digits(text: str) -> str:
    if len(text) > DIGITS_QUEUED_MAX:
        raise invalid("dtmf", f"is longer than {DIGITS_QUEUED_MAX} keys")
    if not is_digits(text):
        raise invalid("dtmf", "must be keys, 0-9, *, #, A-D, and w for half a second of pause")
    return text


def _include(value: sip.SIPHeaderOptions) -> str | None:
    """None = what the trunk says: LiveKit cannot tell "no headers" from nothing said."""
    if value not in _INCLUDE:
        raise invalid("include_headers", f"is none that is known: {value}")
    return _INCLUDE[value]


def _limit_s(request: sip.CreateSIPParticipantRequest, field: str, usual_s: float, most_s: float) -> float:
    """A duration of the request; 0 = the usual one, a longer one than the most is the most."""
    return min(seconds(getattr(request, field), field), most_s) or usual_s
