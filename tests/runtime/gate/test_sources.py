"""The first door, in virtual time: who is heard, how much of it, and what is said of the rest."""

from __future__ import annotations

from random import Random

import pytest

from runtime.gate.sources import (
    KNOWN_BURST,
    KNOWN_PER_S,
    NEIGHBOURS_INVITES_BURST,
    ODD_BURST,
    SOURCES_MAX,
    STRANGER_BURST,
    STRANGER_INVITES_BURST,
    STRANGER_PER_S,
    STRANGERS_INVITES_BURST,
    TRUSTED_MAX,
    TRUSTED_S,
    SourceGate,
)

KEY = bytes(16)
HOME, AWAY = "198.51.100.7", "203.0.113.9"
INVITE = b"INVITE sip:1@h SIP/2.0\r\nTo: <sip:1@h>\r\nUser-Agent: PBX\r\n\r\n"
OPTIONS = INVITE.replace(b"INVITE", b"OPTIONS")
BYE = b"BYE sip:1@h SIP/2.0\r\nTo: <sip:1@h>;tag=x\r\n\r\n"


def gate() -> SourceGate:
    return SourceGate(lambda address: address == HOME, answers_us, KEY)


def answers_us(head: bytes, address: str, now: float) -> bool:
    return b'nonce="given to ' + address.encode() in head


def test_a_known_source_is_heard_up_to_its_rate() -> None:
    door = gate()
    heard = sum(door.refuses(OPTIONS, HOME, 0.0) is None for _ in range(int(KNOWN_BURST) + 100))
    assert heard == KNOWN_BURST
    assert door.refuses(OPTIONS, HOME, 0.0) == "source-rate"
    assert door.refuses(OPTIONS, HOME, 1.0) is None


def test_a_stranger_gets_a_few_answers_a_minute_and_then_silence() -> None:
    door = gate()
    told = [door.refuses(INVITE, AWAY, n * 0.5) for n in range(10)]
    assert told.count(None) == STRANGER_INVITES_BURST
    assert set(told[3:]) == {"stranger-invite"}
    assert door.refuses(INVITE, AWAY, 60.0) is None, "the next minute it is told again"


def test_a_stranger_that_asks_for_anything_else_meets_silence() -> None:
    door = gate()
    assert door.refuses(OPTIONS, AWAY, 0.0) == "stranger"
    assert door.refuses(b"REGISTER sip:h SIP/2.0\r\n\r\n", AWAY, 0.0) == "stranger"
    assert door.refuses(b"\x00\x01garbage", AWAY, 0.0) == "stranger"
    assert door.refuses(b"", AWAY, 0.0) == "stranger"


def test_a_dialog_goes_on_from_another_address() -> None:
    door = gate()
    assert door.refuses(BYE, AWAY, 0.0) is None
    assert door.refuses(BYE.replace(b"To:", b"t :"), AWAY, 0.0) is None
    assert door.refuses(b"ACK sip:1@h SIP/2.0\r\n\r\n", AWAY, 0.0) is None
    assert door.refuses(b"SIP/2.0 200 OK\r\n\r\n", AWAY, 0.0) is None


def test_who_answers_a_challenge_is_not_held_up_by_the_strangers_limits() -> None:
    door = gate()
    for n in range(int(STRANGERS_INVITES_BURST) + 1):
        door.refuses(INVITE, f"192.{n >> 8}.{n & 255}.1", 0.0)
        door.refuses(INVITE, f"203.0.{n >> 8}.{n & 255}", 0.0)
    answer = INVITE.replace(b"\r\n\r\n", b'\r\nAuthorization: Digest nonce="given to 203.0.113.9"\r\n\r\n')
    assert door.refuses(INVITE, AWAY, 0.0) == "stranger-invite"
    assert door.refuses(answer, AWAY, 0.0) is None
    assert door.refuses(answer, "203.0.0.1", 0.0) == "stranger-invite", "a nonce helps at its own address only"
    told = [door.refuses(answer, AWAY, 0.0) for _ in range(100)]
    assert told.count("stranger-rate") > 100 - STRANGER_BURST, "nor does it lift the rate of a stranger"


def test_a_scanner_is_never_answered() -> None:
    door = gate()
    for name in (b"friendly-scanner", b"sipcli/v1.8", b"SIPVicious"):
        assert door.refuses(INVITE.replace(b"PBX", name), AWAY, 0.0) == "scanner"


def test_a_flood_of_a_stranger_is_cut_before_it_is_looked_at() -> None:
    door = gate()
    told = [door.refuses(BYE, AWAY, 0.0) for _ in range(1000)]
    assert told.count(None) == STRANGER_BURST
    assert told[-1] == "stranger-rate"
    assert door.refuses(BYE, AWAY, 1.5 / STRANGER_PER_S) is None


def test_a_flood_of_one_source_costs_another_nothing() -> None:
    door = gate()
    for _ in range(5000):
        door.refuses(INVITE, AWAY, 0.0)
    assert door.refuses(INVITE, HOME, 0.0) is None
    assert door.refuses(INVITE, "203.0.113.10", 0.0) is None


def test_an_edit_of_the_tables_makes_strangers_known_and_known_ones_strangers() -> None:
    home = {HOME}
    door = SourceGate(lambda address: address in home, answers_us, KEY)
    assert door.refuses(OPTIONS, AWAY, 0.0) == "stranger"
    home.add(AWAY)
    home.remove(HOME)
    door.refuses(OPTIONS, HOME, 0.0)
    door.forget()
    assert door.refuses(OPTIONS, AWAY, 0.0) is None
    assert door.refuses(OPTIONS, HOME, 0.0) == "stranger"


def test_an_edit_asks_of_nobody_until_it_sends_again_and_then_once() -> None:
    asked: list[str] = []
    door = SourceGate(lambda address: bool(asked.append(address)), answers_us, KEY)
    for n in range(1_000):
        door.refuses(OPTIONS, f"203.0.113.{n}", 0.0)
    asked.clear()
    door.forget()
    assert asked == [], "an edit takes no longer for the strangers that are remembered"
    for _ in range(3):
        door.refuses(OPTIONS, "203.0.113.7", 0.0)
    assert asked == ["203.0.113.7"]


@pytest.mark.parametrize("address", ["203.0.113.{}", "2001:db8::{}"])
def test_many_strangers_of_one_network_get_few_answers_and_leave_the_others_theirs(address: str) -> None:
    door = gate()
    told = [door.refuses(INVITE, address.format(n), 0.0) for n in range(200)]
    assert told.count(None) == NEIGHBOURS_INVITES_BURST
    assert door.refuses(INVITE, HOME, 0.0) is None
    assert door.refuses(INVITE, "192.0.2.1", 0.0) is None
    assert door.refuses(INVITE, "2001:db9::1", 0.0) is None


def test_many_strangers_everywhere_get_few_answers_too() -> None:
    door = gate()
    told = [door.refuses(INVITE, f"{n >> 8}.{n & 255}.113.9", 0.0) for n in range(2_000)]
    assert told.count(None) == STRANGERS_INVITES_BURST
    assert door.refuses(INVITE, HOME, 0.0) is None


def test_who_has_proven_a_password_is_no_stranger_for_a_while_whatever_is_edited() -> None:
    door = gate()
    door.trust(AWAY, 0.0)
    door.forget()
    assert [door.refuses(INVITE, AWAY, 1.0) for _ in range(100)] == [None] * 100
    assert door.refuses(OPTIONS, "203.0.113.10", 1.0) == "stranger", "nobody else is"
    door.trust(AWAY, 1000.0)
    assert door.refuses(OPTIONS, AWAY, 1000.0 + TRUSTED_S - 1) is None
    assert door.refuses(OPTIONS, AWAY, 1000.0 + TRUSTED_S) == "stranger"


def test_who_has_proven_a_password_is_not_forgotten_for_forged_addresses() -> None:
    door = gate()
    door.trust(AWAY, 0.0)
    for n in range(SOURCES_MAX + 1):
        door.refuses(INVITE, f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 0.0)
    assert AWAY not in door._sources
    assert door.refuses(OPTIONS, AWAY, TRUSTED_S - 1) is None
    assert door.refuses(OPTIONS, AWAY, TRUSTED_S) == "stranger"


def test_the_memory_of_proofs_is_bounded_and_forgets_the_oldest() -> None:
    door = gate()
    door.trust(AWAY, 0.0)
    for n in range(TRUSTED_MAX):
        door.trust(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 1.0)
    assert len(door._trusted_until) == TRUSTED_MAX
    assert AWAY not in door._trusted_until


def test_the_memory_of_sources_is_bounded() -> None:
    door = gate()
    for n in range(SOURCES_MAX + 500):
        door.refuses(INVITE, f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 0.0)
    assert len(door._sources) == SOURCES_MAX


def test_whatever_is_sent_is_judged_and_never_raises() -> None:
    door, random = gate(), Random(1)
    for n in range(2000):
        assert door.refuses(random.randbytes(random.randrange(200)), AWAY, n) in (None, "stranger", "stranger-rate")


def test_a_stream_of_a_known_source_rests_until_its_rate_allows_more_and_a_strangers_does_not() -> None:
    door = gate()
    assert door.knows(HOME, 0.0)
    assert not door.knows(AWAY, 0.0)
    for _ in range(int(KNOWN_BURST)):
        assert door.rest_s(HOME, 0.0) == 0.0
        assert door.refuses(INVITE, HOME, 0.0) is None
    rest_s = door.rest_s(HOME, 0.0)
    assert rest_s == pytest.approx(1 / KNOWN_PER_S)
    assert door.rest_s(HOME, 2 * rest_s) == 0.0
    assert door.refuses(INVITE, HOME, 2 * rest_s) is None
    for _ in range(1_000):
        door.refuses(INVITE, AWAY, 0.0)
    assert door.rest_s(AWAY, 0.0) == 0.0


@pytest.mark.parametrize(
    ("garbage", "let_in", "word"),
    [
        (b"\x80\x00\x12 RTP on the wrong port", 0, "not-sip"),
        (b"GET/HTTP", 0, "not-sip"),
        (b"\r\n\r\n", 20_000, "none"),
        (b"\x00" * 4, 20_000, "none"),
        (b"INVITE sip:1@h SIP/2.0\r\nTo: <sip:1@h>\r\n", ODD_BURST, "odd-rate"),
        (b"INVITE sip:1@h  SIP/2.0\r\nTo: <sip:1@h>\r\n\r\n", ODD_BURST, "odd-rate"),
    ],
)
def test_what_cannot_be_a_message_uses_up_nothing_of_what_the_source_may_send(garbage, let_in, word) -> None:
    door = gate()
    told = [door.refuses(garbage, HOME, 0.0) for _ in range(20_000)]
    assert told.count(None) == let_in
    assert set(told) - {None} <= {word}
    assert sum(door.refuses(OPTIONS, HOME, 0.0) is None for _ in range(5_000)) == KNOWN_BURST
    assert door.refuses(b"SIP/2.0 200 OK\r\n\r\n", HOME, 1.0) is None


def test_what_belongs_to_a_call_of_ours_comes_at_a_known_rate_and_nothing_else() -> None:
    door = gate()
    ringing = b"SIP/2.0 180 Ringing\r\n\r\n"
    assert [door.refuses(ringing, AWAY, 0.0) for _ in range(int(STRANGER_BURST) + 1)].count("stranger-rate") == 1
    door.expect(AWAY, 0.0)
    told = [door.refuses(ringing if n % 2 else BYE, AWAY, 0.0) for n in range(int(KNOWN_BURST) + 1)]
    assert set(told[:-1]) == {None}
    assert told[-1] == "source-rate"
    assert not door.knows(AWAY, 0.0)
    later = [door.refuses(INVITE, AWAY, 1000.0) for _ in range(20)]
    assert later.count(None) == STRANGER_INVITES_BURST, "whoever is called may call no more often than before"
