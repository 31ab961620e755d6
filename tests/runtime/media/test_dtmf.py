"""Telephone-events (RFC 4733), received under loss and sent by the clock."""

from __future__ import annotations

import random
from itertools import product
from struct import pack, unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.media import dtmf
from runtime.media.dtmf import DigitReceiver, DigitSender

Packet = tuple[int, bool, bytes]


def event(code: int, duration: int, *, end: bool = False) -> bytes:
    return pack("!BBH", code, (0x80 if end else 0) | 10, duration)


def press(code: int, timestamp: int, ms: int = 100, *, marker: bool = True) -> list[Packet]:
    """A key as a phone sends it: a packet each 20 ms, then the end three times."""
    updates = [(timestamp, marker and n == 1, event(code, 160 * n)) for n in range(1, ms // 20)]
    return [*updates, *[(timestamp, False, event(code, ms * 8, end=True))] * 3]


def digits_of(packets: list[Packet], receiver: DigitReceiver | None = None) -> str:
    receiver = receiver or DigitReceiver(8000)
    return "".join(filter(None, (receiver.receive(*packet) for packet in packets)))


def test_every_digit_is_known_by_its_event_code():
    packets = [packet for code in range(16) for packet in press(code, 1000 + code * 4000)]
    assert digits_of(packets) == "0123456789*#ABCD"


def test_a_digit_is_told_with_its_first_packet():
    receiver = DigitReceiver(8000)
    first, *rest = press(5, 1000)
    assert receiver.receive(*first) == "5"
    assert digits_of(rest, receiver) == ""


def test_any_one_packet_of_a_press_is_enough():
    for packet in press(7, 1000):
        assert digits_of([packet]) == "7"


@pytest.mark.parametrize("marker", [True, False])
def test_every_pattern_of_loss_in_two_presses_of_one_key_gives_two_digits(marker):
    first, second = press(1, 1000, 60, marker=marker), press(1, 1000 + 110 * 8, 60, marker=marker)
    packets = [*first, *second]
    for kept in product([True, False], repeat=len(packets)):
        expected = "1" * (any(kept[: len(first)]) + any(kept[len(first) :]))
        arrived = [packet for packet, keep in zip(packets, kept, strict=True) if keep]
        if arrived and not marker and not any(kept[len(first) - 3 : len(first)]):
            continue  # Neither end nor marker: told apart by distance alone, see below.
        assert digits_of(arrived) == expected


def test_a_lost_end_without_a_marker_is_told_by_the_distance():
    for lost_ends in (3, 4):
        packets = [*press(1, 1000, marker=False)[:-lost_ends], *press(1, 1000 + 8 * 160, marker=False)]
        assert digits_of(packets) == "11"


def test_a_marker_tells_a_new_press_however_close():
    packets = [*press(1, 1000)[:-3], *press(1, 1000 + 8 * 100)]
    assert digits_of(packets) == "11"


def test_an_update_that_comes_after_the_end_does_not_take_the_end_back():
    one = press(1, 1000)
    assert digits_of([*one, one[3], *press(1, 1000 + 8 * 110, marker=False)]) == "11"


def test_a_straggler_of_the_digit_before_is_no_new_digit():
    one, two = press(1, 1000), press(2, 3000)
    assert digits_of([*one[:-1], two[0], one[-1], *two[1:]]) == "12"


def test_duplicated_and_shuffled_packets_within_a_press_are_one_digit():
    packets = press(9, 0xFFFFFF00) * 2
    for seed in range(20):
        shuffled = packets[:]
        random.Random(seed).shuffle(shuffled)
        assert digits_of(shuffled) == "9"


def test_timestamps_wrap():
    assert digits_of([*press(1, 0xFFFFF000), *press(2, 0x00000800)]) == "12"


def test_a_long_press_in_segments_is_one_digit():
    # RFC 4733 §2.5.1.3: after 0xFFFF the next segment starts at the timestamp where this one ends, without a marker.
    packets = [(1000, n == 1, event(3, min(160 * n, 0xFFFF))) for n in range(1, 411)]
    packets += [(1000 + 0xFFFF, False, event(3, 160 * n)) for n in range(1, 20)]
    packets += [(1000 + 0xFFFF, False, event(3, 3200, end=True))] * 3
    assert digits_of(packets) == "3"


@pytest.mark.parametrize("lost", [1, 5, 60, 300])
@pytest.mark.parametrize("segment", [0xFFFF, 0xFFFF - 0xFFFF % 160])
def test_a_long_press_is_one_digit_whatever_is_lost_around_the_end_of_a_segment(lost, segment):
    first = [(1000, n == 1, event(3, 160 * n)) for n in range(1, segment // 160 + 1)]
    second = [(1000 + segment, False, event(3, 160 * n)) for n in range(1, 50)]
    end = [(1000 + segment, False, event(3, 160 * 50, end=True))] * 3
    next_press = press(3, 1000 + segment + 160 * 60, marker=False)
    assert digits_of([*first[:-lost], *second[1:], *end]) == "3"
    assert digits_of([*first[:-lost], *second[lost:], *end, *next_press]) == "33"


@pytest.mark.parametrize("grows", [True, False])
def test_a_sender_that_moves_the_timestamp_with_each_packet_presses_one_key(grows):
    packets = [(1000 + 160 * n, False, event(4, 160 * (n + 1) if grows else 160)) for n in range(8)]
    packets.append((1000 + 160 * 8, False, event(4, 160 * 9 if grows else 160, end=True)))
    assert digits_of(packets) == "4"
    assert digits_of([*packets, *press(4, 6000)]) == "44"


def test_another_stream_may_have_older_timestamps():
    receiver = DigitReceiver(8000)
    assert digits_of(press(1, 50_000), receiver) == "1"
    receiver.restart()
    assert digits_of(press(2, 40_000), receiver) == "2"


def test_a_sender_that_sets_its_clock_far_back_is_heard():
    assert digits_of([*press(1, 500_000), *press(2, 1000)]) == "12"


def test_events_that_are_no_digits_are_counted_once_and_not_told():
    receiver = DigitReceiver(8000)
    assert digits_of(press(16, 1000), receiver) == ""
    assert receiver.ignored == 1


@pytest.mark.parametrize("size", range(4))
def test_a_truncated_event_is_counted(size):
    receiver = DigitReceiver(8000)
    assert receiver.receive(1000, True, event(1, 160)[:size]) is None
    assert receiver.malformed == 1


@given(st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.booleans(), st.binary(max_size=8)), max_size=60))
def test_no_events_raise(packets):
    assert set(digits_of(packets)) <= set(dtmf.EVENTS)


@given(st.lists(st.integers(0, 15), min_size=1, max_size=12), st.integers(0, 0xFFFFFFFF), st.integers(0, 2**32))
def test_what_the_sender_sends_the_receiver_tells_whatever_single_packets_are_lost(codes, start, seed):
    chance = random.Random(seed)
    sender = DigitSender(8000)
    text = "".join(dtmf.EVENTS[code] for code in codes)
    sender.add(text)
    arrived = []
    for tick in range(26 * len(codes)):
        sent = sender.tick((start + 160 * tick) & 0xFFFFFFFF)
        if sent is not None and chance.random() > 0.3:
            arrived.append((sent[1], sent[2], sent[0]))
    assert digits_of(arrived) == text


def sent_by(sender: DigitSender, ticks: int, start: int = 0) -> list[tuple[int, int, int, bool, int, bool] | None]:
    """Per tick: code, flags, duration, marker, timestamp; None where the tick belongs to audio."""
    out = []
    for tick in range(ticks):
        packet = sender.tick(start + 160 * tick)
        if packet is None:
            out.append(None)
        else:
            payload, timestamp, marker = packet
            code, flags, duration = unpack("!BBH", payload)
            out.append((code, flags & 0x7F, duration, bool(flags & 0x80), timestamp, marker))
    return out


def test_a_digit_is_sent_for_250_ms_with_three_ends_and_a_gap_of_250_ms():
    sender = DigitSender(8000)
    sender.add("5#")
    out = sent_by(sender, 50)
    first, second = out[:25], out[25:]
    assert first[0] == (5, 10, 160, False, 0, True)
    assert [packet[2] for packet in first if packet] == [*range(160, 2000, 160), 2000, 2000, 2000]
    assert [packet[3] for packet in first if packet] == [False] * 12 + [True] * 3
    assert {packet[4] for packet in first if packet} == {0}
    assert [packet[5] for packet in first if packet] == [True] + [False] * 14
    assert first[15:] == [None] * 10
    assert second[0] == (11, 10, 160, False, 25 * 160, True)
    assert not sender.pending


@pytest.mark.parametrize(("tone_ms", "gap_ms", "ticks"), [(100, 100, 10), (40, 40, 4), (60, 0, 5), (1000, 50, 53)])
def test_tone_and_gap_can_be_set(tone_ms, gap_ms, ticks):
    sender = DigitSender(8000)
    sender.add("12", tone_ms, gap_ms)
    out = sent_by(sender, 2 * ticks)
    starts = [tick for tick, packet in enumerate(out) if packet and packet[5]]
    assert starts == [0, ticks]
    assert max(packet[2] for packet in out if packet) == tone_ms * 8


def test_w_is_half_a_second_of_pause():
    sender = DigitSender(8000)
    sender.add("ww1")
    out = sent_by(sender, 50)
    assert out == [None] * 50
    assert sender.pending
    assert sent_by(sender, 1, start=8000) == [(1, 10, 160, False, 8000, True)]


def test_letters_are_sent_in_either_case():
    sender = DigitSender(8000)
    assert sender.add("AaDd", 40, 0)
    codes = [packet[0] for packet in sent_by(sender, 40) if packet and packet[5]]
    assert codes == [12, 12, 15, 15]


def test_pending_ends_with_the_last_end_packet():
    sender = DigitSender(8000)
    assert not sender.pending
    sender.add("1")
    sent_by(sender, 14)
    assert sender.pending
    sent_by(sender, 1)
    assert not sender.pending


def test_what_is_no_digit_is_refused_whole():
    sender = DigitSender(8000)
    for text in ("12e", "1 2", "+1", "W", "\u0661"):
        assert not dtmf.is_digits(text)
        with pytest.raises(ValueError, match="digits are"):
            sender.add(text)
    assert not sender.pending


def test_the_queue_is_bounded():
    sender = DigitSender(8000)
    assert sender.add("1" * dtmf.DIGITS_QUEUED_MAX)
    assert not sender.add("2")


def test_an_interrupted_digit_counts_as_sent_and_the_next_ones_wait():
    sender = DigitSender(8000)
    sender.add("12")
    sent_by(sender, 3)
    sender.interrupt()
    out = sent_by(sender, 30, start=9000)
    assert [packet[0] for packet in out if packet and packet[5]] == [2]


@pytest.mark.parametrize("tone_ms", [250, 1_300, 3_000, 6_000])
def test_at_48_khz_a_long_press_goes_in_segments_and_is_one_press(tone_ms: int) -> None:
    """A duration has 16 bits: 1.37 s at this clock (RFC 4733 section 2.5.1.3)."""
    sender, receiver = DigitSender(48_000), DigitReceiver(48_000)
    sender.add("5", tone_ms, 100)
    told, packets = [], []
    for tick in range(tone_ms // 20 + 10):
        event = sender.tick(7_000 + tick * 960)
        if event is not None:
            payload, timestamp, marker = event
            packets.append((timestamp, int.from_bytes(payload[2:]), marker))
            told.append(receiver.receive(timestamp, marker, payload))
    assert [digit for digit in told if digit] == ["5"]
    assert [marker for *_, marker in packets].count(True) == 1
    ends = {timestamp: max(d for t, d, _ in packets if t == timestamp) for timestamp, *_ in packets}
    assert sum(ends.values()) == tone_ms * 48, "the segments follow each other without a gap"
    assert all(a + d == b for (a, d), b in zip(ends.items(), list(ends)[1:], strict=False))
