"""RTP port pairs of a range."""

from __future__ import annotations

import errno
import resource
import socket

import pytest

from runtime.net.rtp_ports import RESTS_S, RtpPortRange, descriptors_for
from tests.peers import free_port


def test_pairs_are_even_and_next_to_each_other_and_given_back() -> None:
    first = free_port() & ~1
    ports = RtpPortRange(first, first + 7)
    taken = [ports.reserve("127.0.0.1") for _ in range(4)]
    got = [pair for pair in taken if not isinstance(pair, str)]
    for pair in got:
        assert pair.port % 2 == 0
        assert pair.rtp.getsockname()[1] == pair.port
        assert pair.rtcp.getsockname()[1] == pair.port + 1
    assert len({pair.port for pair in got}) == len(got)
    for pair in got:
        pair.close()
    again = ports.reserve("127.0.0.1")
    assert not isinstance(again, str)
    again.close()


def test_a_pair_rests_after_a_call_while_there_are_others() -> None:
    first, now = free_port() & ~1, 0.0
    ports = RtpPortRange(first, first + 3, lambda: now)
    one = ports.reserve("127.0.0.1")
    assert not isinstance(one, str)
    one.close()
    for _ in range(20):
        other = ports.reserve("127.0.0.1")
        assert not isinstance(other, str)
        assert other.port != one.port, "the last call's peer may still send there"
        other.rtp.close()
        other.rtcp.close()  # taken back without a rest, so that only the first one's counts
    held = ports.reserve("127.0.0.1")
    assert not isinstance(held, str)
    again = ports.reserve("127.0.0.1")
    assert not isinstance(again, str)
    assert again.port == one.port, "rather a pair that rests than no call"
    again.close()
    held.close()
    now = RESTS_S
    seen = set()
    for _ in range(60):
        pair = ports.reserve("127.0.0.1")
        assert not isinstance(pair, str)
        seen.add(pair.port)
        pair.rtp.close()
        pair.rtcp.close()
    assert seen == {first, first + 2}


def test_a_pair_whose_second_port_is_taken_is_passed_over_and_none_left_is_told() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        even = port & ~1
        assert RtpPortRange(even, even + 1).reserve("127.0.0.1") == "no free RTP ports: widen --rtp-ports"


def test_no_descriptor_left_is_said_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("runtime.net.rtp_ports.socket.socket", none_left)
    assert RtpPortRange(10000, 10100).reserve("127.0.0.1") == "no more files can be opened: raise the limit, ulimit -n"


def test_the_limit_of_open_files_is_raised_and_what_fits_is_told() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        assert descriptors_for(50) == 50
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        assert descriptors_for(100) == 100
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 400
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_an_odd_start_begins_at_the_next_even_port() -> None:
    assert len(RtpPortRange(10001, 10005)) == 2


def test_under_exhaustion_the_pair_that_has_rested_longest_is_taken_and_none_is_refused() -> None:
    now = 0.0
    first = free_port() & ~1
    ports = RtpPortRange(first, first + 7, clock=lambda: now)
    taken = [ports.reserve("127.0.0.1") for _ in range(len(ports))]
    usable = [pair for pair in taken if not isinstance(pair, str)]
    if len(usable) < 3:
        pytest.skip("somebody else has these ports")
    order = []
    for pair in usable:
        now += 1.0
        pair.close()
        order.append(pair.port)
    again = []
    for _ in usable:
        found = ports.reserve("127.0.0.1")
        assert not isinstance(found, str), "a pair that rests is better than no call"
        again.append(found)
    assert [pair.port for pair in again] == order, "the longest rest first"
    assert isinstance(ports.reserve("127.0.0.1"), str)
    for pair in again:
        pair.close()
