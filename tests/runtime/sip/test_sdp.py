"""Session descriptions: RFC 8866's lines, what is forgiven, what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sip.sdp import (
    Connection,
    MediaDescription,
    Origin,
    SdpSyntaxError,
    SessionDescription,
    connection_to,
    parse_sdp,
    rtcp_attribute,
    write_sdp,
)
from tests.runtime.sip.strategies import descriptions

HEAD = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n"


@given(descriptions)
def test_a_written_description_parses_to_the_same_value(description):
    assert parse_sdp(write_sdp(description)) == description


@given(st.binary(max_size=300))
def test_noise_is_refused_and_never_crashes(data):
    with pytest.raises(SdpSyntaxError):
        parse_sdp(data)


@given(descriptions, st.data())
def test_a_damaged_description_is_read_or_refused(description, data):
    body = bytearray(write_sdp(description))
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        again = parse_sdp(bytes(body))
    except SdpSyntaxError:
        return
    assert parse_sdp(write_sdp(again)) == again


def test_the_example_of_rfc_8866():
    body = (
        b"v=0\no=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\ns=Call to John Smith\ni=SDP Offer #1\n"
        b"u=http://www.jdoe.example.com/home.html\ne=Jane Doe <jane@jdoe.example.com>\np=+1 617 555-6011\n"
        b"c=IN IP4 198.51.100.1\nt=0 0\nm=audio 49170 RTP/AVP 0\nm=audio 49180 RTP/AVP 0\n"
        b"m=video 51372 RTP/AVP 99\nc=IN IP6 2001:db8::2\na=rtpmap:99 h263-1998/90000\n"
    )
    session = parse_sdp(body)
    assert session.origin == Origin("jdoe", "3724394400", "3724394405", "IN", "IP4", "198.51.100.1")
    assert (session.name, session.times) == ("Call to John Smith", ("0 0",))
    assert [media.port for media in session.media] == [49170, 49180, 51372]
    assert session.connection_of(session.media[0]) == Connection("IN", "IP4", "198.51.100.1")
    assert session.connection_of(session.media[2]) == Connection("IN", "IP6", "2001:db8::2")
    assert session.media[2].attribute("rtpmap") == "99 h263-1998/90000"


def test_a_missing_name_or_time_is_forgiven():
    session = parse_sdp(b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nm=audio 1 RTP/AVP 0\r\n")
    assert (session.name, session.times) == ("-", ())


@pytest.mark.parametrize(
    "body",
    [
        b"", b"v=0\r\n", b"v=1\r\no=- 1 1 IN IP4 h\r\n", b"o=- 1 1 IN IP4 h\r\nv=0\r\n", b"v=0\r\no=- 1 1 IN IP4\r\n",
        HEAD + b"no line\r\n", HEAD + b"y=1\r\n", HEAD + b"c=IN IP4\r\n", HEAD + b"m=audio\r\n", HEAD + b"a=\r\n",
        HEAD + b"m=audio 70000 RTP/AVP 0\r\n", HEAD + b"m=audio x RTP/AVP 0\r\n", HEAD + b"m=audio 1 RTP/AVP\r\n",
        HEAD + b"m =audio 1 RTP/AVP 0\r\n", HEAD + b"a=x\0\r\n", HEAD + b"a=x\ry\r\n", HEAD + b"o=- 1 1 IN IP4 h\r\n",
        HEAD + b"m=audio 1 RTP/AVP 0\r\ns=-\r\n", HEAD + b"a=b c:d\r\n", HEAD + b"m=audio -1 RTP/AVP 0\r\n",
    ],
)  # fmt: skip
def test_what_is_no_description_is_refused(body):
    with pytest.raises(SdpSyntaxError):
        parse_sdp(body)


def test_everything_is_bounded():
    line = b"m=audio 1 RTP/AVP 0\r\n"
    assert len(parse_sdp(HEAD + line * 16).media) == 16
    for body in (
        HEAD + line * 17,
        HEAD + b"m=audio 1 RTP/AVP" + b" 0" * 65 + b"\r\n",
        HEAD + b"a=x\r\n" * 520,
        HEAD + b"a=" + b"x" * 17_000 + b"\r\n",
    ):
        with pytest.raises(SdpSyntaxError):
            parse_sdp(body)


def test_latin1_and_blank_lines_are_forgiven():
    assert parse_sdp(HEAD.replace(b"s=-", b"s=B\xfcro") + b"\r\n \r\n").name == "Büro"


@pytest.mark.parametrize(
    ("session_level", "media_level", "direction"),
    [
        ("", "", "sendrecv"), ("a=sendonly\r\n", "", "sendonly"), ("", "a=inactive\r\n", "inactive"),
        ("a=inactive\r\n", "a=recvonly\r\n", "recvonly"), ("", "a=ptime:20\r\na=recvonly \r\n", "recvonly"),
    ],
)  # fmt: skip
def test_the_direction_is_the_streams_else_the_sessions(session_level, media_level, direction):
    session = parse_sdp(HEAD + session_level.encode() + b"m=audio 1 RTP/AVP 0\r\n" + media_level.encode())
    assert session.direction_of(session.media[0]) == direction


@pytest.mark.parametrize(
    ("value", "rtcp"),
    [
        ("53020", (53020, None)), ("53020 IN IP4 126.16.64.4", (53020, "126.16.64.4")), ("0", None), ("65536", None),
        ("x", None), ("1 IN IP4", None),
    ],
)  # fmt: skip
def test_the_rtcp_attribute(value, rtcp):
    assert rtcp_attribute(MediaDescription("audio", 1, "RTP/AVP", ("0",), None, (("rtcp", value),))) == rtcp


def test_all_values_of_an_attribute():
    media = MediaDescription("audio", 1, "RTP/AVP", ("0",), None, (("a", "1"), ("b", None), ("a", "2")))
    assert (media.all("a"), media.attribute("b"), media.attribute("c")) == (("1", "2"), "", None)


def test_our_connection_says_its_family():
    assert connection_to("192.0.2.1") == Connection("IN", "IP4", "192.0.2.1")
    assert connection_to("2001:db8::1") == Connection("IN", "IP6", "2001:db8::1")


@pytest.mark.parametrize("evil", ["a\r\nm=audio 1 RTP/AVP 0", "a\nb", "a\0"])
def test_a_value_that_breaks_its_line_is_not_written(evil):
    with pytest.raises(ValueError):
        write_sdp(SessionDescription(Origin("-", "1", "1", "IN", "IP4", "192.0.2.1"), evil))
