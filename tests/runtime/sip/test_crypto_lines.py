"""`a=crypto` lines: what is a key, what is passed over, and that what is written is read."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sip.crypto_lines import KEYS_MAX, SUITES, CryptoLine, InlineKey, read_crypto, write_crypto

KEY = bytes(range(30))
TEXT = base64.b64encode(KEY).decode()
SUITE = "AES_CM_128_HMAC_SHA1_80"


@st.composite
def lines(draw: st.DrawFn) -> CryptoLine:
    suite = draw(st.sampled_from(sorted(SUITES)))
    size = draw(st.integers(1, 8))
    count = draw(st.integers(1, KEYS_MAX))
    names = draw(st.lists(st.binary(min_size=size, max_size=size), min_size=count, max_size=count, unique=True))
    keys = [InlineKey(draw(st.binary(min_size=SUITES[suite], max_size=SUITES[suite])), name) for name in names]
    if count == 1 and draw(st.booleans()):
        keys = [InlineKey(keys[0].key)]
    return CryptoLine(draw(st.integers(0, 999_999_999)), suite, tuple(keys))


@given(lines())
def test_what_is_written_is_read(line: CryptoLine) -> None:
    assert read_crypto(write_crypto(line)) == line


@given(st.text(max_size=200))
def test_no_text_raises(text: str) -> None:
    read_crypto(text)
    read_crypto(f"1 {SUITE} inline:{text}")
    read_crypto(f"1 {SUITE} inline:{TEXT}{text}")


@pytest.mark.parametrize(
    ("text", "mki"),
    [
        (f"1 {SUITE} inline:{TEXT}", b""),
        (f"0 {SUITE.lower()}  inline:{TEXT} ", b""),
        (f"1 {SUITE} inline:{TEXT}|2^20|1:4", b"\0\0\0\1"),
        (f"1 {SUITE} inline:{TEXT}|1048576", b""),
        (f"1 {SUITE} inline:{TEXT}|66051:3", b"\1\2\3"),
        (f"1 {SUITE} inline:{TEXT} WSH=1024", b""),
        (f"1 {SUITE} inline:{TEXT} -NEW=1", b""),
    ],
)
def test_a_key_that_can_be_used(text: str, mki: bytes) -> None:
    line = read_crypto(text)
    assert line is not None
    assert (line.suite, line.keys) == (SUITE, (InlineKey(KEY, mki),))


@pytest.mark.parametrize(
    ("said", "lifetime"), [("", 1 << 48), ("|2^20", 1 << 20), ("|1000|1:4", 1000), ("|2^48", 1 << 48)]
)
def test_how_long_a_key_is_good_for(said: str, lifetime: int) -> None:
    line = read_crypto(f"1 {SUITE} inline:{TEXT}{said}")
    assert line is not None
    assert line.keys[0].lifetime == lifetime


def test_several_keys_are_told_apart_by_their_identifiers() -> None:
    line = read_crypto(f"7 {SUITE} inline:{TEXT}|2^20|1:1;inline:{TEXT[::-1]}|2:1")
    assert line is not None
    assert [key.mki for key in line.keys] == [b"\1", b"\2"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        f"1 {SUITE}",
        f"01 {SUITE} inline:{TEXT}",
        f"1234567890 {SUITE} inline:{TEXT}",
        f"-1 {SUITE} inline:{TEXT}",
        f"1 F8_128_HMAC_SHA1_80 inline:{TEXT}",
        f"1 {SUITE} uri:{TEXT}",
        f"1 {SUITE} inline:{TEXT[:-4]}",
        f"1 {SUITE} inline:{TEXT}AAAA",
        f"1 {SUITE} inline:{TEXT[:-1]}!",
        f"1 {SUITE} inline:{TEXT}|0",
        f"1 {SUITE} inline:{TEXT}|2^49",
        f"1 {SUITE} inline:{TEXT}|2^99999999999999999",
        f"1 {SUITE} inline:{TEXT}|281474976710657",
        f"1 {SUITE} inline:{TEXT}|1:0",
        f"1 {SUITE} inline:{TEXT}|1:129",
        f"1 {SUITE} inline:{TEXT}|256:1",
        f"1 {SUITE} inline:{TEXT};inline:{TEXT}",
        f"1 {SUITE} inline:{TEXT}|1:1;inline:{TEXT}|1:1",
        f"1 {SUITE} inline:{TEXT}|1:1;inline:{TEXT}|2:2",
        f"1 {SUITE} {';'.join(f'inline:{TEXT}|{n}:1' for n in range(KEYS_MAX + 1))}",
        f"1 {SUITE} inline:{TEXT} KDR=0",
        f"1 {SUITE} inline:{TEXT} KDR=23",
        f"1 {SUITE} inline:{TEXT} UNENCRYPTED_SRTP",
        f"1 {SUITE} inline:{TEXT} UNENCRYPTED_SRTCP",
        f"1 {SUITE} inline:{TEXT} UNAUTHENTICATED_SRTP",
        f"1 {SUITE} inline:{TEXT} FEC_ORDER=FEC_SRTP",
        f"1 {SUITE} inline:{TEXT} WSH=64 SOMETHING",
        f"1 {SUITE} inline:{TEXT}{' -X' * 500}",
    ],
)
def test_what_is_passed_over(text: str) -> None:
    assert read_crypto(text) is None


def test_no_key_is_shown() -> None:
    line = read_crypto(f"1 {SUITE} inline:{TEXT}|1:4")
    assert "x01" not in repr(line).replace("\\x00\\x00\\x00\\x01", "")
    assert "key=" not in repr(line.keys[0])
