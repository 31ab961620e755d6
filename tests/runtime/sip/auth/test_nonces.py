"""Nonces: whose they are, when they are stale, and that none is used twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime.sip.auth import nonces as module
from runtime.sip.auth.limits import NONCE_COUNTS_WINDOW, NONCE_LIFETIME_S, NONCES_USED_MAX
from runtime.sip.auth.nonces import NONCE_CHARS, Nonces
from tests.runtime.sip.wire import seeded

HERE = "192.0.2.1"


def made(seed="a"):
    return Nonces(seeded(seed))


def given_nonce(nonces, now=0.0, **kwargs):
    return nonces.read(nonces.give(HERE, now, **kwargs), HERE)


def test_a_nonce_is_known_again_with_its_time_and_its_failures():
    nonces = made()
    found = given_nonce(nonces, 1234.5678, wrong_answers=2)
    assert (round(found.given_at, 3), found.wrong_answers) == (1234.567, 2)


def test_no_two_nonces_are_alike():
    nonces = made()
    assert len({nonces.give(HERE, 0.0) for _ in range(1000)}) == 1000


def test_a_nonce_is_of_no_use_elsewhere():
    nonces = made()
    text = nonces.give(HERE, 0.0)
    assert nonces.read(text, "192.0.2.2") is None
    assert made("another process").read(text, HERE) is None


@given(st.integers(0, NONCE_CHARS - 1), st.characters(min_codepoint=33, max_codepoint=126))
def test_a_nonce_with_another_character_is_none(at, char):
    nonces = made()
    text = nonces.give(HERE, 0.0)
    if text[at] != char and {text[at], char} not in ({"-", "+"}, {"_", "/"}):
        assert nonces.read(text[:at] + char + text[at + 1 :], HERE) is None


@given(st.text(max_size=100) | st.text(min_size=NONCE_CHARS, max_size=NONCE_CHARS))
def test_no_text_of_a_stranger_is_a_nonce(text):
    assert made().read(text, HERE) is None


def test_a_nonce_goes_stale():
    nonces = made()
    nonce = given_nonce(nonces, 100.0)
    assert not nonces.is_stale(nonce, 100.0 + NONCE_LIFETIME_S)
    assert nonces.is_stale(nonce, 100.01 + NONCE_LIFETIME_S)


def test_a_count_is_taken_once_and_late_ones_within_the_window():
    nonces = made()
    nonce = given_nonce(nonces)
    assert nonces.take(nonce, 3, 0.0)
    assert nonces.take(nonce, 1, 0.0), "it came late, as datagrams do"
    assert not nonces.take(nonce, 1, 0.0)
    assert not nonces.take(nonce, 3, 0.0)
    assert nonces.take(nonce, 3 + NONCE_COUNTS_WINDOW, 0.0)
    assert nonces.take(nonce, 4, 0.0)
    assert nonces.take(nonce, 10_000, 0.0)
    assert not nonces.take(nonce, 9_000, 0.0), "too far behind to tell"


@given(st.lists(st.integers(0, 150), max_size=60))
def test_no_count_is_ever_taken_twice(counts):
    nonces = made()
    nonce = given_nonce(nonces)
    taken = [count for count in counts if nonces.take(nonce, count, 0.0)]
    assert len(taken) == len(set(taken))
    assert not counts or taken[0] == counts[0]


def test_another_spelling_of_a_nonce_is_the_same_nonce():
    for seed in range(50):
        nonces = made(str(seed))
        text = nonces.give(HERE, 0.0)
        other = nonces.read(text.replace("-", "+").replace("_", "/"), HERE)
        if "-" in text or "_" in text:
            assert other is None or other == nonces.read(text, HERE)


def test_what_is_remembered_is_bounded_and_forgetting_lets_no_replay_through(monkeypatch):
    monkeypatch.setattr(module, "NONCES_USED_MAX", 10)
    nonces = made()
    used = [given_nonce(nonces, 50.0) for _ in range(10)]
    assert all(nonces.take(nonce, 1, 50.0) for nonce in used)
    late = given_nonce(nonces, 50.0)
    assert not nonces.take(late, 1, 50.0), "there is no room: it counts as stale"
    assert all(nonces.is_stale(nonce, 50.0) for nonce in used)
    assert not any(nonces.take(nonce, 1, 50.0) for nonce in used)
    fresh = given_nonce(nonces, 50.01)
    assert nonces.take(fresh, 1, 50.01), "and it goes on"
    assert len(nonces._used) <= 10


def test_what_has_expired_makes_room():
    nonces = made()
    for second in range(NONCES_USED_MAX // 100):
        for _ in range(10):
            assert nonces.take(given_nonce(nonces, float(second)), 1, float(second))
    assert len(nonces._used) <= 10 * (NONCE_LIFETIME_S + 1)
