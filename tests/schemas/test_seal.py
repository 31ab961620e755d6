"""Sealed secrets: what opens them, what does not, and that nothing shows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from schemas.seal import INBOUND_PASSWORD, KEY_BYTES, PIN, Place, Sealer, opens_pin, unseals_nothing
from schemas.tables.rows import Kind, RoomKind, RuleRow, Secret

KEY = bytes(range(KEY_BYTES))
HERE = Place(Kind.TRUNK, "default/acme", INBOUND_PASSWORD)
secrets = st.binary(min_size=1, max_size=100)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
places = st.builds(Place, st.sampled_from(Kind), texts, texts)


@given(places, secrets)
def test_what_is_sealed_is_unsealed_at_its_place(place, secret):
    assert Sealer(KEY).unseal(place, Sealer(KEY).seal(place, secret)) == secret


@given(places, places, secrets)
def test_a_sealed_value_is_of_no_use_at_another_place(place, other, secret):
    sealed = Sealer(KEY).seal(place, secret)
    assert (Sealer(KEY).unseal(other, sealed) is None) == (place != other)


def test_the_parts_of_a_place_do_not_run_into_each_other():
    sealed = Sealer(KEY).seal(Place(Kind.RULE, "ab", "c"), b"x")
    assert Sealer(KEY).unseal(Place(Kind.RULE, "a", "bc"), sealed) is None


@given(secrets, st.integers(0, KEY_BYTES - 1))
def test_another_key_opens_nothing(secret, at):
    other = KEY[:at] + bytes([KEY[at] ^ 1]) + KEY[at + 1 :]
    assert Sealer(other).unseal(HERE, Sealer(KEY).seal(HERE, secret)) is None


@given(st.binary(max_size=60))
def test_bytes_that_nobody_sealed_open_to_nothing(data):
    assert Sealer(KEY).unseal(HERE, data) is None


def test_a_damaged_value_opens_to_nothing():
    sealed = Sealer(KEY).seal(HERE, b"tiger")
    for at in range(len(sealed)):
        assert Sealer(KEY).unseal(HERE, sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]) is None


def test_the_seal_is_deterministic_and_holds_nothing_of_the_secret():
    one, other = Sealer(KEY).seal(HERE, b"tiger"), Sealer(KEY).seal(HERE, b"tiger")
    assert one == other
    assert b"tiger" not in one
    assert one != Sealer(KEY).seal(replace(HERE, id="default/other"), b"tiger"), "equal secrets do not show elsewhere"


def test_the_seal_is_aes_siv_over_the_place():
    bound_to = [b"dialplane.dev/sealed/1", b"Trunk", b"default/acme", b"inbound.auth.passwordFrom"]
    assert AESSIV(KEY).decrypt(Sealer(KEY).seal(HERE, b"tiger"), bound_to) == b"tiger"


def test_rfc_5297_appendix_a_1():
    """The deterministic example, to hold the library to the RFC."""
    key = bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    header = bytes.fromhex("101112131415161718191a1b1c1d1e1f2021222324252627")
    sealed = AESSIV(key).encrypt(bytes.fromhex("112233445566778899aabbccddee"), [header])
    assert sealed.hex() == "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"


def test_a_key_is_not_shown():
    shown = repr(Sealer(KEY)) + str(Sealer(KEY))
    assert KEY.hex() not in shown
    assert repr(KEY) not in shown


def pinned(pin, id_="default/board"):
    sealed = Sealer(KEY).seal(Place(Kind.RULE, id_, PIN), pin)
    return RuleRow("default/board", RoomKind.DIRECT, "board", pin=Secret("env:PIN", sealed))


@pytest.mark.parametrize(
    ("entered", "opens"), [("1234", True), ("1235", False), ("123", False), ("12345", False), ("", False), ("é", False)]
)
def test_only_the_very_pin_opens_a_rule(entered, opens):
    assert opens_pin(Sealer(KEY).unseal, pinned(b"1234"), entered) is opens


def test_a_pin_opens_nothing_where_there_is_none_or_it_cannot_be_read():
    assert not opens_pin(Sealer(KEY).unseal, RuleRow("default/open", RoomKind.DIRECT, "open"), "1234")
    assert not opens_pin(unseals_nothing, pinned(b"1234"), "1234")
    assert not opens_pin(Sealer(KEY).unseal, pinned(b"1234", "default/other"), "1234"), "it was moved here"
