"""What the API server of `emulated` keeps: objects with versions, what watches are told, and who may do what."""

from __future__ import annotations

import copy
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
LOG_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of objects, as discovery tells of it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    status: bool = False

    @property
    def api(self) -> str:
        """`v1`, `group/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version


RBAC = "rbac.authorization.k8s.io"
BUILT_IN = (
    Kind("", "v1", "namespaces", "Namespace", namespaced=False, short=("ns",)),
    Kind("", "v1", "secrets", "Secret"),
    Kind("", "v1", "events", "Event", short=("ev",)),
    Kind("", "v1", "serviceaccounts", "ServiceAccount", short=("sa",)),
    Kind("coordination.k8s.io", "v1", "leases", "Lease"),
    Kind(RBAC, "v1", "roles", "Role"),
    Kind(RBAC, "v1", "rolebindings", "RoleBinding"),
    Kind(RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False),
    Kind(RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    Kind("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False,
         short=("crd",)),
)  # fmt: skip


class RefusedError(Exception):
    """An answer that is none that was asked for."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason

    def body(self) -> Object:
        """As the server sends it."""
        return {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": str(self),
            "reason": self.reason, "code": self.code,
        }  # fmt: skip


@dataclass
class Store:
    """All objects, by (plural, group) and (namespace, name); `log` is what watches are told, by version."""

    kinds: dict[tuple[str, str], Kind] = field(default_factory=lambda: {(k.plural, k.group): k for k in BUILT_IN})
    objects: dict[tuple[str, str], dict[tuple[str, str], Object]] = field(default_factory=dict)
    log: list[tuple[int, Kind, str, Object]] = field(default_factory=list)
    forgotten: int = 0
    version: int = 1
    tokens: dict[str, tuple[str, str]] = field(default_factory=dict)

    def of(self, kind: Kind) -> dict[tuple[str, str], Object]:
        """The objects of one kind."""
        return self.objects.setdefault((kind.plural, kind.group), {})

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """One object. Raises RefusedError."""
        found = self.of(kind).get((namespace, name))
        if found is None:
            raise RefusedError(404, "NotFound", f'{kind.plural} "{name}" not found')
        return found

    def create(self, kind: Kind, namespace: str, given: Object) -> Object:
        """Take in a new object. Raises RefusedError."""
        metadata = given.setdefault("metadata", {})
        if "generateName" in metadata and not metadata.get("name"):
            metadata["name"] = metadata["generateName"] + uuid.uuid4().hex[:5]
        name = metadata["name"]
        if (namespace, name) in self.of(kind):
            raise RefusedError(409, "AlreadyExists", f'{kind.plural} "{name}" already exists')
        made = {**given, "apiVersion": kind.api, "kind": kind.kind}
        if kind.status:
            made.pop("status", None)
        metadata |= {"uid": str(uuid.uuid4()), "generation": 1, "creationTimestamp": now()}
        if kind.namespaced:
            metadata["namespace"] = namespace
        if kind.kind == "CustomResourceDefinition":
            made["status"] = {
                "conditions": [{"type": "Established", "status": "True", "reason": "InitialNamesAccepted"}]
            }
            self._declare(made)
        return self._put(kind, namespace, name, made, "ADDED")

    def change(self, kind: Kind, namespace: str, name: str, wanted: Object, *, status: bool) -> Object:
        """Put an object's new state, or only its status. Raises RefusedError."""
        before = self.get(kind, namespace, name)
        told, meant = before["metadata"], wanted.get("metadata", {})
        for what in ("resourceVersion", "uid"):
            if meant.get(what) and meant[what] != told[what]:
                raise RefusedError(409, "Conflict", f"the {what} of {name} is {told[what]}, not {meant[what]}")
        if status:
            after = {**before, "status": wanted.get("status", {}), "metadata": dict(told)}
        else:
            kept = {key: told[key] for key in ("uid", "creationTimestamp", "deletionTimestamp") if key in told}
            after = {**wanted, "metadata": {**meant, **kept, "generation": told["generation"]}}
            if kind.status and "status" in before:
                after["status"] = before["status"]
            if after.get("spec") != before.get("spec"):
                after["metadata"]["generation"] += 1
        after["metadata"]["resourceVersion"] = told["resourceVersion"]
        if after == before:
            return before
        made = self._put(kind, namespace, name, after, "MODIFIED")
        if made["metadata"].get("deletionTimestamp") and not made["metadata"].get("finalizers"):
            self._drop(kind, namespace, name)
        return made

    def delete(self, kind: Kind, namespace: str, name: str) -> Object:
        """Delete an object, or mark it where somebody holds it. Raises RefusedError."""
        before = self.get(kind, namespace, name)
        if before["metadata"].get("finalizers"):
            if before["metadata"].get("deletionTimestamp"):
                return before
            metadata = {**before["metadata"], "deletionTimestamp": now(), "deletionGracePeriodSeconds": 0}
            metadata["generation"] += 1
            return self._put(kind, namespace, name, {**before, "metadata": metadata}, "MODIFIED")
        return self._drop(kind, namespace, name)

    def forget(self) -> None:
        """As etcd compacts: watches from before now are told 410."""
        self.log.clear()
        self.forgotten = self.version

    def may(self, token: str, verb: str, kind: Kind, part: str, namespace: str) -> bool:
        """Whether who has this token may do that (RBAC). Who has none is the admin, who has a wrong one nobody."""
        if not token:
            return True
        account = self.tokens.get(token)
        what = f"{kind.plural}/{part}" if part else kind.plural
        return account is not None and any(
            kind.group in rule.get("apiGroups", ()) and what in rule.get("resources", ()) and verb in rule["verbs"]
            for rule in self._rules(account, namespace)
        )

    def _rules(self, account: tuple[str, str], namespace: str) -> Iterator[Object]:
        for plural, scope in (("rolebindings", namespace), ("clusterrolebindings", "")):
            for (within, _), binding in list(self.of(self.kinds[plural, RBAC]).items()):
                subjects = {(s.get("namespace"), s["name"]) for s in binding.get("subjects", ())}
                if within != scope or account not in subjects:
                    continue
                reference = binding["roleRef"]
                roles = self.of(self.kinds[reference["kind"].lower() + "s", RBAC])
                role = roles.get((namespace if reference["kind"] == "Role" else "", reference["name"]))
                yield from (role or {}).get("rules", ())

    def _put(self, kind: Kind, namespace: str, name: str, made: Object, type_: str) -> Object:
        self.version += 1
        made["metadata"]["resourceVersion"] = str(self.version)
        self.of(kind)[namespace, name] = made
        self._tell(kind, type_, made)
        return made

    def _drop(self, kind: Kind, namespace: str, name: str) -> Object:
        gone = copy.deepcopy(self.of(kind).pop((namespace, name)))
        self.version += 1
        gone["metadata"]["resourceVersion"] = str(self.version)
        self._tell(kind, "DELETED", gone)
        return gone

    def _tell(self, kind: Kind, type_: str, made: Object) -> None:
        self.log.append((self.version, kind, type_, copy.deepcopy(made)))
        if len(self.log) > LOG_MAX:
            self.forgotten = self.log[LOG_MAX // 2][0]
            del self.log[: LOG_MAX // 2 + 1]

    def _declare(self, crd: Object) -> None:
        spec, names = crd["spec"], crd["spec"]["names"]
        [served] = [version for version in spec["versions"] if version["served"]]
        kind = Kind(
            spec["group"], served["name"], names["plural"], names["kind"], spec["scope"] == "Namespaced",
            tuple(names.get("shortNames", ())), tuple(names.get("categories", ())),
            "status" in served.get("subresources", {}),
        )  # fmt: skip
        self.kinds[kind.plural, kind.group] = kind


def now() -> str:
    """The time, as Kubernetes writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, Mapping):
        return patch
    out = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merged(out.get(key), value)
    return out
