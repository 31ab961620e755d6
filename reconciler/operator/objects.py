"""CORE. One object of a cluster, as the API server told it -> what the model is fed with, and what the operator minds.

Only name, namespace, labels and spec are the document: an annotation of another tool must not make a Trunk invalid, and
nothing that a server adds is declared by anybody. An object whose document says the same as before keeps its source, so
that the model works on the difference alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from reconciler.manifests.located import path_text
from reconciler.manifests.reading import object_key, remarks_on
from reconciler.model.sources import FileSources, Key, Path, Source, object_id
from reconciler.operator.depth import cut
from reconciler.operator.told import Told, told_of
from schemas.problems import Problem, Severity, Where
from schemas.resources import bounds
from schemas.resources.base import API_VERSION
from schemas.resources.check import check
from schemas.tables.rows import Kind

FINALIZER = "dialplane.dev/finalizer"
"""Keeps a deleted object visible until what was made of it is gone."""
ALLOW = "dialplane.dev/allow"
"""The annotation that allows what is refused as unsafe: words of `ALLOWED`, with commas between them."""
ALLOWED = frozenset({"delete", "any", "unrouted"})

PLURALS = {Kind.TRUNK: "trunks", Kind.RULE: "dispatchrules", Kind.NUMBER: "phonenumbers"}


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One object. `version` is its resourceVersion, `told` its status as it stands, `file` its document.

    `going`: it is deleted, and only finalizers keep it.
    """

    key: Key
    uid: str
    version: int
    generation: int
    going: bool
    finalizers: tuple[str, ...]
    allowed: frozenset[str]
    told: Told
    file: FileSources

    @property
    def source(self) -> Source:
        """Its document, sound or not."""
        return self.file.sources[0]

    def same_meaning(self, other: Seen) -> bool:
        """Whether nothing that is to be acted upon has changed."""
        return (
            self.file is other.file
            and self.going == other.going
            and self.allowed == other.allowed
            and self.generation == other.generation
            and self.uid == other.uid
        )


def path_of(key: Key) -> str:
    """Where the API server has an object."""
    namespace, _, name = key[1].partition("/")
    return f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURALS[key[0]]}/{name}"


def key_of(body: Mapping[str, Any]) -> Key | None:
    """What object a body is about; None where it is none of ours."""
    return object_key(body) if body.get("apiVersion") == API_VERSION else None


def seen(body: Mapping[str, Any], before: Seen | None = None) -> Seen | None:
    """The object in a body from the API server; None where it is none of ours."""
    key, metadata = key_of(body), body.get("metadata")
    if key is None or not isinstance(metadata, dict):
        return None
    annotations = metadata.get("annotations") or {}
    words = str(annotations.get(ALLOW, "")).replace(",", " ").split()
    return Seen(
        key,
        str(metadata.get("uid", "")),
        version_of(metadata),
        int(metadata.get("generation") or 0),
        bool(metadata.get("deletionTimestamp")),
        tuple(metadata.get("finalizers") or ()),
        ALLOWED.intersection(words),
        told_of(body.get("status")),
        _file(key, body, metadata, before),
    )


def version_of(metadata: Mapping[str, Any]) -> int:
    """A resourceVersion as a number that grows; 0 where it is none."""
    text = str(metadata.get("resourceVersion", ""))
    return int(text) if text.isascii() and text.isdigit() else 0


def _file(key: Key, body: Mapping[str, Any], metadata: Mapping[str, Any], before: Seen | None) -> FileSources:
    kept = {name: metadata[name] for name in ("name", "namespace", "labels") if metadata.get(name)}
    if len(kept.get("labels", ())) > bounds.LABELS_MAX:  # an API server takes a megabyte of them: one too many says it
        kept["labels"] = dict(islice(kept["labels"].items(), bounds.LABELS_MAX + 1))
    data = {"apiVersion": API_VERSION, "kind": key[0].value, "metadata": kept, "spec": cut(body.get("spec"))}
    uid, born = str(metadata.get("uid", "")), str(metadata.get("creationTimestamp", ""))
    if before is not None and before.uid == uid and before.source.data == data:
        return before.file
    document, complaints = check(data)
    name = object_id(key)
    problems = [Problem(_at(one.path), one.what, one.hint, one.code, object_id=name) for one in complaints]
    if document is not None:
        problems += [
            Problem(_at(path), what, hint, code, Severity.WARNING, name)
            for path, what, hint, code in remarks_on(document)
        ]
    source = Source(key, document, data, Where(), _at, tuple(problems), uid, born)
    return FileSources(name, (source,))


def _at(path: Path) -> Where:
    """A place within an object: there is no file, and its name is said otherwise."""
    return Where(path=path_text(path))
