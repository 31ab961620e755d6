"""TLS handshakes are rated by source, and those of strangers together."""

from __future__ import annotations

from runtime.gate.handshakes import KNOWN_BURST, STRANGER_BURST, STRANGER_PER_S, STRANGERS_BURST, Handshakes


def test_a_stranger_has_a_burst_and_then_its_rate() -> None:
    gate = Handshakes()
    asked = [gate.allows("192.0.2.1", 0.0, is_known=False) for _ in range(100)]
    assert asked.count(True) == STRANGER_BURST
    assert gate.allows("192.0.2.2", 0.0, is_known=False), "others have theirs"
    assert not gate.allows("192.0.2.1", 1 / STRANGER_PER_S - 0.1, is_known=False)
    assert gate.allows("192.0.2.1", 1 / STRANGER_PER_S + 0.1, is_known=False)


def test_many_strangers_together_leave_those_that_are_known_their_time() -> None:
    gate = Handshakes()
    asked = [gate.allows(f"192.0.2.{n}", 0.0, is_known=False) for n in range(250)]
    assert asked.count(True) == STRANGERS_BURST
    assert all(gate.allows("198.51.100.1", 0.0, is_known=True) for _ in range(int(KNOWN_BURST)))
    assert not gate.allows("198.51.100.1", 0.0, is_known=True)
