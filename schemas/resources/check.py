"""The door: a plain mapping, as a loader made it, becomes a document or every complaint about it at once.

Who calls it: the reconciler for each document of a folder, of stdin or of a cluster. What it promises: the value is
true inside, or the complaints name each fault with its place, what is wrong and what to write; no complaint repeats a
secret; the count of complaints is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from schemas.resources import hints
from schemas.resources.base import API_VERSION, GROUP
from schemas.resources.documents import KINDS, Document
from schemas.resources.shape import Path
from schemas.resources.values import shown, yaml_word
from schemas.resources.wording import Complaint, complaint

__all__ = ["COMPLAINTS_MAX", "Complaint", "check"]

_ABSENT = frozenset({"missing", "open-trunk"})

COMPLAINTS_MAX = 100
"""How many complaints one document gets; a last one says that there are more."""


def check(data: object) -> tuple[Document | None, list[Complaint]]:
    """The document that `data` declares, or None and all that is wrong with it."""
    if not isinstance(data, dict):
        what = f"a document is a map with apiVersion, kind, metadata and spec, not {yaml_word(data)}"
        return None, [Complaint((), what, "", "wrong-type")]
    kind = data.get("kind")
    model = KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        return None, [*_api_version(data), _kind(data)]
    try:
        return model.model_validate(data), []
    except ValidationError as failed:
        errors = failed.errors(include_url=False)
    found = _api_version(data)
    found += [complaint(model.__name__, model, error) for error in errors if not _told_elsewhere(error)]
    return None, _bounded(_without_doubles(found))


def _told_elsewhere(error: Mapping[str, Any]) -> bool:
    """Whether another complaint says it: ours about the apiVersion, or those about each entry of a list."""
    return error["loc"][:1] == ("apiVersion",) or (error["type"] == "too_short" and bool(error["input"]))


def _without_doubles(found: list[Complaint]) -> list[Complaint]:
    """A field is not missing where an unknown one beside it is told to be meant for it: that is one mistake."""
    meant = {(one.path[:-1], word) for one in found if one.code == "unknown-field" for word in _words(one.hint)}
    return [one for one in found if one.code not in _ABSENT or not _named(one) & meant]


def _named(absent: Complaint) -> set[tuple[Path, str]]:
    """The fields that a complaint misses, each with the part that it should stand in; the path is of either."""
    words = {*_words(absent.what), *_words(absent.hint)}
    return {(around, word) for word in words for around in (absent.path, absent.path[:-1])}


def _words(sentence: str) -> list[str]:
    return [word for quoted in sentence.split("`")[1::2] for word in quoted.split(".")]


def _bounded(found: list[Complaint]) -> list[Complaint]:
    more = len(found) - COMPLAINTS_MAX
    if more <= 0:
        return found
    return [*found[:COMPLAINTS_MAX], Complaint((), f"and {more} more complaints about this document", "", "more")]


def _api_version(data: dict[object, object]) -> list[Complaint]:
    """What is wrong with the apiVersion, if anything."""
    path, hint = ("apiVersion",), f"write `{API_VERSION}`"
    if "apiVersion" not in data:
        return [Complaint(path, "`apiVersion` is missing", hint, "missing")]
    version = data["apiVersion"]
    if version == API_VERSION:
        return []
    if not isinstance(version, str):
        return [Complaint(path, f"`apiVersion` must be a text, not {yaml_word(version)}", hint, "wrong-type")]
    if version.startswith(f"{GROUP}/"):
        hint = f"this version of dialplane reads `{API_VERSION}`"
    return [Complaint(path, f"{shown(version)} is not an apiVersion of dialplane", hint, "bad-api-version")]


def _kind(data: dict[object, object]) -> Complaint:
    """What is wrong with the kind."""
    if "kind" not in data:
        return Complaint(("kind",), "`kind` is missing", hints.did_you_mean("", list(KINDS)), "missing")
    kind = data["kind"]
    if not isinstance(kind, str):
        return Complaint(("kind",), f"`kind` must be a text, not {yaml_word(kind)}", "", "wrong-type")
    hint = _LIVEKIT_KINDS.get(kind.lower()) or hints.did_you_mean(kind, list(KINDS))
    return Complaint(("kind",), f"{shown(kind)} is not a kind of dialplane", hint, "unknown-kind")


_LIVEKIT_KINDS = {
    "sipinboundtrunk": "write `Trunk`, with `spec.inbound`",
    "sipoutboundtrunk": "write `Trunk`, with `spec.outbound`",
    "inboundtrunk": "write `Trunk`, with `spec.inbound`",
    "outboundtrunk": "write `Trunk`, with `spec.outbound`",
    "sipdispatchrule": "did you mean `DispatchRule`?",
}
"""LiveKit's names for our kinds, in lower case."""
