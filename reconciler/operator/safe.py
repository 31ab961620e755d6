"""CORE. The Secrets that objects of the cluster refer to, and what is in them: nothing else of any Secret is kept.

An object may name Secrets of its own namespace alone. The environment and the files of the operator are its own: with
them whoever may write a Trunk could read what was given to the operator.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.model.secrets import (
    Secrets,
    Unreadable,
    cluster_place_name,
    secrets_of,
    usable,
    without_line_end,
)
from reconciler.model.sources import FileSources
from schemas.resources.credentials import SecretSource
from schemas.seal import Sealer

Name = tuple[str, str]
"""Namespace and name of a Secret."""

_REFUSED = Unreadable(
    "in a cluster a secret comes from a Secret of the object's own namespace, not from the operator's own environment "
    "or files",
    "write secretKeyRef: {name: …, key: …}",
)


@dataclass(frozen=True, slots=True)
class _Place:
    """One place that a document names; `secret` None: it is refused."""

    name: str
    secret: Name | None = None
    entry: str = ""


@dataclass(slots=True)
class Safe:
    """What is known of the Secrets that are referred to. Its values are shown nowhere."""

    _places: dict[str, tuple[FileSources, tuple[_Place, ...]]] = field(default_factory=dict, repr=False)
    _known: dict[Name, Mapping[str, Any] | Unreadable | None] = field(default_factory=dict, repr=False)
    """The data of each; None = there is no such Secret."""
    _wanted: frozenset[Name] = frozenset()

    def want(self, files: Mapping[str, FileSources]) -> list[Name]:
        """Mind the Secrets that these documents refer to, and no others; those of which nothing is known yet."""
        places = {}
        for name, file in files.items():
            known = self._places.get(name)
            places[name] = known if known is not None and known[0] is file else (file, tuple(_places_of(file)))
        self._places = places
        self._wanted = frozenset(place.secret for _, found in places.values() for place in found if place.secret)
        for secret in self._known.keys() - self._wanted:
            del self._known[secret]
        return sorted(self._wanted - self._known.keys())

    def put(self, body: Mapping[str, Any]) -> bool:
        """Take in a Secret; whether it is one that is referred to, and holds something else than before."""
        return self._take(_name_of(body), body.get("data") or {})

    def remove(self, body: Mapping[str, Any]) -> bool:
        """Take in that a Secret is gone; likewise."""
        return self._take(_name_of(body), None)

    def miss(self, name: Name) -> bool:
        """The same of one that was asked for by name, and is not there."""
        return self._take(name, None)

    def refuse(self, name: Name, why: str) -> bool:
        """The same of one that the API server does not show."""
        return self._take(name, Unreadable(f"the Secret {name[1]} cannot be read: {why}", "let the operator get it"))

    def secrets(self, sealer: Sealer | None) -> Secrets:
        """What is at all places that the documents name."""
        found = {place.name: self._found(place) for _, places in self._places.values() for place in places}
        return Secrets(found, sealer, needed=True, of_cluster=True)

    def _take(self, name: Name, data: Mapping[str, Any] | Unreadable | None) -> bool:
        if name not in self._wanted or (name in self._known and self._known[name] == data):
            return False
        self._known[name] = data
        return True

    def _found(self, place: _Place) -> bytes | Unreadable:
        if place.secret is None:
            return _REFUSED
        namespace, name = place.secret
        data = self._known.get(place.secret)
        if isinstance(data, Unreadable):
            return data
        if data is None:
            hint = f"kubectl create secret generic {name} -n {namespace} --from-literal={place.entry}=…"
            return Unreadable(f"there is no Secret {name} in the namespace {namespace}", hint)
        if place.entry not in data:
            return Unreadable(f"the Secret {name} has no key {place.entry}", f"add {place.entry} to its data")
        try:
            value = base64.b64decode(str(data[place.entry]), validate=True)
        except (binascii.Error, ValueError):
            return Unreadable(f"the key {place.entry} of the Secret {name} is no base64", "write it anew")
        return usable(without_line_end(value), f"the key {place.entry} of the Secret {name}")


def _name_of(body: Mapping[str, Any]) -> Name:
    metadata = body.get("metadata") or {}
    return str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def _places_of(file: FileSources) -> list[_Place]:
    out = []
    for source in file.sources:
        if source.document is not None:
            namespace = source.document.metadata.namespace
            out += [_place(place, namespace) for _, place in secrets_of(source.document)]
    return out


def _place(source: SecretSource, namespace: str) -> _Place:
    name, ref = cluster_place_name(source, namespace), source.secret_key_ref
    return _Place(name) if ref is None else _Place(name, (namespace, ref.name), ref.key)
