"""The Replaces header."""

from __future__ import annotations

import pytest

from runtime.sip.errors import SipSyntaxError
from runtime.sip.message import Headers
from runtime.sip.replaces import Replaces, read_replaces


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff",
            Replaces("98732@sip.example.com", "ff87ff", "r33th4x0r"),
        ),
        ("12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only", Replaces("12adf2f34456gs5", "12345", "54321", True)),
        ("a ; To-Tag=1 ; FROM-TAG=2;x=y", Replaces("a", "1", "2")),
        ("{a}<b>/?;to-tag=a/b==;from-tag=[1]:2", Replaces("{a}<b>/?", "a/b==", "[1]:2")),
    ],
)
def test_it_names_a_dialog(text: str, found: Replaces) -> None:
    assert read_replaces(Headers([("Replaces", text)])) == found
    assert read_replaces(Headers([("Replaces", str(found))])) == found


@pytest.mark.parametrize(
    "lines",
    [
        ["a"],
        ["a;to-tag=1"],
        ["a;to-tag=;from-tag=2"],
        ["a;to-tag=1;to-tag=2;from-tag=3"],
        [""],
        [";to-tag=1"],
        ["a;to-tag=1;from-tag=2"] * 2,
        ["a;to-tag=1;from-tag=2, b;to-tag=1;from-tag=2"],
        ["a" * 300 + ";to-tag=1;from-tag=2"],
        ["a\x01;to-tag=1;from-tag=2"],
        ["\u00e9;to-tag=1;from-tag=2"],
        ['a;to-tag="\\\x01";from-tag=2'],
        ['a;to-tag="1;early-only";from-tag=2'],
        ['a;to-tag=1;from-tag="2, b"'],
    ],
)
def test_or_is_refused(lines: list[str]) -> None:
    with pytest.raises(SipSyntaxError):
        read_replaces(Headers([("Replaces", line) for line in lines]))


def test_without_it_nothing_is_named() -> None:
    assert read_replaces(Headers([])) is None
