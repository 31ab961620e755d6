"""Who calls by P-Asserted-Identity and its like, in virtual time: what is shown, what is believed, what is hidden."""

from __future__ import annotations

import pytest

from schemas.tables.rows import Inbound, RoomKind, Rows, RuleRow, TrunkRow
from schemas.tables.tables import Tables
from tests.flow.memory import Caller, World
from tests.flow.test_dialling import CALL, OURS, ringing
from tests.flow.test_dialling import tables as calling

NUMBER, REAL = "+15550100000", "+15550107777"
ASSERTED = ("P-Asserted-Identity", f'"Ada" <sip:{REAL}@carrier.example>')


def tables(*, trusts: bool, from_: tuple[str, ...] = (), kind: RoomKind = RoomKind.DIRECT) -> Tables:
    trunk = TrunkRow("default/home", inbound=Inbound(networks=("198.51.100.0/24",), trust_identity=trusts))
    rows = [
        RuleRow("default/lobby", RoomKind.DIRECT, "lobby"),
        RuleRow("default/known", kind, "known", from_=from_ or ("+44*",)),
    ]
    return Tables.build(Rows({trunk.id: trunk}, {row.id: row for row in rows}))


def arrives(world: World, *headers: tuple[str, str], number: str = "anonymous") -> Caller:
    caller = world.caller(number=number)
    caller.dial(NUMBER, headers=headers)
    return caller


def shown(world: World, room: str = "lobby") -> dict[str, str]:
    [member] = world.rooms.members(room)
    return {"identity": member.identity, "name": member.name, **dict(member.attributes)}


def test_what_is_told_is_shown_and_not_believed() -> None:
    world = World(tables(trusts=False, from_=(REAL,)))
    arrives(
        world,
        ASSERTED,
        ("Remote-Party-ID", f'"A" <sip:{REAL};x=y@carrier.example>;party=calling;screen=yes'),
        ("Diversion", "<sip:+15550100001@a.example>;reason=no-answer;counter=1"),
        ("Diversion", "<tel:+1-555-010-0002>;reason=unconditional"),
    )
    told = shown(world)
    assert (told["sip.assertedIdentity"], told["sip.assertedName"]) == (REAL, "Ada")
    assert (told["sip.remotePartyId"], told["sip.remotePartyName"]) == (REAL, "A")
    assert (told["sip.divertedBy"], told["sip.diversionReason"]) == ("+15550100001", "no-answer")
    assert told["sip.firstCalled"] == "+15550100002"
    assert (told["identity"], told["sip.phoneNumber"]) == ("sip_anonymous", "anonymous")


@pytest.mark.parametrize(
    "header", [ASSERTED, ("P-Asserted-Identity", f"<sip:x@y>, <tel:{REAL}>"), ("Remote-Party-ID", f"<sip:{REAL}@c>")]
)
def test_a_trusted_trunk_s_word_decides(header: tuple[str, str]) -> None:
    world = World(tables(trusts=True, from_=(REAL,)))
    arrives(world, header)
    told = shown(world, "known")
    assert (told["identity"], told["name"], told["sip.phoneNumber"]) == (f"sip_{REAL}", f"Phone {REAL}", REAL)
    assert world.switchboard.live_calls()[0].record.from_user == REAL


@pytest.mark.parametrize("trusts", [True, False])
@pytest.mark.parametrize("private", [("Privacy", "id"), ("Privacy", "header; id;critical")])
def test_who_wants_to_be_hidden_is(trusts: bool, private: tuple[str, str]) -> None:
    world = World(tables(trusts=trusts, from_=(REAL,), kind=RoomKind.INDIVIDUAL))
    caller = arrives(world, ASSERTED, private, number=REAL)
    [room] = {call.record.room for call in world.switchboard.live_calls()}
    told = shown(world, room)
    assert "sip.phoneNumber" not in told
    assert told["sip.trunkPhoneNumber"] == NUMBER
    assert told["sip.privacy"] in ("id", "header;id;critical")
    caller.hang_up()
    [record] = world.records
    everything = " ".join([*told.values(), record.room, record.from_user, record.line()])
    assert REAL[1:] not in everything
    assert "Ada" not in everything
    assert told["identity"].startswith("sip_anonymous-")


def test_a_refused_caller_is_hidden_too() -> None:
    world = World(tables(trusts=True))
    world.switchboard.use_tables(Tables.build(Rows()), 2)
    arrives(world, ASSERTED, ("Privacy", "id"), number=REAL)
    assert REAL not in world.records[0].from_user


@pytest.mark.parametrize(
    "header",
    [
        ("P-Asserted-Identity", "<<<"),
        ("P-Asserted-Identity", "<http://example.com>"),
        ("P-Asserted-Identity", f"<sip:{'9' * 300}@c>"),
        ("P-Asserted-Identity", "<sip:carrier.example>"),
        ("Remote-Party-ID", f"<sip:{REAL}@c>;party=called"),
        ("Diversion", "<sip:1@a>;privacy=full"),
        ("History-Info", "<sip:1@a>;index=1"),
        ("History-Info", "<sip:1@a?Privacy=history>;index=1, <sip:2@b>;index=1.1"),
    ],
)
def test_what_cannot_be_used_changes_nothing(header: tuple[str, str]) -> None:
    world = World(tables(trusts=True))
    arrives(world, header, number="+15550101111")
    told = shown(world)
    assert told["sip.phoneNumber"] == "+15550101111"
    assert not {"sip.assertedIdentity", "sip.remotePartyId", "sip.divertedBy", "sip.firstCalled"} & told.keys()


def test_history_tells_who_sent_the_call_on() -> None:
    world = World(tables(trusts=False))
    entries = "<sip:+15550100003@a>;index=1, <sip:+15550100004@b;cause=302>;index=1.1, <sip:+15550100000@c>;index=1.2"
    arrives(world, ("History-Info", entries))
    assert (shown(world)["sip.firstCalled"], shown(world)["sip.divertedBy"]) == ("+15550100003", "+15550100004")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("P-Asserted-Identity", f"<sip:{OURS}@acme.example>"),
        ("Remote-Party-ID", f"<sip:{OURS}@acme.example>;party=calling;screen=yes;privacy=off"),
        ("none", None),
    ],
)
def test_a_trunk_vouches_for_its_own_numbers_alone(header: str, value: str | None) -> None:
    world = World(calling(identity_header=header, from_host="acme.example"))
    phone = ringing(world)
    name = header if value else "P-Asserted-Identity"
    assert phone.invites[0].headers.first(name) == value
    other = World(calling(identity_header=header, from_host="acme.example"))
    phone = ringing(other, caller="+15559990000", call_id=CALL)
    assert phone.invites[0].headers.first(name) is None


def test_a_request_vouches_for_nobody() -> None:
    world = World(calling())
    phone = ringing(world, headers=(("P-Asserted-Identity", "<sip:1@2>"), ("Replaces", "x"), ("x", "5"), ("X-A", "b")))
    headers = phone.invites[0].headers
    assert headers.first("P-Asserted-Identity") is None
    assert headers.first("Replaces") is None
    assert headers.first("X-A") == "b"
