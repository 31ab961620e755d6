"""From an INVITE to an admission or a refusal: the matcher's decision, completed with names, attributes and media.

The switchboard calls `route` once per INVITE with the tables revision that the call will keep. What matches is decided
by `schemas.tables.lookup` alone; this adds what the winning rows order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from runtime.routing.headers import attributes_from, readable, remote_headers
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
    with_ids,
)
from schemas.ids import derived_id
from schemas.ringing import RINGING, USUAL
from schemas.tables.explain import explain
from schemas.tables.lookup import Admitted, CallFacts, Challenged, Decision, OpensPin, PinNeeded, Refused, decide
from schemas.tables.media import merged_media
from schemas.tables.naming import anonymous, display_name, identity, masked, participant_attributes, room_name
from schemas.tables.rows import Inbound, Pairs, RuleRow, TrunkRow
from schemas.tables.tables import Tables

RINGBACK_NONE = "none"
"""What a caller hears before the answer: what its own network plays; or else a ringing tone of ours, or its room."""


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
    headers: Pairs = ()
    """All headers of the INVITE."""
    registered_on: str = ""
    """The trunk whose registration with its provider it came by; "" = none."""
    asserted: str = ""
    """The caller's number as its carrier vouches for it; believed on trunks with `trustIdentity` alone."""
    private: bool = False
    """The caller wants its number hidden (RFC 3323)."""
    verstat: str = ""
    """What its carrier says of having verified the caller; shown on trunks with `trustIdentity` alone."""
    told: Pairs = ()
    """Attributes of what the INVITE says of its caller and its way; without those of the caller where it is hidden."""

    @property
    def shown_caller(self) -> str:
        """The caller as rooms and records may show it: a name for its number where it wants that hidden."""
        return anonymous(self.caller) if self.private else self.caller

    def as_believed(self, inbound: Inbound) -> Arrival:
        """The same, from whom the trunk says that it is."""
        return replace(self, caller=self.asserted) if inbound.trust_identity and self.asserted else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission(Orders):
    """A call that may come in, and how."""

    rule: str
    caller: str
    """The calling number as records may show it: masked where the rule hides it."""
    answer_at_once: bool
    """Answer the phone before the room is ready."""
    answers_on_request: bool
    """Answer it when somebody in the room says so."""
    ringback: str
    """What the caller hears meanwhile."""
    fallback_sip_code: int
    """What the caller gets when the room cannot be had."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A call that may not, with the answer to give and the reason in words."""

    sip_status: int
    code: str
    words: str
    trail: tuple[str, ...] = ()
    hint: str = ""
    """What to change in a manifest."""
    trunk: str = ""
    rule: str = ""
    hides_caller: bool = False
    """The rule that would have taken the call hides numbers: records must too."""
    headers: Pairs = ()
    """What the answer carries beside what its status asks for."""
    untold: bool = False
    """The caller is a stranger, and is told the status and nothing else."""


@dataclass(frozen=True, slots=True)
class PasswordNeeded:
    """The trunk wants a proof of its user name first (digest authentication); ask again with it."""

    trunk: TrunkRow
    username: str


@dataclass(frozen=True, slots=True)
class PinAsked:
    """The best rule has a PIN. Answer the call as `admission` says (that rule's), and ask.

    `enter(pin)` decides with an entry, "" for `#` alone; the rule that it opens may be another one.
    """

    arrival: Arrival
    admission: Admission
    rule: RuleRow
    enter: Callable[[str], Admission | Rejection] = field(repr=False)


def first_word(tables: Tables, arrival: Arrival, region: str) -> PasswordNeeded | int | None:
    """What `route` would say to a caller that has proven nothing, where that needs no call: a password, or a status.

    The status is a stranger's, who is told nothing else.
    """
    decision = decide(tables, _facts(arrival, region))
    if isinstance(decision, Refused) and decision.stranger:
        return decision.sip_status
    return _password_of(decision) if isinstance(decision, Challenged) else None


def _facts(arrival: Arrival, region: str, user: str | None = None) -> CallFacts:
    return CallFacts(
        arrival.source,
        arrival.called,
        arrival.caller,
        region=region,
        authenticated_as=user,
        registered_on=arrival.registered_on,
        asserted=arrival.asserted,
    )


def route(
    tables: Tables,
    arrival: Arrival,
    region: str,
    call_id: str,
    suffix: str,
    user: str | None = None,
    opens_pin: OpensPin | None = None,
) -> Admission | Rejection | PasswordNeeded | PinAsked:
    """What becomes of this call. `suffix` is the random part of a randomised room name, `user` a proven user name."""
    facts = _facts(arrival, region, user)
    decision = decide(tables, facts)
    if isinstance(decision, Challenged):
        return _password_of(decision)
    if isinstance(decision, PinNeeded):

        def enter(pin: str) -> Admission | Rejection:
            entered = replace(facts, pin=pin)
            verdict = decide(tables, entered, opens_pin)
            if isinstance(verdict, Admitted):
                return _admit(verdict, arrival, call_id, suffix)
            return _reject(tables, entered, verdict, opens_pin, private=arrival.private)

        assert decision.trunk.inbound is not None, "only inbound trunks match calls"
        return PinAsked(
            arrival.as_believed(decision.trunk.inbound),
            _admit(decision, arrival, call_id, suffix),
            decision.rule,
            enter,
        )
    if isinstance(decision, Admitted):
        return _admit(decision, arrival, call_id, suffix)
    return _reject(tables, facts, decision, private=arrival.private)


def _password_of(decision: Challenged) -> PasswordNeeded:
    inbound = decision.trunk.inbound
    assert inbound is not None, "only inbound trunks match calls"
    assert inbound.auth is not None, "only a trunk with a password challenges"
    return PasswordNeeded(decision.trunk, inbound.auth.username)


def _admit(found: Admitted | PinNeeded, arrival: Arrival, call_id: str, suffix: str) -> Admission:
    trunk, rule = found.trunk, found.rule
    media = merged_media(trunk.media, rule.media)
    inbound = trunk.inbound
    assert inbound is not None, "only inbound trunks match calls"
    arrival = arrival.as_believed(inbound)
    hides = rule.hide_phone_number or arrival.private
    headers = readable(arrival.headers, hide_caller=hides)
    caller = arrival.shown_caller
    return Admission(
        trunk=trunk,
        policy=inbound.headers,
        rule=rule.id,
        room=room_name(rule, caller, arrival.called, suffix),
        caller=masked(caller) if rule.hide_phone_number else caller,
        identity=identity(caller, hide=rule.hide_phone_number),
        name=display_name(caller, hide=rule.hide_phone_number),
        metadata=rule.metadata,
        attributes=with_ids(_own_attributes(trunk, rule, arrival, call_id), attributes_from(headers, inbound.headers)),
        headers=remote_headers(headers),
        codecs=spoken(media),
        encryption=encryption_of(media),
        keying=keying_of(media),
        dtmf=takes_digits(media),
        info_digits=takes_info(media),
        inband_digits=hears_tones(media),
        hides_number=hides,
        media_timeout_s=media_timeout_s(media),
        max_call_duration_s=inbound.max_call_duration_ms / 1000,
        ringing_timeout_s=inbound.ringing_timeout_ms / 1000,
        answer_at_once=rule.answer == "immediately",
        answers_on_request=rule.answer == "onRequest",
        ringback=rule.ringback,
        sound=SoundOrders(
            cleaned=inbound.noise_cancellation or rule.noise_cancellation,
            ringing=rule.ringback if rule.ringback in RINGING else USUAL,
            hold_music=rule.hold_music or trunk.hold_music,
            recording=rule.recording,
        ),
        messages=rule.messages == "room",
        fallback_sip_code=rule.fallback_sip_code,
        room_codec=media.room_codec or "auto",
        room_settings=rule.room,
    )


def _own_attributes(trunk: TrunkRow, rule: RuleRow, arrival: Arrival, call_id: str) -> dict[str, str]:
    own = dict(
        participant_attributes(
            rule,
            call_id=call_id,
            sip_call_id=arrival.sip_call_id,
            remote_tag=arrival.from_tag,
            trunk_id=livekit_trunk_id(trunk.id),
            rule_id=derived_id("SDR", *rule.id.split("/", 1)),
            caller=arrival.caller,
            caller_host=arrival.caller_host,
            called=arrival.called,
            call_status="ringing",
            private=arrival.private,
        )
    )
    if arrival.verstat and trunk.inbound is not None and trunk.inbound.trust_identity:
        own["sip.carrierVerstat"] = arrival.verstat
    return own if rule.hide_phone_number else own | dict(arrival.told)


def livekit_trunk_id(trunk: str) -> str:
    """The `ST_…` id of a trunk, by its namespace/name."""
    return derived_id("ST", *trunk.split("/", 1))


def _reject(
    tables: Tables, facts: CallFacts, decision: Decision, opens_pin: OpensPin | None = None, *, private: bool
) -> Rejection:
    assert isinstance(decision, Refused), "who has entered a PIN or proven a user name is not asked for it again"
    trail = tuple(str(line) for line in explain(tables, facts, opens_pin, decision=decision).trail)
    rule = decision.rule
    return Rejection(
        decision.sip_status,
        decision.reason.value,
        decision.sentence,
        trail,
        decision.hint,
        trunk=decision.trunk.id if decision.trunk else "",
        rule=rule.id if rule else "",
        hides_caller=private or (rule is not None and rule.hide_phone_number),
        untold=decision.stranger,
    )
