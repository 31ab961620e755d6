"""RTP packets: written and read again, and whatever a stranger sends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media import rtp
from runtime.media.rtp import RtpPacket

WORD = st.integers(0, 0xFFFFFFFF)
PACKETS = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    marker=st.booleans(),
    sequence=st.integers(0, 0xFFFF),
    timestamp=WORD,
    ssrc=WORD,
    payload=st.binary(max_size=400),
    csrcs=st.lists(WORD, max_size=15).map(tuple),
    extension=st.none()
    | st.tuples(st.integers(0, 0xFFFF), st.lists(st.binary(min_size=4, max_size=4), max_size=20).map(b"".join)),
)


@given(PACKETS)
def test_what_is_written_is_read_again(packet):
    assert rtp.parse(rtp.write(packet)) == packet


@given(PACKETS, st.integers(1, 255))
def test_padding_is_taken_off(packet, padding):
    data = rtp.write(packet)
    padded = bytes([data[0] | 0x20]) + data[1:] + bytes(padding - 1) + bytes([padding])
    assert rtp.parse(padded) == packet


def test_the_plain_header_is_that_of_the_rfc():
    assert rtp.header(8, True, 0x1234, 0x89ABCDEF, 0xDEADBEEF) == bytes.fromhex("80 88 1234 89abcdef deadbeef")


@given(PACKETS)
def test_no_truncation_raises_and_none_reads_beyond_the_end(packet):
    data = rtp.write(packet)
    for size in range(len(data)):
        short = rtp.parse(data[:size])
        assert short is None or len(short.payload) < len(packet.payload)


@given(st.binary(max_size=2100))
def test_no_bytes_at_all_raise(data):
    rtp.parse(data)


@given(st.binary(min_size=12, max_size=200), st.integers(0, 0x3F))
def test_no_bytes_behind_a_version_2_raise(data, low_bits):
    packet = rtp.parse(bytes([0x80 | low_bits]) + data[1:])
    assert packet is None or len(packet.payload) <= len(data) - 12


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "nothing"),
        (bytes.fromhex("8000000100000000000000"), "eleven bytes"),
        (bytes.fromhex("400000010000000000000000"), "version 1"),
        (bytes.fromhex("8f0000010000000000000000"), "fifteen contributors, none there"),
        (bytes.fromhex("900000010000000000000000"), "an extension, not there"),
        (bytes.fromhex("900000010000000000000000 bede0002 00000000"), "an extension longer than the datagram"),
        (bytes.fromhex("a00000010000000000000000"), "padding of zero"),
        (bytes.fromhex("a00000010000000000000000 00000005"), "more padding than payload"),
        (bytes(0x80 if i == 0 else 0 for i in range(rtp.DATAGRAM_BYTES_MAX + 1)), "too long for speech"),
    ],
)
def test_what_is_no_rtp_is_none(data, why):
    assert rtp.parse(data) is None, why
