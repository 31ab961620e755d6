"""From pydantic's errors to sentences that a person can act on.

Our own grammars bring their sentence along; for pydantic's own error types the sentence is made here. No sentence
made here repeats an input value except words out of closed lists, so no secret can slip out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.resources import hints
from schemas.resources.base import Part
from schemas.resources.credentials import PLACES_HINT, Auth, SecretSource
from schemas.resources.shape import Path, part_at
from schemas.resources.values import shown, yaml_word


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong with a document: at `path`, `what` is wrong, `hint` says what to write.

    `code` is stable for machines. A path may end in a field that is missing; its parent then exists.
    """

    path: Path
    what: str
    hint: str = ""
    code: str = "invalid"


def field_name(path: Path) -> str:
    """The last field of a path between backticks, with its index: `allowedAddresses[0]`."""
    indexes = ""
    for step in reversed(path):
        if isinstance(step, str):
            return shown(f"{step}{indexes}")  # a map's key is the writer's, and may hold anything
        indexes = f"[{step}]{indexes}"
    return "this"


@dataclass(frozen=True, slots=True)
class Fault:
    """One of pydantic's errors and the document that it is about."""

    kind: str
    root: type[Part]
    type: str
    path: Path
    input: Any
    ctx: Mapping[str, Any]
    message: str

    @property
    def field(self) -> str:
        """The field's name, ready for a sentence."""
        return field_name(self.path)


Words = tuple[str, str, str]
"""what, hint, code."""


def _wrong_type(wanted: str) -> Callable[[Fault], Words]:
    def words(fault: Fault) -> Words:
        value = fault.input
        if value is None:
            return f"{fault.field} has no value", f"write {wanted}, or remove the line", "no-value"
        if wanted == "a text" and isinstance(value, bool | int | float):
            return f"{fault.field} is read as {yaml_word(value)}, a text is needed", "put it in quotes", "unquoted"
        hint = hints.other_shape(fault.root, fault.path, value, wanted)
        return f"{fault.field} must be {wanted}, not {yaml_word(value)}", hint, "wrong-type"

    return words


def _missing(fault: Fault) -> Words:
    return f"{fault.field} is missing", "", "missing"


def _unknown(fault: Fault) -> Words:
    here = part_at(fault.root, fault.path[:-1]) or fault.root
    hint = hints.unknown_field(fault.kind, fault.root, here, fault.path)
    return f"unknown field {shown(str(fault.path[-1]))}", hint, "unknown-field"


def _choice(fault: Fault) -> Words:
    choices = str(fault.ctx["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
    if not isinstance(fault.input, str):
        return _wrong_type(hints.any_of(choices))(fault)
    hint = hints.did_you_mean(fault.input, choices)
    return f"{shown(fault.input)} is not a value of {fault.field}", hint, "bad-choice"


def _too_small(fault: Fault) -> Words:
    return f"{fault.field} is {fault.input}", f"at least {fault.ctx['ge']} is needed", "out-of-range"


def _too_large(fault: Fault) -> Words:
    return f"{fault.field} is {fault.input}", f"at most {fault.ctx['le']} is allowed", "out-of-range"


def _empty(fault: Fault) -> Words:
    return f"{fault.field} is empty", "write at least one entry, or remove the line", "empty"


def _too_many(fault: Fault) -> Words:
    return f"{fault.field} has too many entries", f"at most {fault.ctx['max_length']} are allowed", "too-long"


def _bad_key(fault: Fault) -> Words:
    return "a field's name must be a text", "put it in quotes", "unquoted"


_WORDS: dict[str, Callable[[Fault], Words]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "literal_error": _choice,
    "model_type": _wrong_type("a map"),
    "model_attributes_type": _wrong_type("a map"),
    "dict_type": _wrong_type("a map"),
    "tuple_type": _wrong_type("a list"),
    "string_type": _wrong_type("a text"),
    "bool_type": _wrong_type("true or false"),
    "int_type": _wrong_type("a whole number"),
    "greater_than_equal": _too_small,
    "less_than_equal": _too_large,
    "too_short": _empty,
    "too_long": _too_many,
    "invalid_key": _bad_key,
}


def complaint(kind: str, root: type[Part], error: Mapping[str, Any]) -> Complaint:
    """The complaint for one line of a pydantic ValidationError about a document of `kind`."""
    path: Path = error["loc"]
    if path and path[-1] == "[key]":
        path = path[:-1]
    fault = Fault(kind, root, error["type"], path, error["input"], error.get("ctx", {}), error["msg"])
    around = part_at(root, path[:-1]) if fault.type == "extra_forbidden" else None
    if around is SecretSource or (around is Auth and fault.input is None):
        # The "name" may be a secret that was meant as a value: {passwordFrom: {hunter2}}, auth: {acme, hunter2}.
        return Complaint(path[:-1], f"{field_name(path[:-1])} has an unknown field", PLACES_HINT, "unknown-field")
    if "what" in fault.ctx:
        what, hint = str(fault.ctx["what"]), str(fault.ctx["hint"])
        return Complaint(path, f"{fault.field} {what[5:]}" if what.startswith("this ") else what, hint, fault.type)
    words = _WORDS.get(fault.type)
    if words is None:
        return Complaint(path, f"{fault.field}: {fault.message}")
    return Complaint(path, *words(fault))
