"""Bodies of INFO, as phones write them."""

from __future__ import annotations

import pytest

from runtime.media.dtmf import EVENTS
from runtime.media.info_digits import read_key, write_relay


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b"Signal=5\r\nDuration=160\r\n", "5"),
        (b"Signal= 5\r\nDuration= 160\r\n", "5"),
        (b"signal=*\nduration=100", "*"),
        (b"Signal=10\r\nDuration=250\r\n", "*"),
        (b"Signal=11", "#"),
        (b"Signal=a\r\n", "A"),
        (b"5", "5"),
        (b" # \r\n", "#"),
        (b"d=7\r\n", "7"),
        (b"Signal=!\r\nDuration=1", ""),
        (b"Signal=hf\r\nDuration=1", ""),
        (b"16", ""),
        (b"", None),
        (b"\r\n", None),
        (b"Signal=\r\n", None),
        (b"Signal=55", None),
        (b"Signal=5\r\nSignal=6", None),
        (b"12345", None),
        (b"Duration=100", None),
        (b"5\r\n6", None),
        ("Signal=\N{ARABIC-INDIC DIGIT FIVE}".encode(), None),
        (b"Signal=5" + b" " * 400, None),
    ],
)
def test_a_body_tells_of_one_key_or_of_none(body: bytes, key: str | None) -> None:
    assert read_key(body) == key


@pytest.mark.parametrize("key", EVENTS)
def test_what_is_written_is_read(key: str) -> None:
    assert read_key(write_relay(key, 250)) == key
