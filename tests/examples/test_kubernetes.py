"""examples/kubernetes without a cluster: what names what, what our programs would say, and who may do how much."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from reconciler.commands import operator
from reconciler.settings import PREFIX, Settings
from runtime.commands import serve
from runtime.workers.running import own_folder
from schemas.environment import check_state_folder, make_state_folder
from tests.examples.kubernetes import (
    FOLDER,
    OVERLAYS,
    Document,
    commands,
    documents,
    kustomization,
    of_kind,
    secrets,
    templates,
)
from tests.peers import ROOT, program
from tests.redis_server import RedisServer

COMMANDS: dict[tuple[str, str], click.Command] = {
    ("bridge", "run"): serve.run,
    ("reconcile", "operator"): operator.command,
}
KEYS = {f"{PREFIX}SECRET_KEY_FILE", "LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"}
each = pytest.mark.parametrize("overlay", OVERLAYS)
WORKLOADS = [(overlay, name) for overlay in OVERLAYS for name, _ in templates(documents(overlay))]


def template(overlay: str, name: str) -> Document:
    return dict(templates(documents(overlay)))[name]


@pytest.mark.parametrize("folder", ["base", *OVERLAYS])
def test_every_file_is_applied(folder: str) -> None:
    named = {name for name in kustomization(FOLDER / folder)["resources"] if name.endswith(".yaml")}
    assert named | {"kustomization.yaml"} == {path.name for path in (FOLDER / folder).glob("*.yaml")}


@pytest.mark.peer("kubectl")
@pytest.mark.parametrize(
    "folder", [*(FOLDER / name for name in OVERLAYS), ROOT / "schemas" / "published", FOLDER / "argocd"]
)
def test_kustomize_builds_it(folder: Path) -> None:
    kubectl = program("kubectl") or "kubectl"
    told = subprocess.run([kubectl, "version", "--client", "-o", "json"], check=True, capture_output=True, text=True)
    if "kustomizeVersion" not in json.loads(told.stdout):
        pytest.skip("this kubectl is older than 1.24, and its kustomize knows neither labels nor folders as resources")
    built = subprocess.run([kubectl, "kustomize", str(folder)], check=True, capture_output=True, text=True).stdout
    found = list(yaml.safe_load_all(built))
    assert found
    assert "image: dialplane\n" not in built, "an image has the registry's name"
    own = {d["metadata"].get("namespace") for d in found if d["kind"] not in CLUSTER_WIDE}
    assert own <= {"dialplane", None}
    if folder.name in OVERLAYS:
        assert own == {"dialplane"}


CLUSTER_WIDE = {"Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}


@pytest.mark.parametrize(("overlay", "name"), WORKLOADS)
def test_whatever_a_pod_names_is_there(overlay: str, name: str) -> None:
    among, pod = documents(overlay), template(overlay, name)["spec"]
    accounts = {document["metadata"]["name"] for document in of_kind("ServiceAccount", among)}
    maps = {made["name"] for made in kustomization(FOLDER / overlay)["configMapGenerator"]} | {"kube-root-ca.crt"}
    assert pod.get("serviceAccountName") in accounts | {None}
    own = {document["metadata"]["name"]: document for document in among if "template" in document.get("spec", {})}[name]
    claims = {claim["metadata"]["name"] for claim in own["spec"].get("volumeClaimTemplates", ())}
    volumes = {volume["name"]: volume for volume in pod.get("volumes", ())}
    for volume in volumes.values():
        if "secret" in volume:
            wanted = {item["key"] for item in volume["secret"].get("items", ())}
            assert wanted <= secrets()[volume["secret"]["secretName"]]
    for container in pod["containers"]:
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted <= volumes.keys() | claims
        for one in container.get("env", ()):
            if (ref := one.get("valueFrom", {}).get("secretKeyRef")) is not None:
                assert ref["key"] in secrets()[ref["name"]]
        for source in container.get("envFrom", ()):
            if "configMapRef" in source:
                assert source["configMapRef"]["name"] in maps
            else:
                assert source["secretRef"]["name"] in secrets()
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            check = container.get(probe, {})
            assert (check.get("httpGet") or check.get("tcpSocket") or {"port": None})["port"] in ports | {None}
    mounts = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
    assert volumes.keys() <= mounts, "no volume for nobody"


@each
def test_selectors_find_their_pods_and_their_ports(overlay: str) -> None:
    among = documents(overlay)
    pods = [pod for _, pod in templates(among)]

    def found(labels: dict[str, str]) -> list[Document]:
        return [pod for pod in pods if labels.items() <= pod["metadata"]["labels"].items()]

    def names(pods: list[Document]) -> set[str]:
        return {port["name"] for pod in pods for container in pod["spec"]["containers"] for port in container["ports"]}

    for document in among:
        spec = document.get("spec", {})
        labels = spec.get("podSelector", spec.get("selector"))
        if labels is None:
            continue
        chosen = found(labels.get("matchLabels", labels))
        assert len(chosen) == 1, document["metadata"]["name"]
        for port in spec.get("ports", ()):
            assert port["targetPort"] in names(chosen)
        for rule in spec.get("ingress", ()):
            assert {port["port"] for port in rule["ports"]} <= names(chosen)
        for rule in (*spec.get("ingress", ()), *spec.get("egress", ())):
            for peer in (*rule.get("from", ()), *rule.get("to", ())):
                if "podSelector" in peer:
                    assert found(peer["podSelector"]["matchLabels"])


@each
def test_roles_are_bound_to_who_is_there(overlay: str) -> None:
    among = documents(overlay)
    roles = {(d["kind"], d["metadata"]["name"]) for d in among if d["kind"] in {"Role", "ClusterRole"}}
    accounts = {document["metadata"]["name"] for document in of_kind("ServiceAccount", among)}
    bound = [*of_kind("RoleBinding", among), *of_kind("ClusterRoleBinding", among)]
    assert len(bound) == 3
    for binding in bound:
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) in roles
        for subject in binding["subjects"]:
            assert (subject["kind"], subject["namespace"]) == ("ServiceAccount", "dialplane")
            assert subject["name"] in accounts - {"dialplane-bridge"}, "a bridge may do nothing"


@pytest.mark.parametrize(("overlay", "name"), WORKLOADS)
def test_our_programs_take_these_options_and_variables(overlay: str, name: str) -> None:
    for container in template(overlay, name)["spec"]["containers"]:
        if container["image"] != "dialplane":
            continue
        command = COMMANDS[tuple(container["command"])]
        words = [word.replace("$(NODE_IP)", "10.0.0.7") for word in container["args"]]
        command.make_context(container["command"][1], words)  # says what is wrong with them
        known = {option.envvar for option in command.params if isinstance(option, click.Option) and option.envvar}
        known |= {f"{PREFIX}{field.upper()}" for field in Settings.__dataclass_fields__} | KEYS
        given = {one["name"] for one in container["env"]} - {"NODE_IP"}
        if "envFrom" in container:
            given |= set(settings_of(overlay)) | secrets()["dialplane-livekit"]
        assert given <= known


def settings_of(overlay: str) -> dict[str, str]:
    [made] = kustomization(FOLDER / overlay)["configMapGenerator"]
    return dict(literal.split("=", 1) for literal in made["literals"])


@each
def test_a_bridge_has_the_time_that_it_takes_to_drain(overlay: str) -> None:
    settings = settings_of(overlay)
    [grace] = [
        pod["spec"]["terminationGracePeriodSeconds"]
        for _, pod in templates(documents(overlay))
        if any(container["command"][0] == "bridge" for container in pod["spec"]["containers"])
    ]
    assert grace == int(settings["DIALPLANE_DRAIN"]) + 30
    command = serve.run.make_context(
        "run",
        ["--drain", settings["DIALPLANE_DRAIN"], "--rtp-ports", settings["DIALPLANE_RTP_PORTS"]]
        + [word for listen in settings["DIALPLANE_LISTEN"].split() for word in ("--listen", listen)],
    )
    serve._settings(command.params, None)


@pytest.mark.parametrize(("overlay", "name"), WORKLOADS)
def test_no_container_has_more_than_it_needs(overlay: str, name: str) -> None:
    pod = template(overlay, name)["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert "memory" in container["resources"]["limits"]
        assert "livenessProbe" in container
        holds_token = any("serviceaccount" in mount["mountPath"] for mount in container["volumeMounts"])
        automatic = pod.get("automountServiceAccountToken", True)
        assert (holds_token or automatic) == (container["command"] == ["reconcile", "operator"])


def test_the_image_has_what_the_pods_start_and_is_made_of_what_is_there() -> None:
    text = (ROOT / "Containerfile").read_text()
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert {name for name, _ in COMMANDS} == set(scripts)
    for overlay, name in WORKLOADS:
        pod = template(overlay, name)["spec"]
        if any(container["image"] == "dialplane" for container in pod["containers"]):
            assert f"USER {pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" in text
    let_in = [line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")]
    copied = [word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", text, re.MULTILINE) for word in line.split()]
    assert sorted(copied) == sorted(let_in)
    assert all((ROOT / name).exists() for name in copied)
    assert (ROOT / ".dockerignore").read_text() == (ROOT / ".containerignore").read_text()


def test_the_readme_names_what_is_there() -> None:
    for line in commands():
        for path in re.findall(r"(?:examples|schemas)/[\w./-]+", line):
            assert (ROOT / path).exists(), line


def judged(generation: int, status: str, reason: str) -> dict[str, Any]:
    """An object of generation 3, of which the operator has said this when it was of that generation."""
    conditions = [{"type": "Accepted", "status": "True"}, {"type": "Ready", "status": status, "reason": reason}]
    return {"metadata": {"generation": 3}, "status": {"observedGeneration": generation, "conditions": conditions}}


@pytest.mark.peer("redis-server")
@pytest.mark.parametrize(
    ("object_", "health"),
    [
        ({"metadata": {"generation": 1}}, "Progressing"),
        (judged(2, "True", "Ready"), "Progressing"),
        (judged(3, "True", "Ready"), "Healthy"),
        (judged(3, "False", "NoBridge"), "Progressing"),
        (judged(3, "False", "Invalid"), "Degraded"),
        (judged(3, "False", "BlockedBySafety"), "Degraded"),
    ],
)
def test_argo_cd_is_told_the_truth(tmp_path: Path, object_: dict[str, Any], health: str) -> None:
    """By the Lua of Redis, which is of the version that Argo CD's is of."""
    script = (FOLDER / "argocd" / "health.lua").read_text()
    whole = f"local function health(obj)\n{script}\nend\nreturn health(cjson.decode(ARGV[1])).status"
    with RedisServer(tmp_path) as server:
        words = [program("redis-cli") or "redis-cli", "-p", str(server.port), "EVAL", whole, "0", json.dumps(object_)]
        assert subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip() == health


def test_state_is_kept_in_a_folder_of_a_volume_that_its_group_may_write_to(tmp_path: Path) -> None:
    volume, state = tmp_path / "volume", tmp_path / "volume" / "state"
    volume.mkdir()
    volume.chmod(0o2777)  # as Kubernetes makes an emptyDir with an fsGroup
    with pytest.raises(PermissionError, match="others may write"):
        check_state_folder(str(volume))
    make_state_folder(str(state))
    check_state_folder(str(state))
    check_state_folder(str(own_folder(state, "--state", private=True)))
    state.chmod(0o2770)  # as it would become where a volume is mounted again without OnRootMismatch
    with pytest.raises(PermissionError, match="others may write"):
        check_state_folder(str(state))
    for overlay, name in WORKLOADS:
        for container in template(overlay, name)["spec"]["containers"]:
            mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
            for one in container.get("env", ()):
                if one["name"] == "DIALPLANE_STATE":
                    assert str(Path(one["value"]).parent) in mounted
