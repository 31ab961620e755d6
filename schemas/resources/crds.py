"""The three kinds as Kubernetes CRDs: the same models, in the structural schemas that an API server accepts.

A structural schema has no references, no null branches, no `const`, no closed objects beside named fields (the API
server prunes unknown fields itself) and no defaults here: a field left out is not written anywhere. What a structural
schema cannot say (the grammar of a network, the keys of a map) the operator still checks with the models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

_HELD = ("enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")
"""The keywords about a value that a branch of a junctor may have."""

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
    ruled: tuple[str, ...] = ()
    """The parts of `spec` ("" = itself) whose `allOf` these rules say better."""


CUSTOM = (
    Custom(
        Trunk,
        "trunks",
        "tk",
        (("Provider", "string", ".spec.provider"),),
        (
            (
                "!has(self.inbound) || has(self.inbound.allowedAddresses) || has(self.inbound.auth) || "
                "(has(self.outbound) && has(self.outbound.register))",
                "inbound needs allowedAddresses or auth, or an outbound that registers: else anybody could call",
            ),
            (
                "!has(self.outbound) || !has(self.outbound.register) || has(self.outbound.auth)",
                "outbound.register needs outbound.auth: who registers is asked for a password",
            ),
            (
                "!has(self.outbound) || !has(self.outbound.webSocketPath) || has(self.outbound.proxy) || "
                "!has(self.outbound.transport) || self.outbound.transport in ['auto', 'ws', 'wss']",
                "outbound.webSocketPath is for transport ws or wss",
            ),
        ),
        ("", "outbound"),
    ),
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
    for part in custom.ruled:
        (spec["properties"][part] if part else spec).pop("allOf")
    rules = [{"rule": rule, "message": message} for rule, message in custom.rules]
    if rules:
        spec["x-kubernetes-validations"] = [*spec.get("x-kubernetes-validations", ()), *rules]
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
    said, left = _in_cel(node)
    if said:
        out["x-kubernetes-validations"] = [{"rule": rule, "message": message} for rule, message in said]
        for keyword in ("minProperties", "maxProperties"):
            out.pop(keyword, None)
    for junctor in _JUNCTORS:
        if junctor in left:
            out[junctor] = [_condition(branch) for branch in left[junctor]]
    if "not" in left:
        out["not"] = _condition(left["not"])
    return out


def _in_cel(node: Mapping[str, Any]) -> tuple[list[tuple[str, str]], Mapping[str, Any]]:
    """The simple demands of an object as CEL (rule, message), and what is left of it.

    An API server says of a schema's junctors only that something does not match.
    """
    said: list[tuple[str, str]] = []
    left = dict(node)
    if not node.get("properties"):
        return said, left
    if node.get("minProperties") == node.get("maxProperties") == 1:
        names = list(node["properties"])
        all_ = ", ".join(f"has(self.{name})" for name in names)
        said.append((f"[{all_}].exists_one(one, one)", f"write exactly one of {_listed(names)}"))
    if names := _named(left.get("anyOf", ())):
        said.append((" || ".join(f"has(self.{name})" for name in names), f"write at least one of {_listed(names)}"))
        del left["anyOf"]
    if isinstance(left.get("not"), Mapping) and left["not"].keys() == {"required"}:
        names = left.pop("not")["required"]
        both = " && ".join(f"has(self.{name})" for name in names)
        said.append((f"!({both})", f"{_listed(names)} exclude each other"))
    return said, left


def _named(branches: Sequence[Mapping[str, Any]]) -> list[str]:
    """The one field that each branch requires, if that is all that they say."""
    plain = all(branch.keys() == {"required"} and len(branch["required"]) == 1 for branch in branches)
    return [branch["required"][0] for branch in branches] if plain else []


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _condition(node: Mapping[str, Any]) -> Schema:
    """A branch of a junctor: what must be there and hold, and nothing of types, which a cluster wants outside of it."""
    out: Schema = {key: node[key] for key in _HELD if key in node}
    if "const" in node:
        out["enum"] = [node["const"]]
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
