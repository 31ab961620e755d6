"""Framing: what is one message, what is answered with a fault, and what is dropped."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sip.errors import SipSyntaxError
from runtime.sip.fields import parse_media_type, parse_name_addr, parse_via
from runtime.sip.grammar import parse_params, split_commas
from runtime.sip.message import Headers, Request, Response
from runtime.sip.parser import parse_message
from runtime.sip.sdp import SdpSyntaxError, parse_sdp
from runtime.sip.uri import parse_uri
from runtime.sip.writer import write_message
from tests.runtime.sip.strategies import requests, responses

HEAD = (
    b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
    b"From: <sip:a@example.com>;tag=1\r\n"
    b"To: <sip:b@example.com>\r\n"
    b"Call-ID: c1\r\n"
)
REQUEST = b"OPTIONS sip:b@example.com SIP/2.0\r\n" + HEAD + b"CSeq: 1 OPTIONS\r\n"
RESPONSE = b"SIP/2.0 200 OK\r\n" + HEAD + b"CSeq: 1 OPTIONS\r\n"


def fault_of(data: bytes) -> SipSyntaxError:
    with pytest.raises(SipSyntaxError) as caught:
        parse_message(data)
    return caught.value


@given(requests() | responses())
def test_a_written_message_parses_to_the_same_value(message):
    assert parse_message(write_message(message)) == message


@given(requests(), st.binary(max_size=20))
def test_what_follows_the_content_length_is_another_matter(message, noise):
    assert parse_message(write_message(message) + noise) == message


@given(st.binary(max_size=400))
def test_noise_is_dropped_and_never_crashes(data):
    assert fault_of(data).partial is None


@given(st.data(), requests() | responses())
def test_a_damaged_message_is_read_or_refused(data, message):
    wire = bytearray(write_message(message))
    for _ in range(data.draw(st.integers(1, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    try:
        again = parse_message(bytes(wire))
    except SipSyntaxError as fault:
        again = fault.partial
    if isinstance(again, Request) and all(33 <= ord(c) < 127 for c in again.uri):
        assert parse_message(write_message(again)) == again


def test_a_request_is_read():
    message = parse_message(REQUEST + b"l: 3\r\nX-Own:  value \t\r\n\r\nabcdef")
    assert isinstance(message, Request)
    assert (message.method, message.uri, message.body) == ("OPTIONS", "sip:b@example.com", b"abc")
    assert message.headers.first("x-own") == "value"
    assert message.headers.first("Content-Length") is None


def test_a_response_is_read_with_and_without_a_reason():
    assert parse_message(RESPONSE + b"\r\n") == Response(200, "OK", parse_message(REQUEST + b"\r\n").headers)
    assert parse_message(RESPONSE.replace(b"200 OK", b"100 ") + b"\r\n").reason == ""
    assert parse_message(RESPONSE.replace(b"200 OK", b"699") + b"\r\n").status == 699


def test_line_ends_before_the_message_are_ignored():
    assert parse_message(b"\r\n\r\n" + REQUEST + b"\r\n") == parse_message(REQUEST + b"\r\n")


def test_folded_lines_are_one_value():
    message = parse_message(REQUEST + b"Subject: one\r\n two\r\n\t three\r\nContact:\r\n <sip:a@h>\r\n\r\n")
    assert message.headers.first("Subject") == "one two three"
    assert message.headers.first("Contact") == "<sip:a@h>"


def test_space_before_the_colon_is_allowed():
    assert parse_message(REQUEST + b"Subject \t: x\r\ns  : y\r\n\r\n").headers.all("Subject") == ("x", "y")


def test_without_a_content_length_the_body_is_the_rest_of_the_datagram():
    assert parse_message(REQUEST + b"\r\nrest").body == b"rest"


def test_a_caller_name_that_is_not_utf8_is_read_as_latin1():
    message = parse_message(REQUEST + b'P-Asserted-Identity: "J\xfcrgen" <sip:a@h>\r\n\r\n')
    assert message.headers.first("P-Asserted-Identity") == '"Jürgen" <sip:a@h>'


@pytest.mark.parametrize(
    "data", [b"", b"\r\n\r\n", b"\0\0\0\0", b"GET / HTTP/1.1\r\n\r\n", b"SIP/2.0\r\n\r\n", b"\x80\x60" * 40]
)
def test_keep_alives_and_noise_are_dropped(data):
    assert fault_of(data).partial is None


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (b"no colon\r\n", "Malformed Header Line"),
        (b"Subject\r\n", "Malformed Header Line"),
        (b"l\r\n", "Malformed Header Line"),
        (b"Bad Name: x\r\n", "Malformed Header Line"),
        (b"X-\x01: x\r\n", "Malformed Header Line"),
        (b": x\r\n", "Malformed Header Line"),
        (b"X-A: a\x00b\r\n", "Control Character In Header"),
        (b"X-A: a\rVia: b\r\n", "Control Character In Header"),
        (b"X-A: a\nVia: b\r\n", "Control Character In Header"),
        (b"Content-Length: -1\r\n", "Malformed Content-Length"),
        (b"Content-Length: 1e1\r\n", "Malformed Content-Length"),
        (b"Content-Length: \r\n", "Malformed Content-Length"),
        (b"Content-Length: 99999999999999\r\n", "Malformed Content-Length"),
        (b"Content-Length: 1\r\n", "Body Shorter Than Content-Length"),
        (b"Content-Length: 0\r\nl: 0\r\n", "More Than One Content-Length"),
    ],
)
def test_a_fault_in_a_request_is_answered_with_what_could_be_read(lines, reason):
    fault = fault_of(REQUEST + lines + b"\r\n")
    assert (fault.status, fault.reason) == (400, reason)
    assert fault.partial is not None
    assert fault.partial.headers == parse_message(REQUEST + b"\r\n").headers
    assert fault.partial.method == "OPTIONS"


@pytest.mark.parametrize("place", ["before", "within", "behind"])
@pytest.mark.parametrize("byte", [*range(0x09), *range(0x0B, 0x0D), *range(0x0E, 0x20), 0x7F, 0x80, 0xA0, 0xFF])
def test_no_control_byte_beside_a_name_makes_another_header(byte, place):
    """A proxy that strips `X-Tenant` by name must not see another name than we do (ES2020-01)."""
    odd = bytes([byte])
    name = {"before": odd + b"X-Tenant", "within": b"X-Ten" + odd + b"ant", "behind": b"X-Tenant" + odd}[place]
    fault = fault_of(REQUEST + name + b": acme\r\n\r\n")
    assert (fault.status, fault.partial.headers.first("X-Tenant")) == (400, None)


@pytest.mark.parametrize(
    "lines", [b"no colon\r\n", b"Content-Length: 7\r\n", b"l: 0\r\nl: 0\r\n", b"To: <sip:x@h>\r\n", b"X: \x00\r\n"]
)
def test_a_fault_in_a_response_drops_it(lines):
    assert fault_of(RESPONSE + lines + b"\r\n").partial is None


@pytest.mark.parametrize("status", [b"99 X", b"700 X", b"4294967301 X", b"20 X", b"2000 X", b" 200 X", b"200 a\x07"])
def test_a_response_with_a_broken_status_line_is_dropped(status):
    assert fault_of(RESPONSE.replace(b"200 OK", status) + b"\r\n").partial is None


def test_a_response_without_its_fields_is_dropped():
    for name in (b"Via", b"From", b"To", b"Call-ID", b"CSeq"):
        without = b"\r\n".join(line for line in RESPONSE.split(b"\r\n") if not line.startswith(name + b":"))
        assert fault_of(without + b"\r\n").partial is None


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (b"OPTIONS sip:b@example.com; lr SIP/2.0", 400),
        (b"OPTIONS  sip:b@example.com SIP/2.0", 400),
        (b"OPTIONS sip:b@example.com SIP/2.0 ", 400),
        (b"OPTIONS sip:\xc3\xa4@example.com SIP/2.0", 400),
        (b"OPTIONS sip:b@example.com SIP/7.0", 505),
        (b"OPTIONS sip:b@example.com sip/1.0", 505),
        (b"OPTIONS sip:" + b"b" * 3000 + b"@example.com SIP/2.0", 414),
    ],
)
def test_an_odd_request_line_is_answered(start, status):
    fault = fault_of(start + b"\r\n" + HEAD + b"CSeq: 1 OPTIONS\r\n\r\n")
    assert fault.status == status
    assert fault.partial is not None
    assert fault.partial.headers.first("Call-ID") == "c1"


def test_without_a_via_nobody_waits_for_an_answer():
    assert fault_of(b"OPTIONS sip:b@h SIP/7.0\r\nTo: <sip:b@h>\r\n\r\n").partial is None


def test_headers_without_an_end_are_answered():
    fault = fault_of(REQUEST)
    assert (fault.status, fault.reason) == (400, "Headers Do Not End")
    assert fault.partial is not None
    assert fault.partial.headers.first("CSeq") == "1 OPTIONS"


def test_everything_is_bounded():
    assert fault_of(REQUEST + b"\r\n" + b"x" * 65_536).status == 513
    assert fault_of(REQUEST + b"X: 1\r\n" * 124 + b"\r\n").status == 513
    assert parse_message(REQUEST + b"X: 1\r\n" * 123 + b"\r\n")
    assert fault_of(REQUEST + b"X: " + b"a" * 9000 + b"\r\n\r\n").status == 513


@pytest.mark.parametrize(
    "text",
    [
        " ", '"', '"\\', '\\"', "<", "\r\n ", "a", ";a=", ", ", "%41", "<>", "[", "1", "a@", "a:", "/", "\x01",
        '"\\\x01',
    ],
)  # fmt: skip
def test_no_text_is_read_over_and_over(text):
    """A pattern that backtracks takes seconds and more for one of these."""
    hostile = text * (60_000 // len(text))
    line = text * (8_000 // len(text))
    started_s = process_time()
    folded = REQUEST + b"Subject: a\r\n b" + hostile.encode() + b"\r\n\r\n"
    for data in (hostile.encode(), REQUEST + hostile.encode(), folded):
        _swallow(parse_message, data)
    _swallow(parse_message, REQUEST + b"".join(b"X: " + line.encode() + b"\x01\r\n" for _ in range(7)) + b"\r\n")
    for read in (split_commas, parse_via, parse_name_addr, parse_uri, parse_params, parse_media_type):
        for lead in ("", "sip:", "tel:+", '"', "<sip:a@h>", "SIP/2.0/UDP h", "a/b", ";a="):
            _swallow(read, lead + line)
    for lead in ("", "v=0\r\n", "v=0\r\no=", "v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 1 RTP/AVP 0 ", "v=0\r\na="):
        _swallow(parse_sdp, (lead + line + "\x01").encode())
    assert process_time() - started_s < 1


def _swallow(read, argument):
    try:
        read(argument)
    except (SipSyntaxError, SdpSyntaxError):
        pass


def test_headers_of_a_partial_request_are_headers():
    assert isinstance(fault_of(REQUEST).partial.headers, Headers)
