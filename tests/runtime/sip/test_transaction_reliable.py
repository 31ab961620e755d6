"""Transactions on a stream: nothing is repeated, nothing waits for repetitions, and a lost connection ends them."""

from __future__ import annotations

import pytest

from runtime.sip.parser import parse_message
from runtime.sip.path import Path
from runtime.sip.transactions.tables import Input, State
from tests.runtime.sip.bench import DOUBLING, RELIABLE, Bench
from tests.runtime.sip.raw import PATH

OTHER = Path("tcp", PATH.local, ("192.0.2.99", 40_000))

# RFC 3261 table 4: A, E and G are off, D, I, J and K are zero; B, F and H stay.


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_a_request_goes_out_once_and_is_still_given_up(method):
    bench = Bench(RELIABLE)
    bench.client(method)
    assert bench.until(31.9) == []
    assert bench.heard == []
    bench.until(32.0)
    assert bench.heard == [(32.0, "timeout")]
    assert len(bench.layer) == len(bench.alarms) == 0


@pytest.mark.parametrize(("method", "status"), [("INVITE", 486), ("OPTIONS", 200), ("OPTIONS", 404)])
def test_a_client_is_gone_as_soon_as_it_has_its_final_response(method, status):
    bench = Bench(RELIABLE)
    bench.answer(bench.client(method), status, 1.0)
    assert bench.until(1.0) == []
    assert bench.heard == [(1.0, status)]
    assert len(bench.layer) == len(bench.alarms) == 0


@pytest.mark.parametrize("status", [200, 486])
def test_a_server_is_gone_as_soon_as_it_has_answered(status):
    bench = Bench(RELIABLE)
    bench.server("OPTIONS").respond(status, b"final", 1.0)
    bench.until(1.0)
    assert bench.sent == [b"final"]
    assert len(bench.layer) == len(bench.alarms) == 0


def test_a_refused_invite_waits_for_its_ack_and_for_no_second_one():
    bench = Bench(RELIABLE)
    invite = bench.server("INVITE")
    invite.respond(486, b"486", 0.0)
    assert bench.until(31.9) == []
    invite.feed(Input.ACK, 31.9)
    bench.until(31.9)
    assert len(bench.layer) == len(bench.alarms) == 0


# Transport errors (section 17.1.4, and 8.1.3.1)


@pytest.mark.parametrize("ringing", [False, True])
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_a_lost_connection_is_a_503_at_once(method, ringing):
    bench = Bench(RELIABLE)
    client = bench.client(method)
    if ringing:
        bench.answer(client, 180)
    del bench.heard[:], bench.sent[:]
    bench.layer.fail(RELIABLE, "Connection Closed", 1.0)
    assert bench.heard == [(1.0, 503)]
    assert bench.sent == [], "a 503 of our own is not acknowledged"
    assert client.state is State.TERMINATED
    assert len(bench.layer) == len(bench.alarms) == 0
    bench.layer.fail(RELIABLE, "Connection Closed", 2.0)
    assert len(bench.heard) == 1


def test_another_connection_is_none_of_its_business():
    bench = Bench(RELIABLE)
    bench.client("INVITE")
    bench.layer.fail(OTHER, "Connection Closed", 1.0)
    assert bench.heard == []
    assert bench.layer.connections() == {RELIABLE}


def test_an_answered_invite_goes_on_without_its_connection():
    bench = Bench(RELIABLE)
    invite = bench.client("INVITE")
    bench.answer(invite, 200, 1.0)
    bench.layer.fail(RELIABLE, "Connection Closed", 2.0)
    assert invite.state is State.ACCEPTED
    assert bench.heard == [(1.0, 200)]


def test_a_server_that_has_not_answered_goes_on_and_one_that_has_ends():
    bench = Bench(RELIABLE)
    invite = bench.server("INVITE")
    invite.respond(100, b"100", 0.0)
    bench.layer.fail(RELIABLE, "Connection Closed", 1.0)
    assert invite.state is State.PROCEEDING
    assert invite.respond(486, b"486", 2.0), "the answer may find another way"
    bench.layer.fail(RELIABLE, "Connection Closed", 3.0)
    assert len(bench.layer) == len(bench.alarms) == 0


def test_datagrams_have_no_connection_to_lose():
    bench = Bench()
    bench.client("INVITE")
    bench.layer.fail(PATH, "Connection Closed", 1.0)
    assert bench.heard == []
    assert bench.layer.connections() == set()


# Section 18.1.1: TCP was tried, the peer has none


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_a_second_way_is_tried_before_anybody_is_told(method):
    bench = Bench(RELIABLE)
    client = bench.client(method, second=PATH)
    bench.layer.fail(RELIABLE, "Connection Refused", 1.0)
    assert bench.heard == []
    first, second = (parse_message(data) for data in bench.sent)
    assert second.headers.first("Via").startswith("SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKown")
    assert first.headers.without("Via") == second.headers.without("Via")
    assert client.request == second
    assert bench.layer.connections() == set()
    bench.path = PATH
    repeated = bench.until(6.0)
    assert repeated[:3] == [1.0 + seconds for seconds in DOUBLING[:3]], "over UDP it is repeated again"
    bench.answer(client, 200, 6.0)
    assert bench.heard == [(6.0, 200)]


def test_a_second_way_is_given_up_like_any_other():
    bench = Bench(RELIABLE)
    bench.client("INVITE", second=PATH)
    bench.layer.fail(RELIABLE, "Connection Refused", 1.0)
    bench.until(100.0)
    assert bench.heard == [(33.0, "timeout")]
    assert len(bench.layer) == len(bench.alarms) == 0


def test_once_somebody_has_answered_there_is_no_second_way():
    bench = Bench(RELIABLE)
    bench.answer(bench.client("INVITE", second=PATH), 180)
    bench.layer.fail(RELIABLE, "Connection Closed", 1.0)
    assert bench.heard == [(0.0, 180), (1.0, 503)]
