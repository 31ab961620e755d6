"""Wrong answers add up by source and scope, within bounds of time and memory."""

from __future__ import annotations

import pytest

from runtime.sip.auth import lockout as module
from runtime.sip.auth.limits import FAILURES_MAX, FAILURES_WINDOW_S, LOCKOUT_S
from runtime.sip.auth.lockout import Lockout, source_of

HERE = "192.0.2.1"


def locked(times, source=HERE, scope="t"):
    lockout = Lockout()
    for now in times:
        lockout.note_failure(source, scope, now)
    return lockout


def test_enough_failures_lock_out_for_a_while():
    lockout = Lockout()
    assert [lockout.note_failure(HERE, "t", float(n)) for n in range(FAILURES_MAX)] == [False] * 9 + [True]
    last = FAILURES_MAX - 1
    assert lockout.is_locked(HERE, "t", last + LOCKOUT_S - 0.1)
    assert not lockout.is_locked(HERE, "t", last + LOCKOUT_S)
    assert not lockout.note_failure(HERE, "t", last + LOCKOUT_S), "it begins anew"


def test_failures_far_apart_do_not():
    apart = FAILURES_WINDOW_S / (FAILURES_MAX - 1) + 1
    lockout = locked(n * apart for n in range(50))
    assert not lockout.is_locked(HERE, "t", 50 * apart)


def test_nobody_else_is_locked_out():
    lockout = locked([0.0] * FAILURES_MAX)
    assert lockout.is_locked(HERE, "t", 1.0)
    assert not lockout.is_locked("192.0.2.2", "t", 1.0)
    assert not lockout.is_locked(HERE, "another trunk", 1.0)


def test_an_ipv6_network_is_one_source():
    lockout = Lockout()
    for n in range(FAILURES_MAX):
        lockout.note_failure(f"2001:db8:1:2::{n:x}", "t", 0.0)
    assert lockout.is_locked("2001:db8:1:2:ffff::1", "t", 1.0)
    assert not lockout.is_locked("2001:db8:1:3::1", "t", 1.0)


@pytest.mark.parametrize(
    ("address", "source"),
    [("192.0.2.1", "192.0.2.1"), ("2001:db8::1", "2001:db8::/64"), ("no address", "no address")],
)
def test_what_counts_as_one_source(address, source):
    assert source_of(address) == source


def test_the_quietest_is_forgotten_first(monkeypatch):
    monkeypatch.setattr(module, "SOURCES_MAX", 3)
    lockout = locked([0.0] * FAILURES_MAX)
    for n in range(2, 4):
        lockout.note_failure(f"192.0.2.{n}", "t", 1.0)
    lockout.note_failure(HERE, "t", 2.0)
    lockout.note_failure("192.0.2.9", "t", 3.0)
    assert len(lockout) == 3
    assert lockout.is_locked(HERE, "t", 4.0)
