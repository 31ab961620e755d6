"""A request to call somebody, resolved by the live tables: through which trunk, to where, as whom, with what.

The worker calls `place` once for each call that is to be made, with the tables revision that the call will keep. It
answers with a `Placement`, or with a `Failure` that says what to change; nothing has been dialled by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from runtime.routing.dial import Destination, DialRequest, Failure, FailureKind, InlineTrunk, NamedAddress
from runtime.routing.headers import declared, merged, settable
from runtime.routing.orders import (
    Orders,
    SoundOrders,
    encryption_of,
    hears_tones,
    keying_of,
    media_timeout_s,
    spoken,
    takes_digits,
    takes_info,
)
from runtime.routing.route import livekit_trunk_id
from runtime.settings import TRANSPORTS
from runtime.sip.auth.client import Login
from runtime.sip.auth.digest import ALGORITHMS
from runtime.sip.path import default_port
from runtime.sip.uri import Uri, parse_uri
from schemas.ids import is_e164
from schemas.ringing import ringing_of
from schemas.seal import CLIENT_CERTIFICATE, CLIENT_KEY, OUTBOUND_PASSWORD, Place, Unseal
from schemas.tables.media import CODECS, merged_media
from schemas.tables.naming import display_name, identity, masked
from schemas.tables.patterns import compile_numbers, received_number
from schemas.tables.rows import ROOM_DEFAULTS, Direction, Kind, Outbound, Pairs, TrunkRow
from schemas.tables.tables import Tables

CALLER_IDS_MAX: Final = 1_000
"""Numbers of one trunk of which a caller id is picked; those beyond are never picked by chance."""

INLINE: Final = ""
"""The id of a trunk that is nowhere declared."""

PLUS_WANTED: Final = ".twilio.com"
"""Hosts of a trunk that is nowhere declared, so of no provider: its callers get the `+` that LiveKit gives them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement(Orders):
    """A call to be placed, and how. `destinations` are tried in order; with `user` one makes the Request-URI."""

    revision: int
    """Of the tables that say so."""
    called: str
    """The number, as records and the room may show it."""
    caller: str
    user: str
    to_user: str
    from_: NamedAddress
    """Its host is "" where it is to be our own address."""
    destinations: tuple[Destination, ...]
    invite_headers: Pairs
    login: Login | None = field(repr=False)
    digits: str
    dialtone: bool
    waits: bool
    """Whoever asked waits for the answer."""
    identity_header: str = "none"
    """The header that vouches for `vouched`, the caller's number where it is one of the trunk's; "" = for nobody."""
    vouched: str = ""
    shows_certificate: bool
    """Over TLS the trunk's client certificate is shown."""


def caller_ids(tables: Tables, trunk: str) -> tuple[str, ...]:
    """The numbers that a trunk may call from. One pass over all numbers, so not for the event loop's thread."""
    found: list[str] = []
    for row in tables.numbers.by_id.values():
        if row.trunk == trunk and row.direction is not Direction.INBOUND:
            found.append(row.number)
            if len(found) >= CALLER_IDS_MAX:
                break
    return tuple(sorted(found))


def client_pair(tables: Tables, trunk: str, unseal: Unseal) -> tuple[bytes, bytes] | None:
    """The certificate and key (PEM) that a trunk's carrier is shown; None where they cannot be had."""
    row = tables.trunk(trunk)
    tls = row.outbound.tls if row is not None and row.outbound is not None else None
    if tls is None:
        return None
    certificate = unseal(Place(Kind.TRUNK, trunk, CLIENT_CERTIFICATE), tls.certificate.sealed)
    key = unseal(Place(Kind.TRUNK, trunk, CLIENT_KEY), tls.key.sealed)
    return None if certificate is None or key is None else (certificate, key)


def place(
    tables: Tables,
    revision: int,
    request: DialRequest,
    region: str,
    call_id: str,
    numbers: Sequence[str],
    pick: int,
    unseal: Unseal,
    *,
    anywhere: bool = False,
) -> Placement | Failure:
    """How this call is made. `numbers` are the trunk's caller ids; `pick`, a large random number, takes one.

    `anywhere`: a request may name a trunk or a host of its own, which nothing that is declared guards.
    """
    trunk = _trunk_of(tables, request)
    if isinstance(trunk, Failure):
        return trunk
    outbound = trunk.outbound
    assert outbound is not None, "only trunks that place calls are found"
    destinations = destinations_of(outbound)
    if request.request_uri is not None:
        proxy, resource = proxy_of(outbound), outbound.web_socket_path
        destinations = (replace(request.request_uri, proxy=proxy, resource=resource),)
    refusal = (
        (None if anywhere else _not_declared(trunk, outbound, request))
        or _not_here(trunk, region)
        or _not_there(trunk, outbound, request)
        or _not_so(trunk, destinations, request)
    )
    if refusal is not None:
        return refusal
    caller = request.caller or _picked(numbers, pick)
    if not caller:
        hint = f"declare a PhoneNumber with trunkRef {trunk.id}, or set sip_number"
        return _failed(f"no numbers on outbound trunk: {_named(trunk)} has none to call from; {hint}")
    if outbound.caller_form == "+E.164" and is_e164(f"+{caller}"):
        caller = f"+{caller}"
    if not (request.display_name or "").isprintable():
        return Failure(FailureKind.INVALID_ARGUMENT, "display_name has a character that cannot be printed")
    login = _login(trunk, outbound, request, unseal)
    if isinstance(login, Failure):
        return login
    if outbound.tls is not None and _is_own(outbound, request) and client_pair(tables, trunk.id, unseal) is None:
        words = f"the client certificate of {_named(trunk)} cannot be unsealed"
        return _failed(f"{words}: give the bridge the reconciler's key")
    placed = _placement(trunk, outbound, request, call_id, destinations, caller, login)
    return replace(placed, revision=revision, vouched=caller if _owns(tables, trunk, caller) else "")


def _placement(
    trunk: TrunkRow,
    outbound: Outbound,
    request: DialRequest,
    call_id: str,
    destinations: tuple[Destination, ...],
    caller: str,
    login: Login | None,
) -> Placement:
    media, policy = merged_media(trunk.media, request.media), outbound.headers
    if request.include_headers is not None:
        policy = replace(policy, include=request.include_headers)
    shown = masked(request.call_to) if request.hide_number else request.call_to
    return Placement(
        trunk=trunk,
        policy=policy,
        room=request.room,
        identity=request.identity or identity(request.call_to, hide=request.hide_number),
        name=request.name or display_name(request.call_to, hide=request.hide_number),
        metadata=request.metadata,
        attributes=_attributes(trunk, request, call_id, destinations[0].host, caller),
        codecs=spoken(media),
        encryption=encryption_of(media),
        keying=keying_of(media),
        dtmf=takes_digits(media),
        info_digits=takes_info(media),
        inband_digits=hears_tones(media),
        sound=SoundOrders(
            cleaned=request.noise_cancellation,
            ringing=ringing_of(request.country or outbound.destination_country),
            hold_music=trunk.hold_music,
            recording=outbound.recording,
        ),
        hides_number=request.hide_number,
        media_timeout_s=media_timeout_s(media),
        max_call_duration_s=min(request.max_call_duration_s, outbound.max_call_duration_ms / 1000),
        ringing_timeout_s=request.ringing_timeout_s,
        room_codec=media.room_codec or "auto",
        room_settings=ROOM_DEFAULTS,
        revision=0,
        called=shown,
        caller=caller,
        user=request.request_uri.user if request.request_uri is not None else request.call_to,
        to_user=request.to_user or request.call_to,
        from_=_from(request, outbound, caller),
        destinations=destinations,
        invite_headers=merged(declared(policy.fixed), settable(request.headers)),
        login=login,
        digits=request.dtmf,
        dialtone=request.dialtone,
        waits=request.wait_until_answered,
        identity_header=outbound.identity_header,
        shows_certificate=outbound.tls is not None and _is_own(outbound, request),
    )


# -- which trunk -------------------------------------------------------------------------------------------------------


def _trunk_of(tables: Tables, request: DialRequest) -> TrunkRow | Failure:
    if request.trunk:
        row = tables.trunk(request.trunk)
        if row is None:
            return Failure(FailureKind.NOT_FOUND, f"requested sip trunk does not exist: {request.trunk}")
        if row.outbound is None:
            return _failed(f"Trunk {row.id} places no calls: it has no `outbound`")
    elif request.inline is not None:
        row = _inline(request.inline)
    else:
        found = _trunk_with(tables, request.caller)
        if found is None:
            words = f"no live Trunk with `outbound` has the number {request.caller}; set sip_trunk_id"
            return Failure(FailureKind.NOT_FOUND, words)
        row = found
    return row


def _trunk_with(tables: Tables, caller: str) -> TrunkRow | None:
    for number in tables.numbers.rows(received_number(caller)):
        row = tables.trunk(number.trunk)
        if row is not None and row.outbound is not None and number.direction is not Direction.INBOUND:
            return row
    return None


def _inline(trunk: InlineTrunk) -> TrunkRow:
    address = f"[{trunk.host}]" if ":" in trunk.host else trunk.host
    outbound = Outbound(
        addresses=(address if trunk.port is None else f"{address}:{trunk.port}",),
        transport=trunk.transport,
        from_host=trunk.from_host,
        headers=trunk.policy,
        caller_form="+E.164" if trunk.host.lower().endswith(PLUS_WANTED) else "asGiven",
    )
    return TrunkRow(id=INLINE, outbound=outbound)


# -- whether it may ----------------------------------------------------------------------------------------------------


def _not_declared(trunk: TrunkRow, outbound: Outbound, request: DialRequest) -> Failure | None:
    """Closed by default: what a Trunk's limits and `allowedDestinations` guard, a request must not go by."""
    hint = "declare a Trunk for it, or start the bridge with --dial-anywhere"
    if trunk.id == INLINE:
        return _failed(f"requests may not bring a trunk of their own to this bridge: {hint}")
    asked = request.request_uri
    if asked is None or _is_own(outbound, request):
        return None
    return _failed(f"sip_request_uri names {asked.host}, which is no address of {_named(trunk)}: {hint}")


def _is_own(outbound: Outbound, request: DialRequest) -> bool:
    """Whether the call goes to one of the trunk's own addresses."""
    asked = request.request_uri
    return asked is None or _place_of(asked) in {_place_of(place) for place in destinations_of(outbound)}


def _place_of(place: Destination) -> tuple[str, int]:
    return place.host.lower(), place.port or default_port(place.transport)


def _not_here(trunk: TrunkRow, region: str) -> Failure | None:
    if trunk.serves(region):
        return None
    ours = f"is of region {region}" if region else "has no region"
    return _failed(f"{_named(trunk)} is for bridges of {', '.join(trunk.regions)} alone, and this one {ours}")


def _not_there(trunk: TrunkRow, outbound: Outbound, request: DialRequest) -> Failure | None:
    """Toll fraud is guarded against by what is dialled, whichever field says so."""
    dialled = [request.call_to, request.to_user or request.call_to]
    if request.request_uri is not None:
        dialled.append(request.request_uri.user)
    for number in dialled:
        words = not_allowed(outbound, number)
        if words:
            return _failed(f"{_named(trunk)} may not call {words}")
    return None


def not_allowed(outbound: Outbound, number: str) -> str:
    """Why a trunk may not call or refer to a number, "" where it may.

    What is judged is what is dialled, to the letter: carriers read things into parameters, separators and short codes.
    """
    if not outbound.allowed_destinations:
        return ""
    if not is_e164(number):
        return f"{number}: only numbers like +14155550100 can be held against outbound.allowedDestinations"
    if compile_numbers(outbound.allowed_destinations).rank(number) is None:
        return f"{number}: it fits none of outbound.allowedDestinations"
    return ""


def _not_so(trunk: TrunkRow, destinations: Sequence[Destination], request: DialRequest) -> Failure | None:
    """What this version cannot do refuses, and is never left out."""
    media = merged_media(trunk.media, request.media)
    unspoken = [place.transport for place in destinations if place.transport not in (*TRANSPORTS, "auto")]
    if unspoken:
        return _failed(f"{_named(trunk)} is called over {unspoken[0].upper()}, which this version does not speak")
    if not spoken(media):
        return _failed(f"none of the codecs {', '.join(media.codecs)} is spoken here: add one of {', '.join(CODECS)}")
    return None


# -- what it says ------------------------------------------------------------------------------------------------------


def destinations_of(outbound: Outbound) -> tuple[Destination, ...]:
    """A trunk's addresses, in the order in which they are tried."""
    proxy = proxy_of(outbound)
    return tuple(
        Destination("", *_host_and_port(address), outbound.transport, proxy, outbound.web_socket_path)
        for address in outbound.addresses
    )


def proxy_of(outbound: Outbound) -> Destination | None:
    """Where a trunk's requests go first; None = to its addresses themselves."""
    if not outbound.proxy:
        return None
    uri = parse_uri(outbound.proxy)
    assert isinstance(uri, Uri), "manifests have been checked for it"
    return Destination("", uri.host, uri.port, uri.param("transport") or "auto", resource=outbound.web_socket_path)


def _host_and_port(address: str) -> tuple[str, int | None]:
    """`host`, `host:port`, `[2001:db8::1]:port`: manifests and requests have been checked for these forms."""
    if address.startswith("["):
        host, _, port = address[1:].partition("]")
        return host, int(port[1:]) if port else None
    host, colon, port = address.partition(":")
    if ":" in port:  # an IPv6 address without brackets
        return address, None
    return host, int(port) if colon else None


def _picked(numbers: Sequence[str], pick: int) -> str:
    return numbers[pick % len(numbers)] if numbers else ""


def _from(request: DialRequest, outbound: Outbound, caller: str) -> NamedAddress:
    if request.from_ is not None:
        return request.from_
    named = caller if request.display_name is None else request.display_name
    return NamedAddress(named, Destination(caller, outbound.from_host))


def _owns(tables: Tables, trunk: TrunkRow, caller: str) -> bool:
    """Whether a number is one of the trunk's, which may call."""
    rows = tables.numbers.rows(received_number(caller))
    return any(row.trunk == trunk.id and row.direction is not Direction.INBOUND for row in rows)


def _login(trunk: TrunkRow, outbound: Outbound, request: DialRequest, unseal: Unseal) -> Login | Failure | None:
    if not _is_own(outbound, request):
        return None  # a password is shown to the trunk's own addresses alone, whoever else is called by its name
    if trunk.id == INLINE:
        inline = request.inline
        assert inline is not None, "a trunk without id is the request's"
        return Login(inline.username, inline.password) if inline.username and inline.password else None
    auth = outbound.auth
    if auth is None:
        return None
    password = unseal(Place(Kind.TRUNK, trunk.id, OUTBOUND_PASSWORD), auth.password.sealed)
    if password is None:
        return _failed(f"the password of {_named(trunk)} cannot be unsealed: give the bridge the reconciler's key")
    chosen = tuple(algorithm for algorithm in ALGORITHMS if algorithm in auth.algorithms)
    return Login(auth.username, password, auth.realm, chosen or ALGORITHMS)


def _attributes(trunk: TrunkRow, request: DialRequest, call_id: str, host: str, caller: str) -> Pairs:
    found = dict(request.attributes)
    found |= {"sip.callID": call_id, "sip.callStatus": "dialing", "sip.trunkID": ""}
    if trunk.id != INLINE:
        found["sip.trunkID"] = livekit_trunk_id(trunk.id)
    if not request.hide_number:
        found |= {"sip.phoneNumber": request.call_to, "sip.hostname": host, "sip.trunkPhoneNumber": caller}
    return tuple(sorted(found.items()))


def _named(trunk: TrunkRow) -> str:
    return f"Trunk {trunk.id}" if trunk.id != INLINE else "the trunk of the request"


def _failed(words: str) -> Failure:
    return Failure(FailureKind.FAILED_PRECONDITION, words)
