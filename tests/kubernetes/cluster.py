"""A genuine Kubernetes API server for tests: etcd and kube-apiserver on loopback, RBAC on, gone after their `with`.

There are no nodes and no controllers, so nothing runs, namespaces have no ServiceAccounts by themselves, and nothing is
deleted because something else is. The server is found on PATH or named by KUBE_APISERVER, and the tests that need it
skip by name without it.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import urllib.request
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.certificates import Authority
from tests.peers import ROOT, free_port, program, wait_for

PROGRAM = os.environ.get("KUBE_APISERVER") or program("kube-apiserver") or ""
CRDS = ROOT / "schemas" / "published" / "crds"
ISSUER = "https://kubernetes.default.svc.cluster.local"

_MISSING = [name for name in ("etcd", "kubectl") if program(name) is None] + ([] if PROGRAM else ["kube-apiserver"])
needs_kubernetes = pytest.mark.skipif(
    bool(_MISSING),
    reason=f"no {', '.join(_MISSING)}: put it on PATH (etcd-server, kubectl), or name the server in KUBE_APISERVER",
)
"""Marks a test that talks to a genuine API server."""


class AnyCluster:
    """What kubectl does with an API server, whichever it is. `admin` is a kubeconfig that may do everything."""

    VALIDATES: ClassVar[bool] = True
    """Whether it refuses what the schemas of our kinds do not allow, and shows their columns."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.admin = folder / "admin.kubeconfig"

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it listens."""

    @abstractmethod
    def start(self) -> None:
        """Answer, with what was declared before."""

    @abstractmethod
    def stop(self) -> None:
        """Be gone; what is declared stays."""

    @abstractmethod
    def compact(self) -> None:
        """Forget what was: whoever watches from an older version is told 410 Gone."""

    @abstractmethod
    def token(self, namespace: str, account: str) -> str:
        """A token of a ServiceAccount."""

    def way(self, url: str = "") -> dict[str, str]:
        """What a kubeconfig says of the server, or of another way to it."""
        return {"server": url or self.url}

    def context(self) -> ssl.SSLContext | None:
        """How to be sure of it; None where it speaks plain HTTP."""
        return None

    def kubectl(
        self, *words: str, given: str = "", check: bool = True, config: Path | None = None, timeout_s: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """`kubectl words`, with `given` on its standard input; `config` is another kubeconfig than the admin's."""
        command = [program("kubectl") or "kubectl", "--kubeconfig", str(config or self.admin), *words]
        cache = {**os.environ, "HOME": str(self.folder)}
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=timeout_s, check=False, cwd=ROOT, env=cache
        )
        assert not check or done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done

    def get(self, *words: str) -> dict[str, Any]:
        """`kubectl get words -o json`."""
        return dict(json.loads(self.kubectl("get", *words, "-o", "json").stdout))

    def apply(self, documents: str | Path | Iterable[object]) -> None:
        """Apply a text of YAML, what lies at a path, or values."""
        if isinstance(documents, Path):
            self.kubectl("apply", "-f", str(documents))
            return
        text = documents if isinstance(documents, str) else yaml.safe_dump_all(documents, sort_keys=False)
        self.kubectl("apply", "-f", "-", given=text)

    def with_crds(self) -> Self:
        """The same, once our kinds are known to it."""
        self.apply(CRDS)
        self.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        return self

    def namespace(self, name: str) -> None:
        """Make a namespace."""
        self.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])

    def service_account(self, namespace: str, name: str) -> Path:
        """A ServiceAccount, made if it is missing, and a kubeconfig with a token that the server issued for it."""
        metadata = {"name": name, "namespace": namespace}
        self.apply([{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}])
        return self.kubeconfig(f"{namespace}-{name}", self.token(namespace, name), namespace)

    def kubeconfig(self, name: str, token: str, namespace: str = "default", url: str = "") -> Path:
        """A kubeconfig for whoever has this token; `url` is another way to the server."""
        path = self.folder / f"{name}.kubeconfig"
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": name,
                    "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
                    "clusters": [{"name": name, "cluster": self.way(url)}],
                    "users": [{"name": name, "user": {"token": token}}],
                }
            )
        )
        return path


class Cluster(AnyCluster):
    """One API server with its etcd, in a folder of its own; `admin` is a kubeconfig that may do everything.

    `words` are more options of the server's command line.
    """

    def __init__(self, folder: Path, *words: str) -> None:
        super().__init__(folder)
        self.words = words
        self.port = free_port(socket.SOCK_STREAM)
        self.etcd_port, self._etcd_peers = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
        self._token = secrets.token_hex(16)
        self._etcd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._write_files()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://127.0.0.1:{self.port}"

    def __enter__(self) -> Cluster:
        try:
            self._etcd = self._started("etcd", self._etcd_words())
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        _ended(self._etcd, signal.SIGKILL)

    def start(self) -> None:
        """Start the API server, with what etcd has, and wait until it is ready."""
        self._server = self._started("kube-apiserver", self._server_words())
        wait_for(self._is_ready, f"kube-apiserver; see {self.folder / 'kube-apiserver.log'}", within_s=120)

    def stop(self) -> None:
        """Kill the API server; what is declared stays in etcd."""
        _ended(self._server, signal.SIGKILL)
        self._server = None

    def hold(self) -> None:
        """Stop it where it is: connections stay open, and nothing is answered."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """The other way of `hold`."""
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def compact(self) -> None:
        """Forget what etcd remembers of the past: whoever watches from an older version is told 410 Gone."""
        head = self._etcd_says("range", {"key": "AA=="})["header"]
        self._etcd_says("compaction", {"revision": head["revision"], "physical": True})

    def token(self, namespace: str, account: str) -> str:
        """One that the server issues."""
        return self.kubectl("create", "token", account, "-n", namespace).stdout.strip()

    def way(self, url: str = "") -> dict[str, str]:
        """With the authority of its certificate; a way of tests is plain."""
        if url.startswith("http:"):
            return {"server": url}
        return {"server": url or self.url, "certificate-authority": str(self.folder / "authority.pem")}

    def context(self) -> ssl.SSLContext | None:
        """By that authority."""
        return ssl.create_default_context(cafile=str(self.folder / "authority.pem"))

    def log(self) -> str:
        """What the API server printed."""
        return (self.folder / "kube-apiserver.log").read_text(errors="replace")

    def _etcd_says(self, what: str, asked: dict[str, Any]) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.etcd_port}/v3/kv/{what}"
        request = urllib.request.Request(url, data=json.dumps(asked).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=20) as answer:
            return dict(json.loads(answer.read()))

    def _write_files(self) -> None:
        authority = Authority(self.folder)
        self._pair = authority.pair("server", "127.0.0.1", "localhost", "kubernetes.default.svc")
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        (self.folder / "accounts.key").write_bytes(private)
        (self.folder / "tokens.csv").write_text(f'{self._token},admin,admin,"system:masters"\n')
        self.kubeconfig("admin", self._token)

    def _etcd_words(self) -> list[str]:
        clients, peers = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self._etcd_peers}"
        return [
            program("etcd") or "etcd", "--data-dir", str(self.folder / "etcd"), "--log-level", "warn",
            "--listen-client-urls", clients, "--advertise-client-urls", clients,
            "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
            "--initial-cluster", f"default={peers}",
        ]  # fmt: skip

    def _server_words(self) -> list[str]:
        accounts = str(self.folder / "accounts.key")
        return [
            PROGRAM, "--etcd-servers", f"http://127.0.0.1:{self.etcd_port}",
            "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1", "--secure-port", str(self.port),
            "--tls-cert-file", str(self._pair.certificate), "--tls-private-key-file", str(self._pair.key),
            "--service-account-issuer", ISSUER, "--service-account-key-file", accounts,
            "--service-account-signing-key-file", accounts, "--service-cluster-ip-range", "10.96.0.0/24",
            "--authorization-mode", "RBAC", "--token-auth-file", str(self.folder / "tokens.csv"),
            "--endpoint-reconciler-type", "none", *self.words,
        ]  # fmt: skip

    def _started(self, name: str, words: list[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(words, stdout=log, stderr=log, cwd=self.folder)

    def _is_ready(self) -> bool:
        assert self._server is not None
        assert self._server.poll() is None, f"kube-apiserver ended: {self.log()[-3000:]}"
        return self.kubectl("get", "--raw", "/readyz", check=False).returncode == 0


def _ended(process: subprocess.Popen[bytes] | None, number: signal.Signals) -> None:
    if process is not None and process.poll() is None:
        process.send_signal(number)
        process.wait()
