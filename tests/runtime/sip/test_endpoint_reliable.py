"""Provisional responses that are acknowledged, as the one who is called and as the one who calls (RFC 3262)."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from runtime.sip.endpoint import EndpointConfig
from runtime.sip.events import PrackMissing, RequestReceived
from tests.runtime.sip.raw import ALLOW, Raw, methods, request, response
from tests.runtime.sip.wire import Wire

CONFIG = EndpointConfig("test", allow=(*ALLOW, "PRACK"), supported=("100rel",))


def ringing(*extra: str, body: str = "v=0") -> tuple[Raw, int]:
    raw = Raw(CONFIG)
    leg = raw.called(extra=extra, body=body)
    raw.endpoint.set_local_tag(leg, "us")
    return raw, leg


def prack(rseq: object, cseq: int = 2, *, of: str = "1 INVITE", body: str = "") -> bytes:
    return request("PRACK", branch=f"z9hG4bK-p{cseq}", cseq=cseq, to_tag="us", extra=(f"RAck: {rseq} {of}",), body=body)


def rseq_of(message) -> int:
    return int(message.headers.first("RSeq"))


# As the one who is called


def test_where_the_caller_insists_every_response_is_repeated_until_its_prack():
    raw, leg = ringing("Require: 100rel")
    raw.endpoint.respond(leg, 180, raw.now)
    (ringing_,) = raw.sent()
    assert ringing_.headers.first("Require") == "100rel"
    assert 1 <= rseq_of(ringing_) < 2**31
    assert "UPDATE" in ringing_.headers.first("Allow")
    repeated = raw.wait(7.6)
    times = [0.0, *(when for when, _ in repeated)]
    assert [round(b - a, 3) for a, b in pairwise(times)] == [0.5, 1.0, 2.0, 4.0]
    assert all(message == ringing_ for _, message in repeated)
    assert methods(raw.send(prack(rseq_of(ringing_)))) == ["200"]
    assert raw.wait(30.0) == []
    raw.endpoint.respond(leg, 200, raw.now, body=b"v=0")
    (ok,) = raw.sent()
    assert ok.body == b"v=0", "no session description went before"
    assert raw.kinds() == ["PrackReceived"]


def test_where_the_caller_knows_how_only_what_has_a_body_is_reliable():
    raw, leg = ringing("Supported: timer, 100REL")
    raw.endpoint.respond(leg, 180, raw.now)
    raw.endpoint.respond(leg, 183, raw.now, body=b"v=0")
    plain, reliable = raw.sent()
    assert (plain.headers.first("RSeq"), reliable.headers.first("Require")) == (None, "100rel")


def test_a_caller_that_knows_nothing_of_it_gets_no_reliable_response():
    raw, leg = ringing()
    raw.endpoint.respond(leg, 183, raw.now, body=b"v=0")
    (plain,) = raw.sent()
    assert plain.headers.first("RSeq") is None
    assert methods(raw.send(prack(1))) == ["481"]


def test_responses_wait_for_one_another_and_are_numbered_in_order():
    raw, leg = ringing("Require: 100rel")
    for status in (180, 183, 182):
        raw.endpoint.respond(leg, status, raw.now)
    (first,) = raw.sent()
    ok, second = raw.send(prack(rseq_of(first)))
    assert (ok.status, second.status, rseq_of(second)) == (200, 183, rseq_of(first) + 1)
    ok, third = raw.send(prack(rseq_of(second), 3))
    assert (third.status, rseq_of(third)) == (182, rseq_of(first) + 2)


def test_a_2xx_waits_for_the_prack_of_a_session_description_and_does_not_repeat_it():
    raw, leg = ringing("Supported: 100rel")
    raw.endpoint.respond(leg, 183, raw.now, body=b"v=0")
    (early,) = raw.sent()
    assert raw.endpoint.respond(leg, 200, raw.now, body=b"v=0")
    assert raw.sent() == []
    taken, ok = raw.send(prack(rseq_of(early)))
    assert (taken.status, ok.status) == (200, 200)
    assert ok.headers.first("CSeq") == "1 INVITE"
    assert ok.body == b""
    raw.send(request("ACK", branch="z9hG4bK-a", to_tag="us"))
    assert raw.kinds() == ["PrackReceived", "AckReceived"]
    raw.endpoint.bye(leg, raw.now)
    raw.settle()


def test_a_2xx_does_not_wait_for_the_prack_of_mere_ringing():
    raw, leg = ringing("Require: 100rel")
    raw.endpoint.respond(leg, 180, raw.now)
    raw.sent()
    raw.endpoint.respond(leg, 200, raw.now, body=b"v=0")
    (ok,) = raw.sent()
    assert (ok.status, ok.body) == (200, b"v=0")
    assert [m for m in methods([m for _, m in raw.wait(5.0)]) if m == "180"] == []


def test_without_a_prack_the_invite_gets_504():
    raw, leg = ringing("Require: 100rel")
    raw.endpoint.respond(leg, 180, raw.now)
    sent = methods([message for _, message in raw.wait(32.0)])
    assert sent[-1] == "504"
    assert raw.events()[0] == PrackMissing(leg)
    raw.settle()


@pytest.mark.parametrize(
    "rack", ["{0} 2 INVITE", "{1} 1 INVITE", "{0} 1 UPDATE", "{0} 1", "", "x 1 INVITE", "99999999999 1 INVITE"]
)
def test_a_prack_for_something_else_gets_481_and_changes_nothing(rack):
    raw, leg = ringing("Require: 100rel")
    raw.endpoint.respond(leg, 180, raw.now)
    rseq = rseq_of(raw.sent()[0])
    data = request("PRACK", branch="z9hG4bK-p", cseq=2, to_tag="us", extra=(f"RAck: {rack.format(rseq, rseq + 1)}",))
    assert methods(raw.send(data)) == ["481"]
    assert methods(raw.send(prack(rseq, 3))) == ["200"]


def test_a_repeated_prack_gets_the_same_answer():
    raw, leg = ringing("Require: 100rel")
    raw.endpoint.respond(leg, 180, raw.now)
    data = prack(rseq_of(raw.sent()[0]))
    assert raw.send(data) == raw.send(data)
    assert methods(raw.send(prack(data.partition(b"RAck: ")[2].split()[0].decode(), 7))) == ["481"], (
        "a new one does not"
    )


def test_a_prack_with_a_body_is_the_users_and_what_waits_goes_out_behind_its_answer():
    raw, leg = ringing("Require: 100rel", body="")
    raw.endpoint.respond(leg, 183, raw.now, body=b"v=0 offer")
    (early,) = raw.sent()
    raw.endpoint.respond(leg, 200, raw.now, body=b"v=0 offer")
    assert raw.send(prack(rseq_of(early), body="v=0 answer")) == []
    _, event = raw.events()
    assert isinstance(event, RequestReceived)
    assert (event.leg, event.request.method, event.request.body) == (leg, "PRACK", b"v=0 answer")
    raw.endpoint.respond_request(event.request_id, 200, raw.now)
    taken, ok = raw.sent()
    assert taken.headers.first("CSeq") == "2 PRACK"
    assert (ok.headers.first("CSeq"), ok.body) == ("1 INVITE", b"")


def test_a_cancel_ends_what_waits_for_its_prack():
    raw, leg = ringing("Supported: 100rel")
    raw.endpoint.respond(leg, 183, raw.now, body=b"v=0")
    raw.endpoint.respond(leg, 200, raw.now, body=b"v=0")
    raw.sent()
    assert methods(raw.send(request("CANCEL"))) == ["200", "487"]
    assert raw.kinds() == ["Cancelled", "LegEnded"]
    raw.settle()


@pytest.mark.parametrize("broken", ["Supported: a b", "Supported: timer;x", "Supported: ,,@"])
def test_a_supported_that_cannot_be_read_supports_nothing_and_leaves_nothing_behind(broken):
    raw, leg = ringing(broken)
    raw.endpoint.respond(leg, 183, raw.now, body=b"v=0")
    raw.endpoint.respond(leg, 486, raw.now)
    early, refusal = raw.sent()
    assert (early.headers.first("RSeq"), refusal.status) == (None, 486)
    raw.settle()


def test_an_endpoint_that_does_not_name_it_refuses_who_insists():
    raw = Raw()
    (refusal,) = raw.send(request(extra=("Require: 100rel",)))
    assert (refusal.status, refusal.headers.first("Unsupported")) == (420, "100rel")


# As the one who calls


def reliable(invite, rseq: int, status: int = 183, tag: str = "them") -> bytes:
    return response(invite, status, to_tag=tag, extra=("Require: 100rel", f"RSeq: {rseq}"))


def test_a_reliable_response_gets_one_prack_and_its_repetitions_get_none():
    raw = Raw(CONFIG)
    _, invite = raw.calling()
    (ours,) = raw.send(reliable(invite, 776656))
    assert (ours.method, ours.headers.first("RAck")) == ("PRACK", "776656 1 INVITE")
    assert ours.headers.first("CSeq") == "2 PRACK"
    assert ours.headers.first("To").endswith("tag=them")
    assert raw.send(reliable(invite, 776656)) == []
    assert raw.kinds() == ["Ringing"], "told once"
    raw.send(response(ours, 200))
    assert raw.wait(20.0) == []


def test_responses_out_of_order_say_nothing_until_the_one_between_is_there():
    raw = Raw(CONFIG)
    _, invite = raw.calling()
    raw.send(reliable(invite, 10))
    raw.events()
    assert raw.send(reliable(invite, 12)) == []
    assert raw.events() == []
    (ours,) = raw.send(reliable(invite, 11, 180))
    assert ours.headers.first("RAck") == "11 1 INVITE"
    (ours,) = raw.send(reliable(invite, 12))
    assert ours.headers.first("CSeq") == "4 PRACK"


def test_each_fork_counts_for_itself_and_the_call_goes_on_behind_its_number():
    raw = Raw(CONFIG)
    leg, invite = raw.calling()
    for tag, rseq in (("one", 5), ("two", 900)):
        (ours,) = raw.send(reliable(invite, rseq, tag=tag))
        assert ours.headers.first("RAck") == f"{rseq} 1 INVITE"
        assert ours.headers.first("CSeq") == "2 PRACK"
    raw.send(response(invite, 200, to_tag="two"))
    raw.endpoint.bye(leg, raw.now)
    (bye,) = raw.sent()
    assert bye.headers.first("CSeq") == "3 BYE", "the PRACK had the number before"


def test_a_prack_is_repeated_until_answered_and_nothing_ends_when_it_is_not():
    raw = Raw(CONFIG)
    leg, invite = raw.calling()
    raw.send(reliable(invite, 5))
    sent = raw.wait(40.0)
    assert set(methods([message for _, message in sent])) == {"PRACK"}
    raw.send(response(invite, 200, to_tag="them"))
    assert "Answered" in raw.kinds()
    raw.endpoint.bye(leg, raw.now)
    raw.settle()


@pytest.mark.parametrize("extra", [("Require: 100rel",), ("RSeq: 5",), ("Require: 100rel", "RSeq: x")])
def test_half_of_a_reliable_response_is_an_ordinary_one(extra):
    raw = Raw(CONFIG)
    _, invite = raw.calling()
    assert raw.send(response(invite, 183, to_tag="them", extra=extra)) == []
    assert raw.kinds() == ["Ringing"]


@pytest.mark.parametrize("seed", range(8))
def test_two_endpoints_agree_over_a_wire_that_loses(seed):
    chance = Random(seed)
    wire = Wire(fate=lambda _n, _data: [] if chance.random() < 0.05 * seed else [0.02], config=CONFIG)

    def bob(side, event, now):
        if type(event).__name__ == "InviteReceived":
            side.endpoint.respond(event.leg, 183, now, body=b"v=0\r\n")
            side.endpoint.respond(event.leg, 180, now)
            wire.at(now + 3.0, lambda: side.endpoint.respond(event.leg, 200, wire.now, body=b"v=0\r\n"))

    wire.bob.app = bob
    leg = wire.call()
    wire.run(30.0)
    told = wire.alice.kinds()
    assert told.count("Answered") == 1
    assert "Ringing" in told
    assert wire.bob.kinds().count("AckReceived") == 1
    wire.alice.endpoint.bye(leg, wire.now)
    wire.settle()
    assert wire.alice.is_idle()
    assert wire.bob.is_idle()
