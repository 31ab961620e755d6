"""CORE. What a LiveKit server cannot hold of a document: each such field by its name, so that nothing is lost unsaid.

The rows say what is asked for; a field that asks for nothing beyond LiveKit's own way is fine. Two limits are about
emptiness: where our tables have a trunk without numbers that takes no call, LiveKit would take every call on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from reconciler.model.compile import object_id_of
from reconciler.model.limits import Limit
from reconciler.model.sources import Key
from reconciler.targets.livekit.hints import Hints
from schemas.resources.dispatch_rule import DispatchRule
from schemas.resources.documents import Document
from schemas.resources.routing_test import RoutingTest
from schemas.resources.trunk import Trunk
from schemas.tables.rows import (
    Auth,
    Inbound,
    Kind,
    Media,
    NumberRow,
    Outbound,
    PinPrompts,
    Row,
    RuleRow,
    TrunkRow,
    kind_of,
)

_LEAVE_OUT = "leave it out, or use dialplane's own bridge"
_NO_PREFIX = "LiveKit compares whole numbers only"
_LIST_NUMBERS = "list each number"
_UNLIMITED = (None, None, Outbound.__dataclass_fields__["max_call_duration_ms"].default)
_FALLBACK_SIP_CODE = RuleRow.__dataclass_fields__["fallback_sip_code"].default


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one pass. `others` belong to other owners; `more` is in the way of single objects."""

    hints: Hints
    others: Collection[Key] = ()
    more: dict[Key, Limit] = field(default_factory=dict)

    def __call__(self, document: Document, row: Row | None) -> Sequence[Limit]:
        """See `LimitsOf`."""
        assert not isinstance(document, RoutingTest), "it has no row"
        if row is None:  # a number that is not known: what is in its way is known instead
            return [self.more[Kind.NUMBER, object_id_of(document)]]
        if isinstance(row, TrunkRow):
            found = [*_of_trunk(row)]
            # A provider's way of transfers is none of the document's wishes: who asks LiveKit for one says it himself.
            written = document.spec.model_fields_set if isinstance(document, Trunk) else frozenset[str]()
            if row.refer_to != "asGiven" and "refer_to" in written:
                found.append(_none(("spec", "referTo"), "form of transfers"))
            if not row.refer_notify and "refer_notify" in written:
                found.append(_none(("spec", "referNotify"), "transfers without NOTIFY"))
            if row.hold_music:
                found.append(_none(("spec", "holdMusic"), "music for phones on hold"))
            if row.accept_refer:
                found.append(_none(("spec", "acceptRefer"), "phones that send their calls on"))
            # Likewise its form of numbers; LiveKit adds a `+` for Twilio by itself.
            if row.outbound is not None and row.outbound.caller_form != "asGiven" and _declares_caller_form(document):
                found.append(_none(("spec", "outbound", "callerForm"), "form of numbers"))
        else:
            found = [*(self._of_rule(document, row) if isinstance(row, RuleRow) else self._of_number(row))]
        more = self.more.get((kind_of(row), row.id))
        return [*found, more] if more is not None else found

    def _of_rule(self, document: Document, row: RuleRow) -> Iterator[Limit]:
        # Trunks that it names and that are not there are told of as what is missing.
        if row.trunks == () and isinstance(document, DispatchRule) and document.spec.trunk_selector is not None:
            what = "no trunk is selected, and LiveKit takes a rule without trunks for one of all trunks"
            yield Limit(("spec", "trunkSelector"), what, "select a trunk")
        for trunk in row.trunks or ():
            known = self.hints.trunks.get(trunk)
            if known is not None and known.inbound is None:
                yield Limit(("spec", "trunkRefs"), f"Trunk {trunk} takes no calls", "name trunks with `inbound`")
        yield from _prefixes(("spec", "match", "to"), row.to)
        yield from _prefixes(("spec", "match", "from"), row.from_)
        if row.priority is not None:
            yield _none(("spec", "priority"), "priorities")
        if row.pin_prompts != PinPrompts():
            yield _none(("spec", "pinPrompts"), "prompts of one's own")
        if row.answer != "whenRoomReady":
            yield _none(("spec", "answer"), f"`answer: {row.answer}`")
        if row.messages != "none":
            yield _none(("spec", "messages"), "messages of phones")
        if row.ringback != "none":
            yield _none(("spec", "ringback"), f"`ringback: {row.ringback}`")
        if row.hold_music:
            yield _none(("spec", "holdMusic"), "music for phones on hold")
        if row.recording is not None:
            yield _none(("spec", "recording"), "recordings by rule")
        if row.fallback_sip_code != _FALLBACK_SIP_CODE:
            yield _none(("spec", "fallback"), "fallbacks")
        yield from _of_media(row.media)

    def _of_number(self, row: NumberRow) -> Iterator[Limit]:
        for name, key in (("trunkRef", (Kind.TRUNK, row.trunk)), ("dispatchRuleRef", (Kind.RULE, row.rule))):
            if key in self.others:
                what = f"{key[0]} {key[1]} belongs to another owner, and numbers stand on it at LiveKit"
                yield Limit(("spec", name), what, "declare the number beside it")


def without_numbers(row: TrunkRow, called: Sequence[str], calling: Sequence[str]) -> Limit | None:
    """Why a trunk with these numbers in force cannot be held; None = it can."""
    hint = "declare a PhoneNumber with this trunk"
    if row.inbound is not None and row.inbound.called_declared_only and not called:
        what = (
            "no PhoneNumber of this trunk is in force, and LiveKit takes a trunk without numbers for one of any number"
        )
        return Limit(("spec", "inbound", "calledNumbers"), what, hint)
    if row.outbound is not None and not calling:
        what = "no PhoneNumber of this trunk places calls, and LiveKit asks for one"
        return Limit(("spec", "outbound"), what, f"{hint}, `direction: both` or `outbound`")
    return None


def _of_trunk(row: TrunkRow) -> Iterator[Limit]:
    if row.inbound is not None:
        yield from _of_inbound(row.inbound)
    if row.outbound is not None:
        yield from _of_outbound(row.outbound)
    yield from _of_media(row.media)
    if row.media_networks:
        yield _none(("spec", "mediaAddresses"), "addresses that audio must come from")
    if row.regions:
        yield _none(("spec", "regions"), "regions of a trunk")
    if row.max_concurrent_calls is not None or row.calls_per_second is not None:
        yield _none(("spec", "limits"), "limits of a trunk")


def _of_inbound(half: Inbound) -> Iterator[Limit]:
    yield from _prefixes(("spec", "inbound", "allowedNumbers"), half.allowed_numbers)
    yield from _of_auth("inbound", half.auth)
    if half.trust_identity:
        yield _none(("spec", "inbound", "trustIdentity"), "callers by P-Asserted-Identity")
    if half.identity is not None:
        yield _none(("spec", "inbound", "identity"), "verification of callers (STIR/SHAKEN)")


def _declares_caller_form(document: Document) -> bool:
    half = document.spec.outbound if isinstance(document, Trunk) else None
    return half is not None and "caller_form" in half.model_fields_set


def _of_outbound(half: Outbound) -> Iterator[Limit]:
    if len(half.addresses) > 1:
        yield Limit(("spec", "outbound", "addresses", 1), "a trunk has one address at LiveKit", "keep the first one")
    if half.register_expires_ms is not None:
        yield _none(("spec", "outbound", "register"), "registrations")
    if half.transport in ("ws", "wss"):
        yield _none(("spec", "outbound", "transport"), "trunks that are called by WebSocket")
    for name, value, what in (
        ("webSocketPath", half.web_socket_path, "WebSockets to trunks"),
        ("recording", half.recording, "recordings by trunk"),
        ("proxy", half.proxy, "outbound proxies"),
    ):
        if value:
            yield _none(("spec", "outbound", name), what)
    if half.probe_every_ms is not None:
        yield _none(("spec", "outbound", "probe"), "probes")
    if half.tls is not None:
        yield _none(("spec", "outbound", "tls"), "client certificates")
    if half.allowed_destinations:
        yield _none(("spec", "outbound", "allowedDestinations"), "allowed destinations")
    if (half.max_concurrent_calls, half.calls_per_second, half.max_call_duration_ms) != _UNLIMITED:
        yield _none(("spec", "outbound", "limits"), "limits of the calls that are placed")
    if half.identity_header != "none":
        yield _none(("spec", "outbound", "identityHeader"), "such header of its own")
    if half.auth is not None and half.auth.realm:
        yield _none(("spec", "outbound", "auth", "realm"), "realms of a trunk that is called")
    yield from _of_auth("outbound", half.auth)


def _of_auth(half: str, auth: Auth | None) -> Iterator[Limit]:
    if auth is not None and auth.algorithms:
        yield _none(("spec", half, "auth", "algorithms"), "a choice of digest algorithms")


def _of_media(media: Media) -> Iterator[Limit]:
    if media.room_codec not in (None, "auto"):
        yield _none(("spec", "media", "roomCodec"), "a choice of the room's codec")
    if media.dtmf:
        yield _none(("spec", "media", "dtmf"), "a choice of how digits travel")
    if media.keying:
        yield _none(("spec", "media", "keying"), "a choice of how keys of media come about, it has SDES alone")


def _prefixes(path: tuple[str, ...], numbers: Sequence[str]) -> Iterator[Limit]:
    for index, number in enumerate(numbers):
        if number.endswith("*"):
            yield Limit((*path, index), f"{path[-1]}: {number} is a prefix; {_NO_PREFIX}", _LIST_NUMBERS)


def _none(path: tuple[str, ...], what: str) -> Limit:
    return Limit(path, f"`{path[-1]}`: LiveKit has no {what}", _LEAVE_OUT)
