"""RTCP compounds: written and read again, and whatever a stranger sends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media import rtcp
from runtime.media.rtcp import Bye, ExtendedReport, ReceiverReport, ReportBlock, SenderReport, SourceDescription
from runtime.media.rtcp_xr import VoipMetrics

WORD = st.integers(0, 0xFFFFFFFF)
TEXT = st.text(max_size=60)
BLOCKS = st.lists(
    st.builds(ReportBlock, WORD, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), WORD, WORD, WORD, WORD),
    max_size=5,
).map(tuple)
REPORTS = st.builds(SenderReport, WORD, st.integers(0, 2**64 - 1), WORD, WORD, WORD, BLOCKS) | st.builds(
    ReceiverReport, WORD, BLOCKS
)
OTHERS = st.builds(SourceDescription, st.lists(st.tuples(WORD, TEXT), max_size=3).map(tuple)) | st.builds(
    Bye, st.lists(WORD, max_size=4).map(tuple), TEXT
)
BYTE = st.integers(0, 255)
SHARE = BYTE.map(lambda value: value / 256)
MS = st.integers(0, 0xFFFF)
MOS = st.none() | st.integers(10, 50).map(lambda value: value / 10)
METRICS = st.builds(
    VoipMetrics, WORD, SHARE, SHARE, SHARE, SHARE, MS, MS, MS, MS, st.none() | st.integers(0, 100), MOS, MOS,
    MS, MS, MS, BYTE,
)  # fmt: skip
OTHERS |= st.builds(ExtendedReport, WORD, st.lists(METRICS, max_size=3).map(tuple))
COMPOUNDS = st.tuples(REPORTS, st.lists(REPORTS | OTHERS, max_size=3)).map(lambda parts: (parts[0], *parts[1]))


@given(COMPOUNDS)
def test_what_is_written_is_read_again(packets):
    assert rtcp.parse(rtcp.write(packets)) == packets


@given(COMPOUNDS)
def test_every_compound_is_whole_words(packets):
    assert len(rtcp.write(packets)) % 4 == 0


@given(COMPOUNDS)
def test_no_truncation_raises_and_none_tells_more(packets):
    data = rtcp.write(packets)
    for size in range(len(data)):
        short = rtcp.parse(data[:size])
        assert short is None or short == packets[: len(short)]


@given(st.binary(max_size=300), st.sampled_from([200, 201]), st.integers(0, 0x3F))
def test_no_bytes_raise(data, kind, low_bits):
    rtcp.parse(data)
    rtcp.parse(bytes([0x80 | low_bits & 0x1F, kind]) + data)


@given(COMPOUNDS, st.data())
def test_no_changed_byte_raises(packets, data):
    wire = bytearray(rtcp.write(packets))
    wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    rtcp.parse(bytes(wire))


def test_a_sender_report_has_the_layout_of_the_rfc():
    block = ReportBlock(0x11111111, 0x40, -2, 0x00010002, 7, 0xAABBCCDD, 0x00018000)
    data = rtcp.write((SenderReport(0xDEADBEEF, 0x0123456789ABCDEF, 160, 3, 480, (block,)),))
    assert data == bytes.fromhex(
        "81c8000c deadbeef 01234567 89abcdef 000000a0 00000003 000001e0"
        "11111111 40fffffe 00010002 00000007 aabbccdd 00018000"
    )


def test_a_cname_chunk_ends_with_a_zero_and_fills_a_word():
    data = rtcp.write((SourceDescription(((1, "abc"),)),))
    assert data == bytes.fromhex("81ca0003 00000001 0103616263 000000")
    data = rtcp.write((SourceDescription(((1, "ab"),)),))
    assert data == bytes.fromhex("81ca0003 00000001 01026162 00000000")


def test_other_items_and_unknown_packets_are_stepped_over():
    named = bytes.fromhex("81ca0004 00000001 0202 6869 0102 6162 00 000000")
    report = rtcp.write((ReceiverReport(1),))
    application = bytes.fromhex("80cc0002 00000001 6e616d65")
    assert rtcp.parse(report + application + named) == (ReceiverReport(1), SourceDescription(((1, "ab"),)))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (rtcp.write((Bye((1,)),)), "does not start with a report"),
        (bytes.fromhex("41c90001 00000001"), "version 1"),
        (bytes.fromhex("a0c90002 00000001 00000004"), "the first packet is padded"),
        (bytes.fromhex("81c90001 00000001"), "one block announced, none there"),
        (bytes.fromhex("80c90005 00000001"), "longer than the datagram"),
        (bytes.fromhex("80c90001 00000001 a0cb0001 00000005"), "more padding than there is"),
        (bytes.fromhex("80c90001 00000001 81ca0001 00000001"), "a chunk without an end"),
        (bytes(rtcp.COMPOUND_BYTES_MAX + 4), "too long"),
    ],
)
def test_what_is_no_compound_is_none(data, why):
    assert rtcp.parse(data) is None, why


def test_the_last_packet_may_be_padded():
    data = bytes.fromhex("80c90001 00000001 a1cb0002 00000001 00000004")
    assert rtcp.parse(data) == (ReceiverReport(1), Bye((1,)))


def test_voip_metrics_have_the_layout_of_rfc_3611_and_other_blocks_are_stepped_over():
    metrics = VoipMetrics(0x11223344, 0.25, 0.125, 0.5, 0.0, 80, 2000, 150, 60, 88, None, 4.1, 40, 80, 240)
    data = rtcp.write((ReceiverReport(1), ExtendedReport(2, (metrics,))))
    report = data[8:]
    assert report[:8] == bytes([0x80, 207, 0, 10]) + (2).to_bytes(4, "big")
    assert report[8:12] == bytes([7, 0, 0, 8])
    assert report[12:16] == bytes.fromhex("11223344")
    assert report[16:20] == bytes([64, 32, 128, 0])
    assert report[20:28] == b"".join(n.to_bytes(2, "big") for n in (80, 2000, 150, 60))
    assert report[28:38] == bytes([127, 127, 127, 16, 88, 127, 127, 41, 0xF0, 0])
    assert report[38:44] == b"".join(n.to_bytes(2, "big") for n in (40, 80, 240))
    lrr = bytes([4, 0, 0, 2]) + bytes(8)
    more = data[:8] + bytes([0x80, 207, 0, 13]) + report[4:8] + lrr + report[8:]
    assert rtcp.parse(more) == (ReceiverReport(1), ExtendedReport(2, (metrics,)))
