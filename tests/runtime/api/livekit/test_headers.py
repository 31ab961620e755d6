"""Headers of a request are set as they are, or refused."""

from __future__ import annotations

import pytest

from runtime.api.livekit import limits
from tests.runtime.api.livekit.requests import dialled, refused


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"": "x"}, "none"),
        ({"X A": "x"}, "none, 'X A'"),
        ({"X:": "x"}, "none"),
        ({"X" * 256: "x"}, "longer than 255"),
        ({"X-É": "x"}, "none"),
        ({"Call-ID": "x"}, "must not set Call-ID"),
        ({"k": "x"}, "must not set k"),
        ({"To": "<sip:x@y>"}, "to_user_override"),
        ({"From": "<sip:x@y>"}, "sip_from_header"),
        ({"X-A": "v" * 1025}, "longer than 1024"),
        ({"X-A": "a\x01"}, "control character"),
        ({"X-A": "1", "x-a": "2"}, "twice"),
        ({f"X-{number}": "" for number in range(limits.HEADERS_MAX + 1)}, "more than 64"),
    ],
)
def test_a_header_that_cannot_be_set_is_refused(headers: dict[str, str], words: str) -> None:
    argument, msg = refused(headers=headers)
    assert argument == "headers"
    assert words in msg


def test_a_header_may_be_empty_hold_a_tab_and_letters_beyond_ascii() -> None:
    assert dialled(headers={"X-A": "", "X-B": "a\tb", "X-C": "Zoë"}).headers == (
        ("X-A", ""),
        ("X-B", "a\tb"),
        ("X-C", "Zoë"),
    )
