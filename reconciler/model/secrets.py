"""Secrets on their way into rows: where a document says they are, what was found there, and the seal put on it.

The reading edge looks at the places (`manifests/vault`) and hands in what it found; here it is decided what that means
for an object. Values are sealed as soon as they are known to be needed, so that no row, plan or message has one.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from reconciler.model.references import Missing, MissingReason
from schemas import ids
from schemas.resources.credentials import SecretSource
from schemas.resources.dispatch_rule import DispatchRule
from schemas.resources.documents import Document
from schemas.resources.trunk import Trunk
from schemas.seal import (
    CLIENT_CERTIFICATE,
    CLIENT_KEY,
    INBOUND_PASSWORD,
    OUTBOUND_PASSWORD,
    PIN,
    SECRET_BYTES_MAX,
    Place,
    Sealer,
)
from schemas.tables.rows import NumberRow, Row, Secret, kind_of

R = TypeVar("R", bound=Row)

_ATTRIBUTES = {
    INBOUND_PASSWORD: ("inbound", "auth", "password"),
    OUTBOUND_PASSWORD: ("outbound", "auth", "password"),
    CLIENT_CERTIFICATE: ("outbound", "tls", "certificate"),
    CLIENT_KEY: ("outbound", "tls", "key"),
    PIN: ("pin",),
}
"""Where a row keeps the secret of each field."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why there is no secret at a place: what is wrong, and what to do about it."""

    what: str
    hint: str


def usable(value: bytes, where: str) -> bytes | Unreadable:
    """What was found at a place, if it can be a secret; `where` names the place in words."""
    if not value:
        return Unreadable(f"{where} is empty", "put the secret there")
    if len(value) > SECRET_BYTES_MAX:
        return Unreadable(f"{where} holds more than {SECRET_BYTES_MAX} bytes", "a secret is shorter")
    return value


def without_line_end(value: bytes) -> bytes:
    """The same without the line end that editors leave."""
    return value.removesuffix(b"\n").removesuffix(b"\r")


@dataclass(frozen=True, slots=True)
class Secrets:
    """What was found, by the names of the places (`place_name`). Nobody has looked at a place that is missing here.

    `needed`: an object whose secret is missing must not go live. Without it (validate, plan) that is a warning.
    Without a `sealer` rows name the places only.

    `of_cluster`: the documents are a cluster's objects, and a Secret is known by its namespace, too.
    """

    found: Mapping[str, bytes | Unreadable] = field(default_factory=dict, repr=False)
    sealer: Sealer | None = None
    needed: bool = False
    of_cluster: bool = False


@dataclass(frozen=True, slots=True)
class Filled:
    """A row with its sealed secrets, the places that it depends on, and what was wrong with some of them."""

    row: Row
    looked_at: frozenset[str] = frozenset()
    unreadable: tuple[Missing, ...] = ()


def secrets_of(document: Document) -> Iterator[tuple[str, SecretSource]]:
    """(field, where its secret is) of each secret that a document names."""
    if isinstance(document, DispatchRule):
        if document.spec.pin_from is not None:
            yield PIN, document.spec.pin_from
    elif isinstance(document, Trunk):
        inbound, outbound = document.spec.inbound, document.spec.outbound
        if inbound is not None and inbound.auth is not None:
            yield INBOUND_PASSWORD, inbound.auth.password_from
        if outbound is not None and outbound.auth is not None:
            yield OUTBOUND_PASSWORD, outbound.auth.password_from
        if outbound is not None and outbound.tls is not None:
            yield CLIENT_CERTIFICATE, outbound.tls.certificate_from
            yield CLIENT_KEY, outbound.tls.key_from


def place_name(source: SecretSource, folder: str) -> str:
    """One place to look at: `env:NAME`, `file:PATH`, `secret:NAME/KEY`; PATH begins at `folder`, the manifest's."""
    if source.env is not None:
        return f"env:{source.env}"
    if source.file is not None:
        return f"file:{posixpath.join(folder, source.file)}"
    assert source.secret_key_ref is not None
    return f"secret:{source.secret_key_ref.name}/{source.secret_key_ref.key}"


def cluster_place_name(source: SecretSource, namespace: str) -> str:
    """One place of a document of a cluster: a Secret of its own namespace, whatever else it names."""
    ref = source.secret_key_ref
    return place_name(source, "") if ref is None else f"secret:{namespace}/{ref.name}/{ref.key}"


def folder_of(file: str) -> str:
    """The folder of a manifest; "" for the working folder."""
    return posixpath.dirname(file)


def filled(row: Row, document: Document, folder: str, secrets: Secrets) -> Filled:
    """The row with what was found at the places that its document names."""
    if isinstance(row, NumberRow):
        return Filled(row)
    names: list[str] = []
    namespace = document.metadata.namespace
    unreadable: list[Missing] = []
    for at, source in secrets_of(document):
        name = cluster_place_name(source, namespace) if secrets.of_cluster else place_name(source, folder)
        names.append(name)
        found = secrets.found.get(name)
        assert found is not None or not secrets.needed, "whoever needs secrets has looked at all places"
        if isinstance(found, bytes) and at == PIN:
            found = _checked_pin(found)
        if isinstance(found, Unreadable):
            path = ("spec", *at.split("."))
            unreadable.append(Missing(path, MissingReason.SECRET, found.what, found.hint))
        elif found is not None and secrets.sealer is not None:
            row = _put(row, at, secrets.sealer.seal(Place(kind_of(row), row.id, at), found))
    return Filled(row, frozenset(names), tuple(unreadable))


def carried_over(row: R, live: Row) -> R:
    """The row with the live one's sealed values where it has none of its own, and the places are still the same."""
    for at in _ATTRIBUTES:
        mine, theirs = _secret_at(row, at), _secret_at(live, at)
        if mine is not None and theirs is not None and not mine.sealed and mine.key == theirs.key and theirs.sealed:
            row = _put(row, at, theirs.sealed)
    return row


def secrets_in(row: Row) -> Iterator[tuple[str, Secret]]:
    """(field, secret) of each that a row has."""
    for at in _ATTRIBUTES:
        secret = _secret_at(row, at)
        if secret is not None:
            yield at, secret


def without_values(row: R) -> R:
    """The row with the places of its secrets alone."""
    for at, secret in secrets_in(row):
        row = _put(row, at, b"") if secret.sealed else row
    return row


def with_place(row: R, at: str, place: str) -> R:
    """The row with its secret of this field at another place, without a value."""
    changed: R = _replaced(row, _ATTRIBUTES[at], lambda _: Secret(place))
    return changed


def _checked_pin(found: bytes) -> bytes | Unreadable:
    if ids.is_pin(found.decode("latin-1")):
        return found
    hint = f"it must have 1 to {ids.PIN_CHARS_MAX} of the keys 0-9, * and A-D"
    return Unreadable("what is there is no PIN that a caller can enter", hint)


def _secret_at(row: Row, at: str) -> Secret | None:
    value: Any = row
    for name in _ATTRIBUTES[at]:
        value = getattr(value, name, None)
    return value if isinstance(value, Secret) else None


def _put(row: R, at: str, sealed: bytes) -> R:
    changed: R = _replaced(row, _ATTRIBUTES[at], lambda secret: replace(secret, sealed=sealed))
    return changed


def _replaced(value: Any, names: tuple[str, ...], change: Callable[[Secret], Secret]) -> Any:
    """`value` with the secret at the end of these attributes changed."""
    if not names:
        return change(value)
    return replace(value, **{names[0]: _replaced(getattr(value, names[0]), names[1:], change)})
