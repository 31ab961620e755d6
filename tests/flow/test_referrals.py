"""Phones that send their calls on themselves, in virtual time: an incoming REFER."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runtime.routing.dial import Failure, TransferRequest
from runtime.sip import events as sip
from runtime.sip.fields import parse_addresses
from runtime.sip.uri import Uri, parse_uri
from schemas.tables.rows import Direction, Inbound, NumberRow, Outbound, RoomKind, Rows, RuleRow, TrunkRow
from schemas.tables.tables import Tables
from tests.flow.memory import Callee, Caller, World

OURS, OTHER = "+15550100000", "+15550109999"
SAYS, ANSWERS = b"\x11" * 160, b"\x22" * 160


def tables(*, accepts: bool = True, destinations: tuple[str, ...] = ("+1555*",), **outbound: Any) -> Tables:
    way = {"addresses": ("198.51.100.9",), "allowed_destinations": destinations, **outbound}
    inbound = Inbound(networks=("198.51.100.0/24",))
    trunk = TrunkRow("default/home", inbound=inbound, outbound=Outbound(**way), accept_refer=accepts)
    number = NumberRow("default/ours", OURS, trunk.id, direction=Direction.BOTH)
    rule = RuleRow("default/lobby", RoomKind.DIRECT, "lobby")
    return Tables.build(Rows({trunk.id: trunk}, {rule.id: rule}, {number.id: number}))


class Referrer(Caller):
    """A phone that sends its call on, and is told how it goes."""

    def __post_init__(self) -> None:
        self.allow = (*self.allow, "NOTIFY")
        self.news: list[tuple[str, str, str]] = []
        self.answered_with = 0
        super().__post_init__()

    def refer(self, to: str, *headers: tuple[str, str]) -> int:
        self.endpoint.request(self.leg, "REFER", self.world.now, [("Refer-To", to), *headers])
        self.world.settle()
        return self.answered_with

    def _handle(self, event: sip.Event) -> None:
        match event:
            case sip.RequestReceived() if event.request.method == "NOTIFY":
                headers = event.request.headers
                line = event.request.body.decode().strip()
                self.news.append((line, headers.first("Event") or "", headers.first("Subscription-State") or ""))
                self.endpoint.respond_request(event.request_id, 200, self.world.now)
            case sip.RequestAnswered(method="REFER") if event.response is not None:
                self.answered_with = event.response.status
            case _:
                super()._handle(event)


def talking(declared: Tables | None = None) -> tuple[World, Referrer, Callee]:
    world = World(declared or tables())
    phone = Referrer(world, ("198.51.100.7", 5060), "+15550101111")
    world.callers.append(phone)
    other = world.callee()
    phone.says, other.says = SAYS, ANSWERS
    phone.dial(OURS)
    world.step(0.2)
    return world, phone, other


def test_another_phone_takes_its_place_in_the_room() -> None:
    world, phone, other = talking()
    listener = world.caller("198.51.100.8", number="+15550103333")
    listener.dial(OURS)
    [before] = [m for m in world.rooms.members("lobby") if m.identity == "sip_+15550101111"]
    assert phone.refer(f"<sip:{OTHER}@anywhere.example>") == 202
    assert phone.news[0][0] == "SIP/2.0 100 Trying"
    assert phone.news[0][1] == "refer;id=2"
    [invite] = other.invites
    assert invite.uri == f"sip:{OTHER}@198.51.100.9"
    assert f"sip:{OURS}@" in (invite.headers.first("From") or "")
    other.ring()
    world.step(0.5)
    assert listener.heard.count(SAYS) > 10, "the old phone talks on"
    other.answer()
    assert [news[0] for news in phone.news] == ["SIP/2.0 100 Trying", "SIP/2.0 180 Ringing", "SIP/2.0 200 OK"]
    assert phone.news[-1][2].startswith("terminated")
    world.step(0.1)
    listener.heard.clear()
    world.step(1)
    assert phone.ended, "it is hung up on where it does not do so itself"
    assert listener.heard.count(ANSWERS) > 30
    [after] = [m for m in world.rooms.members("lobby") if m.identity == before.identity]
    assert dict(after.attributes)["sip.phoneNumber"] == OTHER
    assert dict(after.attributes)["sip.callID"] == dict(before.attributes)["sip.callID"]
    assert len(world.records) == 0
    other.hang_up()
    assert (world.records[0].reason, len(world.rooms.members("lobby"))) == ("hangup", 1)


def test_a_phone_that_hangs_up_at_once_is_replaced_all_the_same() -> None:
    world, phone, other = talking()
    assert phone.refer(f"tel:{OTHER}") == 202
    phone.hang_up()
    assert not world.records
    other.ring()
    world.step(40)
    other.answer()
    world.step(2)
    assert len(world.rooms.members("lobby")) == 1
    assert other.heard.count(ANSWERS) > 30, "alone it hears itself"
    world.switchboard.stop(world.moment)
    world.settle()
    assert other.ended
    assert len(world.records) == 1


@pytest.mark.parametrize("stays", [True, False])
def test_a_number_that_is_not_reached_leaves_the_call_as_it_was(stays: bool) -> None:
    world, phone, other = talking()
    phone.refer(f"tel:{OTHER}")
    if not stays:
        phone.hang_up()
    other.decline(486, "Busy Here")
    if stays:
        assert phone.news[-1][0] == "SIP/2.0 486 Busy Here"
        assert not phone.ended
        assert phone.refer(f"tel:{OTHER}") == 202, "it may try again"
    else:
        assert (world.records[0].ended_by, "486" in world.records[0].words) == ("caller", True)


def test_nobody_is_sent_on_or_held_while_the_room_waits_for_the_other_phone() -> None:
    world, phone, other = talking()
    phone.refer(f"tel:{OTHER}")
    phone.hang_up()
    [call] = world.switchboard.live_calls()
    elsewhere = TransferRequest(call.record.room, call.record.identity, "tel:+15550107777")
    for refused in (
        world.switchboard.transfer(elsewhere, world.moment),
        world.switchboard.hold(call.id, world.moment, on=True),
    ):
        assert isinstance(refused, Failure)
        assert refused.words == "the phone has hung up, and another is being called"
    other.answer()
    assert world.switchboard.hold(call.id, world.moment, on=True) is None


def test_a_number_that_rings_too_long_is_given_up() -> None:
    world, phone, other = talking()
    phone.refer(f"tel:{OTHER}")
    other.ring()
    world.step(61)
    assert other.cancelled
    assert phone.news[-1][0] == "SIP/2.0 408 Request Timeout"
    assert not phone.ended


def test_a_call_that_ends_takes_back_what_rings() -> None:
    world, phone, other = talking()
    phone.refer(f"tel:{OTHER}")
    other.ring()
    world.switchboard.stop(world.moment)
    world.settle()
    assert other.cancelled
    assert phone.ended


@pytest.mark.parametrize(
    ("declared", "to", "status"),
    [
        (tables(accepts=False), f"tel:{OTHER}", 403),
        (tables(destinations=()), f"tel:{OTHER}", 403),
        (tables(), "tel:+449001234567", 403),
        (tables(), "<sip:1234@198.51.100.9>", 403),
        (tables(), f"<sip:{OTHER}@a?Replaces=x%3Bto-tag%3D1>", 400),
        (tables(), f"<sip:{OTHER}@a?Subject=x>", 400),
        (tables(), f"<sip:{OTHER}@a?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2&Subject=x>", 400),
        (tables(), "<sip:+449001234567@a?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2>", 403),
        (tables(), f"<sip:{OTHER}@a;method=BYE>", 400),
        (tables(), f"<sip:{OTHER};ext=1@a>", 400),
        (tables(), "<http://a.example>", 400),
        (tables(), "", 400),
        (tables(max_concurrent_calls=0), f"tel:{OTHER}", 202),
    ],
)
def test_nothing_else_is_dialled(declared: Tables, to: str, status: int) -> None:
    _, phone, other = talking(declared)
    assert phone.refer(to) == status
    assert not other.invites
    assert not phone.ended
    if status == 202:
        assert phone.news[-1][0].startswith("SIP/2.0 503")


def test_the_dialog_that_a_consultation_made_is_taken_over() -> None:
    _, phone, other = talking()
    by = ("Referred-By", "<sip:+15550101111@phone.example>")
    assert phone.refer(f"<sip:{OTHER}@a?Replaces=id%40x%3Bto-tag%3D1%3Bfrom-tag%3D2>", by) == 202
    headers = other.invites[0].headers
    assert headers.first("Replaces") == "id@x;to-tag=1;from-tag=2"
    assert headers.first("Referred-By") == by[1]


def test_a_dialog_that_no_header_can_name_is_400_and_hinders_nothing() -> None:
    _, phone, other = talking()
    assert phone.refer(f"<sip:{OTHER}@h?Replaces=a%01b%3Bto-tag%3D1%3Bfrom-tag%3D2>") == 400
    assert phone.refer(f"tel:{OTHER}") == 202
    assert len(other.invites) == 1


def test_one_at_a_time_and_no_news_where_none_are_wanted() -> None:
    _, phone, other = talking()
    assert phone.refer(f"tel:{OTHER}", ("Refer-Sub", "false")) == 202
    assert phone.refer("tel:+15550108888") == 491
    assert len(other.invites) == 1
    assert not phone.news


def test_a_trunk_lends_a_place_for_as_long_as_it_is_needed() -> None:
    world, phone, other = talking(tables(max_concurrent_calls=1))
    for _ in range(3):
        phone.refer(f"tel:{OTHER}")
        other.decline(486)
    phone.refer(f"tel:{OTHER}")
    other.answer()
    world.step(2)
    other.hang_up()
    assert world.place(trunk="default/home", call_to=OTHER) is None, "it has been given back"


# -- two phones of ours are connected ----------------------------------------------------------------------------------


@pytest.mark.parametrize("after_s", [0.1, 2])
def test_a_phone_that_was_reached_sends_the_call_on_and_nothing_is_left_of_those_before(after_s: float) -> None:
    world, phone, other = talking(tables(max_concurrent_calls=2))
    phone.refer(f"tel:{OTHER}")
    for _ in range(3):
        other.answer()
        world.step(after_s)
        other.endpoint.request(other.leg, "REFER", world.now, [("Refer-To", f"tel:{OTHER}")])
        world.settle()
    assert len(other.invites) == 4, "each had a place"
    other.decline(486)
    world.step(2)
    assert phone.ended, "it is hung up on, however soon the next one sends the call on"
    assert world.endpoint.leg_count == 1
    assert world.place(trunk="default/home", call_to=OTHER) is None, "one place is left"
    world.switchboard.stop(world.moment)
    world.settle()
    world.step(40)
    assert world.endpoint.leg_count == 0


def test_places_of_calls_that_were_sent_on_more_than_once_are_free_again() -> None:
    world, phone, other = talking(tables(max_concurrent_calls=2))
    for _ in range(3):
        phone.refer(f"tel:{OTHER}")
        other.answer()
        world.step(2)
        other.endpoint.request(other.leg, "REFER", world.now, [("Refer-To", f"tel:{OTHER}")])
        world.settle()
        other.answer()
        world.step(2)
        other.hang_up()
        phone.dial(OURS)
        world.step(0.2)
    assert len(other.invites) == 6
    assert len(world.records) == 3


def test_the_phones_of_two_calls_are_connected_without_us() -> None:
    world = World(tables())
    one, two = (Callee(world, ("198.51.100.7", 5060 + n), f"+1555010111{n}") for n in range(2))
    world.callers += [one, two]
    for phone in (one, two):
        phone.dial(OURS)
    world.step(0.2)
    _, other = world.switchboard.live_calls()
    begun = world.transfer(f"<sip:{other.id}@call>", "sip_+15550101110")
    assert isinstance(begun, str)
    [refer] = one.refers
    info = two.endpoint.leg_info(two.leg)
    assert info is not None
    [target] = parse_addresses(refer.headers, "Refer-To")
    uri = parse_uri(target.uri)
    assert isinstance(uri, Uri)
    assert uri.headers == (("Replaces", f"{info.call_id};to-tag={info.local_tag};from-tag={info.remote_tag}"),)
    assert (uri.host, uri.port) == ("198.51.100.7", 5061)
    assert OURS in (refer.headers.first("Referred-By") or "")
    one.take_refer()
    one.notify("SIP/2.0 200 OK", "terminated")
    two.hang_up()
    world.step(2)
    assert one.ended
    assert sorted(record.reason for record in world.records) == ["hangup", "transferred"]


def test_only_another_call_of_the_same_trunk_will_do() -> None:
    world, phone, _ = talking()
    [call] = world.switchboard.live_calls()
    assert isinstance(world.transfer(f"<sip:{call.id}@call>", "sip_+15550101111"), Failure), "itself"
    other = world.caller("198.51.100.20", number="+15550104444")
    other.dial(OURS)
    _, theirs = world.switchboard.live_calls()
    theirs.orders = replace(theirs.orders, trunk=replace(theirs.orders.trunk, id="default/else"))
    refused = world.transfer(f"<sip:{theirs.id}@call>", "sip_+15550101111")
    theirs.orders = replace(theirs.orders, trunk=call.orders.trunk)
    assert isinstance(refused, Failure)
    assert "one trunk" in refused.words
    assert not phone.news
