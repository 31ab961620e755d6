"""examples/kubernetes on a genuine API server: the README's commands as they stand, the rights, and two operators."""

from __future__ import annotations

import base64
import itertools
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.stores import open_tables
from tests.examples.kubernetes import OVERLAYS, commands, documents, of_kind, templates
from tests.kubernetes.cluster import Cluster, needs_kubernetes
from tests.kubernetes.operating import OperatorProcess, RunningBridge, document
from tests.peers import ROOT, wait_for
from tests.redis_server import RedisServer

pytestmark = [needs_kubernetes, pytest.mark.xdist_group("kubernetes"), pytest.mark.peer("redis-server")]

ACCOUNT = "system:serviceaccount:dialplane:dialplane-operator"
AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": [ACCOUNT]}, {"level": "None"}],
}
NEEDS_NODES = ("rollout status", "exec ")
"""Commands that wait for Pods, which run nowhere here."""
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node"}}
ARGO = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}},
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": "argocd"}},
]


@dataclass(frozen=True)
class Deployed:
    """A cluster onto which the README was carried out, and what its Pods would be started with."""

    cluster: Cluster
    redis: RedisServer
    key: Path
    urls: dict[str, str]
    account: Path
    audit: Path

    def operator(self, work: Path, name: str, *scope: str) -> OperatorProcess:
        """An operator, as a Pod of the Deployment runs it; `scope` in place of all namespaces."""
        environment = {"DIALPLANE_TABLES": self.urls["reconciler"], "DIALPLANE_SECRET_KEY_FILE": str(self.key)}
        words = [*(scope or ("--all-namespaces",)), "--lease", "dialplane-operator"]
        return OperatorProcess(self.account, work / name, *words, name=name, environment=environment)

    def bridge(self, work: Path) -> RunningBridge:
        """A bridge, as a Pod of the DaemonSet runs it."""
        return RunningBridge(self.urls["bridge"], work, {"DIALPLANE_SECRET_KEY_FILE": str(self.key)})

    def ready(self, kind: str, name: str) -> dict[str, Any]:
        """The Ready condition, {} where there is none."""
        found = self.cluster.get(kind, name, "-n", "telephony").get("status", {}).get("conditions", ())
        return next((condition for condition in found if condition["type"] == "Ready"), {})

    def used(self) -> set[tuple[str, str]]:
        """The verbs and resources that the operator's ServiceAccount has asked for, and was granted."""
        events = [json.loads(line) for line in self.audit.read_text().splitlines()]
        return {
            (event["verb"], "/".join(filter(None, (ref["resource"], ref.get("subresource")))))
            for event in events
            if (ref := event.get("objectRef")) and event["annotations"]["authorization.k8s.io/decision"] == "allow"
        }


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The README's commands are carried out, one after the other, up to where Pods would have to run."""
    folder = tmp_path_factory.mktemp("deployed")
    policy, audit = folder / "policy.yaml", folder / "audit.log"
    policy.write_text(yaml.safe_dump(AUDIT))
    words = ["--audit-policy-file", str(policy), "--audit-log-path", str(audit)]
    with Cluster(folder / "cluster", *words) as cluster:
        cluster.apply([NODE, *ARGO])
        _carry_out(cluster, folder)
        secret = cluster.get("secret", "dialplane-redis", "-n", "dialplane")["data"]
        users = folder / "users.acl"
        users.write_text(_decoded(secret["users.acl"]))
        with RedisServer(folder / "redis", *_redis_options(users)) as redis:
            urls = {
                name: _decoded(secret[f"{name}-url"]).replace("dialplane-redis:6379", f"127.0.0.1:{redis.port}")
                for name in ("reconciler", "bridge")
            }
            key = folder / "secret.key"
            held = cluster.get("secret", "dialplane-key", "-n", "dialplane")["data"]["secret.key"]
            key.write_text(_decoded(held))
            key.chmod(0o400)
            token = cluster.kubectl("-n", "dialplane", "create", "token", "dialplane-operator").stdout.strip()
            account = cluster.kubeconfig("operator", token, "dialplane")
            yield Deployed(cluster, redis, key, urls, account, audit)


def _redis_options(users: Path) -> list[str]:
    """The options of the StatefulSet's container, but for where its volumes are."""
    pod = dict(templates(documents("redis")))["dialplane-redis"]["spec"]
    words = [str(word) for word in pod["containers"][0]["args"]]
    assert words[:2] == ["--dir", "/data"]
    return [str(users) if word == "/etc/redis/users.acl" else word for word in words[2:]]


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()


def _carry_out(cluster: Cluster, folder: Path) -> None:
    """Every command of the README that needs no Pods; what waits for objects to be Ready is asked later."""
    (folder / "argocd-health.yaml").touch()
    lines = [line for line in commands() if not any(words in line for words in (*NEEDS_NODES, " wait "))]
    # Applied anew they find what the first way in has made; nothing else is put in or left out.
    script = "\n".join(["set -euo pipefail", *lines])
    script = script.replace("label node NODE dialplane.dev/bridge", "label --overwrite node node dialplane.dev/bridge")
    script = script.replace("argocd-health.yaml", str(folder / "argocd-health.yaml"))
    environment = {**os.environ, "KUBECONFIG": str(cluster.admin), "HOME": str(folder)}
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_was_applied_is_taken_again_as_it_is(deployed: Deployed, overlay: str) -> None:
    words = ["apply", "--server-side", "--dry-run=server", "-k", f"examples/kubernetes/{overlay}"]
    done = deployed.cluster.kubectl(*words)
    assert done.stdout.count("serverside-applied") == len(documents(overlay)) + 1
    warned = [line for line in done.stderr.splitlines() if "Warning" in line]
    assert all("host namespaces (hostNetwork=true), hostPort (" in line for line in warned), warned
    assert len(warned) == 1
    differs = deployed.cluster.kubectl("diff", *words[1:2], *words[3:], check=False)
    assert differs.stdout == "", "once applied nothing is left to change"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_are_restricted_but_for_the_nodes_network(deployed: Deployed, overlay: str) -> None:
    cluster, namespace = deployed.cluster, f"restricted-{overlay}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}])
    cluster.service_account(namespace, "default")
    for name, template in templates(documents(overlay)):
        spec = {key: value for key, value in template["spec"].items() if key != "serviceAccountName"}
        spec["automountServiceAccountToken"] = False
        spec["volumes"] = [*spec["volumes"], {"name": "data", "emptyDir": {}}]  # in the place of a claim
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
        words = ["create", "--dry-run=server", "-f", "-"]
        if "hostNetwork" in spec:
            refused = cluster.kubectl(*words, given=json.dumps(pod), check=False).stderr
            grounds = refused.partition('latest": ')[2].split("), ")
            assert [ground.split()[0] for ground in grounds] == ["host", "hostPort"], refused
            del spec["hostNetwork"]
            for container in spec["containers"]:
                container["ports"] = [{**port, "hostPort": 0} for port in container["ports"]]
        assert "created" in cluster.kubectl(*words, given=json.dumps(pod)).stdout


def test_redis_answers_probes_and_nobody_without_a_password(deployed: Deployed) -> None:
    assert deployed.redis.asked("PING") == b"+PONG"
    for words in (("KEYS", "*"), ("GET", "{dialplane}:head"), ("CONFIG", "GET", "*"), ("FLUSHALL",)):
        assert deployed.redis.asked(*words) == b"-NOPERM"


def test_people_have_what_their_roles_say(deployed: Deployed) -> None:
    cluster = deployed.cluster
    granted = {
        role["metadata"]["name"]: {
            (verb, resource)
            for rule in role["rules"]
            for verb, resource in itertools.product(rule["verbs"], rule["resources"])
        }
        for role in of_kind("ClusterRole", documents("redis"))
    }
    assert ("list", "trunks") in granted["dialplane-viewer"]
    assert ("create", "phonenumbers") in granted["dialplane-editor"]
    assert ("create", "trunks") not in granted["dialplane-viewer"] | granted["dialplane-editor"]
    assert ("create", "trunks") in granted["dialplane-admin"]
    cluster.kubectl("-n", "telephony", "create", "rolebinding", "ann", "--clusterrole=dialplane-editor", "--user=ann")
    for verb, resource, may in (
        ("create", "phonenumbers.dialplane.dev", "yes"),
        ("create", "trunks.dialplane.dev", "no"),
        ("get", "secrets", "no"),
    ):
        asked = cluster.kubectl("-n", "telephony", "auth", "can-i", verb, resource, "--as=ann", check=False)
        assert asked.stdout.split()[0] == may, resource


def test_two_operators_share_one_redis_and_a_killed_leader_is_followed(deployed: Deployed, tmp_path: Path) -> None:
    first, second = deployed.operator(tmp_path, "first"), deployed.operator(tmp_path, "second")
    with first, deployed.bridge(tmp_path), Witness(deployed) as witness:
        first.said("this operator leads")
        # The README waits for Ready in just these words.
        [line] = [line for line in commands() if " wait " in line]
        deployed.cluster.kubectl(*line.split()[1:], timeout_s=90)
        with second:
            numbers = [f"late-{at}" for at in range(12)]
            for at, name in enumerate(numbers):
                deployed.cluster.apply([_number(name, f"+155501007{at:02}")])
                if at == len(numbers) // 2:
                    assert "this operator leads" not in second.log()
                    first.stop(signal.SIGKILL)
                    killed_at = time.monotonic()
            second.said("this operator leads", within_s=40)
            took_s = time.monotonic() - killed_at
            assert took_s < 25, "its Lease is for 15 s, and looked at every 2 s"
            for name in numbers:
                wait_for(lambda name=name: deployed.ready("phonenumber", name).get("status") == "True", name, 30)
            first.start()
            time.sleep(3)
            second.stop()
            stopped_at = time.monotonic()
            wait_for(lambda: first.log().count("this operator leads") == 2, "the first to lead again", 20)
            print(f"followed after {took_s:.1f} s, and {time.monotonic() - stopped_at:.1f} s when it was given up")
    assert not witness.lies
    assert witness.looks > 10
    with open_tables(deployed.urls["reconciler"]) as store:
        history, rows = store.history(1000), store.load().rows
    objects = len(rows.trunks) + len(rows.rules) + len(rows.numbers)
    assert sum(entry.put for entry in history) == objects, "each object was published once, by whichever of the two"
    assert sum(entry.deleted for entry in history) == 0


def test_the_operator_uses_every_right_that_it_has(deployed: Deployed, tmp_path: Path) -> None:
    cluster = deployed.cluster
    auth = {"username": "acme", "passwordFrom": {"secretKeyRef": {"name": "carrier", "key": "password"}}}
    trunk = document("Trunk", "carrier", {"inbound": {"auth": auth}}, "telephony")
    password = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "carrier", "namespace": "telephony"}}
    with deployed.operator(tmp_path, "third") as operator, deployed.bridge(tmp_path):
        operator.said("this operator leads")
        cluster.apply([trunk])
        wait_for(lambda: deployed.ready("trunk", "carrier").get("reason") == "SecretNotFound", "the Secret's lack", 30)
        cluster.apply([{**password, "stringData": {"password": "one"}}])
        wait_for(lambda: deployed.ready("trunk", "carrier").get("status") == "True", "the Secret to be found", 30)
        cluster.kubectl("-n", "telephony", "delete", "phonenumber", "late-0", "--timeout=30s")
        # Somebody else writes at the same time: the operator has to look again.
        for at in itertools.count():
            if ("get", "trunks") in deployed.used() or at > 60:
                break
            spec = {"inbound": {"auth": auth, "ringingTimeout": f"{20 + at}s"}}
            cluster.apply([document("Trunk", "carrier", spec, "telephony")])
            cluster.kubectl("-n", "telephony", "label", "--overwrite", "trunk", "carrier", f"turn=n{at}")
    among = documents("redis")
    own = [role for kind in ("Role", "ClusterRole") for role in of_kind(kind, among) if _is_operators(role)]
    granted = {
        (verb, resource)
        for role in own
        for rule in role["rules"]
        for verb, resource in itertools.product(rule["verbs"], rule["resources"])
    }
    assert _by_verb(deployed.used()) == _by_verb(granted)


def test_rights_in_one_namespace_are_enough_for_an_operator_of_it(deployed: Deployed, tmp_path: Path) -> None:
    cluster = deployed.cluster
    cluster.kubectl("delete", "clusterrolebinding", "dialplane-operator", "dialplane-operator-secrets")
    with deployed.operator(tmp_path, "narrow", "--namespace", "telephony") as operator, deployed.bridge(tmp_path):
        operator.said("this operator leads")
        cluster.apply([_number("narrow", "+15550100888")])
        wait_for(lambda: deployed.ready("phonenumber", "narrow").get("status") == "True", "it to be in use", 30)


def _is_operators(role: dict[str, Any]) -> bool:
    return str(role["metadata"]["name"]).startswith("dialplane-operator")


def _by_verb(rights: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The three kinds are one: what is done with one of them is done with all."""
    kinds = ("trunks", "dispatchrules", "phonenumbers")
    ours = {name + below: "ours" + below for name in kinds for below in ("", "/status")}
    return {(verb, ours.get(resource, resource)) for verb, resource in rights}


class Witness:
    """Looks all the time whether what is said to be Ready is in the tables, as it is said to be."""

    def __init__(self, deployed: Deployed) -> None:
        self._deployed = deployed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.looks, self.lies = 0, list[str]()

    def __enter__(self) -> Witness:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            found = self._deployed.cluster.get("trunks,dispatchrules,phonenumbers", "-n", "telephony")["items"]
            with open_tables(self._deployed.urls["reconciler"]) as store:
                rows = store.load().rows
            there = {*rows.trunks, *rows.rules, *rows.numbers}
            self.looks += 1
            for one in found:
                id_, status = f"telephony/{one['metadata']['name']}", one.get("status", {})
                ready = [c for c in status.get("conditions", ()) if c["type"] == "Ready" and c["status"] == "True"]
                if ready and id_ not in there:
                    self.lies.append(f"{id_} is Ready and not in the tables")


def _number(name: str, digits: str) -> dict[str, Any]:
    spec = {"number": digits, "trunkRef": {"name": "this-machine"}, "dispatchRuleRef": {"name": "lobby"}}
    return document("PhoneNumber", name, spec, "telephony")
