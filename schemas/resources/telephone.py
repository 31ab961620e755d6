"""Telephone numbers, prefix patterns and country codes as a document writes them, in one normalised form.

A declared number carries its `+` and country code (E.164 grammar, no numbering plan), so that one number has one
writing; separators are taken out. Calls are compared in the same form, whichever way a carrier writes them.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from schemas import ids
from schemas.resources import bounds
from schemas.resources.values import bounded, refuse, shown, text_of

_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}\*")
_PUNCTUATION = str.maketrans("", "", " -().*/+")
NATIONAL_DIGITS_MAX = 10
"""A text of more digits than this begins with its country code in all likelihood."""


def _number_text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        raise refuse("unquoted-number", f"+{abs(value)} is read as a number", f'quote it: "+{abs(value)}"')
    if isinstance(value, float):
        raise refuse("unquoted-number", "this is read as a number, not as a telephone number", "put it in quotes")
    return bounded(text_of(value), bounds.NUMBER_CHARS_MAX)


def _advice(text: str) -> str:
    """What to write instead of a text that is no number."""
    digits = text.translate(_PUNCTUATION)
    if len(digits) > NATIONAL_DIGITS_MAX and ids.is_e164(f"+{digits}"):
        return f'write "+{digits}"'
    return 'write + and the country code, then the number, like "+14155550100"'


def number(value: object) -> str:
    """An E.164 number, `+` and 2 to 15 digits, without separators."""
    text = _number_text(value)
    found = ids.normalise_number(text)
    if not (text.startswith("+") and ids.is_e164(found)):
        raise refuse("bad-number", f"{shown(text)} is not a telephone number", _advice(text))
    return found


def pattern(value: object) -> str:
    """An E.164 number, or a prefix of one with `*` behind it (`+1415*`)."""
    text = _number_text(value)
    if text in ("*", "+*"):
        raise refuse("bad-number", f"{shown(text)} would be every number", "leave the list out to mean any number")
    if not text.endswith("*"):
        return number(text)
    found = ids.normalise_pattern(text)
    if not (text.startswith("+") and _PREFIX.fullmatch(found)):
        raise refuse(
            "bad-number", f"{shown(text)} is not a prefix of telephone numbers", 'write + and digits, like "+1415*"'
        )
    return found


def country(value: object) -> str:
    """A country by its two capital letters (ISO 3166-1 alpha-2; the grammar, not the list)."""
    text = text_of(value)
    if not ids.is_country(text):
        better = f"write {text.upper()}" if ids.is_country(text.upper()) else "write two capital letters, like US"
        raise refuse("bad-country", f"{shown(text)} is not a country code", better)
    return text


_AREA_CODE = re.compile(r"[0-9]{1,6}")


def area_code(value: object) -> str:
    """An area code: 1 to 6 digits, as a text."""
    text = text_of(value)
    if not _AREA_CODE.fullmatch(text):
        raise refuse("bad-area-code", f"{shown(text)} is not an area code", 'write its digits in quotes, like "415"')
    return text


Number = Annotated[
    str,
    PlainValidator(number),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\+[ ()-]*[1-9]([ ()-]*[0-9]){1,14}[ ()-]*$",
            "maxLength": bounds.NUMBER_CHARS_MAX,
            "examples": ["+14155550100"],
        }
    ),
]
Pattern = Annotated[
    str,
    PlainValidator(pattern),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\+[ ()-]*[1-9]([ ()-]*[0-9]){0,14}[ ()-]*\*?$",
            "maxLength": bounds.NUMBER_CHARS_MAX,
            "examples": ["+14155550100", "+1415*"],
        }
    ),
]
Country = Annotated[
    str,
    PlainValidator(country),
    WithJsonSchema({"type": "string", "pattern": "^[A-Z]{2}$", "maxLength": 2, "examples": ["US"]}),
]
AreaCode = Annotated[
    str,
    PlainValidator(area_code),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,6}$", "maxLength": 6, "examples": ["415"]}),
]
