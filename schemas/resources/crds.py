"""The three kinds as Kubernetes CRDs: the same models, in the structural schemas that an API server accepts.

A structural schema has no references, no null branches, no `const`, no closed objects beside named fields (the API
server prunes unknown fields itself) and no defaults here: a field left out is not written anywhere. What a structural
schema cannot say (the grammar of a network, the keys of a map) the operator still checks with the models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.resources.base import GROUP, VERSION, Resource
from schemas.resources.conditions import Status
from schemas.resources.dispatch_rule import DispatchRule
from schemas.resources.phone_number import PhoneNumber
from schemas.resources.trunk import Trunk

Schema = dict[str, Any]

_KEPT = (
    *("description", "type", "format", "pattern", "enum", "minimum", "maximum", "minLength", "maxLength"),
    *("minItems", "maxItems", "minProperties", "maxProperties", "required"),
)
"""The keywords that pass unchanged."""

_JUNCTORS = ("oneOf", "anyOf", "allOf")


@dataclass(frozen=True, slots=True)
class Custom:
    """What a cluster needs to know of a kind beside its schema. Columns are (name, type, path)."""

    model: type[Resource]
    plural: str
    short: str
    columns: tuple[tuple[str, str, str], ...] = ()
    rules: tuple[tuple[str, str], ...] = ()
    """CEL rules over `spec`: (rule, message)."""


CUSTOM = (
    Custom(Trunk, "trunks", "tk", (("Provider", "string", ".spec.provider"),)),
    Custom(DispatchRule, "dispatchrules", "dr", (("Priority", "integer", ".spec.priority"),)),
    Custom(
        PhoneNumber,
        "phonenumbers",
        "pn",
        (
            ("Number", "string", ".spec.number"),
            ("Trunk", "string", ".spec.trunkRef.name"),
            ("Rule", "string", ".spec.dispatchRuleRef.name"),
        ),
        (
            (
                "!has(oldSelf.number) || (has(self.number) && self.number == oldSelf.number)",
                "number is immutable once set",
            ),
        ),
    ),
)
"""The kinds that a cluster keeps; a RoutingTest is never applied."""


def definition(custom: Custom) -> Schema:
    """The CustomResourceDefinition of one kind."""
    kind = custom.model.__name__
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{custom.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": custom.plural,
                "singular": kind.lower(),
                "shortNames": [custom.short],
                "categories": ["telephony"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": _columns(custom),
                    "schema": {"openAPIV3Schema": _root(custom)},
                }
            ],
        },
    }


def _columns(custom: Custom) -> list[Schema]:
    condition = '.status.conditions[?(@.type=="{}")].{}'
    columns = [
        *custom.columns,
        ("Ready", "string", condition.format("Ready", "status")),
        ("Programmed", "string", condition.format("Programmed", "status")),
        ("Reason", "string", condition.format("Ready", "reason")),
        ("Age", "date", ".metadata.creationTimestamp"),
    ]
    return [{"name": name, "type": type_, "jsonPath": path} for name, type_, path in columns]


def _root(custom: Custom) -> Schema:
    whole = custom.model.model_json_schema(by_alias=True)
    spec = structural(whole["properties"]["spec"], whole["$defs"])
    if custom.rules:
        spec["x-kubernetes-validations"] = [{"rule": rule, "message": message} for rule, message in custom.rules]
    reported = Status.model_json_schema(by_alias=True)
    status = structural(reported, reported["$defs"])
    status["properties"]["conditions"] |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return {
        "description": whole["description"],
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }


def structural(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """A JSON Schema node as a structural schema, its references written out in place."""
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        return structural({**target, **{key: value for key, value in node.items() if key != "$ref"}}, definitions)
    out = {key: node[key] for key in _KEPT if key in node}
    if "const" in node:
        out |= {"type": "string", "enum": [node["const"]]}
    if "type" not in out:
        # A value of one of several types cannot be said; the operator checks it.
        return {**out, "x-kubernetes-preserve-unknown-fields": True}
    if "properties" in node:
        out["properties"] = {name: structural(below, definitions) for name, below in node["properties"].items()}
    elif isinstance(entries := node.get("additionalProperties"), Mapping):
        out["additionalProperties"] = structural(entries, definitions)
    if "items" in node:
        out["items"] = structural(node["items"], definitions)
    for junctor in _JUNCTORS:
        if junctor in node:
            out[junctor] = [_condition(branch) for branch in node[junctor]]
    if "not" in node:
        out["not"] = _condition(node["not"])
    return out


def _condition(node: Mapping[str, Any]) -> Schema:
    """A branch of a junctor: what must be there, and nothing of types, which a cluster wants outside of it."""
    out: Schema = {}
    if "required" in node:
        out["required"] = list(node["required"])
    if "properties" in node:
        out["properties"] = {name: _condition(below) for name, below in node["properties"].items()}
    for junctor in _JUNCTORS:
        if junctor in node:
            out[junctor] = [_condition(branch) for branch in node[junctor]]
    if "not" in node:
        out["not"] = _condition(node["not"])
    return out
