"""The server machines in time: what is repeated when, and absorbed until when (RFC 3261 section 17.2, RFC 6026)."""

from __future__ import annotations

from runtime.sip.transactions.tables import (
    Input,
    State,
)
from tests.runtime.sip.bench import DOUBLING_TO_T2, RELIABLE, Bench

# INVITE server


def test_a_repeated_invite_gets_the_last_provisional_response_again():
    bench = Bench()
    invite = bench.server("INVITE")
    invite.feed(Input.REQUEST, 0.0)
    assert bench.sent == []
    invite.respond(180, b"180", 0.0)
    invite.feed(Input.REQUEST, 0.1)
    assert bench.sent == [b"180", b"180"]


def test_a_failure_is_repeated_by_timer_g_and_given_up_by_timer_h():
    bench = Bench()
    bench.server("INVITE").respond(486, b"486", 0.0)
    assert bench.until(100.0) == DOUBLING_TO_T2
    assert len(bench.layer) == len(bench.alarms) == 0


def test_the_ack_of_a_failure_stops_it_and_timer_i_absorbs_further_ones():
    bench = Bench()
    invite = bench.server("INVITE")
    invite.respond(486, b"486", 0.0)
    invite.feed(Input.REQUEST, 0.1)
    assert bench.sent == [b"486", b"486"]
    assert invite.feed(Input.ACK, 1.0)
    assert invite.state is State.CONFIRMED
    assert not invite.feed(Input.ACK, 1.1)
    assert not invite.feed(Input.REQUEST, 1.1)
    del bench.sent[:]
    bench.until(5.9)
    assert len(bench.layer) == 1
    bench.until(6.0)
    assert len(bench.layer) == len(bench.alarms) == 0
    assert bench.sent == []


def test_after_a_2xx_the_invite_is_absorbed_until_timer_l_and_the_user_may_repeat_it():
    bench = Bench()
    invite = bench.server("INVITE")
    invite.respond(200, b"200", 1.0)
    assert not invite.feed(Input.REQUEST, 1.1)
    assert invite.respond(200, b"200", 1.5)
    assert not invite.respond(486, b"486", 1.6)
    assert bench.sent == [b"200", b"200"]
    bench.until(32.9)
    assert len(bench.layer) == 1
    bench.until(33.0)
    assert len(bench.layer) == len(bench.alarms) == 0
    assert not invite.respond(200, b"200", 34.0)


def test_over_a_reliable_transport_a_failure_is_sent_once_and_timer_i_is_zero():
    bench = Bench(RELIABLE)
    invite = bench.server("INVITE")
    invite.respond(486, b"486", 0.0)
    assert bench.until(31.0) == []
    invite.feed(Input.ACK, 31.0)
    bench.until(31.0)
    assert len(bench.layer) == 0


# Non-INVITE server


def test_a_repeated_request_is_absorbed_until_there_is_a_response_and_answered_until_timer_j():
    bench = Bench()
    options = bench.server("OPTIONS")
    options.feed(Input.REQUEST, 0.0)
    assert bench.sent == []
    options.respond(182, b"182", 0.0)
    options.feed(Input.REQUEST, 0.1)
    options.respond(200, b"200", 1.0)
    options.feed(Input.REQUEST, 1.1)
    assert bench.sent == [b"182", b"182", b"200", b"200"]
    assert not options.respond(404, b"404", 1.2)
    bench.until(32.9)
    assert len(bench.layer) == 1
    bench.until(33.0)
    assert len(bench.layer) == len(bench.alarms) == 0


def test_over_a_reliable_transport_timer_j_is_zero():
    bench = Bench(RELIABLE)
    bench.server("OPTIONS").respond(200, b"200", 1.0)
    bench.until(1.0)
    assert len(bench.layer) == 0
