"""Secrets from their places into the tables: applied, changed, missing, and shown nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler.loop import Loop, declared_by
from reconciler.manifests.folder import Folder, Reading
from reconciler.manifests.quiet import Batch
from reconciler.manifests.reach import Reach
from reconciler.manifests.vault import Vault
from reconciler.plan.gates import Allowances
from reconciler.plan.render import text
from reconciler.targets.tables import TablesTarget
from reconciler.targets.target import Planned
from schemas.problems import Problem
from schemas.seal import INBOUND_PASSWORD, KEY_BYTES, PIN, Place, Sealer, opens_pin
from schemas.secret_key import SecretKeyError
from schemas.stores import SqliteStore
from schemas.tables.rows import Kind
from tests.reconciler import declaring

SEALER = Sealer(bytes(range(KEY_BYTES)))
PASSWORD = "Tiger-in-the-tables"
PINS = "93847561"


class House:
    """A folder of manifests, a store, an environment, and the watch loop's one pass after another."""

    def __init__(self, work: Path) -> None:
        self.folder = work / "manifests"
        self.folder.mkdir()
        self.environ: dict[str, str] = {"PW": PASSWORD}
        self.store = SqliteStore(str(work / "tables.db"))
        self.said: list[str] = []
        self.problems: list[Problem] = []
        self.sealer = SEALER
        target = TablesTarget(self.store, "default", wall=lambda: 1000.0)
        self.vault = Vault("", self.environ, lambda: self.sealer, needed=True, reach=Reach((str(work),)))
        self.loop = Loop(Folder(str(self.folder)), target, self.said.append, self._report, vault=self.vault)
        self.write(
            declaring.trunk(inbound={"allowedAddresses": ["10.0.0.1"], "auth": auth({"env": "PW"})}),
            declaring.rule(pinFrom={"file": "pin"}),
        )
        (self.folder / "pin").write_text(f"{PINS}\n")

    def write(self, *documents: Mapping[str, object]) -> None:
        (self.folder / "a.yaml").write_bytes(declaring.text(documents))  # type: ignore[arg-type]

    def look(self) -> int:
        """One pass over everything; the revision after it."""
        self.loop.one_pass(Batch(everything=True))
        return self.store.head().revision

    def plan(self, environ: Mapping[str, str] | None = None) -> Planned:
        vault = Vault(
            "",
            self.environ if environ is None else environ,
            lambda: self.sealer,
            needed=False,
            reach=Reach((str(self.folder),)),
        )
        declared = declared_by(Folder(str(self.folder)).refresh(), vault)
        return TablesTarget(self.store, "default").plan(declared, Allowances())

    def password(self) -> bytes | None:
        row = self.store.load().rows.trunks["default/carrier"]
        assert row.inbound is not None
        assert row.inbound.auth is not None
        return SEALER.unseal(Place(Kind.TRUNK, row.id, INBOUND_PASSWORD), row.inbound.auth.password.sealed)

    def pin_opens(self, entered: str) -> bool:
        return opens_pin(SEALER.unseal, self.store.load().rows.rules["default/support"], entered)

    def _report(self, _reading: Reading, problems: list[Problem]) -> None:
        self.problems = problems


def auth(place: Mapping[str, str]) -> dict[str, object]:
    return {"username": "acme", "passwordFrom": place}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_secrets_are_in_the_tables_sealed(house: House) -> None:
    assert house.look() == 1
    assert house.password() == PASSWORD.encode()
    assert house.pin_opens(PINS)
    assert not house.pin_opens("0000")


def test_a_look_at_what_did_not_change_makes_no_revision(house: House) -> None:
    assert [house.look(), house.look(), house.look()] == [1, 1, 1]


def test_a_changed_file_and_a_changed_variable_are_live_after_the_next_look(house: House) -> None:
    house.look()
    (house.folder / "pin").write_text("1111")
    assert house.look() == 2
    assert house.pin_opens("1111")
    assert house.password() == PASSWORD.encode()
    house.environ["PW"] = "lion"
    assert house.look() == 3
    assert house.password() == b"lion"
    (told,) = (line for line in house.said if line.startswith("revision 3"))
    assert "Trunk default/carrier changed (passwordFrom: (secret env:PW) -> (secret env:PW), changed)" in told


def test_another_key_seals_everything_anew(house: House) -> None:
    house.look()
    house.sealer = Sealer(b"k" * KEY_BYTES)
    assert house.look() == 2
    assert house.password() is None


def test_a_secret_that_goes_missing_is_told_and_its_object_stays_as_it_is(house: House) -> None:
    house.look()
    del house.environ["PW"]
    (house.folder / "pin").write_text("1111")
    assert house.look() == 2
    assert [problem.code for problem in house.problems] == ["secret-not-found"]
    assert house.password() == PASSWORD.encode()
    assert house.pin_opens("1111"), "nothing else is held back"
    house.environ["PW"] = "lion"
    house.look()
    assert house.password() == b"lion"
    assert house.said[-2:] == ["all errors are mended", "Trunk default/carrier is as declared again"]


def test_a_key_that_cannot_be_had_is_told_once_and_tried_again(house: House) -> None:
    working = house.sealer

    def refused() -> Sealer:
        raise SecretKeyError("secret.key", "this is no key", "make another")

    house.vault._sealer = refused
    assert [house.look(), house.look()] == [0, 0]
    assert house.said == ["secret.key: this is no key; make another; the tables stay as they are"]
    house.vault._sealer = lambda: working
    assert house.look() == 1


def test_a_plan_needs_no_secret_and_shows_none(house: House) -> None:
    house.look()
    (house.folder / "pin").unlink()
    planned = house.plan({})
    assert not planned.plan
    assert [(p.code, p.is_error) for p in planned.desired.problems] == [("secret-not-found", False)] * 2


def test_a_plan_with_another_secret_says_changed(house: House) -> None:
    house.look()
    planned = house.plan({"PW": "lion"})
    shown = "\n".join(line.text for line in text(planned.plan, planned.refused, planned.places))
    assert "inbound.auth.passwordFrom: (secret env:PW) -> (secret env:PW), changed" in shown
    assert "lion" not in shown


def test_no_secret_is_in_the_store_nor_in_anything_that_was_said(house: House, tmp_path: Path) -> None:
    house.look()
    (house.folder / "pin").write_text("55667788")
    house.environ["PW"] = "Lion-in-the-tables"
    house.look()
    house.environ.clear()
    house.look()
    house.store.close()
    shown = repr((house.said, house.problems, house.vault, house.vault._opened))
    held = b"".join(path.read_bytes() for path in tmp_path.glob("tables.db*"))
    assert held
    for secret in (PASSWORD, PINS, "55667788", "Lion-in-the-tables"):
        assert secret not in shown
        assert secret.encode() not in held


def test_rules_are_told_apart_by_where_their_pins_are(house: House) -> None:
    house.write(
        declaring.trunk(),
        declaring.rule("one", pinFrom={"env": "PIN_ONE"}),
        declaring.rule("two", pinFrom={"env": "PIN_TWO"}),
    )
    house.environ |= {"PIN_ONE": "1", "PIN_TWO": "2"}
    house.look()
    assert not any(problem.is_error for problem in house.problems)
    one, two = (house.store.load().rows.rules[f"default/{name}"] for name in ("one", "two"))
    assert [opens_pin(SEALER.unseal, row, pin) for row in (one, two) for pin in "12"] == [True, False, False, True]
    assert SEALER.unseal(Place(Kind.RULE, two.id, PIN), one.pin.sealed if one.pin else b"") is None
