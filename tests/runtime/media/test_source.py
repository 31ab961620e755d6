"""Whose packets are heard: learning, locking, and those who would like to be heard instead."""

from __future__ import annotations

import random

import pytest

from runtime.media import source
from runtime.media.source import ACCEPTED, ANYBODY, NEW_STREAM, PENDING, REJECTED, Peer, SourceLock
from schemas.tables.networks import compile_networks

SDP = ("192.0.2.10", 4000)
NATTED = ("198.51.100.7", 61000)
SAME_HOST = ("192.0.2.10", 4002)
ATTACKER = ("203.0.113.66", 5555)


BEHIND_NAT = Peer(NATTED[0])
"""What is known of a phone whose SDP names a private address: its signalling comes from the NAT's."""


def stream(lock: SourceLock, address, ssrc: int, start: float, seconds: float, *, pace: float = 0.02) -> list[int]:
    """Audio of one sender, whose sequence numbers go on with the clock."""
    first = int(start / pace + 0.5)
    ticks = range(int(seconds / pace + 1e-6))
    return [lock.judge(address, ssrc, first + tick & 0xFFFF, start + tick * pace) for tick in ticks]


def judge(lock: SourceLock, address, ssrc: int, now: float) -> int:
    """One packet of a sender as `stream` has it."""
    return lock.judge(address, ssrc, int(now / 0.02 + 0.5) & 0xFFFF, now)


def test_the_address_of_the_sdp_locks_with_its_first_packet():
    lock = SourceLock(SDP)
    assert judge(lock, SDP, 1, 0.0) == NEW_STREAM
    assert lock.locked == SDP
    assert judge(lock, SDP, 1, 0.02) == ACCEPTED


def test_a_peer_behind_nat_is_heard_at_once_and_locked_after_the_window():
    lock = SourceLock(SDP, BEHIND_NAT)
    verdicts = stream(lock, NATTED, 1, 0.0, 0.48)
    assert verdicts == [NEW_STREAM] + [ACCEPTED] * (len(verdicts) - 1)
    assert lock.locked is None
    stream(lock, NATTED, 1, 0.48, 0.1)
    assert lock.locked == NATTED


def test_after_the_lock_all_others_are_refused_whatever_ssrc_they_claim():
    lock = SourceLock(SDP)
    stream(lock, SDP, 1, 0.0, 1.0)
    assert set(stream(lock, ATTACKER, 1, 1.0, 10.0)) == {REJECTED}
    assert set(stream(lock, SAME_HOST, 2, 11.0, 10.0)) == {REJECTED}
    assert judge(lock, SDP, 1, 60.0) == ACCEPTED


def test_an_attacker_who_was_first_loses_to_the_address_of_the_sdp():
    lock = SourceLock(SDP)
    stream(lock, ATTACKER, 66, 0.0, 0.3)
    assert judge(lock, SDP, 1, 0.3) == NEW_STREAM
    assert judge(lock, ATTACKER, 66, 0.31) == REJECTED
    assert lock.locked == SDP


def test_an_attacker_who_was_first_loses_to_the_host_of_the_sdp():
    lock = SourceLock(SDP)
    stream(lock, ATTACKER, 66, 0.0, 0.3)
    assert judge(lock, SAME_HOST, 1, 0.3) == NEW_STREAM
    assert judge(lock, ATTACKER, 66, 0.31) == REJECTED
    stream(lock, SAME_HOST, 1, 0.32, 0.4)
    assert lock.locked == SAME_HOST


def test_one_packet_sprayed_over_all_ports_does_not_take_a_call_from_a_peer_behind_nat():
    lock = SourceLock(SDP)
    judge(lock, ATTACKER, 66, 0.0)
    stream(lock, NATTED, 1, 0.1, 1.0)
    assert lock.locked == NATTED


def test_a_candidate_that_fell_silent_is_forgotten():
    lock = SourceLock(SDP, BEHIND_NAT)
    stream(lock, ATTACKER, 66, 0.0, 0.4)
    assert judge(lock, NATTED, 1, 5.0) == NEW_STREAM
    stream(lock, NATTED, 1, 5.02, 1.0)
    assert lock.locked == NATTED


def test_a_single_packet_never_locks_but_the_sdp_s():
    lock = SourceLock(SDP)
    judge(lock, ATTACKER, 66, 0.0)
    assert lock.locked is None
    for tick in range(100):
        judge(lock, (ATTACKER[0], 6000 + tick), 66, 0.3 * tick)
        assert lock.locked is None


def test_a_flood_from_many_addresses_is_bounded():
    lock = SourceLock(SDP)
    stream(lock, NATTED, 1, 0.0, 0.1)
    for port in range(10_000):
        judge(lock, (ATTACKER[0], port), port, 0.1)
    assert len(lock._candidates) <= source.CANDIDATES_MAX
    stream(lock, NATTED, 1, 0.12, 0.5)
    assert lock.locked == NATTED


def test_a_carrier_that_switches_its_source_is_heard_when_the_old_stream_is_silent():
    lock = SourceLock(SDP)
    stream(lock, SDP, 1, 0.0, 1.0)
    assert stream(lock, SDP, 2, 1.0, 0.08) == [PENDING, PENDING, NEW_STREAM, ACCEPTED]
    assert lock.locked == SDP


def test_two_interleaved_streams_do_not_tear_each_other_apart():
    lock = SourceLock(SDP)
    stream(lock, SDP, 1, 0.0, 1.0)
    verdicts = [judge(lock, SDP, ssrc, 1.0) for _ in range(50) for ssrc in (2, 1)]
    assert verdicts == [PENDING, ACCEPTED] * 50


def test_a_re_invite_opens_the_window_for_the_new_address():
    lock = SourceLock(SDP)
    stream(lock, SDP, 1, 0.0, 1.0)
    moved = ("192.0.2.99", 7000)
    lock.reopen(moved, ANYBODY)
    assert judge(lock, SDP, 1, 1.0) == ACCEPTED
    assert judge(lock, moved, 5, 1.02) == NEW_STREAM
    assert lock.locked == moved
    assert judge(lock, SDP, 1, 1.04) == REJECTED


def test_after_a_re_invite_the_old_stream_is_not_locked_when_it_ends_before_the_new_one_starts():
    lock = SourceLock(SDP)
    stream(lock, SDP, 1, 0.0, 1.0)
    lock.reopen(("10.0.0.5", 7000), BEHIND_NAT)
    stream(lock, SDP, 1, 1.0, 0.2)
    verdicts = stream(lock, NATTED, 9, 1.6, 0.6)
    assert verdicts[0] == NEW_STREAM
    assert lock.locked == NATTED


def test_calls_that_share_one_remote_address_do_not_know_of_each_other():
    locks = [SourceLock(SDP) for _ in range(100)]
    for ssrc, lock in enumerate(locks):
        assert judge(lock, SDP, ssrc, 0.0) == NEW_STREAM
    assert {lock.locked for lock in locks} == {SDP}
    assert [lock.ssrc for lock in locks] == list(range(100))


def test_who_nothing_speaks_for_is_not_heard_before_it_is_locked():
    lock = SourceLock(SDP)
    assert set(stream(lock, ATTACKER, 66, 0.0, 0.48)) == {REJECTED}
    assert lock.judge(SDP, 1, 7, 0.48) == NEW_STREAM
    assert set(stream(lock, ATTACKER, 66, 0.5, 2.0)) == {REJECTED}


def test_a_peer_that_nothing_speaks_for_is_heard_all_the_same_when_nobody_else_is_there():
    lock = SourceLock(SDP)
    verdicts = stream(lock, NATTED, 1, 0.0, 1.0)
    assert verdicts[:25] == [REJECTED] * 25
    assert verdicts[25:] == [NEW_STREAM] + [ACCEPTED] * 24


def test_the_host_of_the_signalling_goes_before_who_was_first_and_sends_more():
    lock = SourceLock(("10.0.0.5", 7000), BEHIND_NAT)
    stream(lock, ATTACKER, 66, 0.0, 0.3, pace=0.01)
    for tick in range(60):
        now = 0.3 + tick * 0.02
        for more in range(4):
            assert lock.judge(ATTACKER, 66, 30 + 4 * tick + more, now) == REJECTED
        assert lock.judge(NATTED, 1, tick, now) == (ACCEPTED if tick else NEW_STREAM)
    assert lock.locked == NATTED


def test_packets_out_of_any_sequence_or_faster_than_speech_gain_nothing_on_a_stream():
    dice = random.Random(5)
    lock = SourceLock(("10.0.0.5", 7000))
    for tick in range(30):
        now = tick * 0.02
        for _ in range(20):
            lock.judge(ATTACKER, dice.getrandbits(32), dice.getrandbits(16), now)
        lock.judge(NATTED, 1, tick, now)
    assert lock.locked == NATTED


def test_a_trunk_s_list_is_kept_whatever_the_sdp_says():
    lock = SourceLock(ATTACKER, Peer(ATTACKER[0], compile_networks(["192.0.2.0/24", "2001:db8::/32"])))
    assert set(stream(lock, ATTACKER, 66, 0.0, 3.0)) == {REJECTED}
    assert lock.outside == ATTACKER[0]
    assert stream(lock, SAME_HOST, 1, 3.0, 0.1) == [NEW_STREAM] + [ACCEPTED] * 4
    stream(lock, SAME_HOST, 1, 3.1, 0.6)
    assert lock.locked == SAME_HOST
    assert judge(lock, ATTACKER, 1, 3.8) == REJECTED, "it is the address of the SDP, and still nobody"


def test_a_nat_that_changes_the_port_in_a_call_is_followed_where_the_very_stream_goes_on():
    lock = SourceLock(SDP, BEHIND_NAT)
    stream(lock, NATTED, 1, 0.0, 1.0)
    moved = (NATTED[0], 61999)
    assert set(stream(lock, moved, 1, 1.0, 0.9)) == {REJECTED}, "the locked address may still live"
    assert judge(lock, (ATTACKER[0], 1), 1, 2.0) == REJECTED, "another host"
    assert judge(lock, moved, 2, 2.0) == REJECTED, "another stream"
    assert lock.judge(moved, 1, 40_000, 2.0) == REJECTED, "nor is this what it would say next"
    assert judge(lock, moved, 1, 2.02) == ACCEPTED
    assert lock.locked == moved
    assert judge(lock, NATTED, 1, 2.04) == REJECTED


def test_another_ssrc_is_never_heard_while_the_first_lives_and_takes_two_packets_in_sequence():
    lock = SourceLock(SDP)
    stream(lock, SDP, 1, 0.0, 1.0)
    for tick in range(50):
        now = 1.0 + tick * 0.02
        assert [lock.judge(SDP, 2, 2 * tick + more, now) for more in (0, 1)] == [PENDING, PENDING]
        assert judge(lock, SDP, 1, now) == ACCEPTED
    assert [lock.judge(SDP, 3, sequence, 2.1) for sequence in (900, 7, 60_000)] == [PENDING] * 3
    assert lock.judge(SDP, 3, 60_001, 2.12) == NEW_STREAM


def test_what_is_not_audio_begins_no_stream():
    lock = SourceLock(SDP)
    assert [lock.judge(SDP, 9, n, n * 0.02, is_audio=False) for n in range(9)] == [PENDING] * 9
    assert judge(lock, SDP, 1, 1.0) == NEW_STREAM
    assert [lock.judge(SDP, 9, n, 2 + n * 0.02, is_audio=False) for n in range(9)] == [PENDING] * 9
    assert lock.ssrc == 1


@pytest.mark.parametrize("seed", range(20))
def test_no_order_of_packets_raises_or_takes_the_call_from_the_address_of_the_sdp(seed: int):
    dice = random.Random(seed)
    lock = SourceLock(SDP, BEHIND_NAT)
    hosts = [(f"203.0.113.{n}", 5000 + n) for n in range(12)] + [NATTED, SAME_HOST]
    now = 0.0
    for _ in range(500):
        now += dice.random() * 0.05
        lock.judge(dice.choice(hosts), dice.randrange(4), dice.randrange(8), now, is_audio=dice.random() < 0.9)
        assert len(lock._candidates) <= source.CANDIDATES_MAX
    assert lock.judge(SDP, 77, 1, now) in (NEW_STREAM, PENDING)
    assert lock.locked == SDP
    assert {lock.judge(dice.choice(hosts), dice.randrange(4), 1, now + 0.01) for _ in range(50)} == {REJECTED}
