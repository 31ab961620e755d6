"""re-INVITE of the peer: answered, refused, overlapping, crossing, cancelled (RFC 3261 section 14.2)."""

from __future__ import annotations

from runtime.sip.events import (
    AckMissing,
    ReinviteCancelled,
    ReinviteReceived,
)
from tests.runtime.sip.raw import Raw, methods, request


def reinvite(cseq=2, **kwargs):
    return request("INVITE", branch=f"z9hG4bK-re{cseq}", cseq=cseq, to_tag="us", **kwargs)


def test_a_reinvite_is_answered_by_the_user_and_its_2xx_waits_for_an_ack():
    raw = Raw()
    leg = raw.confirmed()
    assert methods(raw.send(reinvite(body="v=0"))) == ["100"]
    (event,) = raw.events()
    assert isinstance(event, ReinviteReceived)
    assert raw.endpoint.respond(leg, 200, raw.now, body=b"v=0")
    (ok,) = raw.sent()
    assert ok.headers.first("To") == "<sip:bob@192.0.2.2>;tag=us"
    assert len(raw.wait(2.0)) == 2
    raw.send(request("ACK", branch="z9hG4bK-ack2", cseq=2, to_tag="us"))
    assert raw.kinds() == ["AckReceived"]
    assert raw.wait(100.0) == []
    assert raw.endpoint.leg_count == 1


def test_a_refused_reinvite_leaves_the_call_and_its_target():
    raw = Raw()
    leg = raw.confirmed()
    raw.send(reinvite(contact="<sip:alice@192.0.2.99>"))
    raw.endpoint.respond(leg, 488, raw.now)
    assert raw.kinds() == ["ReinviteReceived"]
    assert raw.endpoint.leg_info(leg).remote_target == "sip:alice@192.0.2.1"
    raw.send(request("ACK", branch="z9hG4bK-re2", cseq=2, to_tag="us"))
    assert raw.endpoint.leg_count == 1


def test_an_accepted_reinvite_moves_the_target():
    raw = Raw()
    leg = raw.confirmed()
    raw.send(reinvite(contact="<sip:alice@192.0.2.99>"))
    assert raw.endpoint.leg_info(leg).remote_target == "sip:alice@192.0.2.1"
    raw.endpoint.respond(leg, 200, raw.now)
    assert raw.endpoint.leg_info(leg).remote_target == "sip:alice@192.0.2.99"


def test_a_reinvite_without_ack_hangs_up():
    raw = Raw()
    leg = raw.confirmed()
    raw.send(reinvite())
    raw.endpoint.respond(leg, 200, raw.now)
    raw.events()
    raw.wait(32.0)
    assert raw.events() == [AckMissing(leg)]
    raw.settle()


def test_a_second_reinvite_before_the_answer_to_the_first_gets_500_with_retry_after():
    raw = Raw()
    leg = raw.confirmed()
    raw.send(reinvite(2))
    (refusal,) = raw.send(reinvite(3))
    assert refusal.status == 500
    assert 0 <= int(refusal.headers.first("Retry-After")) <= 10
    # Repeated after the first is over, it is still the same refusal; its ACK goes to it.
    raw.endpoint.respond(leg, 200, raw.now)
    raw.sent()
    assert methods(raw.send(reinvite(3))) == ["500"]
    raw.send(request("ACK", branch="z9hG4bK-re3", cseq=3, to_tag="us"))
    assert raw.kinds() == ["ReinviteReceived"]


def test_a_reinvite_with_the_number_of_an_invite_that_waits_for_its_ack_gets_500_and_no_timer_is_lost():
    raw = Raw()
    leg = raw.called()
    raw.endpoint.set_local_tag(leg, "us")
    raw.endpoint.respond(leg, 200, raw.now, body=b"v=0")
    raw.sent()
    (answer,) = raw.send(reinvite(cseq=1, body="v=0"))
    assert (answer.status, answer.reason) == (500, "CSeq Out Of Order")
    raw.settle()


def test_a_reinvite_during_ours_gets_491():
    raw = Raw()
    leg = raw.confirmed()
    assert raw.endpoint.reinvite(leg, raw.now, b"v=0")
    raw.sent()
    assert methods(raw.send(reinvite())) == ["491"]
    assert raw.events() == []


def test_a_reinvite_while_our_late_offer_is_unanswered_gets_491():
    raw = Raw()
    leg = raw.called()
    raw.endpoint.set_local_tag(leg, "us")
    raw.endpoint.respond(leg, 200, raw.now, body=b"v=0")
    raw.sent()
    raw.events()
    assert methods(raw.send(reinvite())) == ["491"]


def test_a_reinvite_before_the_ack_of_a_settled_offer_is_taken():
    raw = Raw()
    leg = raw.called(body="v=0")
    raw.endpoint.set_local_tag(leg, "us")
    raw.endpoint.respond(leg, 200, raw.now, body=b"v=0")
    raw.sent()
    assert methods(raw.send(reinvite(2, body="v=0"))) == ["100"]
    raw.endpoint.respond(leg, 200, raw.now, body=b"v=0")
    assert methods(raw.send(reinvite(3, body="v=0"))) == ["200", "491"]
    for cseq in (1, 2):
        raw.send(request("ACK", branch=f"z9hG4bK-a{cseq}", cseq=cseq, to_tag="us"))
    assert raw.kinds() == ["ReinviteReceived", "AckReceived", "AckReceived"]
    assert [m for _, m in raw.wait(100.0) if methods([m]) == ["200"]] == []


def test_a_cancelled_reinvite_leaves_the_call():
    raw = Raw()
    leg = raw.confirmed()
    raw.send(reinvite())
    raw.events()
    assert methods(raw.send(request("CANCEL", branch="z9hG4bK-re2", cseq=2, to_tag="us"))) == ["200", "487"]
    (event,) = raw.events()
    assert isinstance(event, ReinviteCancelled)
    assert raw.endpoint.leg_count == 1
    assert raw.endpoint.bye(leg, raw.now)


def test_a_late_cancel_of_the_first_invite_does_not_touch_an_open_reinvite():
    raw = Raw()
    leg = raw.confirmed()
    raw.send(reinvite())
    raw.events()
    assert methods(raw.send(request("CANCEL"))) == ["200"]
    assert raw.events() == []
    assert raw.endpoint.respond(leg, 200, raw.now)


def test_a_bye_during_a_reinvite_answers_both():
    raw = Raw()
    raw.confirmed()
    raw.send(reinvite())
    assert methods(raw.send(request("BYE", branch="z9hG4bK-b", cseq=3, to_tag="us"))) == ["200", "487"]
    assert raw.kinds() == ["ReinviteReceived", "ByeReceived", "LegEnded"]
    raw.settle()


def test_our_bye_during_the_peers_reinvite_answers_it():
    raw = Raw()
    leg = raw.confirmed()
    raw.send(reinvite())
    raw.endpoint.bye(leg, raw.now)
    assert methods(raw.sent()) == ["487", "BYE"]


def test_a_reinvite_with_an_unusable_contact_gets_400_and_changes_nothing():
    raw = Raw()
    raw.confirmed()
    assert methods(raw.send(reinvite(contact="<tel:+1415>"))) == ["400"]
    assert raw.events() == []
    assert methods(raw.send(reinvite(3))) == ["100"]
