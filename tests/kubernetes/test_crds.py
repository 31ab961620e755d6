"""The published CRDs on a genuine API server: it takes them whole, takes every example, and refuses what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.kubernetes.cluster import Cluster, needs_kubernetes
from tests.peers import ROOT

pytestmark = [needs_kubernetes, pytest.mark.xdist_group("kubernetes")]

EXAMPLES = sorted((ROOT / "examples" / "manifests").iterdir())


def test_they_are_established_and_structural(cluster: Cluster) -> None:
    for crd in cluster.get("crd")["items"]:
        conditions = {one["type"]: (one["status"], one.get("message")) for one in crd["status"]["conditions"]}
        assert conditions["Established"][0] == "True"
        assert conditions["NamesAccepted"][0] == "True"
        assert "NonStructuralSchema" not in conditions


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_every_example_is_taken(cluster: Cluster, folder: Path) -> None:
    documents = [
        document
        for file in sorted(folder.glob("*.yaml"))
        for document in yaml.safe_load_all(file.read_text())
        if document and document["kind"] != "RoutingTest"
    ]
    text = yaml.safe_dump_all(documents)
    cluster.kubectl("apply", "--dry-run=server", "-f", "-", given=text)


def test_of_a_folder_with_tests_all_else_is_taken_and_they_are_named(cluster: Cluster) -> None:
    folder = ROOT / "examples" / "manifests" / "07-tests"
    done = cluster.kubectl("apply", "--dry-run=server", "-f", str(folder), check=False)
    assert done.returncode
    assert 'no matches for kind "RoutingTest"' in done.stderr
    assert "created (server dry run)" in done.stdout


def refusal(cluster: Cluster, kind: str, spec: str) -> str:
    """What the server says against an object with this spec."""
    head = f"apiVersion: dialplane.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: wrong, namespace: default}}\n"
    done = cluster.kubectl("apply", "--dry-run=server", "-f", "-", given=f"{head}spec: {spec}", check=False)
    assert done.returncode, "it is taken"
    return done.stderr


@pytest.mark.parametrize(
    ("kind", "spec", "words"),
    [
        ("DispatchRule", "{rule: {direct: {room: a}, individual: {}}}",
         "write exactly one of direct, individual and callee"),
        ("DispatchRule", "{rule: {}}", "write exactly one of direct, individual and callee"),
        ("DispatchRule",
         "{rule: {direct: {room: a}}, trunkRefs: [{name: a}], trunkSelector: {matchLabels: {a: b}}}",
         "trunkRefs and trunkSelector exclude each other"),
        ("PhoneNumber", "{purchase: {from: livekit, countryCode: US}, trunkRef: {name: a}}", "exclude each other"),
        ("PhoneNumber", "{trunkRef: {name: a}}", "write at least one of number and purchase"),
        ("PhoneNumber", "{number: 14155550100}", "spec.number"),
        ("PhoneNumber", '{number: "+14155550100", direction: sideways}', "spec.direction"),
        ("Trunk", "{inbound: {allowedAddresses: [10.0.0.0/8], auth: {username: a, passwordFrom: {}}}}",
         "write exactly one of secretKeyRef, env and file"),
        ("Trunk", "{inbound: {allowedAddresses: [10.0.0.0/8]}, colour: red}", 'unknown field "spec.colour"'),
        ("Trunk", "{}", "write at least one of inbound and outbound"),
        ("Trunk", "{inbound: {}}", "else anybody could call"),
        ("Trunk", "{outbound: {addresses: [a.example], register: {}}}", "register needs outbound.auth"),
        ("Trunk", "{inbound: {allowedAddresses: [10.0.0.0/8], headersToAttributes: {X-A: sip.verstat}}}", "X-A"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_in_words(cluster: Cluster, kind: str, spec: str, words: str) -> None:
    assert words in refusal(cluster, kind, spec)


def test_headers_may_become_attributes(cluster: Cluster) -> None:
    spec = {"inbound": {"allowedAddresses": ["10.0.0.0/8"], "headersToAttributes": {"X-Tenant": "tenant"}}}
    head = {"apiVersion": "dialplane.dev/v1alpha1", "kind": "Trunk", "metadata": {"name": "headers"}}
    cluster.kubectl("apply", "--dry-run=server", "-f", "-", given=yaml.safe_dump({**head, "spec": spec}))


def test_a_number_cannot_change(cluster: Cluster) -> None:
    document = {
        "apiVersion": "dialplane.dev/v1alpha1",
        "kind": "PhoneNumber",
        "metadata": {"name": "fixed", "namespace": "default"},
        "spec": {"number": "+14155550100"},
    }
    cluster.apply([document])
    other = {**document, "spec": {"number": "+14155550101"}}
    done = cluster.kubectl("apply", "-f", "-", given=yaml.safe_dump(other), check=False)
    assert "number is immutable once set" in done.stderr
    cluster.kubectl("delete", "phonenumber", "fixed")


def test_people_find_their_way(cluster: Cluster) -> None:
    told = cluster.kubectl("explain", "trunk.spec.inbound").stdout
    assert "allowedAddresses" in told
    assert "DESCRIPTION" in told
    assert "trunks" in cluster.kubectl("api-resources", "--categories=telephony", "-o", "name").stdout
