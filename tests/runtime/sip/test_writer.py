"""The writer lets nothing out that could become another header line."""

from __future__ import annotations

import pytest

from runtime.sip.message import Headers, Request, Response
from runtime.sip.writer import write_message


def test_a_request_on_the_wire():
    request = Request("MESSAGE", "sip:b@h", Headers([("v", "SIP/2.0/UDP h"), ("X-Own", "grüß")]), b"body")
    assert write_message(request) == (
        "MESSAGE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nX-Own: grüß\r\nContent-Length: 4\r\n\r\nbody".encode()
    )


def test_a_response_on_the_wire():
    assert write_message(Response(180, "Ringing")) == b"SIP/2.0 180 Ringing\r\nContent-Length: 0\r\n\r\n"


def test_the_content_length_is_that_of_the_body():
    headers = Headers([("l", "999"), ("content-LENGTH", "1")])
    assert write_message(Response(200, "OK", headers, b"four")).count(b"Content-Length") == 1


@pytest.mark.parametrize("evil", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "a\x07b", "\r\n\r\n", "\x7f"])
def test_a_value_that_breaks_its_line_is_refused(evil):
    with pytest.raises(ValueError):
        write_message(Response(200, "OK", Headers([("X-Own", evil)])))
    with pytest.raises(ValueError):
        write_message(Response(200, evil))
    with pytest.raises(ValueError):
        write_message(Request("BYE", evil))
    with pytest.raises(ValueError):
        write_message(Request(evil, "sip:h"))
    with pytest.raises(ValueError):
        write_message(Response(200, "OK", Headers([(evil, "x")])))


def test_an_escaped_control_character_in_quotes_goes_back_as_it_came():
    """The 4xx to RFC 4475 3.1.1.2 has to repeat its To."""
    assert b'"\\\x00"' in write_message(Response(405, "", Headers([("To", '"\\\x00" <sip:a@h>')])))


@pytest.mark.parametrize("status", [0, 99, 700, -200])
def test_a_status_is_three_digits(status):
    with pytest.raises(ValueError):
        write_message(Response(status, "x"))


@pytest.mark.parametrize(
    ("method", "uri"), [("", "sip:h"), ("BY E", "sip:h"), ("BYE", ""), ("BYE", "sip:a b"), ("BYE", "sip:ä")]
)
def test_a_request_line_has_three_words(method, uri):
    with pytest.raises(ValueError):
        write_message(Request(method, uri))


@pytest.mark.parametrize("name", ["", "X Own", "X:Own", "Ä"])
def test_a_header_name_is_a_token(name):
    with pytest.raises(ValueError):
        write_message(Response(200, "OK", Headers([(name, "x")])))


def test_half_a_character_is_refused():
    with pytest.raises(ValueError):
        write_message(Response(200, "OK", Headers([("X-Own", "\udcff")])))
