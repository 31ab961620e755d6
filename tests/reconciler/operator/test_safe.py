"""Secrets of a cluster: only those that are referred to, of the object's own namespace, and never in the open."""

from __future__ import annotations

import base64
from typing import Any

from reconciler.model.desired import desire
from reconciler.model.live import Live
from reconciler.model.secrets import Unreadable
from reconciler.model.standing import Declared
from reconciler.operator.safe import Safe
from schemas.resources.conditions import Reason
from schemas.seal import KEY_BYTES, Sealer
from schemas.tables.rows import Kind
from tests.reconciler.declaring import trunk
from tests.reconciler.operator.test_gathered import body, gathered

PLACE = {"secretKeyRef": {"name": "sip", "key": "password"}}
SEALER = Sealer(bytes(KEY_BYTES))


def secret(value: str, namespace: str = "default", key: str = "password", name: str = "sip") -> dict[str, Any]:
    data = {key: base64.b64encode(value.encode()).decode()}
    return {"kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": data}


def files(place: dict[str, Any] = PLACE, namespace: str = "default") -> Any:
    inbound = {"auth": {"username": "acme", "passwordFrom": place}}
    return gathered(body(trunk(inbound=inbound, namespace=namespace))).files()


def test_nothing_is_kept_of_a_secret_that_nobody_refers_to() -> None:
    safe = Safe()
    assert not safe.put(secret("Elephant", name="other"))
    assert safe.want(files()) == [("default", "sip")]
    assert safe.put(secret("Elephant"))
    assert not safe.put(secret("Elephant")), "it says the same"
    assert safe.put(secret("Lion"))
    assert safe.want(files()) == []
    assert safe.secrets(None).found == {"secret:default/sip/password": b"Lion"}
    assert "Lion" not in repr(safe)
    assert safe.want({}) == []
    assert not safe.put(secret("Tiger"))


def test_the_same_name_in_another_namespace_is_another_secret() -> None:
    safe = Safe()
    safe.want(files(namespace="tenant"))
    assert not safe.put(secret("Elephant"))
    safe.miss(("tenant", "sip"))
    desired = desire(Declared(files(namespace="tenant"), secrets=safe.secrets(SEALER)), Live())
    verdict = desired.verdicts[(Kind.TRUNK, "tenant/carrier")]
    assert verdict.reason is Reason.SECRET_NOT_FOUND
    assert verdict.message == (
        "there is no Secret sip in the namespace tenant; "
        "kubectl create secret generic sip -n tenant --from-literal=password=…"
    )
    assert safe.put(secret("Elephant", "tenant"))
    assert desire(Declared(files(namespace="tenant"), secrets=safe.secrets(SEALER)), Live()).rows.trunks


def test_the_operators_own_environment_and_files_are_nobodys() -> None:
    for place in ({"env": "HOME"}, {"file": "/etc/passwd"}):
        safe = Safe()
        assert safe.want(files(place)) == []
        (found,) = safe.secrets(SEALER).found.values()
        assert isinstance(found, Unreadable)
        assert "not from the operator's own environment" in found.what


def test_what_cannot_be_used_is_said_without_showing_it() -> None:
    for told, words in (
        (secret("", key="password"), "is empty"),
        (secret("x", key="other"), "has no key password"),
        ({**secret("x"), "data": {"password": "=Elephant="}}, "is no base64"),
        (secret("Elephant" * 10_000), "holds more than"),
    ):
        safe = Safe()
        safe.want(files())
        safe.put(told)
        (found,) = safe.secrets(SEALER).found.values()
        assert isinstance(found, Unreadable)
        assert words in found.what
        assert "Elephant" not in found.what
