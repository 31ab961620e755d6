"""What the bridge looks at for `bridge doctor`: which trunks, what is known of them, and for how long it waits."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from runtime.settings import StirSettings
from runtime.sip.locating import Hop
from runtime.trunks.diagnosis import TrunkStatus, UnverifiableTrunk
from runtime.workers import checkup
from runtime.workers.checkup import trunk_statuses, unverifiable_trunks
from schemas.tables.rows import IdentityCheck, Inbound, Outbound, Rows, TrunkRow
from schemas.tables.tables import Tables
from tests.runtime.trunks.world import World
from tests.runtime.workers.names import Names, finder

A, B = "192.0.2.1", "192.0.2.2"


def trunk(name: str, host: str = "a.example", **row: object) -> TrunkRow:
    return TrunkRow(f"default/{name}", outbound=Outbound((f"{host}:5060",)), **row)


def verifying(name: str, verify: str, **row: object) -> TrunkRow:
    return TrunkRow(f"default/{name}", Inbound(identity=IdentityCheck(verify)), **row)


def tables(*rows: TrunkRow) -> Tables:
    return Tables.build(Rows({row.id: row for row in rows}, {}, {}))


def statuses(names: Names, *rows: TrunkRow, world: World | None = None) -> tuple[tuple[TrunkStatus, ...], int]:
    world = world or World()
    return asyncio.run(trunk_statuses(tables(*rows), "eu", world.keeper, world.circuits, finder(names)))


def test_trunks_of_this_region_that_place_calls_are_looked_at_by_name() -> None:
    rows = (trunk("b"), trunk("a", regions=("eu", "us")), trunk("us", regions=("us",)), verifying("in", "report"))
    looked_at, left_out = statuses(Names(a_example=(A,)), *rows)
    assert [status.trunk for status in looked_at] == ["default/a", "default/b"]
    assert left_out == 0


def test_of_many_trunks_the_first_are_looked_at_and_the_others_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "TRUNKS_MAX", 2)
    looked_at, left_out = statuses(Names(a_example=(A,)), *(trunk(str(n)) for n in range(5)))
    assert ([status.trunk for status in looked_at], left_out) == (["default/0", "default/1"], 3)


def test_each_address_is_shown_with_what_was_met_there() -> None:
    world = World()
    now = time.monotonic()
    world.circuits.failed(Hop("udp", (A, 5060)), "no answer", now - 10)
    ((status,), _) = statuses(Names(a_example=(A, B)), trunk("out"), world=world)
    by_address = {hop.address: hop for hop in status.hops}
    dead, new = by_address[f"udp://{A}:5060"], by_address[f"udp://{B}:5060"]
    assert (dead.state, dead.words) == ("down", "no answer")
    assert dead.ago_s is not None
    assert 10 <= dead.ago_s < 60
    assert (new.state, new.for_s, new.ago_s) == ("unknown", None, None)


def test_a_name_that_takes_too_long_is_told_of_and_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkup, "LOOK_UP_S_MAX", 0.1)
    names = Names(a_example=(A,))
    names.silent.add("slow.example")
    (quick, slow), _ = statuses(names, trunk("quick"), trunk("slow", "slow.example"))
    assert (quick.looked_up, len(quick.hops)) == (True, 1)
    assert (slow.looked_up, slow.hops, slow.unknown) == (False, (), ())


def test_trunks_that_verify_callers_are_told_of_where_nobody_is_trusted_for_it() -> None:
    rows = (
        verifying("report", "report"),
        verifying("need", "require", regions=("eu",)),
        verifying("us", "require", regions=("us",)),
        TrunkRow("default/open", Inbound()),
        trunk("out"),
    )
    found = asyncio.run(unverifiable_trunks(tables(*rows), "eu", StirSettings()))
    assert found == (UnverifiableTrunk("default/need", "require"), UnverifiableTrunk("default/report", "report"))
    assert asyncio.run(unverifiable_trunks(tables(*rows), "eu", StirSettings(Path("sti-ca.pem")))) == ()
