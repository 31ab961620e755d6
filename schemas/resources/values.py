"""The small values of a document: texts, names, labels, durations; and the one way a grammar says no.

Each grammar is a function that takes whatever stood in the document and returns the value or raises `refuse(...)`,
whose sentence reaches the person as written (`check` adds the place). A grammar never repeats a value that could be
a secret. Beside each function stands what an editor needs to know (JSON Schema), so that both live in one place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, Strict, WithJsonSchema
from pydantic_core import PydanticCustomError

from schemas import ids
from schemas.printable import printable
from schemas.resources import bounds

JsonSchema = dict[str, Any]

SHOWN_CHARS_MAX = 80
"""How much of a wrong value a message repeats."""


def refuse(code: str, what: str, hint: str = "") -> PydanticCustomError:
    """The error that carries our own sentence through pydantic: `what` is wrong, `hint` says what to write.

    A `what` that begins with "this " is shown with the field's own name instead of that word.
    """
    return PydanticCustomError(code, "{what}", {"what": what, "hint": hint})


def yaml_word(value: object) -> str:
    """What a YAML writer calls this value: a list, a map, a text, a number, true or false, nothing."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    for kind, word in (
        (str, "a text"),
        (int, "a number"),
        (float, "a number with a fraction"),
        (dict, "a map"),
        (list, "a list"),
    ):
        if isinstance(value, kind):
            return word
    return "something else"


_CREDENTIALS = re.compile(r"""(?<![^\s:/@"'\[{,])(?!sips?:|\w+://)([^\s:/@"'\[{,]+:)[^\s"']+@""", re.IGNORECASE)


def without_credentials(text: str) -> str:
    """`text` without the password of each `user:password@host` in it."""
    return _CREDENTIALS.sub(r"\1****@", text)


def shown(text: str) -> str:
    """`text` between backticks, on one line, without a URL's password, cut where it is too long to read."""
    text = without_credentials(text)
    clean = printable(text[:SHOWN_CHARS_MAX])
    return f"`{clean}…`" if len(text) > SHOWN_CHARS_MAX else f"`{clean}`"


def wrong_type(value: object, wanted: str) -> PydanticCustomError:
    """The complaint about a value of the wrong YAML type; it never repeats the value.

    The code `unquoted` tells a reader with the source at hand that the written text may be shown between quotes.
    """
    if value is None:
        return refuse("no-value", f"this has no value, {wanted} is needed", "write one, or remove the line")
    if wanted == "a text" and isinstance(value, bool | int | float):
        return refuse("unquoted", f"this is read as {yaml_word(value)}, a text is needed", "put it in quotes")
    return refuse("wrong-type", f"this must be {wanted}, not {yaml_word(value)}")


def text_of(value: object) -> str:
    """`value` when it is a text, else the complaint about its type."""
    if not isinstance(value, str):
        raise wrong_type(value, "a text")
    return value


def bounded(text: str, chars_max: int) -> str:
    """`text` when it is not longer than `chars_max`."""
    if len(text) > chars_max:
        raise refuse("too-long", f"this has {len(text)} characters", f"at most {chars_max} are allowed")
    return text


def _name(value: object) -> str:
    name = text_of(value)
    if not ids.is_name(name):
        raise refuse(
            "bad-name",
            f"{shown(name)} is not a name" if name else "a name cannot be empty",
            f"use lower-case letters, digits, `-` and `.`, at most {ids.NAME_CHARS_MAX}, beginning and ending with a "
            "letter or digit",
        )
    return name


def _namespace(value: object) -> str:
    name = text_of(value)
    if not ids.is_namespace(name):
        raise refuse(
            "bad-namespace",
            f"{shown(name)} is not a namespace",
            "use lower-case letters, digits and `-`, at most 63, beginning and ending with a letter or digit",
        )
    return name


_REGION = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def _region(value: object) -> str:
    region = text_of(value)
    if not _REGION.fullmatch(region):
        raise refuse(
            "bad-region", f"{shown(region)} is not a region", "use lower-case letters, digits and `-`, like us-east"
        )
    return region


_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_HINT = "use letters, digits, `-`, `_` and `.`, at most 63, beginning and ending with a letter or digit"


def _label_key(value: object) -> str:
    key = text_of(value)
    prefix, slash, name = key.rpartition("/")
    if not name or not _LABEL.fullmatch(name) or (slash and not ids.is_name(prefix)):
        raise refuse(
            "bad-label", f"{shown(key)} is not the name of a label", f"{_LABEL_HINT}; a domain and `/` may precede"
        )
    return key


def _label_value(value: object) -> str:
    text = text_of(value)
    if not _LABEL.fullmatch(text):
        raise refuse("bad-label", f"{shown(text)} is not a label's value", _LABEL_HINT)
    return text


_UNIT_MS = {"h": bounds.HOUR_MS, "m": bounds.MINUTE_MS, "s": bounds.SECOND_MS, "ms": 1}
_DURATION = re.compile(r"([0-9]{1,9}(ms|h|m|s)){1,4}")
_DURATION_PART = re.compile(r"([0-9]+)(ms|h|m|s)")
_DURATION_HINT = "write a duration like 30s, 5m, 2h, 1h30m or 500ms"


def duration_ms(value: object) -> int:
    """Whole milliseconds of a duration such as `30s`, `5m`, `2h`, `1h30m` or `500ms`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise refuse("bad-duration", f"this is {value}, without a unit", _DURATION_HINT)
    text = text_of(value)
    if not _DURATION.fullmatch(text):
        raise refuse("bad-duration", f"{shown(text)} is not a duration", _DURATION_HINT)
    return sum(int(count) * _UNIT_MS[unit] for count, unit in _DURATION_PART.findall(text))


def duration_text(ms: int) -> str:
    """The shortest writing of `ms` milliseconds: 5400000 is `1h30m`."""
    parts = []
    for unit, size in _UNIT_MS.items():
        count, ms = divmod(ms, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def between(least_ms: int, most_ms: int, *, whole_seconds: bool = False) -> AfterValidator:
    """The bounds of a duration in milliseconds, both included; `whole_seconds` where the wire carries seconds."""

    def check(ms: int) -> int:
        if not least_ms <= ms <= most_ms:
            raise refuse(
                "out-of-range",
                f"this is {duration_text(ms)}",
                f"write {duration_text(least_ms)} to {duration_text(most_ms)}",
            )
        if whole_seconds and ms % bounds.SECOND_MS:
            raise refuse("bad-duration", f"this is {duration_text(ms)}, not whole seconds", "write seconds, like 20s")
        return ms

    return AfterValidator(check)


def at_most(chars_max: int, *, printable: bool = True, empty: bool = True) -> Callable[[object], str]:
    """A grammar for free text of at most `chars_max` characters.

    `printable` refuses control characters, `empty` False refuses the empty text.
    """

    def check(value: object) -> str:
        text = bounded(text_of(value), chars_max)
        if printable and not text.isprintable():
            raise refuse("bad-text", "this holds a control character", "write it in one line of plain text")
        if not text and not empty:
            raise refuse("empty", "this is an empty text", "write one, or remove the line")
        return text

    return check


def map_schema(keys: JsonSchema, values: JsonSchema, entries_max: int, entries_min: int = 0) -> WithJsonSchema:
    """What an editor knows of a map of texts, said in the same keywords whatever pydantic would make of it."""
    schema: JsonSchema = {"type": "object", "propertyNames": keys, "additionalProperties": values}
    schema |= {"minProperties": entries_min} if entries_min else {}
    return WithJsonSchema({**schema, "maxProperties": entries_max})


NAME_SCHEMA = {
    "type": "string",
    "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    "minLength": 1,
    "maxLength": ids.NAME_CHARS_MAX,
}
Name = Annotated[str, PlainValidator(_name), WithJsonSchema(NAME_SCHEMA)]
Namespace = Annotated[
    str,
    PlainValidator(_namespace),
    WithJsonSchema({"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "minLength": 1, "maxLength": 63}),
]
Region = Annotated[
    str,
    PlainValidator(_region),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            "minLength": 1,
            "maxLength": bounds.REGION_CHARS_MAX,
            "examples": ["us-east"],
        }
    ),
]
LABEL_KEY_SCHEMA = {"type": "string", "minLength": 1, "maxLength": bounds.LABEL_KEY_CHARS_MAX}
LABEL_VALUE_SCHEMA = {
    "type": "string",
    "pattern": r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
    "maxLength": bounds.LABEL_CHARS_MAX,
}
LabelKey = Annotated[str, PlainValidator(_label_key), WithJsonSchema(LABEL_KEY_SCHEMA)]
LabelValue = Annotated[str, PlainValidator(_label_value), WithJsonSchema(LABEL_VALUE_SCHEMA)]
Labels = Annotated[
    dict[LabelKey, LabelValue],
    Field(max_length=bounds.LABELS_MAX),
    map_schema(LABEL_KEY_SCHEMA, LABEL_VALUE_SCHEMA, bounds.LABELS_MAX),
]
DurationMs = Annotated[
    int,
    PlainValidator(duration_ms),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^([0-9]{1,9}(ms|h|m|s)){1,4}$",
            "maxLength": bounds.DURATION_CHARS_MAX,
            "examples": ["30s", "5m", "1h30m"],
        }
    ),
]
Flag = Annotated[bool, Strict()]
Whole = Annotated[int, Strict()]
Metadata = Annotated[
    str,
    PlainValidator(at_most(bounds.METADATA_CHARS_MAX, printable=False)),
    WithJsonSchema({"type": "string", "maxLength": bounds.METADATA_CHARS_MAX}),
]
ATTRIBUTE_NAME_SCHEMA = {"type": "string", "minLength": 1, "maxLength": bounds.ATTRIBUTE_NAME_CHARS_MAX}
ATTRIBUTE_VALUE_SCHEMA = {"type": "string", "maxLength": bounds.ATTRIBUTE_VALUE_CHARS_MAX}
AttributeName = Annotated[
    str,
    PlainValidator(at_most(bounds.ATTRIBUTE_NAME_CHARS_MAX, empty=False)),
    WithJsonSchema(ATTRIBUTE_NAME_SCHEMA),
]
AttributeValue = Annotated[
    str,
    PlainValidator(at_most(bounds.ATTRIBUTE_VALUE_CHARS_MAX, printable=False)),
    WithJsonSchema(ATTRIBUTE_VALUE_SCHEMA),
]
Attributes = Annotated[
    dict[AttributeName, AttributeValue],
    Field(max_length=bounds.ATTRIBUTES_MAX),
    map_schema(ATTRIBUTE_NAME_SCHEMA, ATTRIBUTE_VALUE_SCHEMA, bounds.ATTRIBUTES_MAX),
]


def distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    """The entries of a list, each of which stands there once."""
    for index, value in enumerate(values):
        if value in values[:index]:
            raise refuse("repeated", f"`{value}` stands here twice", "keep the first")
    return values
