"""Two endpoints over a connection: every message once, and whenever it is cut both sides end with nothing left."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.sip.events import Answered, InviteReceived, LegEnded, Rejected
from tests.runtime.sip.wire import Wire, answering, calling


def call(*, cut_at=(), **kwargs):
    """A call of five seconds over a connection that is cut at these times."""
    wire = Wire(lambda number, data: [0.01], transport="tcp")
    wire.alice.app, wire.bob.app = calling(wire), answering(wire, **kwargs)
    wire.call()
    for when in cut_at:
        wire.at(when, wire.cut)
    wire.run(59.0)
    return wire


def test_a_call_over_a_connection_is_the_same_call_without_repetitions():
    wire = call(ring_s=2.0, answer_s=30.0)
    assert wire.alice.kinds() == ["Ringing", "Answered", "LegEnded"]
    assert wire.bob.kinds() == ["InviteReceived", "AckReceived", "ByeReceived", "LegEnded"]
    assert wire.alice.sent_as() == ["INVITE", "ACK", "BYE"]
    assert wire.bob.sent_as() == ["100", "180", "200", "200"]
    wire.settle()
    assert wire.alice.is_idle()
    assert wire.bob.is_idle()


def test_a_refused_call_over_a_connection_leaves_nothing_at_once():
    wire = Wire(transport="tcp")
    wire.bob.app = answering(wire, answer_s=0.0, status=486)
    wire.call()
    wire.run(0.1)
    assert wire.alice.sent_as() == ["INVITE", "ACK"]
    assert [side.endpoint.transaction_count for side in (wire.alice, wire.bob)] == [0, 0]


def test_a_connection_that_is_cut_in_a_call_ends_nothing():
    wire = call(cut_at=[2.0, 4.0])
    assert wire.alice.kinds() == ["Ringing", "Answered", "LegEnded"]
    assert wire.bob.kinds() == ["InviteReceived", "AckReceived", "ByeReceived", "LegEnded"]


def test_one_that_is_cut_before_the_answer_ends_the_call_of_the_caller():
    wire = call(cut_at=[0.5])
    assert [e.response.status for e in wire.alice.of(Rejected)] == [503]
    assert wire.alice.kinds()[:3] == ["Ringing", "Rejected", "LegEnded"]
    wire.settle()
    assert wire.alice.is_idle()
    assert wire.bob.is_idle()


@pytest.mark.parametrize("cut_at", [1.005, 1.015])
def test_an_answer_or_ack_that_is_lost_with_the_connection_comes_again(cut_at):
    wire = call(cut_at=[cut_at])
    if wire.alice.of(Answered):
        assert wire.bob.kinds() == ["InviteReceived", "AckReceived", "ByeReceived", "LegEnded"]
    else:
        assert [e.response.status for e in wire.alice.of(Rejected)] == [503]
    wire.settle()
    assert wire.alice.is_idle()
    assert wire.bob.is_idle()


@settings(max_examples=200, deadline=None)
@given(
    cuts=st.lists(
        st.one_of(st.floats(0.0, 8.0), st.sampled_from([0.0, 0.01, 0.02, 1.0, 1.01, 1.02, 6.02])), max_size=4
    ),
    status=st.sampled_from([200, 200, 486]),
    reinvites=st.lists(st.tuples(st.floats(1.0, 6.0), st.booleans()), max_size=3),
    cancel_at=st.one_of(st.none(), st.floats(0.0, 3.0)),
)
def test_whenever_the_connection_is_cut_both_sides_end_with_nothing_left(cuts, status, reinvites, cancel_at):
    wire = Wire(lambda number, data: [0.01], transport="tcp")
    wire.alice.app, wire.bob.app = calling(wire), answering(wire, status=status)
    leg = wire.call()
    for when in cuts:
        wire.at(when, wire.cut)
    if cancel_at is not None:
        wire.at(cancel_at, lambda: wire.alice.endpoint.cancel(leg, wire.now))

    def on_all(side, command):
        for event in side.of(InviteReceived) + side.of(Answered):
            command(side.endpoint, event.leg)

    for when, by_alice in reinvites:
        side = wire.alice if by_alice else wire.bob
        wire.at(when, lambda side=side: on_all(side, lambda e, leg: e.reinvite(leg, wire.now, b"v=0")))
    for when in (70.0, 140.0):  # as a media timeout would
        for side in (wire.alice, wire.bob):
            wire.at(when, lambda side=side: on_all(side, lambda e, leg: e.bye(leg, wire.now)))
    wire.run(200.0)
    wire.settle()
    for side in (wire.alice, wire.bob):
        assert side.is_idle(), side.name
        assert len(side.of(LegEnded)) == len({event.leg for event in side.of(LegEnded)})
