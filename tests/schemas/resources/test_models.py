from __future__ import annotations

import pytest
from pydantic import ValidationError

from schemas.resources.documents import KINDS
from schemas.resources.shape import leaves
from tests.schemas.resources import given


def written_paths(value, prefix=""):
    if isinstance(value, dict):
        for key, below in value.items():
            yield from written_paths(below, f"{prefix}.{key}" if prefix else key)
            yield f"{prefix}.{key}" if prefix else key
    elif isinstance(value, list):
        for below in value:
            yield from written_paths(below, prefix)


SERVER_FIELDS = {
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "finalizers",
    "ownerReferences",
    "selfLink",
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_complete_documents_write_every_field(kind):
    written = {path for doc in given.everything() if doc["kind"] == kind for path in written_paths(doc)}
    written |= {
        *("metadata.namespace", "metadata.labels", "metadata.annotations", "status"),
        *("spec.trunkSelector.matchLabels", "spec.rule.direct.room"),
        *("spec.rule.callee.roomPrefix", "spec.rule.callee.randomize"),
        *(f"{place}.passwordFrom.{way}" for place in ("spec.inbound.auth", "spec.outbound.auth") for way in WAYS),
        *(f"{place}.{way}" for place in SECRETS for way in WAYS),
        *(f"metadata.{field}" for field in SERVER_FIELDS),
    }
    assert set(leaves(KINDS[kind])) <= written


WAYS = ("env", "file", "secretKeyRef.name", "secretKeyRef.key")
SECRETS = ("spec.outbound.tls.certificateFrom", "spec.outbound.tls.keyFrom", "spec.pinFrom")


@pytest.mark.parametrize("index", range(5))
def test_a_complete_document_is_accepted_and_its_fields_arrive(index):
    data = given.everything()[index]
    made = given.accepted(data)
    assert made.kind == data["kind"]
    assert made.metadata.name == data["metadata"]["name"]
    assert type(made) is KINDS[made.kind]


def test_values_arrive_in_one_form():
    trunk = given.accepted(given.everything()[0]).spec
    assert trunk.inbound.allowed_addresses == ("54.172.60.0/30", "203.0.113.7/32", "2001:db8::/32")
    assert trunk.inbound.ringing_timeout == 30_000
    assert trunk.inbound.max_call_duration == 7_200_000
    assert trunk.outbound.register_.expires == 300_000
    assert trunk.media.timeout == 15_000
    assert trunk.allowed_namespaces == ("a", "b")


def test_a_field_left_out_has_livekits_default():
    inbound = given.accepted(given.trunk()).spec.inbound
    assert (inbound.ringing_timeout, inbound.max_call_duration) == (180_000, 86_400_000)
    rule = given.accepted(given.rule(rule={"individual": {}})).spec
    assert rule.rule.individual.randomize is True
    assert rule.answer == "whenRoomReady"
    assert given.accepted(given.rule(rule={"callee": {}})).spec.rule.callee.randomize is False
    assert given.accepted(given.number()).spec.deletion_policy == "Retain"
    assert given.accepted(given.trunk()).spec.deletion_policy == "Delete"


def test_a_document_is_frozen():
    made = given.accepted(given.number())
    with pytest.raises(ValidationError):
        made.spec.number = "+14155550101"


def test_python_names_are_not_read():
    assert "spec.trunk_ref" in given.complaints(given.number(trunk_ref={"name": "a"}))
    assert "spec.match.from_" in given.complaints(given.rule(match={"from_": []}))


def test_what_a_cluster_prints_is_accepted():
    data = given.number()
    data["metadata"] |= {
        "uid": "0b4c6f1e-0000-4000-8000-000000000000",
        "resourceVersion": "12345",
        "generation": 3,
        "creationTimestamp": None,
        "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
        "finalizers": ["dialplane.dev/finalizer"],
        "ownerReferences": [{"kind": "Deployment"}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": '{"a":1}\n'},
    }
    data["status"] = {"conditions": [{"type": "Ready"}]}
    made = given.accepted(data)
    assert made.metadata.generation == 3
    assert "managedFields" not in made.metadata.model_dump()


def test_a_reference_may_name_another_namespace_only_where_a_trunk_is_meant():
    made = given.accepted(given.number(trunkRef={"name": "t", "namespace": "voice"}))
    assert made.spec.trunk_ref.namespace == "voice"
    assert "spec.dispatchRuleRef.namespace" in given.complaints(
        given.number(dispatchRuleRef={"name": "r", "namespace": "voice"})
    )


@pytest.mark.parametrize("written", ["Same", "All", ["a"]])
def test_a_trunk_says_which_namespaces_may_refer_to_it(written):
    made = given.accepted(given.trunk(allowedNamespaces=written)).spec.allowed_namespaces
    assert made == (tuple(written) if isinstance(written, list) else written)


@pytest.mark.parametrize("written", ["same", "", [], {}, 3, None, ["A"], ["a"] * 257])
def test_other_answers_to_that_are_refused(written):
    assert any(
        path.startswith("spec.allowedNamespaces") for path in given.complaints(given.trunk(allowedNamespaces=written))
    )
