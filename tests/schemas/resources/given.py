"""Documents for the tests of this folder: one of each kind with every field, the smallest, and how to ask about one."""

from __future__ import annotations

import copy
from typing import Any

import yaml

from schemas.resources.check import check
from schemas.resources.examples import EVERY_FIELD


def everything() -> list[dict[str, Any]]:
    """Documents that together write every field of every kind."""
    return list(yaml.safe_load_all(EVERY_FIELD))


def document(kind: str, spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """A document with this spec."""
    return {
        "apiVersion": "dialplane.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "x", **metadata},
        "spec": copy.deepcopy(spec),
    }


def trunk(**spec: Any) -> dict[str, Any]:
    """A Trunk, open to one address unless `inbound` says otherwise."""
    return document("Trunk", {"inbound": {"allowedAddresses": ["192.0.2.1"]}, **spec})


def inbound(**fields: Any) -> dict[str, Any]:
    """A Trunk with these inbound fields beside one allowed address."""
    return document("Trunk", {"inbound": {"allowedAddresses": ["192.0.2.1"], **fields}})


AUTH = {"username": "acme", "passwordFrom": {"env": "PASSWORD"}}


def outbound(**fields: Any) -> dict[str, Any]:
    """A Trunk with these outbound fields beside one address."""
    return document("Trunk", {"outbound": {"addresses": ["sip.example.com"], **fields}})


def rule(**spec: Any) -> dict[str, Any]:
    """A DispatchRule into one room."""
    return document("DispatchRule", {"rule": {"direct": {"room": "lobby"}}, **spec})


def number(**spec: Any) -> dict[str, Any]:
    """A PhoneNumber."""
    return document("PhoneNumber", {"number": "+14155550100", **spec})


def accepted(data: Any) -> Any:
    """The document, which must be fine."""
    made, complaints = check(data)
    assert complaints == []
    assert made is not None
    return made


def complaints(data: Any) -> dict[str, str]:
    """Everything that is wrong: dotted path -> `what, hint`; the document must be refused."""
    made, found = check(data)
    assert made is None
    assert found
    assert all(c.what and c.code and c.code == c.code.lower() for c in found)
    return {".".join(map(str, c.path)): f"{c.what}, {c.hint}" if c.hint else c.what for c in found}
