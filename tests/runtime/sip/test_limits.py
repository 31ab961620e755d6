"""Every bound of `runtime.sip.limits` has a message that reaches it and one that crosses it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runtime.sip import limits
from runtime.sip.sdp import SdpSyntaxError, parse_sdp
from tests.runtime.sip.raw import Raw, methods, request

PLAIN = request()
SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
AUDIO = "m=audio 4000 RTP/AVP 0\r\n"


def with_headers(text: str) -> bytes:
    return PLAIN.replace(b"Max-Forwards", text.encode() + b"Max-Forwards")


def padded(size: int) -> bytes:
    """A request whose start line and headers are so many bytes without the empty line."""
    lines = "".join(f"X-Y: {'x' * 4_000}\r\n" for _ in range(3))
    left = size - len(with_headers(lines).partition(b"\r\n\r\n")[0]) - len("X-Y: \r\n")
    return with_headers(lines + f"X-Y: {'x' * left}\r\n")


def sized(size: int) -> bytes:
    head = PLAIN.replace(b"Content-Length: 0", b"Content-Length: 60000")
    return head + b"x" * (size - len(head))


MESSAGES: dict[str, tuple[Callable[[int], bytes], int]] = {
    "MESSAGE_BYTES_MAX": (sized, 513),
    "HEAD_BYTES_MAX": (padded, 513),
    "HEADERS_MAX": (lambda n: with_headers("X-Y: x\r\n" * (n - PLAIN.count(b"\r\n") + 2)), 513),
    "HEADER_CHARS_MAX": (lambda n: with_headers("X-Y: " + "x" * (n - 5) + "\r\n"), 513),
    "URI_CHARS_MAX": (lambda n: PLAIN.replace(b"sip:bob@192.0.2.2 SIP", b"sip:%s@h SIP" % (b"b" * (n - 6))), 414),
    "PARAMS_MAX": (lambda n: with_headers("Route: <sip:r@h>" + "".join(f";p{i}" for i in range(n)) + "\r\n"), 400),
    "ELEMENTS_MAX": (lambda n: with_headers("Route: " + ", ".join(["<sip:r@h>"] * n) + "\r\n"), 400),
    "CALL_ID_CHARS_MAX": (lambda n: request(call_id="c" * n), 400),
    "TAG_CHARS_MAX": (lambda n: request(from_tag="f" * n), 400),
    "BRANCH_CHARS_MAX": (lambda n: request(branch="z9hG4bK" + "b" * (n - 7)), 400),
    "CSEQ_MAX": (lambda n: PLAIN.replace(b"CSeq: 1 ", b"CSeq: %d " % n), 400),
    "MAX_FORWARDS_MAX": (lambda n: PLAIN.replace(b"Max-Forwards: 70", b"Max-Forwards: %d" % n), 400),
}
DESCRIPTIONS: dict[str, Callable[[int], str]] = {
    "SDP_BYTES_MAX": lambda n: SDP + AUDIO + "a=x:" + "x" * (n - len(SDP + AUDIO) - 6) + "\r\n",
    "SDP_LINES_MAX": lambda n: SDP + AUDIO + "a=x\r\n" * (n - 6),
    "MEDIA_MAX": lambda n: SDP + AUDIO * n,
    "FORMATS_MAX": lambda n: SDP + "m=audio 4000 RTP/AVP" + " 0" * n + "\r\n",
}
ELSEWHERE = {"STREAM_BODY_BYTES_MAX", "MESSAGE_WITHIN_S", "UDP_REQUEST_BYTES_MAX"}
"""Of streams: `test_framing` and `test_endpoint_streams`."""


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_at_the_bound_is_taken_and_one_beyond_it_is_refused(name: str) -> None:
    make, status = MESSAGES[name]
    most = getattr(limits, name)
    at = [] if name == "MESSAGE_BYTES_MAX" else methods(Raw().send(make(most)))
    assert at in ([], ["100"])
    assert methods(Raw().send(make(most + 1))) == [str(status)]


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_description_at_the_bound_is_read_and_one_beyond_it_is_not(name: str) -> None:
    make, most = DESCRIPTIONS[name], getattr(limits, name)
    assert parse_sdp(make(most).encode()).media
    with pytest.raises(SdpSyntaxError):
        parse_sdp(make(most + 1).encode())


def test_no_bound_is_without_a_test() -> None:
    named = {name for name in vars(limits) if name.isupper()}
    assert named == {*MESSAGES, *DESCRIPTIONS, *ELSEWHERE}
