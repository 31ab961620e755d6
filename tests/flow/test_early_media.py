"""Media before the answer, both ways; PRACK; phones that send a call on; answers on request. In virtual time."""

from __future__ import annotations

import pytest

from runtime.calls.redirects import REDIRECTS_MAX
from runtime.media.codecs.g711 import SILENCE
from runtime.routing.dial import Failure
from runtime.sip import events as sip
from runtime.sip.message import Request, Response
from runtime.sip.path import Path
from schemas.tables.rows import Inbound, RoomKind, Rows, RuleRow, TrunkRow
from schemas.tables.tables import Tables
from tests.flow.memory import BRIDGE, Callee, Caller, World
from tests.flow.test_calls import frame
from tests.flow.test_dialling import CALL, ringing, shown
from tests.flow.test_dialling import tables as outbound
from tests.fuzz.signalling import PEER, from_peer
from tests.runtime.sip.offers import OFFER
from tests.runtime.sip.raw import read, request

HOME = "198.51.100.0/24"
RELIABLE = ("100rel",)


# A phone that is called


def called(world: World, **more: object) -> Callee:
    phone = world.callee(**more)
    assert world.place(wait_until_answered=True, dialtone=True) is None
    return phone


@pytest.mark.parametrize("supported", [(), RELIABLE])
def test_what_is_played_before_the_answer_is_heard_in_the_room_and_the_room_is_not_heard(supported) -> None:
    world = World(outbound())
    listener = world.caller()
    phone = called(world, supported=supported)
    phone.says = frame(0x21)
    phone.ring(183, early=True)
    leg = world.legs[CALL]
    assert leg.session is not None, "the ringing tone of the bridge is over"
    assert shown(world)["sip.callStatus"] == "ringing"
    assert "sip.hold" not in shown(world)
    world.step(1)
    assert leg.session.stats.received > 40
    assert {heard for heard in phone.heard if heard} <= {SILENCE["pcmu"]}, "no echo of the room before the answer"
    phone.answer()
    phone.heard.clear()
    world.step(1)
    assert frame(0x21) in phone.heard
    assert shown(world)["sip.callStatus"] == "active"
    assert listener.status == 0


def test_a_quiet_early_stream_ends_no_call_and_the_answer_counts_from_itself() -> None:
    world = World(outbound())
    phone = called(world)
    phone.says = frame(0x21)
    phone.ring(183, early=True)
    world.step(1)
    session, phone.session = phone.session, None
    world.step(100)
    assert world.records == []
    phone.session = session
    phone.answer()
    phone.session = None
    world.step(10)
    assert world.records == []
    world.step(10)
    assert world.records[-1].reason == "media-timeout"


def test_an_answer_without_a_body_stands_on_the_reliable_one_before() -> None:
    world = World(outbound())
    phone = called(world, supported=RELIABLE)
    phone.ring(183, early=True)
    phone.endpoint.respond(phone.leg, 200, world.now)
    world.settle()
    assert not isinstance(world.dialled[CALL], Failure)
    assert world.legs[CALL].session.config.timeout_s < 100


def test_an_answer_without_any_session_description_is_hung_up() -> None:
    world = World(outbound())
    phone = called(world)
    phone.ring(180)
    phone.endpoint.respond(phone.leg, 200, world.now)
    world.settle()
    assert world.records[-1].reason == "media"
    assert phone.ended


def test_an_early_answer_that_cannot_be_used_is_passed_over() -> None:
    world = World(outbound())
    phone = called(world)
    phone.endpoint.respond(phone.leg, 183, world.now, body=b"v=0\r\n")
    world.settle()
    assert world.legs[CALL].session is None
    phone.answer()
    assert not isinstance(world.dialled[CALL], Failure)


def test_an_update_before_the_answer_moves_early_media() -> None:
    world = World(outbound())
    phone = called(world, supported=RELIABLE)
    phone.ring(183, early=True)
    assert phone.update(codecs=("pcma",)) == 200
    assert world.legs[CALL].session.codec.name == "pcma"
    phone.endpoint.respond(phone.leg, 200, world.now)
    world.settle()
    assert world.legs[CALL].session.codec.name == "pcma"
    assert shown(world)["sip.callStatus"] == "active"


def test_a_phone_that_is_given_up_is_told_why() -> None:
    world = World(outbound())
    phone = ringing(world, ringing_timeout_s=5.0)
    cancels: list[str] = []
    take = phone._handle

    def see(event: sip.Event) -> None:
        if isinstance(event, sip.Cancelled):
            cancels.append(event.request.headers.first("Reason") or "")
        take(event)

    phone._handle = see  # type: ignore[method-assign]
    world.step(6)
    assert cancels[0].startswith("Q.850;cause=19;")


# Sent on by 3xx


def sent_on(contact: str, status: int = 302, **trunk: object) -> tuple[World, Callee]:
    world = World(outbound(**trunk))
    phone = called(world)
    phone.decline(status, headers=[("Contact", contact)])
    return world, phone


@pytest.mark.parametrize(
    "contact",
    ["<sip:+15550107777@198.51.100.9>", "<sip:+15550107777@198.51.100.9:5060>;q=0.5", "tel:+15550107777",
     "<sip:+15550106666@203.0.113.1>;q=0.9, <sip:+15550107777@198.51.100.9>;q=0.1"],
)  # fmt: skip
@pytest.mark.parametrize("allowed", [(), ("+1555*",)])
def test_a_call_is_sent_on_within_its_trunk(contact, allowed) -> None:
    world, phone = sent_on(contact, allowed_destinations=allowed)
    assert [invite.uri for invite in phone.invites][1] == "sip:+15550107777@198.51.100.9"
    assert phone.invites[1].headers.first("To") == phone.invites[0].headers.first("To"), "whom we wanted"
    phone.answer()
    assert not isinstance(world.dialled[CALL], Failure)


@pytest.mark.parametrize(
    ("contact", "words"),
    [("<sip:+15550107777@203.0.113.1>", "none of the trunk's addresses"),
     ("<sip:+15550107777@198.51.100.9:5080>", "none of the trunk's addresses"),
     ("<sip:+449001234567@198.51.100.9>", "allowedDestinations"),
     ("<sip:+15550107777;ext=9@198.51.100.9>", "more than a number"),
     ("<sip:+15550107777@198.51.100.9?Route=evil>", "more than a number"),
     ("<sips:+15550107777@198.51.100.9>", "more than a number"),
     ("<tel:+15550107777;phone-context=x>", "more than a number"),
     ("<mailto:a@b>", "URI"),
     ("<<", "cannot be read"),
     ("<sip:+15550109999@198.51.100.9>", "dialled there already")],
)  # fmt: skip
def test_no_answer_sends_a_call_out_of_its_trunk_or_to_what_it_may_not_dial(contact, words) -> None:
    world, phone = sent_on(contact, allowed_destinations=("+1555*",))
    assert len(phone.invites) == 1
    [record] = world.records
    assert record.status == 302
    assert words in record.words


@pytest.mark.parametrize("status", [305, 380, 399])
def test_other_redirections_are_answers(status) -> None:
    world, phone = sent_on("<sip:+15550107777@198.51.100.9>", status)
    assert len(phone.invites) == 1
    assert world.records[-1].status == status


def test_a_call_is_sent_on_a_few_times_and_no_more() -> None:
    world = World(outbound())
    phone = called(world)
    for number in range(REDIRECTS_MAX + 1):
        phone.decline(302, headers=[("Contact", f"<sip:+1555010777{number}@198.51.100.9>")])
    assert len(phone.invites) == 1 + REDIRECTS_MAX
    assert f"{REDIRECTS_MAX} times" in world.records[-1].words


# Who calls us


def rule(**more: object) -> Tables:
    row = RuleRow("default/lobby", RoomKind.DIRECT, "lobby", answer="onRequest", **more)  # type: ignore[arg-type]
    trunk = TrunkRow("default/home", inbound=Inbound(networks=(HOME,), ringing_timeout_ms=20_000))
    return Tables.build(Rows({trunk.id: trunk}, {row.id: row}))


def calling(tables: Tables, **more: object) -> tuple[World, Caller, str]:
    world = World(tables)
    caller = world.caller(**more).dial("+15550100000")
    return world, caller, world.switchboard.live_calls()[0].id


def test_a_phone_rings_until_somebody_asks_for_the_answer() -> None:
    world, caller, call_id = calling(rule())
    assert [response.status for response in caller.provisional] == [180]
    world.step(3)
    assert caller.status == 0
    assert world.switchboard.answer_asked(call_id, world.moment) is None
    world.settle()
    assert caller.status == 200
    assert dict(world.rooms.members("lobby")[0].attributes)["sip.callStatus"] == "active"
    assert isinstance(world.switchboard.answer_asked(call_id, world.moment), Failure)
    assert isinstance(world.switchboard.answer_asked("SCL_none", world.moment), Failure)


def test_who_is_not_answered_gets_the_fallback() -> None:
    world, caller, _ = calling(rule(fallback_sip_code=486))
    world.step(21)
    assert caller.status == 486
    assert world.records[-1].reason == "ringing-timeout"


@pytest.mark.parametrize("supported", [(), RELIABLE])
def test_a_caller_hears_its_room_before_the_answer(supported) -> None:
    world, caller, call_id = calling(rule(ringback="room"), supported=supported)
    assert [response.status for response in caller.provisional] == [183]
    assert (caller.provisional[0].headers.first("RSeq") is not None) is bool(supported)
    other = world.caller(number="+15550102222").dial("+15550100000")
    world.switchboard.answer_asked(world.switchboard.live_calls()[1].id, world.moment)
    other.says = frame(0x31)
    world.step(1)
    assert frame(0x31) in caller.heard
    assert caller.status == 0
    world.switchboard.answer_asked(call_id, world.moment)
    world.settle()
    assert caller.status == 200
    caller.says = frame(0x41)
    world.step(1)
    assert frame(0x41) in other.heard


def test_a_caller_hears_a_ringing_tone_until_the_answer() -> None:
    world, _, call_id = calling(rule(ringback="tone"))
    assert world.legs[call_id].phone_rings
    world.switchboard.answer_asked(call_id, world.moment)
    world.settle()
    assert not world.legs[call_id].phone_rings


def test_a_caller_without_an_offer_is_offered_early_media_only_where_it_can_answer() -> None:
    world = World(rule(ringback="room"))
    plain = world.caller().dial("+15550100000", body=b"")
    assert [(response.status, response.body) for response in plain.provisional] == [(180, b"")]


def test_a_caller_without_an_offer_answers_ours_in_its_prack() -> None:
    world = World(rule(ringback="room"))
    sent: list[Request | Response] = []
    take = world.endpoint.datagrams_to_send

    def keep() -> list[tuple[bytes, Path]]:
        out = take()
        sent.extend(read(data) for data, _ in out)
        return out

    world.endpoint.datagrams_to_send = keep  # type: ignore[method-assign]

    def say(data: bytes) -> None:
        world.endpoint.receive_datagram(from_peer(data), Path("udp", BRIDGE, PEER), world.now)
        world.settle()

    say(request(extra=("Supported: 100rel",)))
    [call_id], early = world.legs, sent[-1]
    assert (early.status, early.headers.first("Require")) == (183, "100rel")
    assert b"m=audio" in early.body
    assert world.legs[call_id].session is None, "nobody has said yet where it is to go"
    rack = f"RAck: {early.headers.first('RSeq')} 1 INVITE"
    say(request("PRACK", branch="z9hG4bK-2", cseq=2, to_tag=call_id, extra=(rack,), body=OFFER.decode()))
    assert world.legs[call_id].session is not None
    world.switchboard.answer_asked(call_id, world.moment)
    world.settle()
    answer = sent[-1]
    assert (answer.status, answer.headers.first("CSeq"), answer.body) == (200, "1 INVITE", b"")
    say(request("ACK", branch="z9hG4bK-a", to_tag=call_id))
    [call] = world.switchboard.live_calls()
    assert (call.state.value, call.stream) == ("active", world.legs[call_id].session.config)


def test_nobody_is_sent_media_in_anothers_name_before_it_has_shown_that_it_is_there() -> None:
    world = World(rule(ringback="room"))
    caller = world.caller()
    forged = caller.offer_answer.offer(caller.local).replace(b"198.51.100.7", b"203.0.113.9")
    caller.dial("+15550100000", body=forged)
    [call_id] = world.legs
    session, caller.session = caller.session, None
    world.step(2)
    assert world.legs[call_id].session.stats.packets_sent == 0, "203.0.113.9 may be anybody's"
    caller.session = session
    world.step(1)
    assert world.legs[call_id].session.stats.packets_sent > 0, "a packet to the port that only the phone was told of"


def test_a_prack_shows_it_too() -> None:
    world = World(rule(ringback="room"))
    caller = world.caller(supported=RELIABLE)
    forged = caller.offer_answer.offer(caller.local).replace(b"198.51.100.7", b"203.0.113.9")
    caller.dial("+15550100000", body=forged)
    [call_id] = world.legs
    world.step(1)
    assert world.legs[call_id].session.stats.packets_sent > 0


def test_an_update_before_the_answer_waits_for_the_first_answer_and_is_taken_after_it() -> None:
    world, caller, _ = calling(rule())
    assert caller.update("sendonly") == 500, "the offer of the INVITE has no answer yet"
    world, caller, call_id = calling(rule(ringback="room"), supported=RELIABLE)
    assert caller.update("inactive") == 200
    assert not world.legs[call_id].session.config.send
    world.switchboard.answer_asked(call_id, world.moment)
    world.settle()
    assert caller.status == 200
    assert dict(world.rooms.members("lobby")[0].attributes)["sip.hold"] == "remote"


def test_a_caller_that_never_acknowledges_ringing_gets_504() -> None:
    world = World(rule(ringback="tone"))
    caller = world.caller(supported=RELIABLE)
    caller.endpoint._uac_invite._is_acknowledged = lambda *_: True  # type: ignore[method-assign]
    caller.dial("+15550100000")
    world.now += 12.0
    world.switchboard._by_id[next(iter(world.legs))].rings_until = float("inf")
    world.step(25)
    assert caller.status == 504
    assert world.records[-1].reason == "no-prack"
