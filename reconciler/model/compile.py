"""One document with its resolved references -> the row that calls are answered from.

Pure translation, field by field: durations are milliseconds already, numbers normalised, and a field that nobody wrote
keeps the row's own default, which is LiveKit's, or gets what the trunk's provider is known to want. A trunk's and a
rule's media stay apart, because the bridge merges them per call. A secret is compiled to its place; `secrets` adds the
sealed value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.model.provider import with_provider
from reconciler.model.references import Resolution
from schemas.resources import credentials, media, sound, trunk
from schemas.resources.dispatch_rule import DispatchRule, RoomChoice
from schemas.resources.dispatch_rule import PinPrompts as DeclaredPrompts
from schemas.resources.dispatch_rule import Room as DeclaredRoom
from schemas.resources.header_policy import HeaderPolicy
from schemas.resources.phone_number import PhoneNumber
from schemas.tables.rows import (
    Agent,
    Auth,
    Direction,
    Headers,
    IdentityCheck,
    Inbound,
    Media,
    NumberRow,
    Outbound,
    OutboundTls,
    Pairs,
    PinPrompts,
    Recording,
    Room,
    RoomKind,
    RuleRow,
    Secret,
    TrunkRow,
)


def object_id_of(document: trunk.Trunk | DispatchRule | PhoneNumber) -> str:
    """`namespace/name`."""
    return f"{document.metadata.namespace}/{document.metadata.name}"


def trunk_row(declared: trunk.Trunk, since: int) -> TrunkRow:
    """The row of a Trunk, with a claim that is new in revision `since`."""
    spec = with_provider(declared.spec)
    return TrunkRow(
        id=object_id_of(declared),
        inbound=_inbound(spec.inbound) if spec.inbound is not None else None,
        outbound=_outbound(spec.outbound) if spec.outbound is not None else None,
        media=_media(spec.media),
        media_networks=tuple(spec.media_addresses),
        regions=tuple(spec.regions),
        max_concurrent_calls=spec.limits.max_concurrent_calls if spec.limits else None,
        calls_per_second=spec.limits.calls_per_second if spec.limits else None,
        refer_to=spec.refer_to,
        refer_notify=spec.refer_notify,
        accept_refer=spec.accept_refer,
        hold_music=spec.hold_music or "",
        metadata=spec.metadata,
        claimed_since=since,
    )


def rule_row(declared: DispatchRule, resolved: Resolution, since: int) -> RuleRow:
    """The row of a DispatchRule, likewise."""
    spec = declared.spec
    kind, name, randomize = _room_choice(spec.rule)
    fallback = {"fallback_sip_code": spec.fallback.sip_code} if spec.fallback is not None else {}
    return RuleRow(
        id=object_id_of(declared),
        kind=kind,
        room_name=name,
        randomize=randomize,
        trunks=resolved.trunks,
        to=tuple(spec.match.to),
        from_=tuple(spec.match.from_),
        priority=spec.priority,
        pin=_secret(spec.pin_from) if spec.pin_from is not None else None,
        pin_prompts=_pin_prompts(spec.pin_prompts),
        room=_room(spec.room),
        attributes=_pairs(spec.attributes),
        metadata=spec.metadata,
        hide_phone_number=spec.hide_phone_number,
        noise_cancellation=spec.noise_cancellation,
        media=_media(spec.media),
        answer=spec.answer,
        ringback=spec.ringback,
        hold_music=spec.hold_music or "",
        recording=_recording(spec.recording),
        messages=spec.messages,
        claimed_since=since,
        **fallback,
    )


def number_row(declared: PhoneNumber, resolved: Resolution, since: int) -> NumberRow | None:
    """The row of a PhoneNumber, likewise; None while it has no number yet, because it is still to be bought."""
    if declared.spec.number is None:
        return None
    return NumberRow(
        id=object_id_of(declared),
        number=declared.spec.number,
        trunk=resolved.trunks[0] if resolved.trunks else "",
        rule=resolved.rule,
        direction=Direction(declared.spec.direction),
        claimed_since=since,
    )


def _inbound(declared: trunk.Inbound) -> Inbound:
    return Inbound(
        networks=tuple(declared.allowed_addresses),
        allowed_numbers=tuple(declared.allowed_numbers),
        called_declared_only=declared.called_numbers == "declared",
        auth=_auth(declared.auth),
        headers=_headers(declared),
        ringing_timeout_ms=declared.ringing_timeout,
        max_call_duration_ms=declared.max_call_duration,
        noise_cancellation=declared.noise_cancellation,
        trust_identity=declared.trust_identity,
        identity=_identity(declared.identity),
    )


def _identity(declared: trunk.IdentityCheck | None) -> IdentityCheck | None:
    if declared is None or declared.verify == "off":
        return None
    return IdentityCheck(declared.verify, tuple(declared.certificate_hosts))


def _outbound(declared: trunk.Outbound) -> Outbound:
    tls, limits = declared.tls, declared.limits or trunk.OutboundLimits()
    return Outbound(
        addresses=tuple(declared.addresses),
        transport=declared.transport,
        from_host=declared.from_host or "",
        auth=_auth(declared.auth),
        headers=_headers(declared),
        register_expires_ms=declared.register_.expires if declared.register_ is not None else None,
        probe_every_ms=declared.probe.every if declared.probe is not None else None,
        tls=OutboundTls(_secret(tls.certificate_from), _secret(tls.key_from)) if tls is not None else None,
        destination_country=declared.destination_country or "",
        allowed_destinations=tuple(declared.allowed_destinations),
        max_concurrent_calls=limits.max_concurrent_calls,
        calls_per_second=limits.calls_per_second,
        max_call_duration_ms=limits.max_call_duration,
        identity_header=declared.identity_header,
        caller_form=declared.caller_form,
        proxy=declared.proxy or "",
        web_socket_path=declared.web_socket_path or "",
        recording=_recording(declared.recording),
    )


def _recording(declared: sound.Recording | None) -> Recording | None:
    return Recording(declared.format, declared.max_duration) if declared is not None else None


def _room_choice(choice: RoomChoice) -> tuple[RoomKind, str, bool]:
    """Kind, name or prefix, and whether each call gets a room of its own."""
    if choice.direct is not None:
        return RoomKind.DIRECT, choice.direct.room, False
    if choice.individual is not None:
        return RoomKind.INDIVIDUAL, choice.individual.room_prefix, choice.individual.randomize
    assert choice.callee is not None
    return RoomKind.CALLEE, choice.callee.room_prefix, choice.callee.randomize


def _room(declared: DeclaredRoom | None) -> Room:
    if declared is None:
        return Room()
    return Room(
        agents=tuple(Agent(agent.agent_name, agent.metadata) for agent in declared.agents),
        empty_timeout_ms=declared.empty_timeout,
        departure_timeout_ms=declared.departure_timeout,
        max_participants=declared.max_participants,
        metadata=declared.metadata,
        preset=declared.preset,
    )


def _pin_prompts(declared: DeclaredPrompts | None) -> PinPrompts:
    if declared is None:
        return PinPrompts()
    return PinPrompts(declared.ask or "", declared.wrong or "", declared.goodbye or "")


def _media(declared: media.Media | None) -> Media:
    if declared is None:
        return Media()
    return Media(
        codecs=tuple(declared.codecs or ()),
        encryption=declared.encryption,
        room_codec=declared.room_codec,
        dtmf=tuple(declared.dtmf or ()),
        keying=tuple(declared.keying or ()),
        timeout_ms=declared.timeout,
    )


def _headers(declared: HeaderPolicy) -> Headers:
    return Headers(
        fixed=_pairs(declared.headers),
        to_attributes=_pairs(declared.headers_to_attributes),
        from_attributes=_pairs(declared.attributes_to_headers),
        include=declared.include_headers,
    )


def _auth(declared: credentials.Auth | None) -> Auth | None:
    if declared is None:
        return None
    algorithms = tuple(name for name in credentials.DIGEST_ALGORITHMS if name in (declared.algorithms or ()))
    return Auth(declared.username, _secret(declared.password_from), declared.realm or "", algorithms)


def _secret(source: credentials.SecretSource) -> Secret:
    """Where a secret is, as the document says it: `env:NAME`, `file:PATH` or `secret:NAME/KEY`."""
    if source.env is not None:
        return Secret(f"env:{source.env}")
    if source.file is not None:
        return Secret(f"file:{source.file}")
    assert source.secret_key_ref is not None
    return Secret(f"secret:{source.secret_key_ref.name}/{source.secret_key_ref.key}")


def _pairs(declared: Mapping[str, Any] | None) -> Pairs:
    return tuple(sorted(declared.items())) if declared else ()
