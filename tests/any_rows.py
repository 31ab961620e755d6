"""Hypothesis strategies that build any row, driven by the dataclasses' own fields: a new field is tried at once."""

from __future__ import annotations

import dataclasses
import typing

from hypothesis import strategies as st

from schemas.tables.rows import Kind, NumberRow, Row, RuleRow, TrunkRow

CLASSES: dict[Kind, type] = {Kind.TRUNK: TrunkRow, Kind.RULE: RuleRow, Kind.NUMBER: NumberRow}


def values(hint: object) -> st.SearchStrategy:
    """Any value of a type that a row may hold."""
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        return st.builds(hint, **{f.name: values(hints[f.name]) for f in dataclasses.fields(hint)})
    args = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        if args[-1] is Ellipsis:
            return st.lists(values(args[0]), max_size=3).map(tuple)
        return st.tuples(*map(values, args))
    if args:
        return st.one_of(*map(values, args))
    return st.text(max_size=8) if hint is str else st.from_type(hint)


def any_row(kind: Kind | None = None) -> st.SearchStrategy[Row]:
    """Any row, of one kind or of all three."""
    return st.one_of(*(values(cls) for of, cls in CLASSES.items() if kind in (None, of)))
