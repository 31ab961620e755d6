"""The endpoint as the one who calls: INVITE, ACK, forks, CANCEL, re-INVITE, requests (RFC 3261 9, 12 to 14)."""

from __future__ import annotations

import pytest

from runtime.sip.endpoint import EndpointConfig
from runtime.sip.errors import SipSyntaxError
from runtime.sip.events import (
    Answered,
    InviteTimedOut,
    LegEnded,
    MessageDropped,
    Rejected,
    Ringing,
)
from runtime.sip.message import Headers, Request
from tests.runtime.sip.raw import PATH, US, Raw, methods, request, response


def branch_of(message):
    return message.headers.first("Via").partition("branch=")[2].partition(";")[0]


def test_an_invite_has_what_the_rfc_asks_for():
    raw = Raw(EndpointConfig("dialplane", supported=("timer",)))
    _, invite = raw.calling(
        from_='"Bob, B." <sip:bob@192.0.2.2>',
        headers=[("Route", "<sip:192.0.2.1;lr>"), ("X-Call", "7")],
        local_tag="SCL_abc",
    )
    headers = invite.headers
    assert headers.first("Via").startswith("SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK")
    assert headers.first("Via").endswith(";rport")
    assert headers.first("Max-Forwards") == "70"
    assert headers.first("Route") == "<sip:192.0.2.1;lr>"
    assert headers.first("From") == '"Bob, B." <sip:bob@192.0.2.2>;tag=SCL_abc'
    assert headers.first("To") == "<sip:alice@192.0.2.1>"
    assert headers.first("CSeq") == "1 INVITE"
    assert headers.first("Contact") == "<sip:192.0.2.2:5060>"
    assert headers.first("User-Agent") == "dialplane"
    assert headers.first("Supported") == "timer"
    assert headers.first("X-Call") == "7"
    assert headers.first("Content-Type") == "application/sdp"


@pytest.mark.parametrize("bad", [{"from_": "nobody"}, {"to": "<sip:a@b"}])
def test_an_address_that_is_none_is_told_and_leaves_nothing(bad):
    raw = Raw()
    with pytest.raises(SipSyntaxError):
        raw.calling(**bad)
    assert raw.endpoint.leg_count == 0


def test_a_line_break_in_a_header_is_told_and_leaves_nothing():
    raw = Raw()
    with pytest.raises(ValueError):
        raw.calling(headers=[("X-Call", "7\r\nContact: <sip:evil@192.0.2.9>")])
    with pytest.raises(ValueError):
        raw.calling(headers=[("X Call", "7")])
    raw.settle()


def test_a_leg_is_described_before_anybody_answers():
    raw = Raw()
    leg, invite = raw.calling(local_tag="mine")
    info = raw.endpoint.leg_info(leg)
    assert (info.call_id, info.local_tag, info.remote_tag) == (invite.headers.first("Call-ID"), "mine", "")
    assert (info.local_uri, info.remote_uri) == ("sip:bob@192.0.2.2", "sip:alice@192.0.2.1")
    assert (info.remote_target, info.path) == ("sip:alice@192.0.2.1", PATH)


def test_ringing_then_answer():
    raw = Raw()
    leg, invite = raw.calling()
    raw.send(response(invite, 100))
    assert raw.events() == []
    raw.send(response(invite, 180, to_tag="them"))
    (ringing,) = raw.events()
    assert isinstance(ringing, Ringing)
    assert ringing.response.status == 180
    assert raw.endpoint.leg_info(leg).remote_tag == "them"
    (ack,) = raw.send(response(invite, 200, to_tag="them", contact="<sip:alice@192.0.2.1:5090>"))
    assert (ack.method, ack.uri, ack.headers.first("CSeq")) == ("ACK", "sip:alice@192.0.2.1:5090", "1 ACK")
    assert branch_of(ack) != branch_of(invite)
    (answered,) = raw.events()
    assert isinstance(answered, Answered)
    assert answered.leg == leg


def test_a_repeated_2xx_gets_the_same_ack_again_and_no_event():
    raw = Raw()
    _, invite = raw.calling()
    (ack,) = raw.send(response(invite, 200, to_tag="them"))
    raw.events()
    assert raw.send(response(invite, 200, to_tag="them")) == [ack]
    assert raw.events() == []


def test_the_route_of_the_2xx_counts_and_not_that_of_the_early_dialog():
    raw = Raw()
    _, invite = raw.calling()
    raw.send(response(invite, 180, to_tag="them", extra=("Record-Route: <sip:198.51.100.1;lr>",)))
    raw.send(response(invite, 200, to_tag="them", extra=("Record-Route: <sip:198.51.100.2;lr>",)))
    leg = raw.events()[-1].leg
    raw.endpoint.bye(leg, raw.now)
    (path,) = raw.sent_paths()
    assert path.remote == ("198.51.100.2", 5060)


def test_a_refusal_is_acknowledged_and_ends_the_leg():
    raw = Raw()
    leg, invite = raw.calling()
    (ack,) = raw.send(response(invite, 486, to_tag="them"))
    assert ack.method == "ACK"
    assert branch_of(ack) == branch_of(invite)
    rejected, ended = raw.events()
    assert isinstance(rejected, Rejected)
    assert rejected.response.status == 486
    assert ended == LegEnded(leg)
    assert methods(raw.send(response(invite, 486, to_tag="them"))) == ["ACK"]
    assert raw.events() == []
    raw.settle()


def test_nobody_answers():
    raw = Raw()
    leg, _ = raw.calling()
    assert [when for when, _ in raw.wait(40.0)] == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert raw.events() == [InviteTimedOut(leg), LegEnded(leg)]
    raw.settle()


def test_an_old_peer_without_to_tag_is_acknowledged_and_hung_up():
    raw = Raw()
    leg, invite = raw.calling()
    (ack,) = raw.send(response(invite, 200, contact=""))
    assert (ack.method, ack.uri) == ("ACK", "sip:alice@192.0.2.1")
    assert raw.kinds() == ["Answered"]
    assert raw.endpoint.bye(leg, raw.now)


# Forks


def test_the_second_2xx_of_a_fork_gets_ack_and_bye_and_the_first_stays():
    raw = Raw()
    leg, invite = raw.calling()
    raw.send(response(invite, 200, to_tag="one"))
    ack, bye = raw.send(response(invite, 200, to_tag="two", contact="<sip:carol@192.0.2.1>"))
    assert (ack.method, bye.method) == ("ACK", "BYE")
    assert ack.headers.first("To") == bye.headers.first("To") == "<sip:alice@192.0.2.1>;tag=two"
    assert bye.uri == "sip:carol@192.0.2.1"
    raw.send(response(bye, 200))
    assert raw.kinds() == ["Answered"]
    assert methods(raw.send(response(invite, 200, to_tag="two"))) == ["ACK"]
    assert raw.endpoint.leg_info(leg).remote_tag == "one"


def test_forks_are_bounded():
    raw = Raw()
    leg, invite = raw.calling()
    for number in range(50):
        raw.send(response(invite, 180, to_tag=f"fork{number}"))
    assert len(raw.endpoint._core.legs._by_dialog) == 8
    out = []
    for number in range(50):
        out += raw.send(response(invite, 200, to_tag=f"fork{number}"))
    assert methods(out).count("ACK") == 8
    assert len(raw.endpoint._core.legs._by_dialog) == 1
    assert raw.endpoint.leg_info(leg).remote_tag == "fork0"


def test_a_fork_answered_after_the_call_is_over_is_hung_up():
    raw = Raw()
    leg, invite = raw.calling()
    raw.send(response(invite, 200, to_tag="one"))
    raw.endpoint.bye(leg, raw.now)
    raw.send(response(raw.sent()[0], 200))
    assert raw.endpoint.leg_count == 0
    assert methods(raw.send(response(invite, 200, to_tag="two"))) == ["ACK", "BYE"]
    assert methods(raw.send(response(invite, 200, to_tag="one"))) == ["ACK"]
    raw.settle()


def test_an_answer_after_the_early_dialog_was_hung_up_is_hung_up_too():
    raw = Raw()
    leg, invite = raw.calling(local_tag="us")
    raw.send(response(invite, 180, to_tag="them"))
    call_id = invite.headers.first("Call-ID")
    raw.send(request("BYE", branch="z9hG4bK-b", to_tag="us", from_tag="them", call_id=call_id))
    assert raw.kinds() == ["Ringing", "ByeReceived", "LegEnded"]
    assert methods(raw.send(response(invite, 200, to_tag="them"))) == ["ACK", "BYE"]
    assert raw.events() == []
    assert raw.endpoint.leg_info(leg) is None
    raw.settle()


def test_sequence_numbers_go_on_from_the_early_dialog():
    raw = Raw()
    leg, invite = raw.calling()
    raw.send(response(invite, 180, to_tag="them"))
    assert raw.endpoint.request(leg, "UPDATE", raw.now)
    assert raw.sent()[0].headers.first("CSeq") == "2 UPDATE"
    raw.send(response(invite, 200, to_tag="them"))
    raw.endpoint.bye(leg, raw.now)
    assert raw.sent()[0].headers.first("CSeq") == "3 BYE"


# CANCEL


def test_a_cancel_waits_for_a_provisional_response():
    raw = Raw()
    leg, invite = raw.calling()
    assert raw.endpoint.cancel(leg, raw.now)
    assert not raw.endpoint.cancel(leg, raw.now)
    assert raw.sent() == []
    (cancel,) = raw.send(response(invite, 100))
    assert (cancel.method, cancel.uri) == ("CANCEL", invite.uri)
    assert cancel.headers.first("CSeq") == "1 CANCEL"
    for name in ("Via", "From", "To", "Call-ID", "Route"):
        assert cancel.headers.all(name) == invite.headers.all(name)
    assert raw.send(response(invite, 180, to_tag="them")) == []
    assert raw.events() == []


def test_a_cancelled_call_ends_with_its_487():
    raw = Raw()
    leg, invite = raw.calling()
    raw.send(response(invite, 180, to_tag="them"))
    raw.endpoint.cancel(leg, raw.now)
    (cancel,) = raw.sent()
    assert raw.send(response(cancel, 200)) == []
    assert methods(raw.send(response(invite, 487, to_tag="them"))) == ["ACK"]
    assert raw.kinds() == ["Ringing", "Rejected", "LegEnded"]
    raw.settle()


def test_a_cancel_that_crosses_a_2xx_becomes_ack_and_bye():
    raw = Raw()
    leg, invite = raw.calling()
    raw.send(response(invite, 180, to_tag="them"))
    raw.endpoint.cancel(leg, raw.now)
    (cancel,) = raw.sent()
    ack, bye = raw.send(response(invite, 200, to_tag="them"))
    assert (ack.method, bye.method) == ("ACK", "BYE")
    raw.send(response(cancel, 200))
    assert raw.kinds() == ["Ringing"]
    raw.send(response(bye, 200))
    assert raw.events() == [LegEnded(leg)]
    raw.settle()


def test_a_2xx_before_a_wanted_cancel_could_be_sent_becomes_ack_and_bye():
    raw = Raw()
    leg, invite = raw.calling()
    raw.endpoint.cancel(leg, raw.now)
    assert methods(raw.send(response(invite, 200, to_tag="them"))) == ["ACK", "BYE"]
    assert raw.events() == []


def test_a_wanted_cancel_is_never_sent_when_nobody_answers():
    raw = Raw()
    leg, _ = raw.calling()
    raw.endpoint.cancel(leg, raw.now)
    assert set(methods([m for _, m in raw.wait(40.0)])) == {"INVITE"}
    assert raw.events() == [InviteTimedOut(leg), LegEnded(leg)]
    raw.settle()


def test_a_cancelled_invite_without_a_final_response_is_given_up():
    raw = Raw()
    leg, invite = raw.calling()
    raw.send(response(invite, 180, to_tag="them"))
    raw.endpoint.cancel(leg, raw.now)
    raw.send(response(raw.sent()[0], 200))
    raw.wait(31.9)
    assert raw.kinds() == ["Ringing"]
    raw.wait(0.1)
    assert raw.events() == [InviteTimedOut(leg), LegEnded(leg)]
    raw.settle()


# Responses that are not for us


def test_strange_responses_are_dropped_and_told():
    raw = Raw()
    _, invite = raw.calling()
    good = response(invite, 200, to_tag="them")
    strange = {
        "another branch": good.replace(branch_of(invite).encode(), b"z9hG4bKother"),
        "another call": good.replace(invite.headers.first("Call-ID").encode(), b"other"),
        "another number": good.replace(b"1 INVITE", b"2 INVITE"),
        "another method": good.replace(b"1 INVITE", b"1 OPTIONS"),
        "two Vias": good.replace(b"From:", b"Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx\r\nFrom:"),
        "no CSeq": good.replace(b"CSeq:", b"X-CSeq:"),
        "huge status": good.replace(b"200", b"4294967301"),
    }
    for what, data in strange.items():
        assert raw.send(data) == [], what
        (event,) = raw.events()
        assert isinstance(event, MessageDropped), what
        assert event.head == data[:64]
    assert methods(raw.send(good)) == ["ACK"]


@pytest.mark.parametrize(
    "broken", ["Contact: <<a>", "Contact: <sip:a@b>, <sip:c@d>", "Contact: <tel:+1>", "Record-Route: <<"]
)
def test_an_answer_that_makes_no_dialog_is_acknowledged_and_hung_up(broken):
    raw = Raw()
    _, invite = raw.calling()
    contact = None if broken.startswith("Contact") else "<sip:bob@192.0.2.1>"
    answer = response(invite, 200, to_tag="them", contact=contact, extra=(broken,))
    ack, bye = raw.send(answer)
    assert (ack.method, bye.method) == ("ACK", "BYE")
    assert ack.uri == bye.uri == "sip:alice@192.0.2.1", "where the INVITE went"
    (event,) = raw.events()
    assert isinstance(event, Rejected)
    assert event.response.status == 502
    assert methods(raw.send(answer)) == ["ACK"], "a repetition gets the same ACK and nothing else"
    raw.send(response(bye, 200))
    assert raw.kinds() == ["LegEnded"]
    raw.settle()


def test_a_cancel_says_why():
    raw = Raw()
    leg, invite = raw.calling()
    raw.send(response(invite, 180, to_tag="them"))
    raw.endpoint.cancel(leg, raw.now, (("Reason", "SIP;cause=200"),))
    (cancel,) = raw.sent()
    assert cancel.headers.first("Reason") == "SIP;cause=200"


def test_no_own_branch_tag_or_call_id_is_used_twice():
    raw = Raw()
    seen = set()
    for _ in range(20):
        _, invite = raw.calling()
        seen |= {branch_of(invite), invite.headers.first("From"), invite.headers.first("Call-ID")}
    assert len(seen) == 60
    assert isinstance(invite, Request)
    assert isinstance(invite.headers, Headers)
    assert PATH.local == US
