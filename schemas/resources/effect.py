"""Which written fields the bridge of this version does not honour yet, and what happens instead.

`reconcile validate` shows these as warnings, so that no field is silently ignored. Every field of every kind is
either here or in `HONOURED`; a test holds the two against the models. As a feature arrives, its line moves.
"""

from __future__ import annotations

from functools import cache

from schemas.resources.base import Part
from schemas.resources.documents import KINDS, Document
from schemas.resources.shape import Path, child, fields

NOT_YET: dict[str, dict[str, str]] = {
    "Trunk": {},
    "DispatchRule": {},
    "PhoneNumber": {},
    "RoutingTest": {},
}
"""Fields without effect: kind -> dotted path -> what happens instead. A field stands for all that is below it."""

_EVERYWHERE = frozenset({"apiVersion", "kind", "metadata", "status"})

HONOURED: dict[str, frozenset[str]] = {
    "Trunk": _EVERYWHERE
    | {
        "spec.provider",
        "spec.inbound.allowedAddresses",
        "spec.inbound.allowedNumbers",
        "spec.inbound.calledNumbers",
        "spec.inbound.auth",
        "spec.inbound.headers",
        "spec.inbound.headersToAttributes",
        "spec.inbound.attributesToHeaders",
        "spec.inbound.includeHeaders",
        "spec.inbound.maxCallDuration",
        "spec.inbound.ringingTimeout",
        "spec.inbound.noiseCancellation",
        "spec.inbound.trustIdentity",
        "spec.inbound.identity",
        "spec.outbound.addresses",
        "spec.outbound.transport",
        "spec.outbound.webSocketPath",
        "spec.outbound.tls",
        "spec.outbound.proxy",
        "spec.outbound.fromHost",
        "spec.outbound.auth",
        "spec.outbound.register",
        "spec.outbound.probe",
        "spec.outbound.headers",
        "spec.outbound.headersToAttributes",
        "spec.outbound.attributesToHeaders",
        "spec.outbound.includeHeaders",
        "spec.outbound.destinationCountry",
        "spec.outbound.allowedDestinations",
        "spec.outbound.limits",
        "spec.outbound.identityHeader",
        "spec.outbound.callerForm",
        "spec.outbound.recording",
        "spec.media.codecs",
        "spec.media.encryption",
        "spec.media.roomCodec",
        "spec.media.dtmf",
        "spec.media.keying",
        "spec.media.timeout",
        "spec.mediaAddresses",
        "spec.regions",
        "spec.limits",
        "spec.referTo",
        "spec.referNotify",
        "spec.acceptRefer",
        "spec.holdMusic",
        "spec.metadata",
        "spec.allowedNamespaces",
        "spec.deletionPolicy",
    },
    "DispatchRule": _EVERYWHERE
    | {
        "spec.trunkRefs",
        "spec.trunkSelector",
        "spec.match",
        "spec.priority",
        "spec.pinFrom",
        "spec.pinPrompts",
        "spec.rule",
        "spec.attributes",
        "spec.metadata",
        "spec.hidePhoneNumber",
        "spec.noiseCancellation",
        "spec.room",
        "spec.media.codecs",
        "spec.media.encryption",
        "spec.media.roomCodec",
        "spec.media.dtmf",
        "spec.media.keying",
        "spec.media.timeout",
        "spec.answer",
        "spec.ringback",
        "spec.holdMusic",
        "spec.recording",
        "spec.messages",
        "spec.fallback",
        "spec.deletionPolicy",
    },
    "PhoneNumber": _EVERYWHERE
    | {
        "spec.number",
        "spec.purchase",
        "spec.trunkRef",
        "spec.dispatchRuleRef",
        "spec.direction",
        "spec.deletionPolicy",
    },
    "RoutingTest": _EVERYWHERE | {"spec"},
}
"""Fields that do what they say, whatever their value: kind -> dotted paths, each with all that is below it."""


def not_in_effect(document: Document) -> list[tuple[Path, str]]:
    """Each written field of `document` that has no effect yet, and the sentence that says what happens instead.

    A value that asks for nothing (false, an empty text, list or map) is not mentioned.
    """
    found: list[tuple[Path, str]] = []
    for path, attributes, sentence in _field_steps(document.kind):
        value = _written(document, attributes)
        if value:
            found.append((path, f"`{path[-1]}` is not in effect yet: {sentence}"))
    return found


def _written(document: Part, attributes: tuple[str, ...]) -> object:
    """The value at the end of `attributes`, None when it is not written in the document."""
    value: object = document
    for name in attributes:
        if not isinstance(value, Part) or name not in value.model_fields_set:
            return None
        value = getattr(value, name)
    return value


@cache
def _field_steps(kind: str) -> tuple[tuple[Path, tuple[str, ...], str], ...]:
    return tuple((tuple(path.split(".")), _attributes(kind, path), what) for path, what in NOT_YET[kind].items())


def _attributes(kind: str, path: str) -> tuple[str, ...]:
    """The Python attributes along a dotted path of written names."""
    model: type[Part] | None = KINDS[kind]
    names = []
    for field in path.split("."):
        assert model is not None
        names.append(fields(model)[field])
        model = child(model, field)
    return tuple(names)
