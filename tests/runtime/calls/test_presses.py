"""Presses that are told by two ways count once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.calls.presses import SAME_PRESS_S, Presses, Way

pressed = st.lists(st.tuples(st.sampled_from("12#"), st.floats(0.05, 0.6)), max_size=20)


@given(pressed, st.floats(0, 0.7), st.booleans())
def test_whoever_tells_each_press_twice_has_pressed_once(
    presses: list[tuple[str, float]], late_s: float, first: bool
) -> None:
    ways = (Way.EVENT, Way.INFO) if first else (Way.INFO, Way.EVENT)
    at, reports = 0.0, []
    for key, gap in presses:
        at += gap
        reports += [(at, key, ways[0]), (at + late_s, key, ways[1])]
    told = Presses()
    counted = [key for now, key, way in sorted(reports, key=lambda r: r[0]) if told.is_new(key, way, now)]
    assert counted == [key for key, _ in presses]


@given(pressed, st.sampled_from(list(Way)))
def test_whoever_tells_by_one_way_loses_nothing(presses: list[tuple[str, float]], way: Way) -> None:
    told, now = Presses(), 0.0
    for key, gap in presses:
        now += gap
        assert told.is_new(key, way, now)


def test_reports_far_apart_are_two_presses() -> None:
    told = Presses()
    assert told.is_new("1", Way.EVENT, 0.0)
    assert told.is_new("1", Way.INFO, SAME_PRESS_S + 0.1)


def test_a_press_that_is_told_three_ways_is_one_and_two_are_two() -> None:
    told = Presses()
    reports = [(0.0, Way.EVENT), (0.02, Way.INFO), (0.06, Way.INBAND), (0.2, Way.EVENT), (0.25, Way.INBAND)]
    assert [told.is_new("5", way, at) for at, way in reports] == [True, False, False, True, False]
