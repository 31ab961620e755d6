"""The one form of a row's bytes: what stores keep and send, and what the digest is taken of.

Called by stores on both sides of the door, and by whoever compares rows by their bytes. Promises:

- canonical: equal rows of one kind and id have equal bytes, unequal rows have unequal bytes, on every Python
  version (JSON in UTF-8, keys in order, no spaces, fields at their default left out, sealed bytes as base64);
- the id and the kind are not in the bytes: they are the row's key wherever rows are kept;
- nothing comes out of `decode_row` but a row whose every field has its declared type. A field that this version
  does not know is an error that says so: a newer writer's wish is never dropped in silence.

The two directions are compiled from the dataclasses' own fields, once per class when this module is imported, so a
new field in `rows` needs no line here. A new field with a default changes no bytes of rows that do not use it.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import types
import typing
from collections.abc import Callable
from enum import StrEnum
from json.encoder import JSONEncoder
from sys import intern

from schemas.tables.rows import Kind, NumberRow, Row, RuleRow, TrunkRow, kind_of

SCHEMA_VERSION = 1
"""Grows when the meaning of stored bytes changes; a mere new field with a default does not change it."""

ROW_BYTES_MAX = 1 << 20
"""Longest row, either way; a row of everything at its bound is far below."""

_ROW_CLASSES: dict[Kind, type[Row]] = {Kind.TRUNK: TrunkRow, Kind.RULE: RuleRow, Kind.NUMBER: NumberRow}
_KEY = "id"
_REFERENCES = frozenset({"trunk", "rule", "trunks"})
"""Fields that hold other rows' ids: a million numbers name a handful of trunks, so those strings are shared."""

_Writer = Callable[[typing.Any], object]
_Reader = Callable[[object], object]


class RowError(ValueError):
    """Bytes that are no row of this version, or a row that has no bytes. Names the row and its field."""

    def __init__(self, kind: Kind, id_: str, what: str) -> None:
        super().__init__(f"{kind}/{id_}: {what}")
        self.kind = kind
        self.id = id_
        self.what = what


class _MismatchError(Exception):
    """What is wrong with one value; the readers around it prepend the names of their fields."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.path: list[str] = []


def encode_row(row: Row) -> bytes:
    """The canonical bytes of a row, without its kind and id. RowError when it is too long or not Unicode text."""
    try:
        data = _to_json(_WRITERS[type(row)](row)).encode()
    except UnicodeEncodeError:
        raise RowError(kind_of(row), row.id, "holds half a surrogate pair, which is no text") from None
    if len(data) > ROW_BYTES_MAX:
        raise RowError(kind_of(row), row.id, f"takes {len(data)} bytes, more than the {ROW_BYTES_MAX} a row may have")
    return data


def decode_row(kind: Kind, id_: str, data: bytes) -> Row:
    """The row that `encode_row` made `data` of. RowError for anything else."""
    if len(data) > ROW_BYTES_MAX:
        raise RowError(kind, id_, f"takes {len(data)} bytes, more than the {ROW_BYTES_MAX} a row may have")
    try:
        text = data.decode()
        value, end = _from_json(text)
        if end != len(text):
            raise _MismatchError("goes on behind its end")
        return _READERS[kind](value, id_)
    except _MismatchError as error:
        place = f"field {'.'.join(error.path)} " if error.path else ""
        raise RowError(kind, id_, place + error.what) from None
    except (ValueError, RecursionError):  # no UTF-8, no JSON, endless digits, bottomless nesting
        raise RowError(kind, id_, f"its bytes are no row of schema version {SCHEMA_VERSION}") from None


# Writing: a dataclass becomes a dict of what is not at its default, in key order; the rest is JSON's own.

_to_json = JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")).encode


def _writer(hint: object) -> _Writer | None:
    """How a value of this type becomes JSON; None = it is JSON already (texts, numbers, tuples of them)."""
    if isinstance(hint, types.UnionType):
        inner = _writer(_optional(hint))
        return None if inner is None else lambda value: None if value is None else inner(value)
    if typing.get_origin(hint) is tuple:
        item = _writer(typing.get_args(hint)[0])
        return None if item is None else lambda values: [item(value) for value in values]
    if hint is bytes:
        return lambda value: base64.b64encode(value).decode()
    return _object_writer(hint) if dataclasses.is_dataclass(hint) and isinstance(hint, type) else None


def _object_writer(cls: type) -> Callable[[object], dict[str, object]]:
    hints = typing.get_type_hints(cls)
    fields = sorted((f for f in dataclasses.fields(cls) if f.name != _KEY), key=lambda f: f.name)
    plan = [(f.name, f.default, _writer(hints[f.name])) for f in fields]

    def write(value: object) -> dict[str, object]:
        out = {}
        for name, default, convert in plan:
            item = getattr(value, name)
            if item != default:
                out[name] = item if convert is None else convert(item)
        return out

    return write


# Reading: every value is checked against its declared type; nothing is converted that was not written so.

_from_json = json.JSONDecoder().raw_decode


def _reader(hint: object, *, shared: bool = False) -> _Reader:
    """How JSON becomes a value of this type; raises _MismatchError. `shared`: equal texts become one object."""
    if isinstance(hint, types.UnionType):
        inner = _reader(_optional(hint), shared=shared)
        return lambda value: None if value is None else inner(value)
    if typing.get_origin(hint) is tuple:
        return _tuple_reader(typing.get_args(hint), shared=shared)
    if hint is bytes:
        return _read_bytes
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _enum_reader(hint)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _object_reader(hint)
    if hint is str:
        return _read_shared_text if shared else _read_text
    assert hint in (int, bool), f"rows hold no {hint}"
    return _read_bool if hint is bool else _read_int


def _read_text(value: object) -> str:
    if type(value) is not str:
        raise _MismatchError("is not a text")
    return value


def _read_shared_text(value: object) -> str:
    if type(value) is not str:
        raise _MismatchError("is not a text")
    return intern(value)


def _read_int(value: object) -> int:
    if type(value) is not int:  # a bool is an int to isinstance
        raise _MismatchError("is not a whole number")
    return value


def _read_bool(value: object) -> bool:
    if type(value) is not bool:
        raise _MismatchError("is neither true nor false")
    return value


def _read_bytes(value: object) -> bytes:
    try:
        return base64.b64decode(_read_text(value), validate=True)
    except (binascii.Error, ValueError):
        raise _MismatchError("is not base64") from None


def _enum_reader(cls: type[StrEnum]) -> _Reader:
    members = {str(member): member for member in cls}

    def read(value: object) -> StrEnum:
        member = members.get(value) if type(value) is str else None
        if member is None:
            raise _MismatchError(f"is none of {', '.join(members)}")
        return member

    return read


def _tuple_reader(args: tuple[object, ...], *, shared: bool) -> _Reader:
    """Of `tuple[T, ...]` and of `tuple[T, T]`."""
    item = _reader(args[0], shared=shared)
    count = None if args[-1] is Ellipsis else len(args)
    assert count is None or len(set(args)) == 1, "a tuple of unequal types needs names: make it a dataclass"

    def read(value: object) -> tuple[object, ...]:
        if type(value) is not list or (count is not None and len(value) != count):
            raise _MismatchError("is not a list" if count is None else f"is not a list of {count}")
        return tuple([item(entry) for entry in value])

    return read


def _object_reader(cls: type) -> Callable[..., object]:
    """Of a frozen dataclass with slots. Fills the slots themselves: its `__init__` takes as long as all the rest."""
    assert not hasattr(cls, "__post_init__"), "its __init__ would be passed over"
    hints = typing.get_type_hints(cls)
    fields = [f for f in dataclasses.fields(cls) if f.name != _KEY]
    plan = [
        (f.name, getattr(cls, f.name).__set__, _reader(hints[f.name], shared=f.name in _REFERENCES), f.default)
        for f in fields
    ]
    names = frozenset(f.name for f in fields)
    put_key = getattr(cls, _KEY).__set__ if len(fields) < len(dataclasses.fields(cls)) else None
    make, absent = object.__new__, dataclasses.MISSING

    def read(value: object, key: str = "") -> object:
        if type(value) is not dict:
            raise _MismatchError("is not an object")
        made: object = make(cls)
        if put_key:
            put_key(made, key)
        name, known = "", 0
        try:
            for name, put, convert, default in plan:
                if name in value:
                    put(made, convert(value[name]))
                    known += 1
                elif default is not absent:
                    put(made, default)
                else:
                    raise _MismatchError("is missing")
        except _MismatchError as error:
            error.path.insert(0, name)
            raise
        if known != len(value):
            unknown = ", ".join(sorted(value.keys() - names))
            raise _MismatchError(f"has what schema version {SCHEMA_VERSION} does not know: {unknown}")
        return made

    return read


def _optional(union: types.UnionType) -> object:
    """T of `T | None`, the only union that a row may hold."""
    (inner,) = (arg for arg in typing.get_args(union) if arg is not types.NoneType)
    return inner


_WRITERS: dict[type[Row], _Writer] = {cls: _object_writer(cls) for cls in _ROW_CLASSES.values()}
_READERS: dict[Kind, Callable[[object, str], Row]] = {
    kind: typing.cast("Callable[[object, str], Row]", _object_reader(cls)) for kind, cls in _ROW_CLASSES.items()
}
