"""The bridge's key: it may come late and may be put right; a wrong one opens nothing and breaks nothing."""

from __future__ import annotations

import base64

import pytest

from runtime.workers.unsealing import READ_AGAIN_S, KeyedUnsealer
from schemas.seal import INBOUND_PASSWORD, KEY_BYTES, Place, Sealer
from schemas.secret_key import KEY_FILE
from schemas.tables.rows import Kind

HERE = Place(Kind.TRUNK, "default/acme", INBOUND_PASSWORD)
KEY, OTHER = bytes(KEY_BYTES), bytes(range(KEY_BYTES))
SEALED = Sealer(KEY).seal(HERE, b"tiger")


class Keyed:
    """An unsealer on a folder, a clock that the test moves, and what was logged."""

    def __init__(self, state, environ=None):
        self.state, self.now, self.logged = state, 0.0, []
        self.unseal = KeyedUnsealer(str(state), environ or {}, self.logged.append, lambda: self.now)

    def write(self, key):
        (self.state / KEY_FILE).write_text(base64.b64encode(key).decode())

    def found(self, later=READ_AGAIN_S, sealed=SEALED):
        self.now += later
        return self.unseal(HERE, sealed)


@pytest.fixture
def keyed(tmp_path):
    return Keyed(tmp_path)


def test_a_secret_is_unsealed_with_the_key_of_the_state_folder(keyed):
    keyed.write(KEY)
    assert keyed.found() == b"tiger"


def test_the_key_may_come_later_than_the_bridge(keyed):
    assert keyed.found() is None
    keyed.write(KEY)
    assert keyed.found(later=0.5) is None, "it is not looked for at every call"
    assert keyed.found() == b"tiger"


def test_another_key_opens_nothing_until_it_is_put_right(keyed):
    keyed.write(OTHER)
    assert keyed.found() is None
    assert keyed.found() is None
    keyed.write(KEY)
    assert keyed.found() == b"tiger"


def test_a_key_that_works_is_not_read_again(keyed):
    keyed.write(KEY)
    assert keyed.found() == b"tiger"
    (keyed.state / KEY_FILE).unlink()
    assert keyed.found() == b"tiger"


def test_the_environment_may_hold_the_key(tmp_path):
    assert Keyed(tmp_path, {"DIALPLANE_SECRET_KEY": base64.b64encode(KEY).decode()}).found() == b"tiger"


def test_what_was_never_sealed_is_no_secret(keyed):
    keyed.write(KEY)
    assert keyed.found(sealed=b"") is None


def test_a_key_that_is_none_is_told_once(keyed):
    (keyed.state / KEY_FILE).write_text("no key")
    assert [keyed.found() for _ in range(3)] == [None] * 3
    (told,) = keyed.logged
    assert "this is no key" in told
    assert "no key\n" not in told
    keyed.write(KEY)
    assert keyed.found() == b"tiger"
