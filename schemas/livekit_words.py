"""CORE. Parts of rows in LiveKit's words, and back: headers, media, the choice of a room, the room's set-up.

Both houses speak of rows to LiveKit: the bridge lists its own tables so, the reconciler keeps the objects of a LiveKit
server as declared. Each `put_…` writes into an object that may hold something already, and leaves alone what a row
does not know; each `read_…` is its other way, and takes whatever means the same for the same. Secrets are no parts.
"""

from __future__ import annotations

from livekit.protocol import agent_dispatch, room, sip

from schemas.tables.rows import NO_WISHES, ROOM_DEFAULTS, Agent, Headers, Media, Room, RoomKind, RuleRow

TRANSPORT = {
    "auto": sip.SIP_TRANSPORT_AUTO,
    "udp": sip.SIP_TRANSPORT_UDP,
    "tcp": sip.SIP_TRANSPORT_TCP,
    "tls": sip.SIP_TRANSPORT_TLS,
}
_INCLUDE = {"none": sip.SIP_NO_HEADERS, "x": sip.SIP_X_HEADERS, "all": sip.SIP_ALL_HEADERS}
_ENCRYPTION = {
    "disable": sip.SIP_MEDIA_ENCRYPT_DISABLE,
    "allow": sip.SIP_MEDIA_ENCRYPT_ALLOW,
    "require": sip.SIP_MEDIA_ENCRYPT_REQUIRE,
}
TRANSPORT_WORD = {value: word for word, value in TRANSPORT.items()}
_INCLUDE_WORD = {value: word for word, value in _INCLUDE.items()}
_ENCRYPTION_WORD = {value: word for word, value in _ENCRYPTION.items()}
_CODEC_RATE_HZ = {"opus": 48_000}
_CODEC_RATE_HZ_USUAL = 8_000

TrunkInfo = sip.SIPInboundTrunkInfo | sip.SIPOutboundTrunkInfo
AnyInfo = TrunkInfo | sip.SIPDispatchRuleInfo


def put_headers(info: TrunkInfo, headers: Headers) -> None:
    """A trunk's header policy."""
    for home, pairs in (
        (info.headers, headers.fixed),
        (info.headers_to_attributes, headers.to_attributes),
        (info.attributes_to_headers, headers.from_attributes),
    ):
        home.clear()
        home.update(dict(pairs))
    info.include_headers = _INCLUDE[headers.include]


def read_headers(info: TrunkInfo) -> Headers:
    """See `put_headers`."""
    return Headers(
        fixed=tuple(sorted(info.headers.items())),
        to_attributes=tuple(sorted(info.headers_to_attributes.items())),
        from_attributes=tuple(sorted(info.attributes_to_headers.items())),
        include=_INCLUDE_WORD.get(info.include_headers, str(info.include_headers)),
    )


def put_media(info: AnyInfo, media: Media) -> None:
    """Codecs, encryption and the silence limit; LiveKit knows neither room codecs nor ways of digits."""
    info.ClearField("media")
    info.media_encryption = sip.SIP_MEDIA_ENCRYPT_DISABLE
    if not (media.codecs or media.encryption or media.timeout_ms is not None):
        return
    config = info.media
    config.only_listed_codecs = bool(media.codecs)
    for name in media.codecs:
        config.codecs.add(name=name.upper(), rate=_CODEC_RATE_HZ.get(name, _CODEC_RATE_HZ_USUAL))
    if media.encryption is not None:
        config.encryption = info.media_encryption = _ENCRYPTION[media.encryption]
    if media.timeout_ms is not None:
        config.media_timeout.FromMilliseconds(media.timeout_ms)


def read_media(info: AnyInfo) -> Media:
    """See `put_media`. A codec that is added to LiveKit's own, which no row can ask for, has a `+` in front."""
    if not info.HasField("media") and not info.media_encryption:
        return NO_WISHES
    config = info.media
    added = "" if config.only_listed_codecs else "+"
    timeout_ms = config.media_timeout.ToMilliseconds() if config.HasField("media_timeout") else 0
    encryption = config.encryption if config.HasField("encryption") else info.media_encryption or None
    return Media(
        codecs=tuple(f"{added}{codec.name.lower()}" for codec in config.codecs),
        encryption=None if encryption is None else _ENCRYPTION_WORD.get(encryption, str(encryption)),
        timeout_ms=timeout_ms or None,
    )


def put_room_choice(info: sip.SIPDispatchRuleInfo, row: RuleRow, pin: str = "") -> None:
    """Which room a call goes to, and after which PIN."""
    rule = info.rule
    if row.kind is RoomKind.DIRECT:
        rule.dispatch_rule_direct.CopyFrom(sip.SIPDispatchRuleDirect(room_name=row.room_name, pin=pin))
    elif row.kind is RoomKind.INDIVIDUAL:
        individual = sip.SIPDispatchRuleIndividual(room_prefix=row.room_name, no_randomness=not row.randomize, pin=pin)
        rule.dispatch_rule_individual.CopyFrom(individual)
    else:
        callee = sip.SIPDispatchRuleCallee(room_prefix=row.room_name, randomize=row.randomize, pin=pin)
        rule.dispatch_rule_callee.CopyFrom(callee)


def read_room_choice(info: sip.SIPDispatchRuleInfo) -> tuple[RoomKind, str, bool, str]:
    """Kind, name or prefix, whether each call has a room of its own, and the PIN ("" = none)."""
    chosen = info.rule.WhichOneof("rule")
    if chosen == "dispatch_rule_individual":
        individual = info.rule.dispatch_rule_individual
        return RoomKind.INDIVIDUAL, individual.room_prefix, not individual.no_randomness, individual.pin
    if chosen == "dispatch_rule_callee":
        callee = info.rule.dispatch_rule_callee
        return RoomKind.CALLEE, callee.room_prefix, callee.randomize, callee.pin
    direct = info.rule.dispatch_rule_direct
    return RoomKind.DIRECT, direct.room_name, False, direct.pin


def put_room(config: room.RoomConfiguration, wanted: Room) -> None:
    """How a room is set up; its preset stands elsewhere. An agent keeps what a row does not know of it."""
    config.empty_timeout = (wanted.empty_timeout_ms or 0) // 1000
    config.departure_timeout = (wanted.departure_timeout_ms or 0) // 1000
    config.max_participants = wanted.max_participants or 0
    config.metadata = wanted.metadata
    known = {
        agent.agent_name: agent_dispatch.RoomAgentDispatch.FromString(agent.SerializeToString())
        for agent in config.agents
    }
    del config.agents[:]
    for agent in wanted.agents:
        entry = config.agents.add()
        entry.CopyFrom(known.get(agent.agent_name, agent_dispatch.RoomAgentDispatch(agent_name=agent.agent_name)))
        entry.metadata = agent.metadata


def read_room(info: sip.SIPDispatchRuleInfo) -> Room:
    """What a rule says of the room: its configuration and its preset."""
    if not info.HasField("room_config"):
        return Room(preset=info.room_preset) if info.room_preset else ROOM_DEFAULTS
    config = info.room_config
    return Room(
        agents=tuple(Agent(agent.agent_name, agent.metadata) for agent in config.agents),
        empty_timeout_ms=config.empty_timeout * 1000 or None,
        departure_timeout_ms=config.departure_timeout * 1000 or None,
        max_participants=config.max_participants or None,
        metadata=config.metadata,
        preset=info.room_preset,
    )
