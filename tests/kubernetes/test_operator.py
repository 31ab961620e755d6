"""`reconcile operator` on a genuine API server, with the token of a ServiceAccount: from kubectl apply to a call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.operator.objects import FINALIZER
from schemas.stores import open_tables
from tests.kubernetes.operating import Place, RunningBridge, document, documents_of, reason
from tests.peers import ROOT, sipp, wait_for
from tests.sound import SPEECH_PCMU

pytestmark = [pytest.mark.peer("kubectl"), pytest.mark.xdist_group("kubernetes")]
SCENARIOS = ROOT / "tests" / "interop" / "scenarios"
READY = reason("Ready")


def beside(place: Place, *objects: dict[str, Any]) -> str:
    """The digest of tables that `reconcile apply` makes of the same documents in a folder."""
    folder, state = place.work / "folder", place.work / "folder-state"
    folder.mkdir()
    (folder / "all.yaml").write_text("\n---\n".join(map(json.dumps, objects)))
    words = [sys.executable, "-m", "reconciler", "apply", str(folder), "--state", str(state)]
    subprocess.run(words, check=True, cwd=ROOT, capture_output=True, env={**os.environ})
    with open_tables(f"sqlite:///{state}/tables.db") as store:
        return store.head().digest


@pytest.mark.peer("sipp")
def test_what_is_applied_answers_a_call_and_what_is_deleted_does_not(place: Place, tmp_path: Path) -> None:
    objects = documents_of(ROOT / "examples" / "manifests" / "01-one-number", place.namespace)
    with place.operator() as operator:
        operator.said("this operator leads")
        place.apply(*objects)
        place.until("trunk", "this-machine", "Ready", reason("NoBridge"))
        with RunningBridge(operator.tables, tmp_path) as bridge:
            for one in objects:
                ready = place.until(one["kind"], one["metadata"]["name"], "Ready", READY)
                assert ready["observedGeneration"] == 1
            assert FINALIZER in place.object("trunk", "this-machine")["metadata"]["finalizers"]
            (tmp_path / "speech.ul").write_bytes(SPEECH_PCMU)
            (tmp_path / "to.csv").write_text("SEQUENTIAL\n+15550100000;\n")
            words = ["-sf", str(SCENARIOS / "uac-g711.xml"), "-inf", "to.csv", "-m", "1", "-d", "500"]
            called = sipp(bridge.target, tmp_path, *words)
            assert called.returncode == 0, f"{called.stdout[-2000:]}\n{bridge.log_path.read_text()}"
            told = place.kubectl("get", "telephony").stdout
            assert "this-machine" in told
            assert not place.cluster.VALIDATES or ("READY" in told and "+15550100000" in told)
            place.kubectl("delete", "phonenumber,dispatchrule", "--all")
            wait_for(lambda: operator.ids() == {"this-machine"}, "the rows to be gone")
            refused = sipp(bridge.target, tmp_path, *words)
            assert refused.returncode
        place.until("trunk", "this-machine", "Ready", reason("NoBridge"), within_s=40)


def test_the_tables_are_those_of_a_folder_byte_for_byte(place: Place) -> None:
    objects = documents_of(ROOT / "examples" / "manifests" / "03-callers-and-priorities", place.namespace)
    place.apply(*objects)
    with place.operator() as operator:
        for one in objects:
            place.until(one["kind"], one["metadata"]["name"], "Ready", reason("NoBridge"))
        assert operator.digest() == beside(place, *objects)


def test_a_broken_object_hurts_only_itself_and_says_where(place: Place) -> None:
    with place.operator() as operator:
        place.apply(place.trunk(), place.rule(), place.number("good", "+14155550100", trunkRef={"name": "carrier"}))
        place.until("phonenumber", "good", "Accepted", reason("Accepted"))
        # The schema of a cluster cannot say that an address is none.
        place.apply(place.trunk(inbound={"allowedAddresses": ["10.0.0.0/33"]}), place.rule(room="other"))
        accepted = place.until("trunk", "carrier", "Accepted", reason("Invalid"))
        assert "spec.inbound.allowedAddresses[0]" in accepted["message"]
        wait_for(lambda: place.object("dispatchrule", "support")["status"]["observedGeneration"] == 2, "the rule")
        assert operator.ids() == {"carrier", "support", "good"}
        place.apply(place.trunk())
        place.until("trunk", "carrier", "Accepted", reason("Accepted"))


def test_references_over_namespaces_are_the_trunks_to_allow(place: Place) -> None:
    with place.operator():
        place.apply(place.rule(trunkRefs=[{"name": "nobody"}]))
        found = place.until("dispatchrule", "support", "ResolvedRefs", reason("TrunkNotFound"))
        assert "there is no Trunk" in found["message"]
        place.apply(place.trunk("nobody"))
        place.until("dispatchrule", "support", "ResolvedRefs", reason("ResolvedRefs"))


def test_a_trunk_says_which_namespaces_may_refer_to_it(place: Place) -> None:
    tenant = f"{place.namespace}-tenant"
    place.cluster.namespace(tenant)
    refers = document("DispatchRule", "theirs", {"rule": {"direct": {"room": "x"}}}, tenant)
    refers["spec"]["trunkRefs"] = [{"name": "carrier", "namespace": place.namespace}]
    theirs = replace(place, namespace=tenant)
    with place.operator("--namespace", tenant, config=place.cluster.admin) as operator:
        place.apply(place.trunk(), refers)
        found = theirs.until("dispatchrule", "theirs", "ResolvedRefs", reason("RefNotPermitted"))
        assert f"does not allow references from the namespace {tenant}" in found["message"]
        place.apply(place.trunk(allowedNamespaces=[tenant]))
        theirs.until("dispatchrule", "theirs", "ResolvedRefs", reason("ResolvedRefs"))
        wait_for(lambda: operator.ids() == {"carrier", "theirs"}, "both")


def test_secrets_come_from_secrets_of_the_namespace_and_rotation_is_seen(place: Place) -> None:
    auth = {"username": "acme", "passwordFrom": {"secretKeyRef": {"name": "sip", "key": "password"}}}
    with place.operator() as operator:
        place.apply(place.trunk(inbound={"auth": auth}))
        found = place.until("trunk", "carrier", "ResolvedRefs", reason("SecretNotFound"))
        assert "there is no Secret sip" in found["message"]
        place.secret("sip", password="Elephant-in-the-wire")
        place.until("trunk", "carrier", "ResolvedRefs", reason("ResolvedRefs"))
        place.until("trunk", "carrier", "Programmed", reason("NoBridge"))
        before = operator.digest()
        place.kubectl("patch", "secret", "sip", "--type=merge", "-p", '{"stringData": {"password": "Lion"}}')
        wait_for(lambda: operator.digest() != before, "the other password")
        assert "Elephant" not in operator.log()
        place.apply(place.trunk(inbound={"auth": {**auth, "passwordFrom": {"env": "HOME"}}}))
        refused = place.until("trunk", "carrier", "ResolvedRefs", reason("SecretNotFound"))
        assert "not from the operator's own environment" in refused["message"]


def test_an_unsafe_deletion_waits_alone_and_its_owner_may_allow_it(place: Place) -> None:
    with place.operator() as operator:
        place.apply(place.trunk(), place.rule(trunkRefs=[{"name": "carrier"}]))
        place.until("dispatchrule", "support", "Programmed", reason("NoBridge"))
        place.kubectl("delete", "trunk", "carrier", "--wait=false")
        blocked = place.until("trunk", "carrier", "Programmed", reason("BlockedBySafety"))
        assert f"kubectl annotate trunks carrier -n {place.namespace} dialplane.dev/allow=delete" in blocked["message"]
        assert operator.ids() == {"carrier", "support"}
        place.apply(place.rule("other", room="beside"))
        place.until("dispatchrule", "other", "Programmed", reason("NoBridge"))
        place.kubectl("annotate", "trunk", "carrier", "dialplane.dev/allow=delete")
        place.gone("trunk", "carrier")
        assert operator.ids() == {"support", "other"}


def test_objects_that_are_deleted_one_by_one_are_seen_as_many(place: Place) -> None:
    numbers = [place.number(f"line-{n}", f"+1415555{n:04}", trunkRef={"name": "carrier"}) for n in range(12)]
    with place.operator() as operator:
        place.apply(place.trunk(), place.rule(), *numbers)
        place.until("phonenumber", "line-11", "Programmed", reason("NoBridge"))
        place.kubectl("delete", "phonenumbers", "--all", "--wait=false")
        blocked = place.until("phonenumber", "line-0", "Programmed", reason("BlockedBySafety"))
        assert "12 of 12 PhoneNumbers would be deleted" in blocked["message"]
        assert len(operator.ids()) == 14
        # Once some are allowed the rest are few enough to go, and kubectl may come too late to annotate them.
        place.kubectl("annotate", "phonenumbers", "--all", "dialplane.dev/allow=delete", check=False)
        place.gone("phonenumber", "line-0")
        wait_for(lambda: operator.ids() == {"carrier", "support"}, "their rows to be gone")


def test_what_opens_to_anybody_waits_alone_until_it_is_allowed(place: Place) -> None:
    callers = {"match": {"from": ["+14155550199"]}}
    with place.operator() as operator:
        place.apply(place.trunk(), place.rule(**callers))
        place.until("dispatchrule", "support", "Programmed", reason("NoBridge"))
        before = operator.digest()
        place.apply(place.rule())
        blocked = place.until("dispatchrule", "support", "Programmed", reason("BlockedBySafety"))
        assert "dialplane.dev/allow=any" in blocked["message"]
        place.apply(place.trunk("second", net=2))
        place.until("trunk", "second", "Programmed", reason("NoBridge"))
        assert operator.digest() != before
        place.kubectl("annotate", "dispatchrule", "support", "dialplane.dev/allow=any")
        place.until("dispatchrule", "support", "Programmed", reason("NoBridge"))


def test_of_two_that_claim_a_number_the_older_one_has_it(place: Place) -> None:
    place.apply(place.trunk(), place.rule())
    place.apply(place.number("zebra", "+14155550100", trunkRef={"name": "carrier"}))
    wait_for(lambda: place.object("phonenumber", "zebra"), "it")
    born = place.object("phonenumber", "zebra")["metadata"]["creationTimestamp"]

    def younger() -> bool:
        place.kubectl("delete", "phonenumber", "ant", "--ignore-not-found")
        place.apply(place.number("ant", "+14155550100", trunkRef={"name": "carrier"}))
        return bool(place.object("phonenumber", "ant")["metadata"]["creationTimestamp"] > born)

    wait_for(younger, "a younger one")
    with place.operator() as operator:
        found = place.until("phonenumber", "ant", "Accepted", reason("Conflicted"))
        assert f"PhoneNumber {place.namespace}/zebra" in found["message"]
        assert place.until("phonenumber", "zebra", "Accepted", reason("Accepted"))
        assert operator.ids() == {"carrier", "support", "zebra"}


def test_events_tell_of_turns_and_no_status_is_written_twice(place: Place) -> None:
    with place.operator() as operator:
        place.apply(place.trunk(), place.rule(trunkRefs=[{"name": "nobody"}]))
        place.until("dispatchrule", "support", "Ready", reason("TrunkNotFound"))
        wait_for(lambda: "TrunkNotFound" in place.kubectl("get", "events", "-o", "yaml").stdout, "an Event")
        version = place.object("dispatchrule", "support")["metadata"]["resourceVersion"]
        place.apply(place.trunk("third", net=3))
        place.until("trunk", "third", "Programmed", reason("NoBridge"))
        assert place.object("dispatchrule", "support")["metadata"]["resourceVersion"] == version
        annotations = place.object("dispatchrule", "support")["metadata"]["annotations"]
        assert set(annotations) == {"kubectl.kubernetes.io/last-applied-configuration"}
        assert "Traceback" not in operator.log()
