"""The client machines in time: what is repeated when, and given up when (RFC 3261 section 17.1, RFC 6026)."""

from __future__ import annotations

import pytest

from runtime.sip.parser import parse_message
from runtime.sip.requests import Outgoing
from runtime.sip.transactions.tables import (
    State,
)
from runtime.sip.writer import write_message
from tests.runtime.sip.bench import DOUBLING, DOUBLING_TO_T2, RELIABLE, Bench
from tests.runtime.sip.raw import PATH, request

# INVITE client


def test_an_unanswered_invite_is_repeated_by_timer_a_and_given_up_by_timer_b():
    bench = Bench()
    bench.client("INVITE")
    assert bench.until(100.0) == DOUBLING
    assert bench.heard == [(32.0, "timeout")]
    assert len(bench.layer) == len(bench.alarms) == 0


def test_a_provisional_response_stops_the_repetition_for_good():
    bench = Bench()
    invite = bench.client("INVITE")
    bench.answer(invite, 100, 0.2)
    assert bench.until(1000.0) == []
    assert bench.heard == [(0.2, 100)]
    assert invite.state is State.PROCEEDING


def test_a_2xx_is_passed_on_each_time_until_timer_m():
    bench = Bench()
    invite = bench.client("INVITE")
    bench.answer(invite, 200, 1.0)
    bench.answer(invite, 200, 2.0)
    bench.answer(invite, 486, 2.5)
    assert bench.heard == [(1.0, 200), (2.0, 200)]
    bench.until(32.9)
    assert invite.state is State.ACCEPTED
    bench.until(33.0)
    assert len(bench.layer) == len(bench.alarms) == 0


@pytest.mark.parametrize("ringing", [False, True])
def test_a_failure_is_acknowledged_each_time_passed_on_once_and_forgotten_by_timer_d(ringing):
    bench = Bench()
    invite = bench.client("INVITE")
    if ringing:
        bench.answer(invite, 180)
    del bench.heard[:]
    bench.answer(invite, 486, 1.0)
    bench.answer(invite, 486, 2.0)
    assert bench.heard == [(1.0, 486)]
    acks = [parse_message(data) for data in bench.sent[1:]]
    assert [ack.method for ack in acks] == ["ACK", "ACK"]
    bench.until(32.9)
    assert len(bench.layer) == 1
    bench.until(33.0)
    assert len(bench.layer) == len(bench.alarms) == 0


def test_the_ack_of_a_failure_is_made_of_the_invite_and_the_responses_to():
    bench = Bench()
    invite = bench.client("INVITE")
    bench.answer(invite, 486)
    ack = parse_message(bench.sent[-1])
    assert ack.uri == invite.request.uri
    assert ack.headers.first("To").endswith(";tag=them")
    assert ack.headers.first("CSeq") == "1 ACK"
    for name in ("Via", "From", "Call-ID"):
        assert ack.headers.all(name) == invite.request.headers.all(name)


def test_over_a_reliable_transport_an_invite_is_sent_once_and_timer_d_is_zero():
    bench = Bench(RELIABLE)
    bench.client("INVITE")
    assert bench.until(100.0) == []
    assert bench.heard == [(32.0, "timeout")]
    bench = Bench(RELIABLE)
    bench.answer(bench.client("INVITE"), 486, 1.0)
    bench.until(1.0)
    assert len(bench.layer) == 0


# Non-INVITE client


def test_an_unanswered_request_is_repeated_by_timer_e_and_given_up_by_timer_f():
    bench = Bench()
    bench.client("OPTIONS")
    assert bench.until(100.0) == DOUBLING_TO_T2
    assert bench.heard == [(32.0, "timeout")]
    assert len(bench.layer) == len(bench.alarms) == 0


def test_after_a_provisional_response_a_request_is_repeated_every_t2():
    bench = Bench()
    options = bench.client("OPTIONS")
    assert bench.until(1.5) == [0.5, 1.5]
    bench.answer(options, 100, 1.6)
    assert bench.until(100.0) == [3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.heard == [(1.6, 100), (32.0, "timeout")]


@pytest.mark.parametrize("provisional", [False, True])
@pytest.mark.parametrize("status", [200, 404])
def test_a_final_response_is_passed_on_once_and_absorbed_until_timer_k(status, provisional):
    bench = Bench()
    options = bench.client("OPTIONS")
    if provisional:
        bench.answer(options, 100)
    del bench.heard[:]
    bench.answer(options, status, 1.0)
    bench.answer(options, status, 2.0)
    assert bench.heard == [(1.0, status)]
    assert bench.until(5.9) == []
    assert len(bench.layer) == 1
    bench.until(6.0)
    assert len(bench.layer) == len(bench.alarms) == 0


def test_over_a_reliable_transport_a_request_is_sent_once_and_timer_k_is_zero():
    bench = Bench(RELIABLE)
    options = bench.client("OPTIONS")
    assert bench.until(31.0) == []
    bench.answer(options, 200, 31.0)
    bench.until(31.0)
    assert len(bench.layer) == 0


def test_an_action_that_starts_further_transactions_finds_the_old_one_settled():
    bench = Bench()
    seen = []
    message = parse_message(request("OPTIONS", branch="z9hG4bKown"))
    opened = bench.layer.open_client(
        Outgoing(message, write_message(message), "z9hG4bKown", PATH),
        0.0,
        on_response=lambda incoming, now: None,
        on_timeout=lambda now: seen.append((len(bench.layer), opened.state)),
    )
    bench.until(32.0)
    assert seen == [(0, State.TERMINATED)]
