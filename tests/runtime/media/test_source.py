"""Whose packets are heard: learning, locking, and those who would like to be heard instead."""

from __future__ import annotations

from runtime.media import source
from runtime.media.source import ACCEPTED, NEW_STREAM, PENDING, REJECTED, SourceLock

SDP = ("192.0.2.10", 4000)
NATTED = ("198.51.100.7", 61000)
SAME_HOST = ("192.0.2.10", 4002)
ATTACKER = ("203.0.113.66", 5555)


def stream(lock: SourceLock, address, ssrc: int, start: float, seconds: float) -> list[int]:
    return [lock.judge(address, ssrc, start + tick * 0.02) for tick in range(int(seconds / 0.02))]


def test_the_address_of_the_sdp_locks_with_its_first_packet():
    lock = SourceLock(SDP)
    assert lock.judge(SDP, 1, 0.0) == NEW_STREAM
    assert lock.locked == SDP
    assert lock.judge(SDP, 1, 0.02) == ACCEPTED


def test_a_peer_behind_nat_is_heard_at_once_and_locked_after_the_window():
    lock = SourceLock(SDP)
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
    assert lock.judge(SDP, 1, 60.0) == ACCEPTED


def test_an_attacker_who_was_first_loses_to_the_address_of_the_sdp():
    lock = SourceLock(SDP)
    stream(lock, ATTACKER, 66, 0.0, 0.3)
    assert lock.judge(SDP, 1, 0.3) == NEW_STREAM
    assert lock.judge(ATTACKER, 66, 0.31) == REJECTED
    assert lock.locked == SDP


def test_an_attacker_who_was_first_loses_to_the_host_of_the_sdp():
    lock = SourceLock(SDP)
    stream(lock, ATTACKER, 66, 0.0, 0.3)
    assert lock.judge(SAME_HOST, 1, 0.3) == NEW_STREAM
    assert lock.judge(ATTACKER, 66, 0.31) == REJECTED
    stream(lock, SAME_HOST, 1, 0.32, 0.4)
    assert lock.locked == SAME_HOST


def test_one_packet_sprayed_over_all_ports_does_not_take_a_call_from_a_peer_behind_nat():
    lock = SourceLock(SDP)
    lock.judge(ATTACKER, 66, 0.0)
    stream(lock, NATTED, 1, 0.1, 1.0)
    assert lock.locked == NATTED


def test_a_candidate_that_fell_silent_is_forgotten():
    lock = SourceLock(SDP)
    stream(lock, ATTACKER, 66, 0.0, 0.4)
    assert lock.judge(NATTED, 1, 5.0) == NEW_STREAM
    stream(lock, NATTED, 1, 5.02, 1.0)
    assert lock.locked == NATTED


def test_a_single_packet_never_locks_but_the_sdp_s():
    lock = SourceLock(SDP)
    lock.judge(ATTACKER, 66, 0.0)
    assert lock.locked is None
    for tick in range(100):
        lock.judge((ATTACKER[0], 6000 + tick), 66, 0.3 * tick)
        assert lock.locked is None


def test_a_flood_from_many_addresses_is_bounded():
    lock = SourceLock(SDP)
    stream(lock, NATTED, 1, 0.0, 0.1)
    for port in range(10_000):
        lock.judge((ATTACKER[0], port), port, 0.1)
    assert len(lock._candidates) <= source.CANDIDATES_MAX
    stream(lock, NATTED, 1, 0.12, 0.5)
    assert lock.locked == NATTED


def test_a_carrier_that_switches_its_source_is_heard_with_its_second_packet():
    lock = SourceLock(SDP)
    stream(lock, SDP, 1, 0.0, 1.0)
    assert stream(lock, SDP, 2, 1.0, 0.08) == [PENDING, NEW_STREAM, ACCEPTED, ACCEPTED]
    assert lock.locked == SDP


def test_two_interleaved_streams_do_not_tear_each_other_apart():
    lock = SourceLock(SDP)
    stream(lock, SDP, 1, 0.0, 1.0)
    verdicts = [lock.judge(SDP, ssrc, 1.0) for _ in range(50) for ssrc in (2, 1)]
    assert verdicts == [PENDING, ACCEPTED] * 50


def test_a_re_invite_opens_the_window_for_the_new_address():
    lock = SourceLock(SDP)
    stream(lock, SDP, 1, 0.0, 1.0)
    moved = ("192.0.2.99", 7000)
    lock.reopen(moved)
    assert lock.judge(SDP, 1, 1.0) == ACCEPTED
    assert lock.judge(moved, 5, 1.02) == NEW_STREAM
    assert lock.locked == moved
    assert lock.judge(SDP, 1, 1.04) == REJECTED


def test_after_a_re_invite_the_old_stream_is_not_locked_when_it_ends_before_the_new_one_starts():
    lock = SourceLock(SDP)
    stream(lock, SDP, 1, 0.0, 1.0)
    lock.reopen(("10.0.0.5", 7000))
    stream(lock, SDP, 1, 1.0, 0.2)
    verdicts = stream(lock, NATTED, 9, 1.6, 0.6)
    assert verdicts[0] == NEW_STREAM
    assert lock.locked == NATTED


def test_calls_that_share_one_remote_address_do_not_know_of_each_other():
    locks = [SourceLock(SDP) for _ in range(100)]
    for ssrc, lock in enumerate(locks):
        assert lock.judge(SDP, ssrc, 0.0) == NEW_STREAM
    assert {lock.locked for lock in locks} == {SDP}
    assert [lock.ssrc for lock in locks] == list(range(100))
