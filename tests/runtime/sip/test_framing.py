"""A stream is split into the same messages whatever pieces it comes in, and a stranger cannot make it wait or grow."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runtime.sip.framing import Framed, Ping, StreamSplitter, content_length
from runtime.sip.limits import HEAD_BYTES_MAX, MESSAGE_WITHIN_S, STREAM_BODY_BYTES_MAX
from runtime.sip.parser import SipSyntaxError, _header_lines, _unfolded, parse_message
from runtime.sip.writer import write_message
from tests.runtime.sip.raw import request
from tests.runtime.sip.strategies import requests, responses

INVITE, BYE = request(body="v=0\r\n\r\n"), request("BYE")


def split(*pieces: bytes, now: float = 0.0) -> list[Framed | Ping]:
    """All that comes out when these pieces go in one by one."""
    splitter, out = StreamSplitter(), []
    for piece in pieces:
        splitter.receive(piece)
        while (item := splitter.next_item(now)) is not None:
            out.append(item)
    return out


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


def test_messages_come_out_whole_and_in_order():
    assert split(INVITE + BYE + INVITE) == [Framed(INVITE), Framed(BYE), Framed(INVITE)]


def test_a_body_may_hold_what_looks_like_the_end_or_the_next_message():
    nested = request(body=BYE.decode())
    assert split(nested + BYE) == [Framed(nested), Framed(BYE)]


messages = st.one_of(requests(), responses()).map(write_message)
between = st.sampled_from([b"", b"", b"\r\n", b"\r\n\r\n", b"\r\n\r\n\r\n", b"\r\n\r\n\r\n\r\n"])


@given(st.lists(st.tuples(between, messages), max_size=5), between, st.lists(st.integers(0, 10_000), max_size=30))
def test_any_split_of_any_messages_gives_the_same_messages(parts, tail, cuts):
    stream = b"".join(gap + message for gap, message in parts) + tail
    whole = split(stream)
    assert split(*pieces_of(stream, cuts)) == whole
    assert [item.data for item in whole if isinstance(item, Framed)] == [message for _, message in parts]
    assert sum(isinstance(item, Ping) for item in whole) == sum(
        gap.count(b"\r\n\r\n") for gap in [*(gap for gap, _ in parts), tail]
    )


@given(st.lists(st.integers(0, 10_000), max_size=30), st.binary(max_size=300))
def test_any_split_of_any_bytes_gives_the_same_items(cuts, noise):
    stream = noise.replace(b"\x00", b"\r\n").replace(b"\x01", b"\r\nContent-Length: 3\r\n\r\n")
    assert split(*pieces_of(stream, cuts)) == split(stream)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_one_byte_at_a_time_is_the_same(size):
    stream = b"\r\n\r\n" + INVITE + b"\r\n" + BYE + b"\r\n\r\n"
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert split(*pieces) == [Ping(), Framed(INVITE), Framed(BYE), Ping()]


# RFC 5626 section 3.5.1


def test_a_ping_is_two_line_ends_and_one_is_nothing():
    assert split(b"\r\n\r\n") == [Ping()]
    assert split(b"\r\n") == []
    assert split(b"\r\n", BYE) == [Framed(BYE)]
    assert split(b"\r\n", b"\r", b"\n", BYE) == [Ping(), Framed(BYE)]


# Content-Length


@pytest.mark.parametrize(
    ("line", "length"),
    [
        (b"Content-Length: 5", 5),
        (b"CONTENT-length:5", 5),
        (b"l: 5", 5),
        (b"L\t :\t5 ", 5),
        (b"Content-Length:\r\n  5", 5),
        (b"l\r\n :\r\n\t5\r\n ", 5),
        (b"Content-Length: 0000000005", 5),
    ],
)
def test_the_length_is_found_however_it_is_written(line, length):
    head = BYE.replace(b"Content-Length: 0", line)
    assert split(head + b"12345" + BYE) == [Framed(head + b"12345"), Framed(BYE)]
    assert content_length(head.removesuffix(b"\r\n\r\n")) == (length, None)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"X: 5", "Missing Content-Length"),
        (b"X: 5\r\n Content-Length: 5", "Missing Content-Length"),
        (b"X-Content-Length: 5", "Missing Content-Length"),
        (b"Content-Length: 0\r\nl: 0", "More Than One Content-Length"),
        (b"Content-Length: -1", "Malformed Content-Length"),
        (b"Content-Length: 1 1", "Malformed Content-Length"),
        (b"Content-Length:", "Malformed Content-Length"),
        (b"Content-Length: 99999999999", "Malformed Content-Length"),
        (b"Content-Length: \xd9\xa3", "Malformed Content-Length"),
    ],
)
def test_without_one_good_length_the_stream_ends_with_the_fault_to_answer(line, reason):
    broken = BYE.replace(b"Content-Length: 0", line)
    assert split(INVITE + broken + INVITE) == [Framed(INVITE), Framed(broken, (400, reason))]


fragments = st.sampled_from(
    ["l", "L", "Content-Length", "content-length", "Content-Lengths", ":", " ", "\t", "\r\n", "\r", "\n", "5", "12",
     "-1", "\r\n ", "x", "é", "K", "", ",", ";"]
)  # fmt: skip


spaces = st.sampled_from(["", "", " ", "\t", "\r\n ", " \r\n\t"])
names = st.sampled_from(["l", "L", "Content-Length", "content-LENGTH", "Content-Lengths", "X", "To", "ll"])
values_of_length = st.sampled_from(["5", "012", "-1", "5 5", "", "x", "5,5", "99999999999", "l: 5", "\r\n l: 5", "é"])
header_lines = st.tuples(names, spaces, st.just(":"), spaces, values_of_length, spaces).map("".join)
odd_lines = st.lists(fragments, max_size=6).map("".join)


@given(st.lists(st.one_of(header_lines, header_lines, header_lines, odd_lines), max_size=5))
def test_the_length_is_the_one_that_the_parser_sees(lines):
    head = "\r\n".join(["BYE sip:a@b SIP/2.0", *lines]).partition("\r\n\r\n")[0]
    _, values, header_fault = _header_lines(_unfolded(head).partition("\r\n")[2])
    assume(header_fault is None)  # the parser refuses it, wherever it ends
    if len(values) == 1 and values[0].isascii() and values[0].isdigit() and len(values[0]) <= 10:
        expected = int(values[0]), None
    else:
        fault = "Missing" if not values else "More Than One" if len(values) > 1 else "Malformed"
        expected = 0, (400, f"{fault} Content-Length")
    assert content_length(head.encode()) == expected


@given(st.lists(fragments, max_size=12), st.integers(0, 30))
def test_framing_and_parser_agree_where_a_message_ends(parts, length):
    message = request("BYE", extra=(f"Y: {''.join(parts)}",)).replace(b"Content-Length: 0", b"l: %d" % length)
    stream = message + b"z" * 40
    (framed, *_) = split(stream)
    try:
        body = parse_message(stream).body
    except SipSyntaxError:
        return
    assert message.count(b"\r\n\r\n") > 1 or framed == Framed(message + body)


# What a stranger could do


def test_a_head_that_does_not_end_is_refused_when_it_is_too_large():
    head = b"BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP a\r\nX: "
    endless = head + b"x" * HEAD_BYTES_MAX
    (item,) = split(endless)
    assert item == Framed(endless[:HEAD_BYTES_MAX], (513, "Message Headers Too Large"))
    late = endless + b"\r\nContent-Length: 0\r\n\r\n"
    assert split(late) == [item]
    assert split(*pieces_of(late, list(range(0, len(late), 1000)))) == [item]


def test_the_largest_message_passes_and_one_byte_more_does_not():
    padding = b"X: " + b"x" * (HEAD_BYTES_MAX - len(BYE) - 10)
    head = BYE.replace(b"Content-Length: 0", padding + b"\r\nContent-Length: %d" % STREAM_BODY_BYTES_MAX)
    head = head.replace(b"xx", b"x" * (2 + HEAD_BYTES_MAX - len(head)), 1)
    assert len(head) == HEAD_BYTES_MAX
    largest = head + bytes(STREAM_BODY_BYTES_MAX)
    assert split(largest + BYE) == [Framed(largest), Framed(BYE)]
    longer = head.replace(b"%d" % STREAM_BODY_BYTES_MAX, b"%d" % (STREAM_BODY_BYTES_MAX + 1))
    assert split(longer) == [Framed(longer, (513, "Message Body Too Large"))]


def test_a_message_that_does_not_end_in_time_is_the_last():
    for begun in (BYE[:10], INVITE[:-3]):
        splitter = StreamSplitter()
        splitter.receive(begun)
        assert splitter.next_item(5.0) is None
        splitter.receive(b"")
        assert splitter.next_item(9.0) is None
        assert splitter.check(5.0 + MESSAGE_WITHIN_S - 0.001) is None
        assert splitter.check(5.0 + MESSAGE_WITHIN_S) == Framed(begun, (400, "Message Did Not End In Time"))
        splitter.receive(BYE)
        assert splitter.next_item(20.0) is None


def test_the_time_is_each_messages_own_and_silence_between_them_is_none():
    splitter = StreamSplitter()
    for begin in (0.0, 100.0, 200.0):
        splitter.receive(BYE[:10])
        assert splitter.next_item(begin) is None
        splitter.receive(BYE[10:] + b"\r\n\r")
        assert splitter.next_item(begin + MESSAGE_WITHIN_S - 1) == Framed(BYE)
        assert splitter.next_item(begin + MESSAGE_WITHIN_S - 1) is None
        assert splitter.check(begin + 99.0) is None
        splitter.receive(b"\n")
        assert splitter.next_item(begin + 99.0) == Ping()


def test_the_end_of_the_stream_within_a_message_is_a_fault_and_between_messages_none():
    splitter = StreamSplitter()
    splitter.receive(BYE + b"\r\n")
    assert splitter.next_item(0.0) == Framed(BYE)
    assert splitter.end() is None
    splitter.receive(INVITE[:-1])
    assert splitter.next_item(0.0) is None
    assert splitter.end() == Framed(INVITE[:-1], (400, "Connection Closed Within A Message"))
    assert splitter.end() is None


def test_what_comes_after_a_fault_is_not_even_kept():
    splitter = StreamSplitter()
    splitter.receive(BYE.replace(b"Content-Length: 0\r\n", b""))
    assert splitter.next_item(0.0).fault is not None
    for _ in range(100):
        splitter.receive(bytes(10_000))
    assert len(splitter._buffer) == 0
