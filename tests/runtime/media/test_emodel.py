"""R and MOS by the E-model, and what its input is: losses and their bursts."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.emodel import CODECS, Losses, mos, rating
from runtime.media.losses import LossPattern


@pytest.mark.parametrize(("r", "expected"), [(93.2, 4.41), (90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)])
def test_mos_is_that_of_g_107_table_b_1(r: float, expected: float) -> None:
    assert mos(r) == pytest.approx(expected, abs=0.01)


def test_a_call_without_loss_and_delay_has_the_default_rating() -> None:
    assert rating(Losses(0.0), 50, "pcmu") == pytest.approx(93.2)


@pytest.mark.parametrize(("delay_ms", "idd"), [(100, 0.0), (150, 0.17), (200, 2.98), (300, 14.6), (400, 24.0)])
def test_delay_costs_what_g_107_says(delay_ms: float, idd: float) -> None:
    assert 93.2 - rating(Losses(0.0), delay_ms, "pcma") == pytest.approx(idd, abs=0.5)


def test_loss_costs_what_g_113_says_and_bursts_cost_more() -> None:
    by_chance = rating(Losses(0.05), 0, "pcmu")
    assert 93.2 - by_chance == pytest.approx(95 * 5 / 30.1)
    assert rating(Losses(0.05, 2.0), 0, "pcmu") < by_chance


def test_wide_band_is_rated_on_its_own_scale() -> None:
    """G.722 at its best is 129 - 13 of the 129 (G.107.1; G.113, appendix IV), which is 4.3 of 4.5 for people."""
    r = rating(Losses(0.0), 50, "g722")
    assert 1.29 * r == pytest.approx(116)
    assert mos(r) == pytest.approx(4.34, abs=0.01)
    assert 1.29 * rating(Losses(0.05), 0, "g722") == pytest.approx(129 - 13 - 82 * 5 / 21)
    assert 1.29 * (r - rating(Losses(0.0), 300, "g722")) == pytest.approx(14.6, abs=0.5)
    assert r > rating(Losses(0.0), 50, "opus") > 1.2 * rating(Losses(0.1), 50, "opus")


@given(st.floats(0, 1), st.floats(1, 100), st.floats(0, 1e5), st.sampled_from(sorted(CODECS)))
def test_no_input_leaves_the_scales(share: float, burst_ratio: float, delay_ms: float, codec: str) -> None:
    r = rating(Losses(share, burst_ratio), delay_ms, codec)
    assert 0 <= r <= 93.2
    assert 1 <= mos(r) <= 4.5


def noted(lost: list[bool]) -> LossPattern:
    found, came = LossPattern(), 0
    for is_lost in lost:
        if is_lost:
            found.note(came)
            came = 0
        else:
            came += 1
    return found


def test_loss_by_chance_has_a_burst_ratio_of_one_and_runs_have_theirs() -> None:
    dice = random.Random(1)
    lost = [dice.random() < 0.1 for _ in range(20_000)]
    found = noted(lost).losses(lost.count(False))
    assert found.share == pytest.approx(0.1, abs=0.01)
    assert found.burst_ratio == pytest.approx(1.0, abs=0.05)
    runs = ([True] * 4 + [False] * 36) * 500
    assert noted(runs).losses(runs.count(False)).burst_ratio == pytest.approx(3.6)


def test_bursts_and_gaps_are_told_apart_by_sixteen_packets_between_losses() -> None:
    alone = ([False] * 20 + [True]) * 50
    pattern = noted(alone).pattern(alone.count(False))
    assert (pattern.burst_density, pattern.burst_packets) == (0.0, 0.0)
    assert pattern.gap_density == pytest.approx(1 / 21)
    bursts = ([False] * 100 + [True, False, True, True]) * 10
    pattern = noted(bursts).pattern(bursts.count(False))
    assert pattern.burst_density == pytest.approx(0.75)
    assert pattern.burst_packets == 4
    assert pattern.gap_density == 0.0
    assert pattern.gap_packets == pytest.approx(1000 / 11)


@given(st.lists(st.booleans(), max_size=300))
def test_any_pattern_is_within_its_scales(lost: list[bool]) -> None:
    found = noted(lost)
    pattern, losses = found.pattern(lost.count(False)), found.losses(lost.count(False))
    assert 0 <= pattern.burst_density <= 1
    assert 0 <= pattern.gap_density <= 1
    assert 0 <= pattern.burst_packets <= len(lost)
    assert 0 <= pattern.gap_packets <= len(lost)
    assert losses.share == (sum(lost) / len(lost) if lost else 0)
    assert losses.burst_ratio >= 1
