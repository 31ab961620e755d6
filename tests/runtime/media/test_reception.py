"""Sequence numbers, loss and jitter of a stream, by RFC 3550's appendix A."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media.reception import AHEAD, DUPLICATE, NEXT, REORDERED, RESTARTED, STRANGE, Reception, make_reception

pytestmark = pytest.mark.usefixtures("each_core")


def fed(*sequences: int) -> tuple[Reception, list[int]]:
    received = make_reception(8000)
    return received, [received.arrived(sequence & 0xFFFF, n * 0.02) for n, sequence in enumerate(sequences)]


def test_packets_in_order_are_next_across_the_wrap():
    received, orders = fed(65534, 65535, 65536, 65537)
    assert orders == [NEXT] * 4
    assert received.lost == 0
    assert received.report()[2] == 0x10001


def test_a_gap_is_loss_until_the_late_ones_come():
    received, orders = fed(1, 2, 5)
    assert (orders[-1], received.lost) == (AHEAD, 2)
    assert received.arrived(4, 9.0) == REORDERED
    assert received.arrived(3, 9.0) == REORDERED
    assert received.lost == 0


def test_a_duplicate_is_known_however_old():
    received, _ = fed(*range(100))
    assert [received.arrived(n, 9.0) for n in (99, 50, 1)] == [DUPLICATE] * 3
    assert (received.duplicates, received.lost, received.received) == (3, 0, 103)


def test_packets_before_the_first_are_no_negative_loss():
    received, orders = fed(10, 9, 8)
    assert orders == [NEXT, REORDERED, REORDERED]
    assert received.lost == 0
    assert fed(10, 8)[0].lost == 1


def test_one_strange_sequence_number_is_dropped_and_two_in_a_row_are_a_restart_when_the_old_ones_are_over():
    received, orders = fed(1, 2, 30000, 3, 30000, 30001, 30002, 30003)
    assert orders == [NEXT, NEXT, STRANGE, NEXT, STRANGE, STRANGE, RESTARTED, NEXT]
    assert received.lost == 0


def test_old_packets_that_somebody_plays_again_take_over_nothing_while_the_stream_lives():
    received, _ = fed(*range(500))
    for n in range(500, 600):
        again = [received.arrived(n - 490 + more, n * 0.02) for more in range(4)]
        assert set(again) == {STRANGE}
        assert received.arrived(n, n * 0.02) == NEXT
    assert (received.lost, received.received) == (0, 600)


def test_totals_live_on_when_the_stream_changes_and_reports_do_not():
    received, _ = fed(1, 2, 4)
    received.restart()
    received.arrived(500, 9.0)
    assert (received.lost, received.received) == (1, 4)
    assert received.report()[:3] == (0, 0, 500)


def test_a_report_tells_the_loss_since_the_one_before():
    received, _ = fed(*range(100))
    assert received.report()[:2] == (0, 0)
    for sequence in range(100, 200, 2):
        received.arrived(sequence, 9.0)
    fraction, lost, _, _ = received.report()
    assert lost == 49
    assert fraction == (49 << 8) // 99
    assert received.report()[0] == 0


def test_duplicates_make_the_reported_loss_negative_as_the_rfc_has_it():
    received, _ = fed(1, 2, 2, 2)
    assert received.report()[1] == -2


def test_jitter_is_that_of_the_rfc():
    received, _ = fed(1)
    expected = 0.0
    last = None
    for n, late in enumerate([0.0, 0.005, 0.0, 0.010, 0.002]):
        now = n * 0.02 + late
        received.note_transit(n * 160, now)
        if last is not None:
            expected += (abs(late - last) * 1000 - expected) / 16
        last = late
    assert received.jitter_ms == pytest.approx(expected)


def test_a_clock_that_is_set_is_no_jitter():
    received, _ = fed(1)
    received.note_transit(0, 0.0)
    received.note_transit(0x80000000, 0.02)
    assert received.jitter_ms == 0


@given(st.lists(st.integers(0, 0xFFFF), max_size=300))
def test_no_sequence_numbers_make_the_counters_absurd(sequences):
    received, orders = fed(*sequences)
    fraction, cumulative, highest, jitter = received.report() if sequences else (0, 0, 0, 0)
    assert 0 <= fraction <= 255
    assert -0x800000 <= cumulative <= 0x7FFFFF
    assert 0 <= highest <= 0xFFFFFFFF
    assert jitter == 0
    assert received.received == sum(order != STRANGE for order in orders)
    assert received.duplicates == orders.count(DUPLICATE)


@given(st.permutations(list(range(40))), st.sets(st.integers(1, 38)), st.integers(0, 0xFFFF))
def test_loss_is_exact_for_any_order_of_arrival(order, missing, first):
    received = make_reception(8000)
    received.arrived(first, 9.0)
    for number in order:
        if number not in missing and number != 0:
            received.arrived((first + number) & 0xFFFF, 9.0)
    assert received.lost == len(missing)
