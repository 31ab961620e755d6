from __future__ import annotations

import pytest

from tests.schemas.resources import given

REFUSED_BY_LIVEKIT = (
    *("accept", "accept-encoding", "accept-language", "allow", "allow-events", "call-id", "contact"),
    *("content-encoding", "content-length", "content-type", "cseq", "event", "expires", "from", "max-forwards"),
    *("record-route", "refer-to", "reply-to", *"klmortuv"),
)


@pytest.mark.parametrize("name", [*REFUSED_BY_LIVEKIT, "to", "Via", "CALL-ID", "i", "f", "c", "e"])
def test_headers_that_the_bridge_writes_are_not_set_by_hand(name):
    assert (
        "is written by the bridge"
        in given.complaints(given.inbound(headers={name: "x"}))[f"spec.inbound.headers.{name}"]
    )


@pytest.mark.parametrize("name", ["From", "Call-ID", "t"])
def test_they_may_be_mapped(name):
    given.accepted(given.inbound(headersToAttributes={name: "caller"}, attributesToHeaders={"caller": name}))


@pytest.mark.parametrize("name", ["", "a b", "a:b", "ä", "x" * 256, "a\n", "a(b)"])
def test_names_are_tokens(name):
    assert given.complaints(given.inbound(headers={name: "x"}))
    assert given.complaints(given.inbound(headersToAttributes={name: "x"}))
    assert given.complaints(given.inbound(attributesToHeaders={"x": name}))


@pytest.mark.parametrize("value", ["", "a\tb", "grüße ☎", "x" * 1024, "~!@#$%"])
def test_values_are_printable(value):
    assert given.accepted(given.inbound(headers={"X-A": value})).spec.inbound.headers == {"X-A": value}


@pytest.mark.parametrize("value", ["a\r\nVia: x", "a\nb", "a\x00", "\x7f", "x" * 1025, 5, None, True])
def test_other_values_are_refused(value):
    assert list(given.complaints(given.inbound(headers={"X-A": value}))) == ["spec.inbound.headers.X-A"]


def test_both_halves_of_a_trunk_have_the_same_header_fields():
    fields = {
        "headers": {"X-A": "b"},
        "headersToAttributes": {"X-A": "a"},
        "attributesToHeaders": {"a": "X-A"},
        "includeHeaders": "all",
    }
    given.accepted(given.inbound(**fields))
    given.accepted(given.outbound(**fields))
    assert "spec.outbound.includeHeaders" in given.complaints(given.outbound(includeHeaders="some"))
