"""The models seen as a tree of fields by their written names: for hints, for the warnings, and for their tests."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

from schemas.resources.base import Part

Path = tuple[str | int, ...]
"""Where a value stands in a document: field names, map keys and list indexes."""


def part_in(annotation: Any) -> type[Part] | None:
    """The model inside an annotation such as `Inbound | None` or `tuple[Ref, ...]`; None for a plain value."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    for argument in get_args(annotation):
        if found := part_in(argument):
            return found
    return None


@cache
def fields(model: type[Part]) -> dict[str, str]:
    """The fields of a model: written name -> Python attribute."""
    return {info.alias or name: name for name, info in model.model_fields.items()}


def child(model: type[Part], field: str) -> type[Part] | None:
    """The model of a field's value, by the field's written name; None for plain values and unknown fields."""
    name = fields(model).get(field)
    return part_in(model.model_fields[name].annotation) if name else None


def part_at(model: type[Part], path: Path) -> type[Part] | None:
    """The model that stands at `path` below `model`; None where a plain value or nothing known stands."""
    current: type[Part] | None = model
    for step in path:
        if current is None:
            return None
        if isinstance(step, str):
            current = child(current, step)
    return current


def leaves(model: type[Part], prefix: str = "") -> Iterator[str]:
    """The dotted written path of every field that holds a plain value, list indexes left out."""
    for field in fields(model):
        below = child(model, field)
        if below is None:
            yield prefix + field
        else:
            yield from leaves(below, f"{prefix}{field}.")
