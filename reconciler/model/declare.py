"""One row -> the document that would declare it: the other way of `compile`, for what is live and in no manifest yet.

Pure translation into plain values, camelCase, in the order in which the fields are explained; a field that holds its
default is left out. What a row does not keep (labels, a provider, who may refer to a trunk, selectors, what happens at
the end) is not in the document either, so that the row of the document is the row again, and no more is promised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from schemas.resources import bounds
from schemas.resources.base import API_VERSION, DEFAULT_NAMESPACE
from schemas.resources.values import duration_text
from schemas.tables.rows import (
    Auth,
    Direction,
    Headers,
    IdentityCheck,
    Inbound,
    Kind,
    Media,
    NumberRow,
    Outbound,
    PinPrompts,
    Recording,
    Room,
    RoomKind,
    Row,
    RuleRow,
    Secret,
    TrunkRow,
)

Written = dict[str, Any]
"""A document, or a part of one, as a loader would have read it."""

_USUAL = Inbound()
_RANDOMIZED = {RoomKind.INDIVIDUAL: True, RoomKind.CALLEE: False}
"""Whether each call gets a room of its own where nothing is said."""


def document_of(row: Row) -> Written:
    """The document that declares this row."""
    if isinstance(row, TrunkRow):
        return _document(Kind.TRUNK, row.id, _trunk(row))
    if isinstance(row, RuleRow):
        return _document(Kind.RULE, row.id, _rule(row))
    return _document(Kind.NUMBER, row.id, _number(row))


def _document(kind: Kind, id_: str, spec: Written) -> Written:
    namespace, _, name = id_.partition("/")
    metadata = {"name": name} if namespace == DEFAULT_NAMESPACE else {"name": name, "namespace": namespace}
    return {"apiVersion": API_VERSION, "kind": kind.value, "metadata": metadata, "spec": spec}


def _trunk(row: TrunkRow) -> Written:
    limits = _set(maxConcurrentCalls=row.max_concurrent_calls, callsPerSecond=row.calls_per_second)
    out: Written = {}
    if row.inbound is not None:
        out["inbound"] = _inbound(row.inbound)
    if row.outbound is not None:
        out["outbound"] = _outbound(row.outbound)
    if not row.refer_notify:
        out["referNotify"] = False
    return out | _set(
        media=_media(row.media),
        mediaAddresses=[*row.media_networks],
        regions=[*row.regions],
        limits=limits,
        referTo=row.refer_to if row.refer_to != "asGiven" else "",
        acceptRefer=row.accept_refer,
        holdMusic=row.hold_music,
        metadata=row.metadata,
    )


def _inbound(half: Inbound) -> Written:
    return _set(
        allowedAddresses=[*half.networks],
        allowedNumbers=[*half.allowed_numbers],
        calledNumbers="declared" if half.called_declared_only else "",
        auth=_auth(half.auth),
        **_headers(half.headers),
        ringingTimeout=_duration(half.ringing_timeout_ms, _USUAL.ringing_timeout_ms),
        maxCallDuration=_duration(half.max_call_duration_ms, _USUAL.max_call_duration_ms),
        noiseCancellation=half.noise_cancellation,
        trustIdentity=half.trust_identity,
        identity=_identity(half.identity),
    )


def _identity(check: IdentityCheck | None) -> Written | None:
    if check is None:
        return None
    return {"verify": check.verify, "certificateHosts": [*check.certificate_hosts]}


def _outbound(half: Outbound) -> Written:
    out = _set(
        addresses=[*half.addresses],
        transport=half.transport if half.transport != "auto" else "",
        webSocketPath=half.web_socket_path,
        proxy=half.proxy,
        fromHost=half.from_host,
        auth=_auth(half.auth),
        recording=_recording(half.recording) if half.recording is not None else None,
        **_headers(half.headers),
    )
    # An empty map is a wish with everything as usual.
    if half.register_expires_ms is not None:
        out["register"] = _set(expires=_duration(half.register_expires_ms, bounds.REGISTER_EXPIRES_MS))
    if half.probe_every_ms is not None:
        out["probe"] = _set(every=_duration(half.probe_every_ms, bounds.PROBE_EVERY_MS))
    if half.tls is not None:
        out["tls"] = {"certificateFrom": secret_source(half.tls.certificate), "keyFrom": secret_source(half.tls.key)}
    return out | _set(
        destinationCountry=half.destination_country,
        allowedDestinations=[*half.allowed_destinations],
        limits=_set(
            maxConcurrentCalls=half.max_concurrent_calls,
            callsPerSecond=half.calls_per_second,
            maxCallDuration=_duration(half.max_call_duration_ms, bounds.CALL_DURATION_MS),
        ),
        identityHeader=half.identity_header if half.identity_header != "none" else "",
        callerForm=half.caller_form if half.caller_form != "asGiven" else "",
    )


def _rule(row: RuleRow) -> Written:
    assert row.trunks != (), "a rule of no trunk at all is one whose selector picks none, which no row keeps"
    home = row.id.partition("/")[0]
    return _set(
        trunkRefs=[_ref(trunk, home) for trunk in row.trunks or ()],
        match=_set(to=[*row.to], **{"from": [*row.from_]}),
        priority=row.priority,
        pinFrom=secret_source(row.pin) if row.pin is not None else None,
        pinPrompts=_pin_prompts(row.pin_prompts),
        rule=_room_choice(row),
        room=_room(row.room),
        attributes=dict(row.attributes),
        metadata=row.metadata,
        hidePhoneNumber=row.hide_phone_number,
        noiseCancellation=row.noise_cancellation,
        media=_media(row.media),
        answer=row.answer if row.answer != "whenRoomReady" else "",
        ringback=row.ringback if row.ringback != "none" else "",
        holdMusic=row.hold_music,
        recording=_recording(row.recording) if row.recording is not None else None,
        messages=row.messages if row.messages != "none" else "",
        fallback={"sipCode": row.fallback_sip_code} if row.fallback_sip_code != bounds.FALLBACK_SIP_CODE else None,
    )


def _recording(wanted: Recording) -> Written:
    return _set(format=wanted.format, maxDuration=_duration(wanted.max_duration_ms, bounds.RECORDING_MS))


def _number(row: NumberRow) -> Written:
    home = row.id.partition("/")[0]
    return _set(
        number=row.number,
        trunkRef=_ref(row.trunk, home) if row.trunk else None,
        dispatchRuleRef=_ref(row.rule, home) if row.rule else None,
        direction=row.direction.value if row.direction is not Direction.BOTH else "",
    )


def _ref(id_: str, home: str) -> Written:
    namespace, _, name = id_.partition("/")
    return {"name": name} if namespace == home else {"name": name, "namespace": namespace}


def _room_choice(row: RuleRow) -> Written:
    if row.kind is RoomKind.DIRECT:
        return {"direct": {"room": row.room_name}}
    chosen = _set(roomPrefix=row.room_name)
    if row.randomize is not _RANDOMIZED[row.kind]:
        chosen["randomize"] = row.randomize
    return {row.kind.value: chosen}


def _room(room: Room) -> Written:
    return _set(
        agents=[{"agentName": agent.agent_name, **_set(metadata=agent.metadata)} for agent in room.agents],
        emptyTimeout=_duration(room.empty_timeout_ms),
        departureTimeout=_duration(room.departure_timeout_ms),
        maxParticipants=room.max_participants,
        metadata=room.metadata,
        preset=room.preset,
    )


def _pin_prompts(prompts: PinPrompts) -> Written:
    return _set(ask=prompts.ask, wrong=prompts.wrong, goodbye=prompts.goodbye)


def _media(media: Media) -> Written:
    return _set(
        codecs=[*media.codecs],
        encryption=media.encryption,
        roomCodec=media.room_codec,
        dtmf=[*media.dtmf],
        keying=[*media.keying],
        timeout=_duration(media.timeout_ms),
    )


def _headers(headers: Headers) -> Written:
    return _set(
        headers=dict(headers.fixed),
        headersToAttributes=dict(headers.to_attributes),
        attributesToHeaders=dict(headers.from_attributes),
        includeHeaders=headers.include if headers.include != "none" else "",
    )


def _auth(auth: Auth | None) -> Written | None:
    if auth is None:
        return None
    return {
        "username": auth.username,
        **_set(realm=auth.realm),
        "passwordFrom": secret_source(auth.password),
        **_set(algorithms=[*auth.algorithms]),
    }


def secret_source(secret: Secret) -> Written:
    """The place of a secret as a document says it: `{env: NAME}`, `{file: PATH}`, `{secretKeyRef: …}`."""
    return _SOURCES[secret.key.partition(":")[0]](secret.key.partition(":")[2])


def _secret_key_ref(text: str) -> Written:
    name, _, key = text.partition("/")
    return {"secretKeyRef": {"name": name, "key": key}}


_SOURCES: Mapping[str, Callable[[str], Written]] = {
    "env": lambda name: {"env": name},
    "file": lambda path: {"file": path},
    "secret": _secret_key_ref,
}


def _duration(ms: int | None, usual_ms: int | None = None) -> str | None:
    return None if ms is None or ms == usual_ms else duration_text(ms)


def _set(**fields: Any) -> Written:
    """The fields that say anything: 0 does, and what is empty or false is as if it were left out."""
    return {name: value for name, value in fields.items() if value or (value == 0 and value is not False)}
