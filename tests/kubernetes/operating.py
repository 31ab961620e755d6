"""An operator as a user starts it, beside an API server of the tests: its log, its tables, what it says of objects."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from schemas.stores import open_tables
from tests.kubernetes.cluster import AnyCluster
from tests.peers import ROOT, ended, free_sip_port, wait_for

GROUP = "dialplane.dev"
RULES = [
    {key: value for key, value in rule.items() if key != "resourceNames"}
    for one in yaml.safe_load_all((ROOT / "examples/kubernetes/base/operator-access.yaml").read_text())
    for rule in one.get("rules", ())
]
"""All that an operator has in a namespace, as it is shipped; the Lease may have any name."""


def document(kind: str, name: str, spec: dict[str, Any], namespace: str, **metadata: Any) -> dict[str, Any]:
    """One object."""
    return {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": spec,
    }


class OperatorProcess:
    """`reconcile operator` with this kubeconfig, and its state in a folder of the test."""

    def __init__(
        self,
        config: Path,
        work: Path,
        *options: str,
        name: str = "operator",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.config, self.work, self.options = config, work, options
        self.state = work / "state"
        self.log_path = work / f"{name}.log"
        self._environment = environment or {}
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> OperatorProcess:
        self.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.stop()
        if kind is not None:
            print(self.log())

    def start(self) -> None:
        """Start it; also again."""
        words = [sys.executable, "-m", "reconciler", "operator", "--state", str(self.state), *self.options]
        environment = {**os.environ, "KUBECONFIG": str(self.config), "PYTHONUNBUFFERED": "1", **self._environment}
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log, env=environment)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it by a signal, and wait."""
        if self.process is not None:
            ended(self.process, number, within_s=20)

    def rss_mib(self) -> float:
        """Its resident memory."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def log(self) -> str:
        """What it printed."""
        return self.log_path.read_text(errors="replace")

    def said(self, words: str, within_s: float = 40) -> None:
        """Wait until it has said this."""
        try:
            wait_for(lambda: words in self.log(), "", within_s)
        except AssertionError:
            raise AssertionError(f"it never said {words!r}:\n{self.log()}") from None

    @property
    def tables(self) -> str:
        """The URL of its tables, where it has its own."""
        return f"sqlite:///{self.state}/tables.db"

    def digest(self) -> str:
        """The digest of its own tables."""
        with open_tables(self.tables) as store:
            return store.head().digest

    def ids(self) -> set[str]:
        """The names of all that is in its own tables."""
        with open_tables(self.tables) as store:
            rows = store.load().rows
            return {id_.partition("/")[2] for id_ in (*rows.trunks, *rows.rules, *rows.numbers)}


class RunningBridge:
    """`bridge run` on somebody's tables."""

    def __init__(self, tables: str, work: Path, environment: Mapping[str, str] | None = None) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.port = free_sip_port()
        self.log_path = work / "bridge.log"
        words = [sys.executable, "-m", "runtime", "run", "--state", str(work / "bridge"), "--tables", tables]
        words += ["--listen", f"udp://127.0.0.1:{self.port}", "--api", "off"]
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                words, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, **(environment or {})}
            )

    def __enter__(self) -> RunningBridge:
        try:
            wait_for(lambda: "Ctrl-C stops it" in self.log_path.read_text(), "the bridge")
        except AssertionError:
            self.__exit__()
            raise AssertionError(self.log_path.read_text()) from None
        return self

    def __exit__(self, *_: object) -> None:
        ended(self.process, signal.SIGINT, within_s=15)

    @property
    def target(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Place:
    """A namespace of a test, and the kubeconfig of the ServiceAccount in it."""

    cluster: AnyCluster
    namespace: str
    config: Path
    work: Path

    def operator(
        self, *options: str, name: str = "operator", config: Path | None = None, **more: Any
    ) -> OperatorProcess:
        """An operator of this namespace."""
        words = ["--namespace", self.namespace, *options]
        return OperatorProcess(config or self.config, self.work / name, *words, name=name, **more)

    def apply(self, *documents: dict[str, Any]) -> None:
        """Apply these objects here."""
        self.cluster.apply(documents)

    def trunk(self, name: str = "carrier", net: int = 1, **spec: Any) -> dict[str, Any]:
        """A Trunk."""
        inbound = spec.pop("inbound", {"allowedAddresses": [f"10.{net}.0.0/16"]})
        return document("Trunk", name, {"inbound": inbound, **spec}, self.namespace)

    def rule(self, name: str = "support", room: str = "lobby", **spec: Any) -> dict[str, Any]:
        """A DispatchRule."""
        return document("DispatchRule", name, {"rule": {"direct": {"room": room}}, **spec}, self.namespace)

    def number(self, name: str, digits: str, **spec: Any) -> dict[str, Any]:
        """A PhoneNumber."""
        return document("PhoneNumber", name, {"number": digits, **spec}, self.namespace)

    def secret(self, name: str, **values: str) -> None:
        """Make a Secret."""
        metadata = {"name": name, "namespace": self.namespace}
        self.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values})

    def kubectl(self, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """`kubectl -n` here."""
        return self.cluster.kubectl("-n", self.namespace, *words, **more)

    def object(self, kind: str, name: str) -> dict[str, Any]:
        """An object as it is, {} where there is none."""
        found = self.kubectl("get", kind, name, "-o", "json", check=False)
        return dict(json.loads(found.stdout)) if found.returncode == 0 else {}

    def condition(self, kind: str, name: str, type_: str) -> dict[str, Any]:
        """One condition of an object, {} where it has none."""
        conditions = self.object(kind, name).get("status", {}).get("conditions", [])
        return next((dict(one) for one in conditions if one["type"] == type_), {})

    def until(
        self, kind: str, name: str, type_: str, good: Callable[[dict[str, Any]], bool], within_s: float = 40
    ) -> dict[str, Any]:
        """Wait for a condition to be as it should; it."""
        last: list[dict[str, Any]] = [{}]

        def look() -> dict[str, Any] | None:
            last[0] = self.condition(kind, name, type_)
            return last[0] if last[0] and good(last[0]) else None

        try:
            return dict(wait_for(look, "", within_s))
        except AssertionError:
            raise AssertionError(f"{kind} {name}: {type_} is {last[0]} after {within_s} s") from None

    def gone(self, kind: str, name: str, within_s: float = 40) -> None:
        """Wait until an object is gone."""
        wait_for(lambda: not self.object(kind, name), f"{kind} {name} to be gone", within_s)


def reason(*wanted: str) -> Callable[[dict[str, Any]], bool]:
    """Whether a condition has one of these reasons."""
    return lambda condition: condition["reason"] in wanted


def place_in(cluster: AnyCluster, namespace: str, work: Path) -> Place:
    """Make a namespace, and a ServiceAccount that may do `RULES` there."""
    cluster.namespace(namespace)
    config = cluster.service_account(namespace, "operator")
    api, head = "rbac.authorization.k8s.io", {"metadata": {"name": "operator", "namespace": namespace}}
    subject = {"kind": "ServiceAccount", "name": "operator", "namespace": namespace}
    role = {"apiGroup": api, "kind": "Role", "name": "operator"}
    cluster.apply(
        [
            {"apiVersion": f"{api}/v1", "kind": "Role", **head, "rules": RULES},
            {"apiVersion": f"{api}/v1", "kind": "RoleBinding", **head, "roleRef": role, "subjects": [subject]},
        ]
    )
    return Place(cluster, namespace, config, work)


def documents_of(folder: Path, namespace: str) -> list[dict[str, Any]]:
    """The objects of an example, in a namespace."""
    return [
        {**one, "metadata": {**one["metadata"], "namespace": namespace}}
        for file in sorted(folder.glob("*.yaml"))
        for one in yaml.safe_load_all(file.read_text())
        if one and one["kind"] != "RoutingTest"
    ]
