"""The endpoint as the one who is called: INVITE, its answers, ACK, CANCEL, re-INVITE, BYE (RFC 3261 9, 12 to 15)."""

from __future__ import annotations

import pytest

from runtime.sip.endpoint import EndpointConfig, Path
from runtime.sip.events import (
    AckMissing,
    AckReceived,
    Cancelled,
    InviteExpired,
    InviteReceived,
    LegEnded,
)
from runtime.sip.facing import Facing
from tests.runtime.sip.raw import PATH, Raw, methods, request, response


def test_an_invite_is_answered_100_at_once_without_tag_and_surfaces():
    raw = Raw()
    (trying,) = raw.send(request(extra=("Timestamp: 54",)))
    assert (trying.status, trying.reason) == (100, "Trying")
    assert trying.headers.first("To") == "<sip:bob@192.0.2.2>"
    assert trying.headers.first("Timestamp") == "54"
    (event,) = raw.events()
    assert isinstance(event, InviteReceived)
    assert event.path == PATH
    assert event.request.method == "INVITE"


def test_a_retransmitted_invite_is_absorbed_and_gets_the_last_response():
    raw = Raw()
    leg = raw.called()
    assert methods(raw.send(request())) == ["100"]
    raw.endpoint.respond(leg, 180, raw.now)
    raw.sent()
    assert methods(raw.send(request())) == ["180"]
    assert raw.events() == []


def test_the_tag_is_the_users_choice_until_a_response_has_carried_one():
    raw = Raw()
    leg = raw.called()
    assert raw.endpoint.set_local_tag(leg, "SCL_abc")
    assert not raw.endpoint.set_local_tag(leg, "SCL_other")
    raw.endpoint.respond(leg, 180, raw.now)
    raw.endpoint.respond(leg, 200, raw.now)
    assert [m.headers.first("To") for m in raw.sent()] == ["<sip:bob@192.0.2.2>;tag=SCL_abc"] * 2
    assert raw.endpoint.leg_info(leg).local_tag == "SCL_abc"


def test_a_100_of_the_user_has_no_tag_either():
    raw = Raw()
    leg = raw.called()
    raw.sent()
    raw.endpoint.respond(leg, 100, raw.now)
    (trying,) = raw.sent()
    assert trying.headers.first("To") == "<sip:bob@192.0.2.2>"
    assert raw.endpoint.set_local_tag(leg, "us")


def test_a_tag_is_made_where_none_was_chosen_and_differs_between_calls():
    raw = Raw()
    tags = set()
    for number in range(3):
        leg = raw.called(branch=f"z9hG4bK-{number}", call_id=str(number))
        raw.endpoint.respond(leg, 180, raw.now)
        tags.add(raw.endpoint.leg_info(leg).local_tag)
        assert not raw.endpoint.set_local_tag(leg, "late")
    assert len(tags) == 3
    assert all(len(tag) == 16 for tag in tags)


def test_a_2xx_carries_contact_record_route_allow_and_the_body():
    raw = Raw()
    leg = raw.called(extra=("Record-Route: <sip:198.51.100.1;lr>", "Record-Route: <sip:198.51.100.2;lr>"))
    raw.sent()
    raw.endpoint.respond(leg, 200, raw.now, headers=[("X-Call", "7")], body=b"v=0\r\n")
    (ok,) = raw.sent()
    assert ok.headers.first("Contact") == "<sip:192.0.2.2:5060>"
    assert ok.headers.all("Record-Route") == ("<sip:198.51.100.1;lr>", "<sip:198.51.100.2;lr>")
    assert "BYE" in ok.headers.first("Allow")
    assert ok.headers.first("X-Call") == "7"
    assert (ok.headers.first("Content-Type"), ok.body) == ("application/sdp", b"v=0\r\n")


def test_an_external_address_stands_in_contact_and_via():
    raw = Raw(EndpointConfig("test", facing=Facing(("203.0.113.1",))))
    raw.confirmed()
    raw.endpoint.bye(1, raw.now)
    (bye,) = raw.sent()
    assert bye.headers.first("Via").startswith("SIP/2.0/UDP 203.0.113.1:5060;")


def test_a_2xx_is_repeated_from_t1_to_t2_until_the_ack():
    raw = Raw()
    leg = raw.called()
    raw.endpoint.set_local_tag(leg, "us")
    raw.endpoint.respond(leg, 200, raw.now)
    first = raw.sent()[0]
    repeats = raw.wait(12.0)
    assert [when for when, _ in repeats] == [0.5, 1.5, 3.5, 7.5, 11.5]
    assert all(message == first for _, message in repeats)
    raw.send(request("ACK", branch="z9hG4bK-ack", to_tag="us"))
    assert isinstance(raw.events()[0], AckReceived)
    assert raw.wait(100.0) == []


def test_a_repeated_ack_is_quiet():
    raw = Raw()
    raw.confirmed()
    raw.send(request("ACK", branch="z9hG4bK-ack2", to_tag="us"))
    assert raw.events() == []


def test_an_ack_with_another_sequence_number_does_not_stop_the_2xx():
    raw = Raw()
    leg = raw.called()
    raw.endpoint.set_local_tag(leg, "us")
    raw.endpoint.respond(leg, 200, raw.now)
    raw.send(request("ACK", branch="z9hG4bK-ack", to_tag="us", cseq=2))
    assert raw.events() == []
    assert len(raw.wait(4.0)) == 3


def test_a_2xx_without_ack_is_hung_up_after_64_t1():
    raw = Raw()
    leg = raw.called()
    raw.endpoint.respond(leg, 200, raw.now)
    raw.sent()
    out = raw.wait(32.0)
    assert [when for when, _ in out][-2:] == [31.5, 32.0]
    assert methods([m for _, m in out])[-1] == "BYE"
    assert raw.events() == [AckMissing(leg)]
    raw.send(response(out[-1][1], 200))
    assert raw.events() == [LegEnded(leg)]
    raw.settle()


@pytest.mark.parametrize("status", [302, 404, 486, 503, 603])
def test_a_refusal_ends_the_leg_and_its_ack_is_absorbed(status):
    raw = Raw()
    leg = raw.called()
    raw.endpoint.set_local_tag(leg, "us")
    assert raw.endpoint.respond(leg, status, raw.now, reason="No Rule Matches")
    assert raw.events() == [LegEnded(leg)]
    (refusal,) = raw.sent()[-1:]
    assert (refusal.status, refusal.reason) == (status, "No Rule Matches")
    assert methods([m for _, m in raw.wait(1.0)]) == [str(status)]
    raw.send(request("ACK", to_tag="us"))
    assert raw.events() == []
    assert raw.wait(100.0) == []
    raw.settle()


def test_commands_on_a_leg_that_has_moved_on_are_refused_and_send_nothing():
    raw = Raw()
    leg = raw.called()
    raw.endpoint.respond(leg, 486, raw.now)
    raw.sent()
    endpoint = raw.endpoint
    assert not endpoint.respond(leg, 200, raw.now)
    assert not endpoint.bye(leg, raw.now)
    assert not endpoint.cancel(leg, raw.now)
    assert not endpoint.reinvite(leg, raw.now, b"v=0")
    assert not endpoint.request(leg, "INFO", raw.now)
    assert not endpoint.set_local_tag(leg, "x")
    assert not endpoint.respond_request(99, 200, raw.now)
    assert endpoint.leg_info(leg) is None
    assert raw.sent() == []


def test_a_call_over_ipv6():
    raw = Raw()
    path = Path("udp", ("2001:db8::2", 5060), ("2001:db8::1", 5060))
    (trying,) = raw.send(request(sent_by="[2001:db8::1]:5060", contact="<sip:alice@[2001:db8::1]:5070>"), path)
    assert trying.headers.first("Via") == "SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bK-1"
    leg = raw.events()[0].leg
    raw.endpoint.set_local_tag(leg, "us")
    raw.endpoint.respond(leg, 200, raw.now)
    assert raw.sent()[0].headers.first("Contact") == "<sip:[2001:db8::2]:5060>"
    raw.send(request("ACK", branch="z9hG4bK-ack", to_tag="us"), path)
    raw.endpoint.bye(leg, raw.now)
    ((data, way),) = raw.endpoint.datagrams_to_send()
    assert way.remote == ("2001:db8::1", 5070)
    assert data.startswith(b"BYE sip:alice@[2001:db8::1]:5070 SIP/2.0\r\nVia: SIP/2.0/UDP [2001:db8::2]:5060;")


# CANCEL


def test_a_cancel_gets_200_and_its_invite_487_with_one_tag():
    raw = Raw()
    leg = raw.called()
    cancelled, terminated = raw.send(request("CANCEL"))
    assert (cancelled.status, terminated.status) == (200, 487)
    assert cancelled.headers.first("CSeq") == "1 CANCEL"
    assert cancelled.headers.first("To") == terminated.headers.first("To") != "<sip:bob@192.0.2.2>"
    event, ended = raw.events()
    assert isinstance(event, Cancelled)
    assert ended == LegEnded(leg)
    assert not raw.endpoint.respond(leg, 200, raw.now)
    raw.settle()


def test_a_retransmitted_cancel_gets_its_200_again_and_nothing_else():
    raw = Raw()
    raw.called()
    raw.send(request("CANCEL"))
    raw.events()
    assert methods(raw.send(request("CANCEL"))) == ["200"]
    assert raw.events() == []


@pytest.mark.parametrize("status", [200, 486])
def test_a_cancel_after_the_final_response_changes_nothing(status):
    raw = Raw()
    leg = raw.called()
    raw.endpoint.set_local_tag(leg, "us")
    raw.endpoint.respond(leg, status, raw.now)
    raw.sent()
    raw.events()
    (ok,) = raw.send(request("CANCEL"))
    assert ok.status == 200
    assert ok.headers.first("To").endswith(";tag=us")
    assert raw.events() == []
    assert raw.endpoint.leg_count == (1 if status == 200 else 0)


def test_a_cancel_that_matches_nothing_gets_481():
    raw = Raw()
    raw.called()
    assert methods(raw.send(request("CANCEL", branch="z9hG4bK-other"))) == ["481"]
    assert methods(raw.send(request("CANCEL", sent_by="192.0.2.9"))) == ["481"]
    assert raw.endpoint.leg_count == 1


def test_an_old_peers_cancel_finds_its_invite():
    raw = Raw()
    raw.called(branch=None)
    assert methods(raw.send(request("CANCEL", branch=None))) == ["200", "487"]
    raw.settle()


def test_an_invite_expires_when_it_says_so():
    raw = Raw()
    leg = raw.called(extra=("Expires: 20",))
    out = raw.wait(20.0)
    assert [(when, m.status) for when, m in out] == [(20.0, 487)]
    assert raw.events() == [InviteExpired(leg), LegEnded(leg)]


def test_an_answered_invite_does_not_expire():
    raw = Raw()
    raw.confirmed(extra=("Expires: 20",))
    assert raw.wait(100.0) == []
    assert raw.endpoint.leg_count == 1


# Old peers


def test_an_rfc_2543_peer_is_served_from_invite_to_bye():
    raw = Raw()
    leg = raw.called(branch=None, from_tag="", contact=None)
    raw.endpoint.set_local_tag(leg, "us")
    raw.endpoint.respond(leg, 200, raw.now)
    raw.sent()
    # Its ACK is part of the INVITE's own transaction.
    raw.send(request("ACK", branch=None, from_tag="", to_tag="us"))
    assert isinstance(raw.events()[0], AckReceived)
    assert raw.wait(10.0) == []
    assert methods(raw.send(request("BYE", branch=None, from_tag="", to_tag="us", cseq=2))) == ["200"]
    assert raw.endpoint.leg_count == 0
    raw.settle()


def test_two_requests_with_nothing_but_the_magic_cookie_do_not_match_each_other():
    raw = Raw()
    raw.called(branch="z9hG4bK")
    raw.called(branch="z9hG4bK", call_id="other")
    assert raw.endpoint.leg_count == 2
