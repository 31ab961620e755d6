"""Small bodies of requests within a call: keys."""

from __future__ import annotations

from runtime.media.dtmf import EVENTS
from runtime.media.info_digits import read_key, write_relay

WORDS = (b"Signal=", b"Duration=", b"d=", b"hf", b"!", b"10", b"\r\n")


def fuzz_key(data: bytes) -> None:
    """A body is one key, a flash, or none; what we write of a key reads the same."""
    key = read_key(data)
    assert key is None or key == "" or key in EVENTS
    if key:
        assert read_key(write_relay(key, 250)) == key


def key_seeds() -> list[bytes]:
    """As phones write them."""
    return [b"Signal=5\r\nDuration=160\r\n", b"Signal= *\nDuration= 100", b"#", b"d=7\r\n", b"Signal=!\r\nDuration=1"]
