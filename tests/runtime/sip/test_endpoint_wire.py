"""Two endpoints over a wire that loses, delays, reorders and duplicates: calls survive it, and nothing is ever left."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.sip.events import (
    AckReceived,
    Answered,
    InviteReceived,
    LegEnded,
    MessageDropped,
)
from tests.runtime.sip.wire import Wire, answering, calling


def losing(*lost):
    return lambda number, data: [] if number in lost else [0.01]


def plain_call(fate):
    wire = Wire(fate)
    wire.alice.app, wire.bob.app = calling(wire), answering(wire)
    wire.call()
    wire.run(59.0)
    return wire


def test_a_call_without_trouble():
    wire = plain_call(losing())
    assert wire.alice.kinds() == ["Ringing", "Answered", "LegEnded"]
    assert wire.bob.kinds() == ["InviteReceived", "AckReceived", "ByeReceived", "LegEnded"]
    assert wire.alice.sent_as() == ["INVITE", "ACK", "BYE"]
    assert wire.bob.sent_as() == ["100", "180", "200", "200"]
    wire.settle()
    assert wire.alice.is_idle()
    assert wire.bob.is_idle()


@pytest.mark.parametrize("lost", [*combinations(range(9), 1), *combinations(range(9), 2)], ids=str)
def test_a_call_survives_the_loss_of_any_two_datagrams(lost):
    wire = plain_call(losing(*lost))
    assert wire.alice.kinds()[-2:] == ["Answered", "LegEnded"]
    kinds = [kind for kind in wire.bob.kinds() if kind != "MessageDropped"]
    assert kinds == ["InviteReceived", "AckReceived", "ByeReceived", "LegEnded"]
    wire.settle()
    assert wire.alice.is_idle()
    assert wire.bob.is_idle()


def test_a_call_whose_every_datagram_comes_twice_is_one_call():
    wire = plain_call(lambda number, data: [0.01, 0.02])
    kinds = Counter(wire.alice.kinds())
    assert (kinds["Answered"], kinds["LegEnded"], kinds["MessageDropped"]) == (1, 1, 0)
    assert wire.bob.kinds() == ["InviteReceived", "AckReceived", "ByeReceived", "LegEnded"]


def test_nobody_hears_anything():
    wire = plain_call(lambda number, data: [])
    assert wire.alice.kinds() == ["InviteTimedOut", "LegEnded"]
    wire.settle()
    assert wire.alice.is_idle()


def test_the_called_sides_ack_never_arrives():
    wire = Wire(lambda number, data: [] if data.startswith(b"ACK") else [0.01])
    wire.alice.app, wire.bob.app = calling(wire, talk_s=500.0), answering(wire)
    wire.call()
    wire.run(40.0)
    assert wire.bob.kinds() == ["InviteReceived", "AckMissing", "LegEnded"]
    assert wire.alice.kinds() == ["Ringing", "Answered", "ByeReceived", "LegEnded"]
    # Every repeated 2xx was acknowledged again.
    assert wire.alice.sent_as().count("ACK") == wire.bob.sent_as().count("200")


def test_a_cancel_that_crosses_the_answer():
    wire = Wire(losing())
    wire.alice.app, wire.bob.app = calling(wire), answering(wire, answer_s=1.0)
    leg = wire.call()
    # Sent 5 ms after the answer, which is 10 ms on its way.
    wire.at(1.015, lambda: wire.alice.endpoint.cancel(leg, wire.now))
    wire.run(30.0)
    assert wire.alice.kinds() == ["Ringing", "LegEnded"]
    assert wire.alice.sent_as() == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert wire.bob.kinds() == ["InviteReceived", "AckReceived", "ByeReceived", "LegEnded"]
    wire.settle()
    assert wire.alice.is_idle()
    assert wire.bob.is_idle()


def test_two_reinvites_that_cross_are_both_refused_with_491():
    wire = Wire(losing())
    wire.alice.app, wire.bob.app = calling(wire, talk_s=20.0), answering(wire)
    alice_leg = wire.call()
    wire.run(5.0)
    (bob_leg,) = {event.leg for event in wire.bob.of(InviteReceived)}
    assert wire.alice.endpoint.reinvite(alice_leg, wire.now, b"v=0")
    assert wire.bob.endpoint.reinvite(bob_leg, wire.now, b"v=0")
    wire.run(5.0)
    for side in (wire.alice, wire.bob):
        (rejected,) = [event for event in side.events if type(event).__name__ == "ReinviteRejected"]
        assert rejected.response.status == 491
    assert wire.alice.endpoint.reinvite(alice_leg, wire.now, b"v=0")
    wire.run(5.0)
    assert "ReinviteAnswered" in wire.alice.kinds()
    assert "ReinviteReceived" in wire.bob.kinds()
    wire.settle()
    assert wire.alice.is_idle()
    assert wire.bob.is_idle()


def test_both_hang_up_at_once():
    wire = Wire(losing())
    wire.alice.app, wire.bob.app = calling(wire, talk_s=500.0), answering(wire)
    alice_leg = wire.call()
    wire.run(5.0)
    wire.alice.endpoint.bye(alice_leg, wire.now)
    wire.bob.endpoint.bye(wire.bob.of(InviteReceived)[0].leg, wire.now)
    wire.run(5.0)
    assert wire.alice.kinds().count("LegEnded") == wire.bob.kinds().count("LegEnded") == 1
    assert wire.alice.endpoint.leg_count == wire.bob.endpoint.leg_count == 0


def test_a_call_to_oneself_is_two_legs_that_do_not_mix():
    wire = Wire(losing())
    del wire.sides[wire.bob.address]
    wire.alice.app = calling(wire)
    path = type(wire.path(wire.alice))("udp", wire.alice.address, wire.alice.address)
    wire.alice.endpoint.invite("sip:alice@192.0.2.1", path, 0.0, from_="sip:alice@192.0.2.1", to="sip:alice@192.0.2.1")
    wire.run(30.0)
    assert Counter(wire.alice.kinds()) == {
        "InviteReceived": 1,
        "Ringing": 1,
        "Answered": 1,
        "AckReceived": 1,
        "ByeReceived": 1,
        "LegEnded": 2,
    }


FATES = st.one_of(
    st.just([]),
    st.just([0.01]),
    st.lists(st.sampled_from([0.0, 0.01, 0.3, 0.6, 2.0, 5.0]), min_size=1, max_size=3),
)
TIMES = st.floats(0.0, 20.0)


@settings(max_examples=400, deadline=None)
@given(
    fates=st.lists(FATES, max_size=40),
    loss_goes_on=st.booleans(),
    status=st.sampled_from([200, 200, 200, 486, 302]),
    answer_s=TIMES,
    talk_s=TIMES,
    cancel_at=st.one_of(st.none(), TIMES),
    reinvites=st.lists(st.tuples(TIMES, st.booleans()), max_size=4),
    infos=st.lists(st.tuples(TIMES, st.booleans()), max_size=3),
    bob_bye_at=st.one_of(st.none(), TIMES),
)
def test_whatever_the_wire_does_both_sides_end_with_nothing_left(
    fates, loss_goes_on, status, answer_s, talk_s, cancel_at, reinvites, infos, bob_bye_at
):
    def fate(number, data):
        if number < len(fates):
            return fates[number]
        return fates[number % len(fates)] if loss_goes_on and fates else [0.01]

    wire = Wire(fate)
    wire.alice.app = calling(wire, talk_s=talk_s)
    wire.bob.app = answering(wire, ring_s=min(0.5, answer_s), answer_s=answer_s, status=status)
    alice_leg = wire.call()
    # As its user would: nobody lets it ring for ever, nor stays on a dead line.
    wire.at(50.0 if cancel_at is None else cancel_at, lambda: wire.alice.endpoint.cancel(alice_leg, wire.now))
    for when in (70.0, 140.0):
        wire.at(when, lambda: wire.alice.endpoint.bye(alice_leg, wire.now))

    def legs(side):
        return {event.leg for event in side.of(InviteReceived) + side.of(Answered)}

    def on_all(side, command):
        for leg in legs(side):
            command(side.endpoint, leg)

    for when, by_alice in reinvites:
        side = wire.alice if by_alice else wire.bob
        wire.at(when, lambda side=side: on_all(side, lambda e, leg: e.reinvite(leg, wire.now, b"v=0")))
    for when, by_alice in infos:
        side = wire.alice if by_alice else wire.bob
        wire.at(when, lambda side=side: on_all(side, lambda e, leg: e.request(leg, "INFO", wire.now)))
    if bob_bye_at is not None:
        wire.at(bob_bye_at, lambda: on_all(wire.bob, lambda e, leg: e.bye(leg, wire.now)))
    for when in (100.0, 200.0, 300.0):
        wire.at(when, lambda: on_all(wire.bob, lambda e, leg: e.bye(leg, wire.now)))
    wire.run(400.0)
    wire.settle()

    for side in (wire.alice, wire.bob):
        assert side.is_idle(), side.name
        last = {}
        for event in side.events:
            if isinstance(event, MessageDropped):
                assert "broken" not in event.why
                continue
            leg = getattr(event, "leg", None)
            assert not isinstance(last.get(leg), LegEnded), f"{event} after the end of its leg"
            last[leg] = event
        assert all(isinstance(event, LegEnded) for event in last.values())
        assert max(Counter(event.leg for event in side.of(Answered)).values(), default=0) <= 1
    acks = Counter((e.leg, e.request.headers.first("CSeq")) for e in wire.bob.of(AckReceived))
    assert max(acks.values(), default=0) <= 1
