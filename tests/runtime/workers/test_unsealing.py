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
    """An unsealer on a folder, a clock that the test moves, what was handed to the loop, and what was logged."""

    def __init__(self, state, environ=None):
        self.state, self.now, self.logged, self.handed = state, 0.0, [], []
        self.unseal = KeyedUnsealer(str(state), environ or {}, self.handed.append, self.logged.append, lambda: self.now)

    def write(self, key):
        (self.state / KEY_FILE).write_text(base64.b64encode(key).decode())

    def turn(self, later=READ_AGAIN_S):
        """A turn of the thread, and then one of the loop."""
        self.now += later
        self.unseal.look()
        self.run()

    def tables_come(self):
        self.unseal.read()
        self.run()

    def run(self):
        while self.handed:
            self.handed.pop(0)()

    def found(self, sealed=SEALED):
        return self.unseal(HERE, sealed)


@pytest.fixture
def keyed(tmp_path):
    return Keyed(tmp_path)


def test_a_secret_is_unsealed_with_the_key_that_was_there_when_the_tables_came(keyed):
    keyed.write(KEY)
    keyed.tables_come()
    assert keyed.found() == b"tiger"


def test_a_call_reads_no_file_and_only_asks_for_the_key(keyed, monkeypatch):
    keyed.write(KEY)
    monkeypatch.setattr("runtime.workers.unsealing.read_key", lambda *_: pytest.fail("a file is read on the loop"))
    assert keyed.found() is None
    monkeypatch.undo()
    keyed.turn()
    assert keyed.found() == b"tiger"


def test_the_key_may_come_later_than_the_bridge(keyed):
    keyed.tables_come()
    assert keyed.found() is None
    keyed.write(KEY)
    keyed.turn(later=0.5)
    assert keyed.found() is None, "it is not looked for all the time"
    keyed.turn(later=0.5)
    assert keyed.found() == b"tiger"


def test_another_key_opens_nothing_until_it_is_put_right(keyed):
    keyed.write(OTHER)
    keyed.tables_come()
    assert keyed.found() is None
    keyed.turn()
    assert keyed.found() is None
    keyed.turn()
    keyed.write(KEY)
    keyed.turn()
    assert keyed.found() == b"tiger", "the next call need not fail first"


def test_new_tables_may_be_sealed_with_a_new_key(keyed):
    keyed.write(KEY)
    keyed.tables_come()
    keyed.write(OTHER)
    keyed.tables_come()
    assert keyed.found(Sealer(OTHER).seal(HERE, b"lion")) == b"lion"


def test_a_key_that_works_is_not_read_again(keyed, monkeypatch):
    keyed.write(KEY)
    keyed.tables_come()
    assert keyed.found() == b"tiger"
    monkeypatch.setattr("runtime.workers.unsealing.read_key", lambda *_: pytest.fail("it is read again"))
    keyed.turn()
    assert keyed.found() == b"tiger"


def test_a_key_that_is_gone_goes_on_to_unseal(keyed):
    keyed.write(KEY)
    keyed.tables_come()
    (keyed.state / KEY_FILE).unlink()
    keyed.tables_come()
    assert keyed.found() == b"tiger"


def test_the_environment_may_hold_the_key(tmp_path):
    keyed = Keyed(tmp_path, {"DIALPLANE_SECRET_KEY": base64.b64encode(KEY).decode()})
    keyed.tables_come()
    assert keyed.found() == b"tiger"


def test_what_was_never_sealed_is_no_secret_and_no_key_is_looked_for(keyed):
    keyed.write(KEY)
    assert keyed.found(sealed=b"") is None
    keyed.turn()
    assert keyed.found() is None


def test_a_key_that_is_none_is_told_once_and_on_the_loop(keyed):
    (keyed.state / KEY_FILE).write_text("no key")
    keyed.unseal.read()
    assert keyed.logged == []
    for _ in range(3):
        assert keyed.found() is None
        keyed.turn()
    (told,) = keyed.logged
    assert "this is no key" in told
    assert "no key\n" not in told
    keyed.write(KEY)
    keyed.turn()
    assert keyed.found() == b"tiger"
