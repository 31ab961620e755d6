"""STUN: the vectors of RFC 5769, another implementation's messages, and whatever a stranger sends."""

from __future__ import annotations

import pytest
from aioice import stun as other
from hypothesis import given
from hypothesis import strategies as st

from runtime.sip.stun import MESSAGE_BYTES_MAX, binding_request, mapped_address

# RFC 5769 sections 2.2 and 2.3.
RFC_ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
RFC_IPV4 = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
RFC_IPV6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179"
    "bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)


def test_the_rfc_s_answers_are_read() -> None:
    assert mapped_address(RFC_IPV4, RFC_ID) == ("192.0.2.1", 32853)
    assert mapped_address(RFC_IPV6, RFC_ID) == ("2001:db8:1234:5678:11:2233:4455:6677", 32853)


def test_an_answer_to_another_request_is_none() -> None:
    assert mapped_address(RFC_IPV4, bytes(12)) is None


@pytest.mark.parametrize("address", [("198.51.100.9", 40_000), ("2001:db8::9", 1)])
@pytest.mark.parametrize("name", ["XOR-MAPPED-ADDRESS", "MAPPED-ADDRESS"])
def test_another_implementation_reads_our_request_and_is_read(address: tuple[str, int], name: str) -> None:
    asked = other.parse_message(binding_request(RFC_ID))
    assert (asked.message_method, asked.message_class) == (other.Method.BINDING, other.Class.REQUEST)
    answer = other.Message(other.Method.BINDING, other.Class.RESPONSE, asked.transaction_id)
    answer.attributes["SOFTWARE"] = "other"
    answer.attributes[name] = address
    assert mapped_address(bytes(answer), RFC_ID) == address
    answer.message_class = other.Class.ERROR
    assert mapped_address(bytes(answer), RFC_ID) is None


@given(st.integers(0, len(RFC_IPV4) - 1), st.integers(0, 255))
def test_a_byte_of_an_answer_that_is_another_is_read_or_refused(place: int, value: int) -> None:
    data = bytearray(RFC_IPV4)
    data[place] = value
    mapped_address(bytes(data), RFC_ID)


@pytest.mark.parametrize("length", range(len(RFC_IPV4)))
def test_an_answer_that_is_cut_off_says_nothing(length: int) -> None:
    assert mapped_address(RFC_IPV4[:length], RFC_ID) is None


def test_too_long_an_answer_is_not_looked_at() -> None:
    attributes = b"\x80\x22\x00\x00" * ((MESSAGE_BYTES_MAX - 20) // 4 + 1) + RFC_IPV4[36:48]
    data = b"\x01\x01" + len(attributes).to_bytes(2) + RFC_IPV4[4:20] + attributes
    assert mapped_address(data, RFC_ID) is None
    short = b"\x80\x22\x00\x00" * 10 + RFC_IPV4[36:48]
    data = b"\x01\x01" + len(short).to_bytes(2) + RFC_IPV4[4:20] + short
    assert mapped_address(data, RFC_ID) == ("192.0.2.1", 32853)
