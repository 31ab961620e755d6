"""Timer values of RFC 3261 table 4 and RFC 6026, and the heap of alarms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sip import timers
from runtime.sip.timers import RULES, Alarms, OnReliable, Timer, TimerValues

TABLE_4 = {
    Timer.A: (0.5, OnReliable.NEVER),
    Timer.B: (32.0, OnReliable.SAME),
    Timer.D: (32.0, OnReliable.ZERO),
    Timer.E: (0.5, OnReliable.NEVER),
    Timer.F: (32.0, OnReliable.SAME),
    Timer.G: (0.5, OnReliable.NEVER),
    Timer.H: (32.0, OnReliable.SAME),
    Timer.I: (5.0, OnReliable.ZERO),
    Timer.J: (32.0, OnReliable.ZERO),
    Timer.K: (5.0, OnReliable.ZERO),
    Timer.L: (32.0, OnReliable.SAME),
    Timer.M: (32.0, OnReliable.SAME),
}


@pytest.mark.parametrize("timer", Timer)
def test_every_timer_has_the_value_of_the_rfc(timer):
    first_s, on_reliable = TABLE_4[timer]
    assert RULES[timer].first_s(TimerValues()) == first_s
    assert RULES[timer].on_reliable is on_reliable


def test_alarms_ring_in_the_order_of_time_and_then_of_setting():
    alarms, rang = Alarms(), []
    for name, deadline in (("c", 3.0), ("a", 1.0), ("b1", 2.0), ("b2", 2.0)):
        alarms.start(deadline, lambda now, name=name: rang.append((name, now)))
    assert alarms.next_deadline() == 1.0
    alarms.ring(2.0)
    assert rang == [("a", 2.0), ("b1", 2.0), ("b2", 2.0)]
    assert alarms.next_deadline() == 3.0


def test_a_stopped_alarm_does_not_ring_and_stopping_twice_is_nothing():
    alarms, rang = Alarms(), []
    alarm = alarms.start(1.0, rang.append)
    alarms.stop(alarm)
    alarms.stop(alarm)
    assert len(alarms) == 0
    assert alarms.next_deadline() is None
    alarms.ring(2.0)
    assert rang == []


def test_an_alarm_that_rang_can_be_stopped_without_harm():
    alarms = Alarms()
    alarm = alarms.start(1.0, lambda now: None)
    alarms.ring(1.0)
    alarms.stop(alarm)
    assert len(alarms) == 0


def test_an_alarm_may_set_and_stop_others_while_it_rings():
    alarms, rang = Alarms(), []
    second = alarms.start(1.0, lambda now: rang.append("second"))

    def first(now):
        alarms.stop(second)
        alarms.start(now, lambda now: rang.append("third"))

    alarms.start(0.5, first)
    alarms.ring(1.0)
    assert rang == ["third"]


def test_stopped_alarms_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(timers, "STOPPED_MAX", 10)
    alarms = Alarms()
    alarms.start(5_000.0, lambda now: None)
    for count in range(1_000):
        alarms.stop(alarms.start(1_000.0 + count, lambda now: None))
        assert len(alarms._heap) <= 30
    assert len(alarms) == 1


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=50), st.floats(0, 100))
def test_exactly_the_live_and_due_alarms_ring(entries, now):
    alarms, rang = Alarms(), []
    for index, (deadline, stopped) in enumerate(entries):
        alarm = alarms.start(deadline, lambda _now, index=index: rang.append(index))
        if stopped:
            alarms.stop(alarm)
    alarms.ring(now)
    due = [index for index, (deadline, stopped) in enumerate(entries) if not stopped and deadline <= now]
    assert rang == sorted(due, key=lambda index: (entries[index][0], index))
    assert len(alarms) == sum(not stopped for _, stopped in entries) - len(due)
