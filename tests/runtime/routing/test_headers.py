"""Headers to attributes and back: LiveKit's precedence, and nothing that breaks out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.routing.headers import (
    HEADERS_MAX,
    attributes_from,
    bye_headers,
    is_settable,
    own_headers,
    readable,
    remote_headers,
)
from schemas.tables.rows import Headers

INVITE = (
    ("Via", "SIP/2.0/UDP h"), ("From", "<sip:+1@h>"), ("Authorization", "Digest response=abc"), ("X-Tenant", "acme"),
    ("X-Tenant", "second"), ("X-Twilio-CallSid", "CA1"), ("X-call_leg_id", "leg"), ("X-Amzn-TargetArn", "arn"),
    ("Subject", "s"),
)  # fmt: skip


def test_the_first_of_each_name_counts_and_credentials_stay_here() -> None:
    found = dict(readable(INVITE, hide_caller=False))
    assert found["X-Tenant"] == "acme"
    assert "Authorization" not in found
    assert "From" not in dict(readable(INVITE, hide_caller=True))


def test_bulk_then_providers_then_names() -> None:
    headers = readable(INVITE, hide_caller=False)
    assert attributes_from(headers, Headers()) == {
        "sip.twilio.callSid": "CA1", "sip.telnyx.callLegID": "leg", "sip.amazon.targetArn": "arn",
    }  # fmt: skip
    assert attributes_from(headers, Headers(include="x"))["sip.h.x-tenant"] == "acme"
    assert "sip.h.subject" not in attributes_from(headers, Headers(include="x"))
    everything = attributes_from(headers, Headers(include="all", to_attributes=(("subject", "sip.twilio.callSid"),)))
    assert everything["sip.h.subject"] == everything["sip.twilio.callSid"] == "s"


def test_headers_of_the_hop_are_not_told() -> None:
    names = {name for name, _ in remote_headers(readable(INVITE, hide_caller=False))}
    assert names == {"From", "X-Tenant", "X-Twilio-CallSid", "X-call_leg_id", "X-Amzn-TargetArn", "Subject"}


def test_answers_carry_fixed_headers_and_byes_what_the_room_set() -> None:
    policy = Headers(
        fixed=(("X-A", "1"), ("X-B", "2")), from_attributes=(("outcome", "X-B"), ("evil", "X-C"), ("via", "Via"))
    )
    attributes = {"outcome": "sold", "evil": "a\r\nVia: b", "via": "x"}
    assert own_headers(policy, attributes) == (("X-A", "1"), ("X-B", "sold"))
    said = dict(bye_headers(policy, attributes, (("X-Why", "done"), ("Via", "x")), "Q.850;cause=16"))
    assert said == {"Reason": "Q.850;cause=16", "X-B": "sold", "X-Why": "done"}


def test_a_thousand_headers_leave_bounded_traces() -> None:
    assert len(readable(((f"X-{n}", "v") for n in range(1000)), hide_caller=False)) == HEADERS_MAX


@given(st.text(max_size=20), st.text(max_size=40))
def test_what_may_be_set_is_one_line_and_not_the_bridges(name: str, value: str) -> None:
    if is_settable(name, value):
        assert name.isascii()
        assert len(f"{name}: {value}".splitlines()) <= 1 or value.splitlines()[0] == value
