"""What we ask within a dialog that we began: requests, re-INVITE, glare (RFC 3261 sections 12.2.1 and 14.1)."""

from __future__ import annotations

from runtime.sip.config import FORKS_MAX
from runtime.sip.events import (
    ByeReceived,
    LegEnded,
    ReinviteAnswered,
    ReinviteRejected,
    RequestAnswered,
    RequestReceived,
)
from tests.runtime.sip.raw import Raw, methods, request, response

# In the dialog


def test_the_peer_hangs_up():
    raw = Raw()
    leg, ack = raw.answered()
    us = ack.headers.first("From").partition("tag=")[2]
    call_id = ack.headers.first("Call-ID")
    tags = {"to_tag": us, "from_tag": "them", "call_id": call_id}
    assert methods(raw.send(request("BYE", branch="z9hG4bK-b", **tags))) == ["200"]
    bye, ended = raw.events()
    assert isinstance(bye, ByeReceived)
    assert ended == LegEnded(leg)
    raw.settle()


def test_a_request_of_an_early_dialog_finds_its_leg():
    raw = Raw()
    leg, invite = raw.calling(local_tag="us")
    raw.send(response(invite, 180, to_tag="them"))
    raw.events()
    call_id = invite.headers.first("Call-ID")
    raw.send(request("UPDATE", branch="z9hG4bK-u", to_tag="us", from_tag="them", call_id=call_id))
    (event,) = raw.events()
    assert isinstance(event, RequestReceived)
    assert event.leg == leg


def test_a_request_of_ours_and_its_answer():
    raw = Raw()
    leg, _ = raw.answered()
    assert raw.endpoint.request(leg, "INFO", raw.now, [("X-A", "b")], b"Signal=1", "application/dtmf-relay")
    (info,) = raw.sent()
    assert info.headers.first("CSeq") == "2 INFO"
    assert info.headers.first("Content-Type") == "application/dtmf-relay"
    raw.send(response(info, 100))
    raw.send(response(info, 200))
    (event,) = raw.events()
    assert isinstance(event, RequestAnswered)
    assert (event.leg, event.method, event.response.status) == (leg, "INFO", 200)


def test_a_request_of_ours_that_nobody_answers():
    raw = Raw()
    leg, _ = raw.answered()
    cseq = raw.endpoint.request(leg, "OPTIONS", raw.now)
    raw.wait(32.0)
    assert raw.events() == [RequestAnswered(leg, "OPTIONS", None, cseq)]
    assert raw.endpoint.leg_count == 1


def test_an_accepted_update_of_ours_moves_the_target():
    raw = Raw()
    leg, _ = raw.answered()
    raw.endpoint.request(leg, "UPDATE", raw.now)
    (update,) = raw.sent()
    assert update.headers.first("Contact") == "<sip:192.0.2.2:5060>"
    raw.send(response(update, 200, contact="<sip:alice@192.0.2.44>"))
    assert raw.endpoint.leg_info(leg).remote_target == "sip:alice@192.0.2.44"


def test_a_reinvite_of_ours_is_answered_and_acknowledged():
    raw = Raw()
    leg, _ = raw.answered()
    assert raw.endpoint.reinvite(leg, raw.now, b"v=0")
    assert not raw.endpoint.reinvite(leg, raw.now, b"v=0")
    (invite,) = raw.sent()
    assert (invite.uri, invite.headers.first("CSeq")) == ("sip:bob@192.0.2.1", "2 INVITE")
    (ack,) = raw.send(response(invite, 200, contact="<sip:bob@192.0.2.55>"))
    assert (ack.uri, ack.headers.first("CSeq")) == ("sip:bob@192.0.2.55", "2 ACK")
    (event,) = raw.events()
    assert isinstance(event, ReinviteAnswered)
    assert raw.send(response(invite, 200)) == [ack]
    assert raw.events() == []
    assert raw.endpoint.reinvite(leg, raw.now, b"v=0")


def test_of_those_who_answer_a_reinvite_of_ours_few_are_remembered():
    raw = Raw()
    leg, _ = raw.answered()
    raw.endpoint.reinvite(leg, raw.now, b"v=0")
    (invite,) = raw.sent()
    theirs = [response(invite, 200).replace(b"tag=them", b"tag=fork%d" % n) for n in range(50)]
    acks = [ack for each in theirs for ack in raw.send(each)]
    assert len(acks) == FORKS_MAX
    assert raw.send(theirs[0]) == acks[:1]


def test_glare_surfaces_as_a_rejected_reinvite_and_the_call_goes_on():
    raw = Raw()
    leg, _ = raw.answered()
    raw.endpoint.reinvite(leg, raw.now, b"v=0")
    (invite,) = raw.sent()
    assert methods(raw.send(response(invite, 491))) == ["ACK"]
    (event,) = raw.events()
    assert isinstance(event, ReinviteRejected)
    assert event.response.status == 491
    assert raw.endpoint.reinvite(leg, raw.now, b"v=0")


def test_a_reinvite_that_nobody_answers():
    raw = Raw()
    leg, _ = raw.answered()
    raw.endpoint.reinvite(leg, raw.now, b"v=0")
    raw.wait(32.0)
    assert raw.events() == [ReinviteRejected(leg, None)]
    assert raw.endpoint.leg_count == 1


def test_a_reinvite_can_be_cancelled():
    raw = Raw()
    leg, _ = raw.answered()
    raw.endpoint.reinvite(leg, raw.now, b"v=0")
    (invite,) = raw.sent()
    raw.send(response(invite, 100))
    assert raw.endpoint.cancel(leg, raw.now)
    assert methods(raw.sent()) == ["CANCEL"]
    raw.send(response(invite, 487))
    assert raw.kinds() == ["ReinviteRejected"]
    raw.wait(100.0)
    assert raw.events() == []


def test_no_reinvite_while_the_peers_is_open_or_our_2xx_is_unacknowledged():
    raw = Raw()
    leg = raw.confirmed()
    raw.send(request("INVITE", branch="z9hG4bK-re", cseq=2, to_tag="us"))
    assert not raw.endpoint.reinvite(leg, raw.now, b"v=0")
    raw.endpoint.respond(leg, 200, raw.now)
    assert not raw.endpoint.reinvite(leg, raw.now, b"v=0")
    raw.send(request("ACK", branch="z9hG4bK-a2", cseq=2, to_tag="us"))
    assert raw.endpoint.reinvite(leg, raw.now, b"v=0")


def test_a_reinvite_answered_after_our_bye_is_still_acknowledged():
    raw = Raw()
    leg, _ = raw.answered()
    raw.endpoint.reinvite(leg, raw.now, b"v=0")
    (invite,) = raw.sent()
    raw.endpoint.bye(leg, raw.now)
    (bye,) = raw.sent()
    assert methods(raw.send(response(invite, 200))) == ["ACK"]
    raw.send(response(bye, 200))
    assert raw.events() == [LegEnded(leg)]
    raw.settle()


def test_a_ringing_reinvite_does_not_outlive_its_call():
    raw = Raw()
    leg, _ = raw.answered()
    raw.endpoint.reinvite(leg, raw.now, b"v=0")
    (invite,) = raw.sent()
    raw.send(response(invite, 180))
    raw.endpoint.bye(leg, raw.now)
    raw.send(response(raw.sent()[0], 200))
    raw.settle()
