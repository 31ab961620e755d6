"""Calls that come by a registration of ours: let in by our Contact and the registrar's address, and by nothing else."""

from __future__ import annotations

from schemas.tables.rows import Auth, Inbound, NumberRow, Outbound, RoomKind, Rows, RuleRow, Secret, TrunkRow
from schemas.tables.tables import Tables
from tests.flow.memory import World

REGISTRAR, TOKEN = "198.51.100.7", "5fb36f0e61004314"
CALLED = "+15550100000"


def registered_on(user: str, source: str, _now: float) -> str:
    return "default/out" if (user, source) == (TOKEN, REGISTRAR) else ""


def world(inbound: Inbound | None, *others: TrunkRow) -> World:
    """A trunk that registers, others, and a rule for each that leads to a room of its name."""
    trunk = TrunkRow("default/out", inbound, Outbound(("carrier.example",), register_expires_ms=300_000))
    rows = {row.id: row for row in (trunk, *others)}
    rules = {
        f"default/{n}": RuleRow(f"default/{n}", RoomKind.DIRECT, row.id.rpartition("/")[2], trunks=(row.id,))
        for n, row in enumerate(rows.values())
    }
    number = NumberRow("default/n", "+15550102222", "default/named")
    made = World(Tables.build(Rows(rows, rules, {number.id: number})), registered_on=registered_on)
    made.registrars.add(REGISTRAR)
    return made


def test_our_contact_and_the_registrars_address_let_a_call_in() -> None:
    bridge = world(Inbound())
    caller = bridge.caller(REGISTRAR).dial(CALLED, user=TOKEN)
    assert caller.status == 200
    assert [member.identity for member in bridge.rooms.members("out")] == ["sip_+15550101111"]


def test_neither_alone_does() -> None:
    for source, user in ((REGISTRAR, CALLED), ("198.51.100.8", TOKEN), (REGISTRAR, TOKEN + "x")):
        assert world(Inbound()).caller(source).dial(CALLED, user=user).status == 403


def test_a_trunk_that_takes_no_calls_takes_none_by_its_registration() -> None:
    assert world(None).caller(REGISTRAR).dial(CALLED, user=TOKEN).status == 403


def test_all_else_that_the_trunk_says_holds() -> None:
    bridge = world(Inbound(allowed_numbers=("+1999*",)))
    assert bridge.caller(REGISTRAR).dial(CALLED, user=TOKEN).status == 403
    assert bridge.records[0].reason == "caller-not-allowed"
    bridge = world(Inbound(called_declared_only=True))
    assert bridge.caller(REGISTRAR).dial(CALLED, user=TOKEN).status == 404
    bridge = world(Inbound(auth=Auth("theirs", Secret("env:X", b"x"))))
    assert bridge.caller(REGISTRAR).dial(CALLED, user=TOKEN).status != 200, "a password is asked for all the same"


def test_it_is_the_registered_trunks_call_before_that_of_one_that_names_the_address() -> None:
    other = TrunkRow("default/named", Inbound(networks=(f"{REGISTRAR}/32",)), claimed_since=-1)
    bridge = world(Inbound(), other)
    bridge.caller(REGISTRAR).dial(CALLED, user=TOKEN)
    assert len(bridge.rooms.members("out")) == 1
    bridge.caller(REGISTRAR, "+15550103333").dial(CALLED)
    assert len(bridge.rooms.members("named")) == 1
    bridge.caller(REGISTRAR, "+15550104444").dial("+15550102222", user=TOKEN)
    assert len(bridge.rooms.members("named")) == 2, "a number that another trunk declares is that one's"
