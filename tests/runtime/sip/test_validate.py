"""What is refused before anybody looks at what a request asks for."""

from __future__ import annotations

import pytest

from runtime.sip.message import Headers, Request
from runtime.sip.validate import validate_invite, validate_request

GOOD = Request(
    "INVITE",
    "sip:b@example.com",
    Headers(
        [
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
            ("Max-Forwards", "70"),
            ("From", "<sip:a@example.com>;tag=1"),
            ("To", "<sip:b@example.com>"),
            ("Call-ID", "c1@h"),
            ("CSeq", "1 INVITE"),
            ("Contact", "<sip:a@192.0.2.1>"),
            ("Content-Type", "application/sdp"),
        ]
    ),
    b"v=0\r\n",
)


def changed(name: str, *values: str, method: str = "INVITE", uri: str = GOOD.uri) -> Request:
    headers = GOOD.headers.replaced(name, *values)
    if method != "INVITE":
        headers = headers.replaced("CSeq", f"1 {method}")
    return Request(method, uri, headers, GOOD.body)


def refused(request: Request) -> tuple[int, str]:
    rejection = validate_request(request)
    assert rejection is not None
    return rejection.status, rejection.reason


def test_a_good_request_passes():
    assert validate_request(GOOD) is None
    assert validate_invite(GOOD) is None


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_a_mandatory_header_that_is_missing_or_empty_is_400(name):
    assert refused(changed(name)) == (400, f"Missing {name}")
    assert refused(changed(name, "")) == (400, f"Missing {name}")


def test_max_forwards_may_be_missing_but_not_nonsense():
    assert validate_request(changed("Max-Forwards")) is None
    assert validate_request(changed("Max-Forwards", "0068")) is None
    assert validate_request(changed("Max-Forwards", "0")) is None
    for text in ("", "x", "-1", "256", "9" * 30):
        assert refused(changed("Max-Forwards", text)) == (400, "Malformed Max-Forwards")


@pytest.mark.parametrize("name", ["From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Type"])
def test_a_single_header_that_comes_twice_is_400(name):
    value = GOOD.headers.first(name)
    assert refused(changed(name, value, value)) == (400, f"More Than One {name}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Via", "SIP/2.0/UDP 192.0.2.15;;,;,,"), ("From", "nobody"), ("To", '"Mr <sip:b@h>'),
        ("Contact", "< sip:a@h >"),
        ("Contact", "sip:a@h?x=y"), ("Record-Route", "<sip:a@h"), ("Route", "x"), ("Call-ID", "a b"), ("CSeq", "1"),
        ("CSeq", "36893488147419103232 INVITE"), ("CSeq", "1 BYE"), ("CSeq", "1 invite"), ("Require", "a b"),
    ],
)  # fmt: skip
def test_a_broken_field_is_400(name, value):
    assert refused(changed(name, value))[0] == 400


def test_contacts_may_be_missing_or_a_star():
    assert validate_request(changed("Contact")) is None
    assert validate_request(changed("Contact", "*", method="REGISTER")) is None


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("isbn:123", 416), ("nobodyKnowsThisScheme:totallyopaquecontent", 416), ("<sip:b@h>", 400), ("sip:", 400),
        ("sip:b@h?Route=%3Csip:example.com%3E", 400),
    ],
)  # fmt: skip
def test_a_request_uri_is_one_we_know(uri, status):
    assert refused(changed("To", "<sip:b@h>", uri=uri))[0] == status


def test_a_tel_request_uri_is_taken():
    assert validate_request(changed("To", "<sip:b@h>", uri="tel:+12015550123")) is None


def test_what_is_required_and_not_supported_is_named():
    rejection = validate_request(changed("Require", "timer, nothing", "100rel"), supported=("Timer",))
    assert rejection is not None
    assert (rejection.status, rejection.headers) == (420, (("Unsupported", "nothing, 100rel"),))
    assert validate_request(changed("Require", "timer"), supported=("timer",)) is None


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_ack_and_cancel_require_nothing(method):
    assert validate_request(changed("Require", "nothing", method=method)) is None


def test_a_body_that_is_no_session_description_is_415_and_says_what_is():
    rejection = validate_invite(changed("Content-Type", "application/unknownformat"))
    assert rejection is not None
    assert (rejection.status, rejection.headers) == (415, (("Accept", "application/sdp"),))
    encoded = validate_invite(changed("Content-Encoding", "gzip"))
    assert encoded is not None
    assert (encoded.status, encoded.headers) == (415, (("Accept-Encoding", "identity"),))
    assert validate_invite(changed("Content-Encoding", "identity")) is None
    assert validate_invite(changed("Content-Type", "Application/SDP;charset=utf-8")) is None


def test_a_body_without_a_type_is_400():
    for request in (changed("Content-Type"), changed("Content-Type", "sdp")):
        rejection = validate_invite(request)
        assert rejection is not None
        assert rejection.status == 400


def test_no_body_is_a_late_offer():
    assert validate_invite(Request("INVITE", GOOD.uri, GOOD.headers.without("Content-Type"))) is None


@pytest.mark.parametrize("accept", ["application/sdp", "text/plain, application/SDP;q=0.5", "*/*", "application/*;q=1"])
def test_a_peer_that_accepts_sdp_is_answered(accept):
    assert validate_invite(changed("Accept", accept)) is None


@pytest.mark.parametrize("accept", ["text/nobodyKnowsThis", "", "application/sdp2"])
def test_a_peer_that_cannot_read_our_answer_is_406(accept):
    rejection = validate_invite(changed("Accept", accept))
    assert rejection is not None
    assert rejection.status == 406
