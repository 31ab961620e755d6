"""Session timers at the endpoint, in virtual time: refreshed either way, ended when nobody does (RFC 4028)."""

from __future__ import annotations

from random import Random

import pytest

from runtime.sip.endpoint import EndpointConfig
from runtime.sip.events import InviteReceived, RefreshDue, RequestReceived, SessionExpired, SessionRefreshed
from tests.runtime.sip.raw import ALLOW, Raw, methods, request, response
from tests.runtime.sip.wire import Wire

CONFIG = EndpointConfig("test", allow=(*ALLOW, "PRACK"), supported=("100rel", "timer"), session_expires_s=180)
TIMER = "Supported: timer"
UPDATES = "Allow: INVITE, ACK, BYE, UPDATE"


def called(*extra: str) -> tuple[Raw, int, object]:
    """The peer calls with these headers, is answered, and acknowledges."""
    raw = Raw(CONFIG)
    leg = raw.called(extra=extra)
    raw.endpoint.set_local_tag(leg, "us")
    raw.endpoint.respond(leg, 200, raw.now)
    (ok,) = raw.sent()
    raw.send(request("ACK", branch="z9hG4bK-ack", to_tag="us"))
    raw.events()
    return raw, leg, ok


def update(cseq: int, *extra: str) -> bytes:
    return request("UPDATE", branch=f"z9hG4bK-u{cseq}", cseq=cseq, to_tag="us", extra=extra)


def test_a_peer_that_refreshes_is_kept_and_one_that_stops_is_hung_up():
    raw, leg, ok = called(TIMER, "Session-Expires: 90;refresher=uac")
    assert (ok.headers.first("Session-Expires"), ok.headers.first("Require")) == ("90;refresher=uac", "timer")
    for cseq in range(2, 9):
        assert raw.wait(45.0) == [], "five minutes and more"
        raw.send(update(cseq, TIMER, "Session-Expires: 90;refresher=uac"))
        (event,) = raw.events()
        raw.endpoint.respond_request(event.request_id, 200, raw.now)
        (answer,) = raw.sent()
        assert answer.headers.first("Session-Expires") == "90;refresher=uac"
        assert raw.events() == [SessionRefreshed(leg)]
    assert raw.wait(59.0) == []
    ((_, bye), *_) = raw.wait(1.0)
    assert bye.method == "BYE"
    assert bye.headers.first("Reason").startswith("SIP;cause=408")
    assert raw.events() == [SessionExpired(leg)]
    raw.settle()


def test_where_we_refresh_it_is_by_update_and_a_2xx_begins_the_time_anew():
    raw, leg, ok = called(TIMER, UPDATES, "Session-Expires: 90;refresher=uas")
    assert (ok.headers.first("Session-Expires"), ok.headers.first("Require")) == ("90;refresher=uas", None)
    for _ in range(7):
        ((_, ours),) = raw.wait(45.0)
        assert (ours.method, ours.body) == ("UPDATE", b"")
        assert ours.headers.first("Session-Expires") == "90;refresher=uac", "within this request that is us"
        raw.send(response(ours, 200, extra=("Session-Expires: 90;refresher=uac",)))
        assert raw.events() == [SessionRefreshed(leg)]
    raw.endpoint.bye(leg, raw.now)
    raw.settle()


def test_a_peer_without_update_is_refreshed_by_the_users_reinvite():
    raw, leg, _ = called(TIMER, "Allow: INVITE, ACK, BYE", "Session-Expires: 90;refresher=uas")
    assert raw.wait(45.0) == []
    assert raw.events() == [RefreshDue(leg)]
    assert raw.endpoint.reinvite(leg, raw.now, b"v=0")
    (ours,) = raw.sent()
    assert ours.headers.first("Session-Expires") == "90;refresher=uac"
    raw.send(response(ours, 200, extra=("Session-Expires: 90;refresher=uac",)))
    assert raw.kinds() == ["SessionRefreshed", "ReinviteAnswered"]
    assert raw.wait(44.0) == []
    assert raw.events() == []


def test_a_peer_that_turns_out_to_have_no_update_is_refreshed_by_reinvite():
    raw, leg, _ = called(TIMER, UPDATES, "Session-Expires: 90;refresher=uas")
    ((_, ours),) = raw.wait(45.0)
    raw.send(response(ours, 501))
    assert raw.events() == [RefreshDue(leg)]


def test_a_refresh_that_comes_to_nothing_is_tried_again_until_the_time_is_over():
    raw, _, _ = called(TIMER, UPDATES, "Session-Expires: 180;refresher=uas")
    ((_, first),) = raw.wait(90.0)
    raw.send(response(first, 491))
    sent = raw.wait(30.0)
    assert [m for m in methods([m for _, m in sent]) if m == "UPDATE"]
    assert raw.events() == []


@pytest.mark.parametrize("status", [481, 408, None])
def test_a_refresh_that_shows_that_the_peer_is_gone_ends_the_call(status):
    raw, leg, _ = called(TIMER, UPDATES, "Session-Expires: 180;refresher=uas")
    ((_, first),) = raw.wait(90.0)
    if status is None:
        sent = raw.wait(32.0)
        assert raw.events() == [SessionExpired(leg)]
        assert methods([message for _, message in sent])[-1] == "BYE"
    else:
        assert methods(raw.send(response(first, status))) == ["BYE"]
        assert raw.events() == [SessionExpired(leg)]
    raw.settle()


def test_a_refresh_that_is_too_hasty_for_the_peer_is_sent_once_more():
    raw, leg, _ = called(TIMER, UPDATES, "Session-Expires: 90;refresher=uas")
    ((_, ours),) = raw.wait(45.0)
    (again,) = raw.send(response(ours, 422, extra=("Min-SE: 300",)))
    assert again.headers.first("Session-Expires") == "300;refresher=uac"
    assert again.headers.first("Min-SE") == "300"
    raw.send(response(again, 200, extra=("Session-Expires: 300;refresher=uac",)))
    assert raw.events() == [SessionRefreshed(leg)]
    assert raw.wait(149.0) == []


def test_too_small_an_interval_gets_422_with_what_we_take_in_and_outside_of_a_call():
    raw = Raw(CONFIG)
    (refusal,) = raw.send(request(extra=(TIMER, "Session-Expires: 60")))
    assert (refusal.status, refusal.headers.first("Min-SE")) == (422, "90")
    assert raw.events() == []
    raw.settle()
    raw, _, _ = called()
    (refusal,) = raw.send(update(2, TIMER, "Session-Expires: 60"))
    assert refusal.status == 422
    assert methods(raw.send(update(3, TIMER, "Session-Expires: soon"))) == ["400"]


def test_a_call_of_ours_asks_for_a_timer_and_for_a_longer_one_where_that_is_wanted():
    raw = Raw(CONFIG)
    leg, invite = raw.calling()
    assert invite.headers.first("Session-Expires") == "180"
    assert invite.headers.first("Supported") == "100rel, timer"
    ack, again = raw.send(response(invite, 422, to_tag="x", extra=("Min-SE: 600",)))
    assert methods([ack, again]) == ["ACK", "INVITE"]
    assert (again.headers.first("Session-Expires"), again.headers.first("Min-SE")) == ("600", "600")
    assert again.headers.first("CSeq") == "2 INVITE"
    raw.send(response(again, 200, to_tag="them", extra=("Session-Expires: 600;refresher=uas", "Require: timer")))
    assert raw.kinds() == ["Answered"]
    sent = raw.wait(568.0)
    assert methods([message for _, message in sent])[:1] == ["BYE"], "the peer was to refresh"
    assert raw.events()[0] == SessionExpired(leg)
    raw.settle()


def test_a_second_422_is_the_answer():
    raw = Raw(CONFIG)
    _, invite = raw.calling()
    _, again = raw.send(response(invite, 422, to_tag="x", extra=("Min-SE: 600",)))
    assert methods(raw.send(response(again, 422, to_tag="y", extra=("Min-SE: 900",)))) == ["ACK"]
    assert raw.kinds() == ["Rejected", "LegEnded"]


def test_a_peer_without_timers_has_none():
    raw = Raw(CONFIG)
    leg, invite = raw.calling()
    raw.send(response(invite, 200, to_tag="them"))
    raw.events()
    assert raw.wait(4000.0) == []
    assert raw.endpoint.alarm_count == 0
    assert raw.endpoint.bye(leg, raw.now)


def test_an_endpoint_that_does_not_name_timers_takes_no_part():
    raw = Raw()
    leg = raw.called(extra=(TIMER, "Session-Expires: 20"))
    raw.endpoint.respond(leg, 200, raw.now)
    (ok,) = raw.sent()
    assert ok.headers.first("Session-Expires") is None


@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_two_endpoints_keep_a_call_for_an_hour_and_one_that_falls_silent_ends_it(loss):
    chance = Random(7)
    wire = Wire(
        fate=lambda _n, _data: [] if chance.random() < loss else [0.02],
        config=EndpointConfig("test", allow=CONFIG.allow, supported=("timer",), session_expires_s=120),
    )

    def bob(side, event, now):
        if isinstance(event, InviteReceived):
            side.endpoint.respond(event.leg, 200, now, body=b"v=0\r\n")
        elif isinstance(event, RequestReceived):
            side.endpoint.respond_request(event.request_id, 200, now)

    wire.bob.app = bob
    leg = wire.call()
    wire.run(3600.0)
    assert wire.alice.endpoint.leg_info(leg) is not None
    assert 55 <= len(wire.alice.of(SessionRefreshed)) <= 60
    assert set(wire.alice.sent_as()) == {"INVITE", "ACK", "UPDATE"}, "the caller refreshes, and only it"
    wire.fate = lambda _n, _data: []
    wire.run(200.0)
    assert wire.alice.of(SessionExpired)
    assert wire.bob.of(SessionExpired)
    wire.settle()
    assert wire.alice.is_idle()
    assert wire.bob.is_idle()
