"""The TNAuthList of a certificate (RFC 8226 section 9): for which telephone numbers its holder may sign.

The extension is not known to `cryptography`, so its DER is read here: definite lengths in their shortest form, the
tags of the grammar and nothing behind them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from runtime.stir.limits import TN_DIGITS_MAX, TN_ENTRIES_MAX

OID: Final = "1.3.6.1.5.5.7.1.26"

_SEQUENCE, _IA5_STRING, _INTEGER = 0x30, 0x16, 0x02
_SPC, _RANGE, _ONE = 0xA0, 0xA1, 0xA2
_COUNT_BYTES_MAX = 8
_CODE_CHARS_MAX = 32


class TnAuthListError(ValueError):
    """Bytes that are no TNAuthList."""


@dataclass(frozen=True, slots=True)
class TnAuthList:
    """What the holder may sign for: `codes` are of service providers, `ranges` (first number, how many)."""

    codes: tuple[str, ...] = ()
    ranges: tuple[tuple[str, int], ...] = ()

    def covers(self, number: str) -> bool:
        """Whether a canonical number is its holder's to sign for.

        Which numbers a provider has stands in no certificate: who holds its code is believed for any.
        """
        return bool(self.codes) or any(_is_in(number, first, count) for first, count in self.ranges)


def read_tn_auth_list(data: bytes) -> TnAuthList:
    """The list in an extension's value. TnAuthListError for anything else, and beyond `TN_ENTRIES_MAX` entries."""
    codes: list[str] = []
    ranges: list[tuple[str, int]] = []
    for number, (tag, value) in enumerate(_parts(_only(data, _SEQUENCE))):
        if number == TN_ENTRIES_MAX:
            raise TnAuthListError("it has too many entries")
        if tag == _SPC:
            codes.append(_text(_only(value, _IA5_STRING), _CODE_CHARS_MAX))
        elif tag == _RANGE:
            ranges.append(_range(_only(value, _SEQUENCE)))
        elif tag == _ONE:
            ranges.append((_number(_only(value, _IA5_STRING)), 1))
        else:
            raise TnAuthListError("it has an entry of no known kind")
    if not codes and not ranges:
        raise TnAuthListError("it is empty")
    return TnAuthList(tuple(codes), tuple(ranges))


def _is_in(number: str, first: str, count: int) -> bool:
    if count == 1 or not (number.isdigit() and first.isdigit()):
        return number == first
    return len(number) == len(first) and 0 <= int(number) - int(first) < count


def _range(data: bytes) -> tuple[str, int]:
    parts = list(_parts(data))
    if [tag for tag, _ in parts] != [_IA5_STRING, _INTEGER]:
        raise TnAuthListError("it has a range that is none")
    (_, first), (_, count) = parts
    if not 0 < len(count) <= _COUNT_BYTES_MAX or count[0] & 0x80:
        raise TnAuthListError("it has a range of no length")
    return _number(first), int.from_bytes(count)


def _number(data: bytes) -> str:
    text = _text(data, TN_DIGITS_MAX)
    if not set(text) <= set("0123456789*#"):
        raise TnAuthListError("it has a number that is none")
    return text


def _text(data: bytes, chars_max: int) -> str:
    text = data.decode("ascii", "replace")
    if not 0 < len(text) <= chars_max or not text.isascii() or not text.isprintable():
        raise TnAuthListError("it has a text that is none")
    return text


def _only(data: bytes, tag: int) -> bytes:
    """The value of the one element, of this tag, that the data are."""
    found, value, end = _element(data, 0)
    if found != tag or end != len(data):
        raise TnAuthListError("it is no such list")
    return value


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        tag, value, at = _element(data, at)
        yield tag, value


def _element(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag, value and end of the element at a place."""
    if len(data) < at + 2:
        raise TnAuthListError("it is cut off")
    tag, length = data[at], data[at + 1]
    at += 2
    if length >= 0x80:
        size = length & 0x7F
        digits = data[at : at + size]
        if not 1 <= size <= 3 or len(digits) < size:
            raise TnAuthListError("it has a length that is none")
        length, at = int.from_bytes(digits), at + size
        if digits[0] == 0 or length < 0x80:
            raise TnAuthListError("it has a length in a longer form than it needs")
    if len(data) < at + length:
        raise TnAuthListError("it is cut off")
    return tag, data[at : at + length], at + length
