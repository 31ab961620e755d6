"""Where LiveKit keeps what a manifest says, and what a field that is left out means there: for `reference`.

Every field of every kind is in `AT_LIVEKIT`, itself or by a field around it; a test holds the two together. NOWHERE is
what a LiveKit server cannot hold: against that target it is an error at the field.
"""

from __future__ import annotations

NOWHERE = ""
_ANNOTATION = "our own; on the object as its mark"
_INBOUND, _OUTBOUND, _RULE = "SIPInboundTrunkInfo", "SIPOutboundTrunkInfo", "SIPDispatchRuleInfo"
_BOTH = "both trunks'"


def _headers(info: str) -> dict[str, str]:
    return {
        "headers": f"{info}.headers",
        "headersToAttributes": f"{info}.headers_to_attributes",
        "attributesToHeaders": f"{info}.attributes_to_headers",
        "includeHeaders": f"{info}.include_headers",
    }


def _media(info: str) -> dict[str, str]:
    return {
        "media.codecs": f"{info} media.codecs, with only_listed_codecs",
        "media.encryption": f"{info} media.encryption",
        "media.roomCodec": "`auto` is its way; another cannot be held",
        "media.dtmf": NOWHERE,
        "media.keying": NOWHERE,
        "media.timeout": f"{info} media.media_timeout",
    }


def _below(prefix: str, words: dict[str, str]) -> dict[str, str]:
    return {f"{prefix}.{name}": word for name, word in words.items()}


AT_LIVEKIT: dict[str, dict[str, str]] = {
    "Trunk": {
        "metadata": _ANNOTATION,
        **_below(
            "spec",
            {
                "provider": "our own",
                **_below(
                    "inbound",
                    {
                        "allowedAddresses": f"{_INBOUND}.allowed_addresses",
                        "allowedNumbers": f"{_INBOUND}.allowed_numbers",
                        "calledNumbers": f"{_INBOUND}.numbers: none, or those of its PhoneNumbers",
                        "auth.username": f"{_INBOUND}.auth_username",
                        "auth.realm": f"{_INBOUND}.auth_realm",
                        "auth.passwordFrom": f"{_INBOUND}.auth_password",
                        "auth.algorithms": NOWHERE,
                        **_headers(_INBOUND),
                        "ringingTimeout": f"{_INBOUND}.ringing_timeout",
                        "maxCallDuration": f"{_INBOUND}.max_call_duration",
                        "noiseCancellation": f"{_INBOUND}.krisp_enabled",
                        "trustIdentity": NOWHERE,
                        "identity": NOWHERE,
                    },
                ),
                **_below(
                    "outbound",
                    {
                        "addresses": f"{_OUTBOUND}.address, one",
                        "transport": f"{_OUTBOUND}.transport",
                        "webSocketPath": NOWHERE,
                        "proxy": NOWHERE,
                        "fromHost": f"{_OUTBOUND}.from_host",
                        "auth.username": f"{_OUTBOUND}.auth_username",
                        "auth.realm": NOWHERE,
                        "auth.passwordFrom": f"{_OUTBOUND}.auth_password",
                        "auth.algorithms": NOWHERE,
                        **_headers(_OUTBOUND),
                        "register": NOWHERE,
                        "probe": NOWHERE,
                        "tls": NOWHERE,
                        "recording": NOWHERE,
                        "destinationCountry": f"{_OUTBOUND}.destination_country",
                        "allowedDestinations": NOWHERE,
                        "limits": NOWHERE,
                        "identityHeader": NOWHERE,
                        "callerForm": NOWHERE,
                    },
                ),
                **_media(_BOTH),
                "mediaAddresses": NOWHERE,
                "regions": NOWHERE,
                "limits": NOWHERE,
                "referTo": NOWHERE,
                "referNotify": NOWHERE,
                "acceptRefer": NOWHERE,
                "holdMusic": NOWHERE,
                "allowedNamespaces": "our own",
                "metadata": f"{_BOTH} metadata, the mark behind it",
                "deletionPolicy": "our own; Retain is in the mark",
            },
        ),
    },
    "DispatchRule": {
        "metadata": f"our own; at the end of {_RULE}.name as its mark",
        **_below(
            "spec",
            {
                "trunkRefs": f"{_RULE}.trunk_ids",
                "trunkSelector": f"{_RULE}.trunk_ids",
                "match.to": f"{_RULE}.numbers, with those of its PhoneNumbers",
                "match.from": f"{_RULE}.inbound_numbers",
                "priority": NOWHERE,
                "pinFrom": f"{_RULE}.rule's pin",
                "pinPrompts": NOWHERE,
                "rule.direct.room": "dispatch_rule_direct.room_name",
                "rule.individual.roomPrefix": "dispatch_rule_individual.room_prefix",
                "rule.individual.randomize": "dispatch_rule_individual.no_randomness, the other way round",
                "rule.callee.roomPrefix": "dispatch_rule_callee.room_prefix",
                "rule.callee.randomize": "dispatch_rule_callee.randomize",
                "room.agents": f"{_RULE}.room_config.agents",
                "room.emptyTimeout": f"{_RULE}.room_config.empty_timeout",
                "room.departureTimeout": f"{_RULE}.room_config.departure_timeout",
                "room.maxParticipants": f"{_RULE}.room_config.max_participants",
                "room.metadata": f"{_RULE}.room_config.metadata",
                "room.preset": f"{_RULE}.room_preset",
                "attributes": f"{_RULE}.attributes",
                "metadata": f"{_RULE}.metadata",
                "hidePhoneNumber": f"{_RULE}.hide_phone_number",
                "noiseCancellation": f"{_RULE}.krisp_enabled",
                **_media(f"{_RULE}'s"),
                "answer": "`whenRoomReady` is its way; `immediately` cannot be held",
                "messages": NOWHERE,
                "ringback": "`none` is its way; another cannot be held",
                "holdMusic": NOWHERE,
                "recording": NOWHERE,
                "fallback": NOWHERE,
                "deletionPolicy": "our own; Retain is in the mark",
            },
        ),
    },
    "PhoneNumber": {
        "metadata": "our own",
        "spec.number": "numbers of its trunk and of its rule",
        "spec.purchase": "PurchasePhoneNumber of LiveKit Cloud",
        "spec.trunkRef": "whose numbers it is in",
        "spec.dispatchRuleRef": f"in {_RULE}.numbers",
        "spec.direction": "inbound: in the inbound trunk's numbers; outbound: in the outbound trunk's; both: in both",
        "spec.deletionPolicy": "our own",
    },
    "RoutingTest": {"metadata": "our own", "spec": "our own: never applied"},
}
"""Kind -> dotted path -> where it is kept there, each with all that is below it."""

LEFT_OUT: dict[str, str] = {
    "media.codecs": "all that the bridge has",
    "media.encryption": "never",
    "media.roomCodec": "auto",
    "media.dtmf": "RFC 4733",
    "media.keying": "[sdes, dtls]",
    "media.timeout": "15s, LiveKit's",
    "inbound.auth": "no password is asked for",
    "inbound.auth.realm": "`LiveKit`",
    "auth.algorithms": "all",
    "outbound.webSocketPath": "`/`",
    "outbound.proxy": "none",
    "outbound.fromHost": "the bridge's address",
    "outbound.auth": "none",
    "outbound.auth.realm": "any",
    "outbound.register": "no registration",
    "outbound.probe": "no probes",
    "outbound.tls": "none",
    "outbound.recording": "none",
    "mediaAddresses": "any, found out by each call",
    "outbound.destinationCountry": "the usual ringing tone, 425 Hz",
    "holdMusic": "the trunk's, else silence",
    "recording": "none",
    "limits.maxConcurrentCalls": "no limit",
    "limits.callsPerSecond": "no limit",
    "trunkRefs": "every trunk",
    "trunkSelector": "every trunk",
    "priority": "after all that have one",
    "pinFrom": "no PIN is asked for",
    "room.emptyTimeout": "the LiveKit server's (5m)",
    "room.departureTimeout": "the LiveKit server's (20s)",
    "room.maxParticipants": "no limit",
}
"""What a field without a default means when it is left out, by the end of its path; the longest end that fits."""
