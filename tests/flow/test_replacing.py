"""Phones that take another's place by an INVITE with Replaces (RFC 3891), in virtual time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.sip.auth.client import Login
from runtime.sip.offer_answer import Negotiated, OfferAnswer
from schemas.tables.rows import Auth, Inbound, Rows
from schemas.tables.tables import Tables
from tests.flow.memory import Caller, World
from tests.flow.test_auth import ACME, SEALER, WRONG, sealed
from tests.flow.test_referrals import ANSWERS, OTHER, OURS, SAYS, tables, talking


def dialog_of(phone: Caller, **other: str) -> str:
    """Replaces with the dialog that a phone has with the bridge; `other` parts in place of its own."""
    info = phone.endpoint.leg_info(phone.leg)
    assert info is not None
    parts = {"call_id": info.call_id, "to_tag": info.remote_tag, "from_tag": info.local_tag, **other}
    return "{call_id};to-tag={to_tag};from-tag={from_tag}".format(**parts)


def third(world: World, address: str = "198.51.100.20") -> Caller:
    made = world.caller(address, number="+15550104444")
    made.says = ANSWERS
    return made


def test_a_phone_takes_another_s_place_by_its_dialog() -> None:
    world, phone, _ = talking()
    taker = third(world)
    taker.dial("bridge", headers=[("Replaces", dialog_of(phone)), ("Require", "replaces")])
    assert taker.status == 200
    assert phone.ended
    assert "Replaced" in phone.bye_reason
    [member] = world.rooms.members("lobby")
    assert member.identity == "sip_+15550101111"
    assert not world.records
    world.step(1)
    assert taker.heard.count(ANSWERS) > 20, "alone it hears itself"
    assert taker.change("sendonly") == 200
    taker.hang_up()
    assert len(world.records) == 1
    assert not world.rooms.members("lobby")


@pytest.mark.parametrize(
    ("declared", "other", "more", "address", "status"),
    [
        (tables(), {"call_id": "unknown"}, "", "198.51.100.20", 481),
        (tables(), {"to_tag": "x"}, "", "198.51.100.20", 481),
        (tables(), {"from_tag": "x"}, "", "198.51.100.20", 481),
        (tables(), {"from_tag": ""}, "", "198.51.100.20", 400),
        (tables(), {}, ";early-only", "198.51.100.20", 486),
        (tables(), {}, "", "203.0.113.5", 403),
        (tables(accepts=False), {}, "", "198.51.100.20", 403),
    ],
)
def test_nobody_else_gets_its_place(
    declared: Tables, other: dict[str, str], more: str, address: str, status: int
) -> None:
    world, phone, _ = talking(declared)
    taker = third(world, address)
    taker.dial("bridge", headers=[("Replaces", dialog_of(phone, **other) + more)])
    assert taker.status == status
    assert not phone.ended
    assert len(world.records) == 1
    world.step(0.5)
    assert phone.heard.count(SAYS) > 10


@pytest.mark.parametrize("acknowledges", [True, False])
def test_who_comes_without_an_offer_is_waited_for_and_the_phone_that_was_there_is_out(acknowledges: bool) -> None:
    world, phone, _ = talking()
    listener = world.caller("198.51.100.8", number="+15550103333")
    listener.says = b"\x44" * 160
    listener.dial(OURS)
    taker = third(world)
    taker.offer_answer = Offerless(taker)
    sent = taker.endpoint.datagrams_to_send
    if not acknowledges:
        taker.endpoint.datagrams_to_send = lambda: [d for d in sent() if not d[0].startswith(b"ACK ")]
    taker.dial("bridge", body=b"", headers=[("Replaces", dialog_of(phone))])
    assert taker.status == 200
    assert len(world.records) == acknowledges, "its ACK brings no answer: there is nothing to go on with"
    assert phone.ended
    phone.ended = False  # and goes on to talk, and to listen
    world.step(0.1)
    phone.heard.clear()
    listener.heard.clear()
    world.step(1)
    assert listener.says not in phone.heard
    assert SAYS not in listener.heard


class Offerless(OfferAnswer):
    """Of a phone that sends no offer, and no answer either."""

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self._caller = caller

    def accept(self, answer: bytes) -> Negotiated:
        return self.answer(answer, self._caller.local)[1]


def test_a_phone_that_is_being_sent_on_is_not_replaced_meanwhile() -> None:
    world, phone, _ = talking()
    phone.refer(f"tel:{OTHER}")
    taker = third(world)
    taker.dial("bridge", headers=[("Replaces", dialog_of(phone))])
    assert taker.status == 491
    assert world.records[-1].reason == "not-replaced"


# -- trunks with a password --------------------------------------------------------------------------------------------

ABROAD = "203.0.113.5"


def by_password(*networks: str, accepts: bool = True, serves_all: bool = True) -> Tables:
    """The same trunk, which asks for a password, from these addresses alone where there are any."""
    rows = tables(accepts=accepts).rows
    [trunk] = rows.trunks.values()
    auth = Auth(username="acme", password=sealed(trunk.id))
    inbound = Inbound(networks=networks, auth=auth, called_declared_only=not serves_all)
    return Tables.build(Rows({trunk.id: replace(trunk, inbound=inbound)}, rows.rules, rows.numbers))


def proven(declared: Tables) -> tuple[World, Caller]:
    world = World(declared, unseal=SEALER.unseal)
    phone = world.caller()
    phone.says = SAYS
    phone.dial(OURS, login=ACME)
    assert phone.status == 200
    return world, phone


@pytest.mark.parametrize(
    ("declared", "address"),
    [
        (by_password(), ABROAD),
        (by_password(serves_all=False), ABROAD),
        (by_password("198.51.100.0/24"), "198.51.100.20"),
    ],
)
def test_who_knows_the_password_of_the_calls_trunk_is_challenged_and_gets_the_place(
    declared: Tables, address: str
) -> None:
    world, phone = proven(declared)
    challenged = world.switchboard.reception.challenged
    taker = third(world, address)
    taker.dial("bridge", headers=[("Replaces", dialog_of(phone))], login=ACME)
    assert taker.status == 200
    assert phone.ended
    assert world.switchboard.reception.challenged == challenged + 1
    assert world.trusted[-1] == address
    assert not world.records
    world.step(1)
    assert taker.heard.count(ANSWERS) > 20


@pytest.mark.parametrize(
    ("declared", "address", "login", "status"),
    [
        (by_password(), ABROAD, None, 401),
        (by_password(), ABROAD, WRONG, 401),
        (by_password(), ABROAD, Login("mallory", b"tiger"), 401),
        (by_password("198.51.100.0/24"), "198.51.100.20", None, 401),
        (by_password("198.51.100.0/24"), "198.51.100.20", WRONG, 401),
        (by_password("198.51.100.0/24"), ABROAD, ACME, 403),
        (by_password(accepts=False), ABROAD, ACME, 403),
    ],
)
def test_no_stranger_takes_over_a_call_that_a_password_began(
    declared: Tables, address: str, login: Login | None, status: int
) -> None:
    world, phone = proven(declared)
    taker = third(world, address)
    taker.dial("bridge", headers=[("Replaces", dialog_of(phone))], login=login)
    assert taker.status == status
    assert not phone.ended
    world.step(1)
    assert phone.heard.count(SAYS) > 10


def test_the_password_of_another_trunk_opens_nothing() -> None:
    declared = by_password()
    [ours] = declared.rows.trunks.values()
    auth = Auth(username="mallory", password=sealed("default/else", b"lion"))
    others = {"default/else": replace(ours, id="default/else", inbound=Inbound(auth=auth), claimed_since=1)}
    rows = declared.rows
    world, phone = proven(Tables.build(Rows({**rows.trunks, **others}, rows.rules, rows.numbers)))
    taker = third(world, ABROAD)
    taker.dial("bridge", headers=[("Replaces", dialog_of(phone))], login=Login("mallory", b"lion"))
    assert taker.status == 401
    assert not phone.ended


def test_who_knows_a_password_and_no_dialog_gets_nothing() -> None:
    world, phone = proven(by_password())
    taker = third(world, ABROAD)
    taker.dial("bridge", headers=[("Replaces", dialog_of(phone, to_tag="x"))], login=ACME)
    assert taker.status == 481
    assert not phone.ended


def test_a_call_by_a_registration_is_replaced_by_the_registrar() -> None:
    rows = tables().rows
    [trunk] = rows.trunks.values()
    neighbour = replace(trunk, id="default/else", inbound=Inbound(networks=("198.51.100.8/32",)), claimed_since=1)
    trunks = {trunk.id: replace(trunk, inbound=Inbound()), neighbour.id: neighbour}
    declared = Tables.build(Rows(trunks, rows.rules, rows.numbers))

    def registered_on(user: str, source: str, _now: float) -> str:
        return trunk.id if (user, source) == ("contact", "198.51.100.7") else ""

    world = World(declared, registered_on=registered_on)
    world.registrars.add("198.51.100.7")
    phone = world.caller()
    phone.dial(OURS, user="contact")
    assert phone.status == 200
    stranger, taker = third(world, "198.51.100.8"), third(world, "198.51.100.7")
    stranger.dial("bridge", headers=[("Replaces", dialog_of(phone))], user="contact")
    assert (stranger.status, phone.ended) == (481, False), "known by another trunk, and so nobody here"
    taker.dial("bridge", headers=[("Replaces", dialog_of(phone))], user="contact")
    assert (taker.status, phone.ended) == (200, True)
