"""The playout buffer under simulated networks, in virtual time."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.media import jitter
from runtime.media.codecs.codec import OPUS, PCMA, PCMU
from runtime.media.jitter import Cell, Piece, make_playout
from tests.runtime.media.network import TICK_S, Network, frame, number_of, play

pytestmark = pytest.mark.usefixtures("each_core")


def heard(played) -> list[int]:
    return [number for number in played.numbers if number is not None]


def whole_of(cell: Cell | None) -> bytes | None:
    """The payload of a tick, if there is one."""
    return cell.payload if isinstance(cell, Piece) else cell


def talking_in_turns(number: int) -> bool:
    """Two seconds of speech, two of quiet."""
    return (number // 100) % 2 == 1


def accounted(played) -> int:
    """Packets whose fate is known: played, left out, given up, too late, or still to be played."""
    buffer = played.buffer
    return len(set(heard(played))) + buffer.skipped + buffer.discarded + buffer.late + buffer.waiting


def test_a_perfect_network_is_played_whole_and_in_order_within_the_target():
    played = play(Network(), 60)
    assert heard(played) == list(range(played.sent))
    assert max(played.leads_ms) <= jitter.delay_ms_start
    first = next(tick for tick, number in enumerate(played.numbers) if number == 0)
    assert first * TICK_S - 0.05 <= 0.06
    buffer = played.buffer
    assert (buffer.concealed, buffer.skipped, buffer.inserted, buffer.late, buffer.starved) == (0, 0, 0, 0, 1)


@pytest.mark.parametrize("every", [2, 3, 10])
def test_each_single_loss_is_made_good_in_its_place(every):
    network = Network()
    count = iter(range(100_000))
    whole = network.arrivals
    network.arrivals = lambda at: [] if next(count) % every == every - 1 else whole(at)
    played = play(network, 60)
    lost = played.reception.lost
    assert lost >= played.sent // every - 1
    assert played.buffer.concealed == lost
    assert played.made_up == lost + jitter.fade_ticks
    assert played.buffer.losses.lost == lost
    assert played.buffer.starved == 1


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.2, 0.5])
@pytest.mark.parametrize("seed", [1, 2])
def test_under_random_loss_every_packet_is_accounted_for(loss, seed):
    played = play(Network(loss=loss, seed=seed), 300)
    assert accounted(played) == played.reception.received
    assert heard(played) == sorted(heard(played))
    assert played.buffer.concealed <= played.reception.lost
    assert max(played.leads_ms) <= jitter.delay_ms_wanted_max


@pytest.mark.parametrize("jitter_s", [0.01, 0.02, 0.04, 0.06])
def test_jitter_within_reach_of_the_buffer_costs_nothing(jitter_s):
    played = play(Network(jitter_s=jitter_s), 300, is_quiet=talking_in_turns)
    assert played.buffer.concealed == 0
    assert set(range(played.sent)) - set(heard(played)) == set()
    assert max(played.leads_ms) <= 100


def test_jitter_beyond_the_start_delay_is_met_by_growing():
    played = play(Network(jitter_s=0.1), 300)
    assert accounted(played) == played.reception.received
    assert played.buffer.late + played.buffer.concealed < played.sent / 500
    assert max(played.leads_ms) <= jitter.delay_ms_max


def test_loss_jitter_and_duplicates_together_keep_order_and_bounds():
    for seed in range(5):
        played = play(Network(jitter_s=0.05, loss=0.03, duplicated=0.05, seed=seed), 120)
        assert heard(played) == sorted(heard(played))
        assert played.reception.duplicates > 200
        assert accounted(played) == played.reception.received - played.reception.duplicates
        assert max(played.leads_ms) <= jitter.delay_ms_max


@pytest.mark.parametrize("skew_ppm", [100, 1000, -100, -1000])
@pytest.mark.parametrize("jitter_s", [0.0, 0.02])
def test_a_sender_with_another_clock_is_followed_in_silence(skew_ppm, jitter_s):
    seconds = 600
    played = play(Network(skew_ppm=skew_ppm, jitter_s=jitter_s), seconds, is_quiet=talking_in_turns)
    drifted = abs(skew_ppm) * 1e-6 * seconds / TICK_S
    buffer = played.buffer
    corrections = buffer.skipped - buffer.inserted if skew_ppm > 0 else buffer.inserted - buffer.skipped
    assert corrections == pytest.approx(drifted, abs=2)
    assert buffer.starved <= 1
    assert max(played.leads_ms) <= 80
    inside = heard(played)
    left_out = set(range(inside[-1])) - set(inside)
    longer = {b for a, b in pairwise(played.numbers[5:-60]) if a is None and b is not None}
    assert all(map(talking_in_turns, left_out | longer))


@pytest.mark.parametrize("skew_ppm", [200, 5000, -200, -5000])
def test_a_sender_that_never_pauses_does_not_make_the_delay_grow(skew_ppm):
    played = play(Network(skew_ppm=skew_ppm), 600)
    assert max(played.leads_ms) <= jitter.delay_ms_wanted_max
    assert accounted(played) == played.reception.received
    assert len(heard(played)) > 0.99 * played.sent / (1 + abs(skew_ppm) * 1e-6)


def test_after_a_stall_of_the_network_the_delay_comes_back():
    played = play(Network(spikes=((10, 10.5, 1),)), 60, is_quiet=talking_in_turns)
    assert max(played.leads_ms) <= jitter.delay_ms_max
    after = played.leads_ms[int(30 / TICK_S) : int(58 / TICK_S)]
    assert max(after) <= jitter.delay_ms_start
    assert accounted(played) == played.reception.received


def test_stalls_that_keep_coming_are_answered_with_a_longer_lead():
    stalls = tuple((at, at + 0.08, 1.0) for at in range(5, 290, 4))
    played = play(Network(spikes=stalls), 300, is_quiet=talking_in_turns)
    assert played.buffer.starved <= len(stalls) // 5
    assert max(played.leads_ms) <= jitter.delay_ms_max


@pytest.mark.parametrize("packet_ms", [10, 20, 30, 40, 60, 90])
def test_packets_of_any_length_come_out_as_frames_of_20_ms(packet_ms):
    random_bytes = random.Random(packet_ms).randbytes(60 * 160 * 3)
    size = packet_ms * 8
    buffer = make_playout(PCMU)
    out = bytearray()
    sent = 0
    for tick in range(len(random_bytes) // 160 + 20):
        while sent * packet_ms <= tick * 20 and len(random_bytes) >= (sent + 1) * size:
            payload = random_bytes[sent * size : (sent + 1) * size]
            buffer.insert(sent * size + 77, payload, sent * packet_ms / 1000)
            sent += 1
        out += whole_of(buffer.pull(tick * TICK_S)) or b""
    whole = len(random_bytes) // size * size
    assert bytes(out[: whole - 160]) == random_bytes[: whole - 160]
    assert (buffer.concealed, buffer.late, buffer.skipped) == (0, 0, 0)


def test_silence_that_was_not_sent_keeps_its_length_and_is_no_loss():
    buffer = make_playout(PCMU)
    out = []
    for tick in range(40):
        if tick < 10 or tick >= 12:
            buffer.insert(tick * 160, frame(tick), tick * TICK_S)
        pulled = whole_of(buffer.pull(tick * TICK_S))
        out.append(None if pulled is None else number_of(pulled))
    gap = out[out.index(9) + 1 : out.index(12)]
    assert gap == [None] * len(gap)
    assert 1 <= len(gap) <= 3
    assert buffer.concealed == 0


def test_silence_between_packets_that_came_in_one_burst_is_no_loss():
    buffer = make_playout(PCMU)
    for number, follows in [(0, True), (1, True), (3, True), (5, False)]:
        buffer.insert(number * 160, frame(number), 0.0, follows=follows)
    out = [buffer.pull(tick * TICK_S) for tick in range(6)]
    # Nothing is missing by number before frame 3, something is before frame 5.
    assert out == [frame(0), frame(1), None, frame(3), Piece(None, following=frame(5)), frame(5)]
    assert buffer.concealed == 1


def test_a_long_pause_starts_playing_anew_without_a_hole():
    buffer = make_playout(PCMU)
    for tick in range(20):
        buffer.insert(tick * 160, frame(tick), tick * TICK_S)
        buffer.pull(tick * TICK_S)
    for tick in range(20, 520):
        buffer.pull(tick * TICK_S)
    out = []
    for tick in range(520, 540):
        buffer.insert(tick * 160, frame(tick), tick * TICK_S)
        out.append(buffer.pull(tick * TICK_S))
    assert [number_of(pulled) for pulled in map(whole_of, out) if pulled] == list(range(520, 539))
    assert (buffer.concealed, buffer.late) == (0, 0)


@pytest.mark.parametrize("jump", [-90_000, 5_000_000, 0x7FFFFFFF, -0x70000000])
def test_a_sender_that_sets_its_timestamps_is_heard_again_at_once(jump):
    buffer = make_playout(PCMA)
    out = []
    for tick in range(60):
        timestamp = tick * 160 + 1_000_000 + (jump if tick >= 30 else 0)
        buffer.insert(timestamp & 0xFFFFFFFF, frame(tick), tick * TICK_S)
        out.append(buffer.pull(tick * TICK_S))
    numbers = [number_of(pulled) for pulled in map(whole_of, out) if pulled]
    assert set(range(32, 57)) <= set(numbers)


def test_neighbours_that_change_places_are_played_in_order():
    buffer = make_playout(PCMU)
    out = []
    for pair in range(50):
        for place, number in enumerate((2 * pair + 1, 2 * pair)):
            now = (2 * pair + place) * TICK_S
            buffer.insert(number * 160, frame(number), now, newest=place == 0, follows=False)
            out.append(buffer.pull(now))
    numbers = [number_of(pulled) for pulled in map(whole_of, out) if pulled]
    assert numbers == sorted(numbers)
    assert (buffer.late, buffer.concealed) == (0, 0)


def test_flushing_forgets_the_audio_and_keeps_the_counters():
    buffer = make_playout(PCMU)
    for tick in range(5):
        buffer.insert(tick * 160, frame(tick), 0.0)
    buffer.insert(99_999, b"", 0.0)
    buffer.insert(99_999, bytes(jitter.PAYLOAD_BYTES_MAX + 1), 0.0)
    buffer.flush(PCMA)
    assert buffer.pull(1.0) is None
    assert buffer.lead_ms == 0


@pytest.mark.parametrize(
    ("codec", "sent"),
    [
        (PCMU, [(0, bytes(160)), (0, bytes(80))]),
        (PCMU, [(0, bytes(80)), (0, bytes(160))]),
        (OPUS, [(0, bytes([1 << 3])), (0, bytes([16 << 3])), (120, bytes([16 << 3]))]),
    ],
    ids=["part-behind-whole", "whole-behind-part", "short-behind-whole"],
)
def test_parts_of_what_is_played_whole_are_not_kept(codec, sent):
    buffer = make_playout(codec)
    for tick in range(100):
        for offset, payload in sent:
            buffer.insert(tick * codec.step + offset, payload, tick * TICK_S)
        buffer.pull(tick * TICK_S)
    assert buffer.unfinished <= 3


STEPS = st.lists(
    st.tuples(
        st.integers(0, 0xFFFFFFFF) | st.integers(0, 4000).map(lambda n: n * 80),
        st.integers(0, 500) | st.sampled_from([80, 160, 240, 480, 1600]),
        st.booleans(),
        st.booleans(),
        st.integers(0, 3),
    ),
    max_size=200,
)


@settings(max_examples=200)
@given(STEPS)
def test_no_packets_at_all_break_the_buffer_or_make_it_grow(steps):
    buffer = make_playout(PCMU)
    now = 0.0
    for timestamp, size, newest, follows, pulls in steps:
        buffer.insert(timestamp, bytes([0x10]) * size, now, newest=newest, follows=follows)
        # The bound is the lead and one packet of the longest kind, in frames.
        assert buffer.waiting + buffer.unfinished <= (jitter.delay_ms_max + 200) // 20 + 2
        assert buffer.lead_ms <= jitter.delay_ms_max
        for _ in range(pulls):
            pulled = buffer.pull(now)
            assert pulled is None or isinstance(pulled, Piece) or len(pulled) == 160
            now += TICK_S
