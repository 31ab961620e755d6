"""From an INVITE to an admission or a refusal: the matcher's decision, completed with names, attributes and media.

The switchboard calls `route` once per INVITE with the tables revision that the call will keep. What matches is decided
by `schemas.tables.lookup` alone; this adds what the winning rows order, and refuses what this bridge cannot honour
yet, always with a reason that a person can read.
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.limits import MEDIA_TIMEOUT_S, ROOM_NAME_CHARS_MAX, TRAIL_LINES_MAX
from runtime.media.codecs.g711 import Law
from schemas.ids import derived_id
from schemas.tables.explain import explain
from schemas.tables.lookup import Admitted, CallFacts, Challenged, Decision, PinNeeded, Refused, decide
from schemas.tables.naming import display_name, identity, masked, participant_attributes, room_name
from schemas.tables.rows import Media, Pairs, RuleRow, TrunkRow
from schemas.tables.tables import Tables

CODECS: dict[str, Law] = {"pcmu": "pcmu", "pcma": "pcma"}
"""What this bridge speaks on the phone leg, in its own order of preference."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What an INVITE says about itself; user parts as received, `source` is the packet's."""

    source: str
    called: str
    caller: str
    caller_host: str
    called_host: str
    sip_call_id: str
    from_tag: str


@dataclass(frozen=True, slots=True)
class Admission:
    """A call that may come in, and how. Times are seconds."""

    trunk: str
    rule: str
    room: str
    caller: str
    """The calling number as records may show it: masked where the rule hides it."""
    identity: str
    name: str
    metadata: str
    attributes: Pairs
    codecs: tuple[Law, ...]
    dtmf: bool
    media_timeout_s: float
    max_call_duration_s: float


@dataclass(frozen=True, slots=True)
class Rejection:
    """A call that may not, with the answer to give and the reason in words."""

    sip_status: int
    code: str
    words: str
    trail: tuple[str, ...] = ()
    trunk: str = ""
    rule: str = ""


def route(tables: Tables, arrival: Arrival, region: str, call_id: str, suffix: str) -> Admission | Rejection:
    """What becomes of this call. `suffix` is the random part of a randomised room name."""
    facts = CallFacts(source=arrival.source, called=arrival.called, caller=arrival.caller, region=region)
    decision = decide(tables, facts)
    if isinstance(decision, Admitted):
        return _admit(decision, arrival, call_id, suffix)
    return _reject(tables, facts, decision)


def merged_media(trunk: Media, rule: Media) -> Media:
    """Trunk, then rule, as LiveKit merges: the later one wins, but cannot switch off the trunk's encryption."""
    encryption = rule.encryption if rule.encryption not in (None, "disable") else trunk.encryption or rule.encryption
    return Media(
        codecs=rule.codecs or trunk.codecs,
        encryption=encryption,
        room_codec=rule.room_codec or trunk.room_codec,
        dtmf=rule.dtmf or trunk.dtmf,
        timeout_ms=trunk.timeout_ms if rule.timeout_ms is None else rule.timeout_ms,
    )


def _admit(found: Admitted, arrival: Arrival, call_id: str, suffix: str) -> Admission | Rejection:
    trunk, rule = found.trunk, found.rule
    media = merged_media(trunk.media, rule.media)
    codecs = tuple(CODECS[name] for name in media.codecs or CODECS if name in CODECS)
    room = room_name(rule, arrival.caller, arrival.called, suffix)
    refusal = _not_honoured(media, codecs, room)
    if refusal is not None:
        status, code, words = refusal
        return Rejection(status, code, words, trunk=trunk.id, rule=rule.id)
    inbound = trunk.inbound
    assert inbound is not None, "only inbound trunks match calls"
    return Admission(
        trunk=trunk.id,
        rule=rule.id,
        room=room,
        caller=masked(arrival.caller) if rule.hide_phone_number else arrival.caller,
        identity=identity(arrival.caller, hide=rule.hide_phone_number),
        name=display_name(arrival.caller, hide=rule.hide_phone_number),
        metadata=rule.metadata,
        attributes=_attributes(trunk, rule, arrival, call_id),
        codecs=codecs,
        dtmf=not media.dtmf or "rfc4733" in media.dtmf,
        media_timeout_s=MEDIA_TIMEOUT_S if not media.timeout_ms else media.timeout_ms / 1000,
        max_call_duration_s=inbound.max_call_duration_ms / 1000,
    )


def _not_honoured(media: Media, codecs: tuple[Law, ...], room: str) -> tuple[int, str, str] | None:
    if media.encryption == "require":
        return 488, "encryption-not-in-effect", "the trunk or rule requires encrypted media, which is not in effect yet"
    if not codecs:
        return 488, "no-codec", f"none of the declared codecs ({', '.join(media.codecs)}) is in effect yet"
    if not 0 < len(room) <= ROOM_NAME_CHARS_MAX:
        return (
            484,
            "room-name",
            f"the room name would have {len(room)} characters; 1 to {ROOM_NAME_CHARS_MAX} are allowed",
        )
    return None


def _attributes(trunk: TrunkRow, rule: RuleRow, arrival: Arrival, call_id: str) -> Pairs:
    return participant_attributes(
        rule,
        call_id=call_id,
        sip_call_id=arrival.sip_call_id,
        remote_tag=arrival.from_tag,
        trunk_id=livekit_trunk_id(trunk.id),
        rule_id=derived_id("SDR", *rule.id.split("/", 1)),
        caller=arrival.caller,
        caller_host=arrival.caller_host,
        called=arrival.called,
        call_status="active",
    )


def livekit_trunk_id(trunk: str) -> str:
    """The `ST_…` id of a trunk, by its namespace/name."""
    return derived_id("ST", *trunk.split("/", 1))


def _reject(tables: Tables, facts: CallFacts, decision: Decision) -> Rejection:
    if isinstance(decision, Challenged):
        words = f"trunk {decision.trunk.id} asks for digest authentication, which is not in effect yet"
        return Rejection(403, "auth-not-in-effect", words, trunk=decision.trunk.id)
    if isinstance(decision, PinNeeded):
        words = "the rule asks for a PIN, which is not in effect yet"
        return Rejection(403, "pin-not-in-effect", words, trunk=decision.trunk.id)
    assert isinstance(decision, Refused)
    trail = tuple(str(line) for line in explain(tables, facts).trail[:TRAIL_LINES_MAX])
    trunk = decision.trunk.id if decision.trunk else ""
    return Rejection(decision.sip_status, decision.reason.value, decision.sentence, trail, trunk)
