"""Once a call is up: BYE both ways, requests in the dialog (RFC 3261 sections 12.2.2 and 15)."""

from __future__ import annotations

import pytest

from runtime.sip.events import (
    AckMissing,
    ByeReceived,
    LegEnded,
    RequestReceived,
)
from tests.runtime.sip.raw import Raw, methods, request, response

# BYE


def test_a_bye_is_answered_and_ends_the_leg():
    raw = Raw()
    leg = raw.confirmed()
    (ok,) = raw.send(request("BYE", branch="z9hG4bK-bye", cseq=2, to_tag="us"))
    assert ok.status == 200
    bye, ended = raw.events()
    assert isinstance(bye, ByeReceived)
    assert ended == LegEnded(leg)
    assert methods(raw.send(request("BYE", branch="z9hG4bK-bye", cseq=2, to_tag="us"))) == ["200"]
    assert methods(raw.send(request("BYE", branch="z9hG4bK-bye2", cseq=3, to_tag="us"))) == ["481"]
    raw.settle()


def test_a_bye_before_the_ack_stops_the_2xx():
    raw = Raw()
    leg = raw.called()
    raw.endpoint.set_local_tag(leg, "us")
    raw.endpoint.respond(leg, 200, raw.now)
    raw.send(request("BYE", branch="z9hG4bK-bye", cseq=2, to_tag="us"))
    assert raw.kinds() == ["ByeReceived", "LegEnded"]
    assert raw.wait(100.0) == []
    raw.settle()


def test_a_bye_before_the_answer_ends_the_invite_with_487():
    raw = Raw()
    leg = raw.called()
    raw.endpoint.set_local_tag(leg, "us")
    raw.endpoint.respond(leg, 180, raw.now)
    raw.sent()
    answers = raw.send(request("BYE", branch="z9hG4bK-bye", cseq=2, to_tag="us"))
    assert methods(answers) == ["200", "487"]
    assert [answer.headers.first("To") for answer in answers] == ["<sip:bob@192.0.2.2>;tag=us"] * 2
    assert raw.kinds() == ["ByeReceived", "LegEnded"]
    raw.settle()


def test_our_bye_ends_the_leg_with_its_response():
    raw = Raw()
    leg = raw.confirmed()
    assert raw.endpoint.bye(leg, raw.now, [("Reason", "Q.850;cause=16")])
    assert not raw.endpoint.bye(leg, raw.now)
    (bye,) = raw.sent()
    assert bye.headers.first("Reason") == "Q.850;cause=16"
    assert raw.events() == []
    raw.send(response(bye, 200))
    assert raw.events() == [LegEnded(leg)]
    raw.settle()


@pytest.mark.parametrize("status", [481, 401, 500])
def test_our_bye_ends_the_leg_whatever_the_answer(status):
    raw = Raw()
    leg = raw.confirmed()
    raw.endpoint.bye(leg, raw.now)
    raw.send(response(raw.sent()[0], status))
    assert raw.events() == [LegEnded(leg)]


def test_our_bye_ends_the_leg_when_nobody_answers():
    raw = Raw()
    leg = raw.confirmed()
    raw.endpoint.bye(leg, raw.now)
    raw.sent()
    assert len(raw.wait(32.0)) == 10
    assert raw.events() == [LegEnded(leg)]
    raw.settle()


def test_our_bye_before_the_ack_waits_for_it():
    raw = Raw()
    leg = raw.called()
    raw.endpoint.set_local_tag(leg, "us")
    raw.endpoint.respond(leg, 200, raw.now)
    raw.sent()
    assert raw.endpoint.bye(leg, raw.now)
    assert raw.sent() == []
    assert methods(raw.send(request("ACK", branch="z9hG4bK-ack", to_tag="us"))) == ["BYE"]


def test_our_bye_goes_out_once_when_the_ack_never_comes():
    raw = Raw()
    leg = raw.called()
    raw.endpoint.respond(leg, 200, raw.now)
    raw.sent()
    raw.endpoint.bye(leg, raw.now, [("Reason", "x")])
    out = [m for _, m in raw.wait(32.0) if methods([m]) == ["BYE"]]
    assert [bye.headers.first("Reason") for bye in out] == ["x"]
    assert raw.events() == [AckMissing(leg)]


def test_a_provisional_response_to_our_bye_ends_nothing():
    raw = Raw()
    leg = raw.confirmed()
    raw.endpoint.bye(leg, raw.now)
    (bye,) = raw.sent()
    raw.send(response(bye, 100))
    assert raw.events() == []
    raw.send(response(bye, 200))
    assert raw.events() == [LegEnded(leg)]


def test_while_our_bye_waits_for_the_ack_nothing_new_begins():
    raw = Raw()
    leg = raw.called(body="v=0")
    raw.endpoint.set_local_tag(leg, "us")
    raw.endpoint.respond(leg, 200, raw.now, body=b"v=0")
    assert raw.endpoint.bye(leg, raw.now)
    raw.sent()
    assert not raw.endpoint.bye(leg, raw.now)
    assert not raw.endpoint.request(leg, "INFO", raw.now)
    assert not raw.endpoint.reinvite(leg, raw.now, b"v=0")
    assert methods(raw.send(request("INVITE", branch="z9hG4bK-re", cseq=2, to_tag="us", body="v=0"))) == ["491"]
    assert raw.events() == []


def test_our_bye_waits_for_the_ack_of_every_2xx():
    raw = Raw()
    leg = raw.called(body="v=0")
    raw.endpoint.set_local_tag(leg, "us")
    raw.endpoint.respond(leg, 200, raw.now, body=b"v=0")
    raw.send(request("INVITE", branch="z9hG4bK-re", cseq=2, to_tag="us", body="v=0"))
    raw.endpoint.respond(leg, 200, raw.now, body=b"v=0")
    raw.endpoint.bye(leg, raw.now)
    raw.sent()
    assert raw.send(request("ACK", branch="z9hG4bK-a2", cseq=2, to_tag="us")) == []
    assert methods(raw.send(request("ACK", branch="z9hG4bK-a1", cseq=1, to_tag="us"))) == ["BYE"]


def test_a_line_break_in_a_bye_is_told_at_once_and_the_call_stays():
    raw = Raw()
    leg = raw.called()
    raw.endpoint.respond(leg, 200, raw.now)
    with pytest.raises(ValueError):
        raw.endpoint.bye(leg, raw.now, [("Reason", "x\r\nContact: y")])
    assert raw.endpoint.bye(leg, raw.now)


def test_two_byes_that_cross_are_both_answered_and_end_the_leg_once():
    raw = Raw()
    leg = raw.confirmed()
    raw.endpoint.bye(leg, raw.now)
    (bye,) = raw.sent()
    assert methods(raw.send(request("BYE", branch="z9hG4bK-bye", cseq=2, to_tag="us"))) == ["200"]
    assert raw.events() == []
    raw.send(response(bye, 481))
    assert raw.events() == [LegEnded(leg)]
    raw.settle()


def test_after_our_bye_the_dialog_takes_nothing_but_bye():
    raw = Raw()
    leg = raw.confirmed()
    raw.endpoint.bye(leg, raw.now)
    raw.sent()
    assert methods(raw.send(request("INFO", branch="z9hG4bK-i", cseq=2, to_tag="us"))) == ["481"]
    assert methods(raw.send(request("INVITE", branch="z9hG4bK-r", cseq=3, to_tag="us"))) == ["481"]


# In a dialog


@pytest.mark.parametrize("change", [{"to_tag": "nobody"}, {"from_tag": "other"}, {"call_id": "other"}])
@pytest.mark.parametrize("method", ["INVITE", "BYE", "INFO", "OPTIONS"])
def test_a_request_of_an_unknown_dialog_gets_481(method, change):
    raw = Raw()
    raw.confirmed()
    tags = {"to_tag": "us", **change}
    (answer,) = raw.send(request(method, branch="z9hG4bK-x", cseq=5, **tags))
    assert answer.status == 481
    assert answer.headers.first("To") == f"<sip:bob@192.0.2.2>;tag={tags['to_tag']}"
    assert raw.events() == []


def test_an_older_sequence_number_gets_500_and_the_dialog_goes_on():
    raw = Raw()
    raw.confirmed()
    raw.send(request("INFO", branch="z9hG4bK-9", cseq=9, to_tag="us"))
    raw.events()
    assert methods(raw.send(request("INFO", branch="z9hG4bK-8", cseq=8, to_tag="us"))) == ["500"]
    assert methods(raw.send(request(branch="z9hG4bK-7", cseq=7, to_tag="us"))) == ["500"]
    assert methods(raw.send(request("BYE", branch="z9hG4bK-10", cseq=10, to_tag="us"))) == ["200", "487"]


def test_a_request_in_the_dialog_is_the_users_to_answer():
    raw = Raw()
    leg = raw.confirmed()
    assert raw.send(request("INFO", branch="z9hG4bK-i", cseq=2, to_tag="us", body="Signal=1")) == []
    (event,) = raw.events()
    assert isinstance(event, RequestReceived)
    assert (event.leg, event.request.method, event.request.body) == (leg, "INFO", b"Signal=1")
    assert raw.endpoint.respond_request(event.request_id, 200, raw.now)
    (ok,) = raw.sent()
    assert ok.headers.first("To") == "<sip:bob@192.0.2.2>;tag=us"
    assert not raw.endpoint.respond_request(event.request_id, 200, raw.now)


def test_unanswered_requests_of_a_dialog_get_487_when_it_ends():
    raw = Raw()
    raw.confirmed()
    raw.send(request("INFO", branch="z9hG4bK-i", cseq=2, to_tag="us"))
    assert methods(raw.send(request("BYE", branch="z9hG4bK-b", cseq=3, to_tag="us"))) == ["200", "487"]
    raw.settle()


def test_unanswered_requests_of_a_dialog_are_bounded():
    raw = Raw()
    raw.confirmed()
    answers = []
    for number in range(20):
        answers += raw.send(request("INFO", branch=f"z9hG4bK-{number}x", cseq=2 + number, to_tag="us"))
    assert methods(answers) == ["500"] * 4
    assert all(answer.headers.first("Retry-After") == "5" for answer in answers)


def test_an_update_moves_the_target_once_it_is_accepted():
    raw = Raw()
    leg = raw.confirmed()
    for cseq, status, target in ((2, 500, "sip:alice@192.0.2.1"), (3, 200, "sip:alice@192.0.2.99")):
        raw.send(request("UPDATE", branch=f"z9hG4bK-{cseq}", cseq=cseq, to_tag="us", contact="<sip:alice@192.0.2.99>"))
        (event,) = raw.events()
        raw.endpoint.respond_request(event.request_id, status, raw.now)
        assert raw.endpoint.leg_info(leg).remote_target == target
    assert raw.sent()[-1].headers.first("Contact") == "<sip:192.0.2.2:5060>"


def test_a_far_off_cseq_of_somebody_else_does_not_keep_the_peer_from_hanging_up():
    raw = Raw()
    raw.confirmed()
    raw.send(request("INFO", branch="z9hG4bK-forged", cseq=2**31 - 1, to_tag="us"))
    assert methods(raw.send(request("INFO", branch="z9hG4bK-2", cseq=2, to_tag="us"))) == ["500"]
    assert "200" in methods(raw.send(request("BYE", branch="z9hG4bK-3", cseq=3, to_tag="us")))
    assert raw.endpoint.leg_count == 0
