"""Hold from either side, UPDATE, glare, and calls that live on while they are held; in virtual time."""

from __future__ import annotations

import pytest

from runtime.limits import MEDIA_TIMEOUT_HOLD_S
from runtime.routing.dial import Failure, FailureKind
from runtime.sip.sdp import parse_sdp
from tests.flow.memory import Caller, World
from tests.flow.test_calls import frame, tables
from tests.flow.test_dialling import ringing
from tests.flow.test_dialling import tables as outbound


def up(**more: object) -> tuple[World, Caller, str]:
    """A call that is up: the world, its phone, its id."""
    world = World(tables())
    caller = world.caller(**more).dial("+15550100000")
    caller.says = frame(0x21)
    world.step(0.5)
    return world, caller, world.switchboard.live_calls()[0].id


def shown(world: World, number: int = 0) -> str:
    """`sip.hold` of a member of the lobby."""
    return dict(world.rooms.members("lobby")[number].attributes).get("sip.hold", "")


def direction(body: bytes) -> str:
    description = parse_sdp(body)
    return description.direction_of(description.media[0])


def version(body: bytes) -> int:
    return int(parse_sdp(body).origin.version)


# The phone's side


@pytest.mark.parametrize(
    ("change", "answer", "sends", "hold"),
    [("sendonly", "recvonly", False, "remote"), ("inactive", "inactive", False, "remote"),
     ("recvonly", "sendonly", True, ""), ("sendrecv", "sendrecv", True, "")],
)  # fmt: skip
@pytest.mark.parametrize("by", ["change", "update"])
def test_a_phone_holds_and_resumes_by_reinvite_and_by_update(by, change, answer, sends, hold) -> None:
    world, caller, call_id = up()
    assert getattr(caller, by)(change) == 200
    assert caller.session.config.send is (change in ("sendrecv", "sendonly"))
    stream = world.legs[call_id].session.config
    assert (stream.send, stream.receive) == ("send" in answer, "recv" in answer)
    assert shown(world) == hold
    before = world.legs[call_id].session.stats.packets_sent
    world.step(1)
    assert (world.legs[call_id].session.stats.packets_sent > before) is sends
    assert getattr(caller, by)("sendrecv") == 200
    assert shown(world) == ""
    assert dict(world.rooms.members("lobby")[0].attributes)["sip.callStatus"] == "active"


def test_an_update_changes_the_codec_and_one_without_common_codec_changes_nothing() -> None:
    world, caller, call_id = up()
    assert caller.update(codecs=("pcma",)) == 200
    assert world.legs[call_id].session.codec.name == "pcma"
    offer = caller.offer_answer.offer(caller.local).replace(b"PCMA", b"OPUS").replace(b"RTP/AVP 8 ", b"RTP/AVP 96 ")
    caller.endpoint.request(caller.leg, "UPDATE", world.now, body=offer, content_type="application/sdp")
    world.settle()
    assert caller.status == 488
    assert world.legs[call_id].session.codec.name == "pcma"


def test_an_update_without_an_offer_is_answered_and_changes_nothing() -> None:
    world, caller, call_id = up()
    before = world.legs[call_id].session.config
    caller.endpoint.request(caller.leg, "UPDATE", world.now)
    world.settle()
    assert caller.status == 200
    assert world.legs[call_id].session.config == before


def test_the_same_offer_gets_the_same_answer_and_another_one_the_next_version() -> None:
    _, caller, _ = up()
    answers = []
    accept = caller.offer_answer.accept
    caller.offer_answer.accept = lambda body: (answers.append(body), accept(body))[1]  # type: ignore[method-assign]
    for wanted in ("sendrecv", "sendrecv", "sendonly", "sendonly", "sendrecv"):
        caller.change(wanted)
    assert answers[0] == answers[1]
    assert answers[2] == answers[3]
    assert [version(body) for body in answers] == [1, 1, 2, 2, 3]


def test_the_old_way_of_holding_is_answered_without_media_and_lives() -> None:
    world, caller, call_id = up()
    old = caller.offer_answer.offer(caller.local).replace(b"c=IN IP4 198.51.100.7", b"c=IN IP4 0.0.0.0")
    caller.says = None
    caller.endpoint.reinvite(caller.leg, world.now, old)
    world.settle()
    assert caller.status == 200
    assert not world.legs[call_id].session.config.send
    assert shown(world) == "remote"
    caller.session = None
    world.step(60)
    assert world.switchboard.get(call_id) is not None


@pytest.mark.parametrize("change", ["sendonly", "inactive"])
def test_a_held_phone_that_sends_nothing_lives_and_not_for_ever(change) -> None:
    world, caller, call_id = up()
    caller.change(change)
    caller.session = None
    world.step(300)
    assert world.switchboard.get(call_id) is not None
    world.now += MEDIA_TIMEOUT_HOLD_S
    world.step(1)
    assert world.records[-1].reason == "media-timeout"


def test_the_others_in_the_room_go_on_while_one_is_held() -> None:
    world, first, _ = up()
    second, third = (world.caller(number=f"+1555010222{n}").dial("+15550100000") for n in range(2))
    second.says, third.says = frame(0x31), frame(0x41)
    first.change("inactive")
    world.step(1)
    for phone, says in ((second, third.says), (third, second.says)):
        assert phone.heard[-1] == says, "each other, and not the one on hold"
    assert [shown(world, n) for n in range(3)] == ["remote", "", ""]
    first.change("sendrecv")
    world.step(1)
    assert second.heard[-1] not in (third.says, None), "all three again"


# The room's side


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_the_room_holds_and_resumes(who) -> None:
    if who == "caller":
        world, phone, call_id = up()
    else:
        world = World(outbound())
        phone = ringing(world)
        phone.answer()
        call_id = "SCL_ours"
    phone.says = frame(0x21)
    world.step(0.5)
    assert world.switchboard.hold(call_id, world.moment, on=True) is None
    world.settle()
    assert direction(phone.reinvites[-1].body) == "sendonly"
    assert world.held == [(call_id, True, None)]
    assert shown(world) == "local"
    world.step(0.3)  # what was under way
    phone.heard.clear()
    world.step(1)
    heard = {frame for frame in phone.heard if frame is not None}
    assert heard <= {b"\xff" * 160}, "silence, and no echo of the room"
    assert world.legs[call_id].session.stats.packets_sent, "which keeps the way open"
    assert world.switchboard.hold(call_id, world.moment, on=False) is None
    world.settle()
    assert direction(phone.reinvites[-1].body) == "sendrecv"
    assert version(phone.reinvites[-1].body) == version(phone.reinvites[-2].body) + 1
    assert world.held[-1] == (call_id, False, None)
    assert shown(world) == ""


def test_both_sides_hold_and_each_resumes_for_itself() -> None:
    world, caller, call_id = up()
    world.switchboard.hold(call_id, world.moment, on=True)
    world.settle()
    assert caller.change("sendonly") == 200
    assert shown(world) == "both"
    assert not world.legs[call_id].session.config.send
    assert caller.change("sendrecv") == 200
    assert shown(world) == "local", "the phone's resume does not end our hold"
    stream = world.legs[call_id].session.config
    assert (stream.send, stream.receive, stream.silent) == (True, False, True)
    world.switchboard.hold(call_id, world.moment, on=False)
    world.settle()
    assert shown(world) == ""


def test_a_hold_that_is_there_already_is_told_at_once() -> None:
    world, caller, call_id = up()
    for _ in range(2):
        world.switchboard.hold(call_id, world.moment, on=True)
        world.settle()
    assert world.held == [(call_id, True, None)] * 2
    assert len(caller.reinvites) == 1


def test_a_phone_that_refuses_is_not_held_and_the_reason_is_told() -> None:
    world, caller, call_id = up(refuses=488)
    world.switchboard.hold(call_id, world.moment, on=True)
    world.settle()
    [(_, held, failure)] = world.held
    assert not held
    assert "488" in failure.words
    assert shown(world) == ""
    assert world.legs[call_id].session.config.receive, "the session stays as it was"
    caller.refuses = 0
    world.switchboard.hold(call_id, world.moment, on=True)
    world.settle()
    assert shown(world) == "local"


@pytest.mark.parametrize(("who", "first_s", "last_s"), [("caller", 0.0, 2.5), ("callee", 2.1, 4.5)])
def test_after_glare_it_is_tried_again_in_the_time_that_the_rfc_gives_each_side(who, first_s, last_s) -> None:
    if who == "caller":
        world, phone, call_id = up()
    else:
        world = World(outbound())
        phone = ringing(world)
        phone.answer()
        call_id = "SCL_ours"
    phone.refuses = 491
    world.switchboard.hold(call_id, world.moment, on=True)
    world.settle()
    asked_at = world.now
    assert world.held == []
    phone.refuses = 0
    while len(phone.reinvites) < 2:
        world.step()
        assert world.now - asked_at < last_s
    assert world.now - asked_at >= first_s
    assert world.held == [(call_id, True, None)]


def test_a_reinvite_of_the_phone_that_crosses_ours_gets_491_and_both_are_settled_later() -> None:
    world, caller, call_id = up()
    caller.endpoint.reinvite(caller.leg, world.now, caller.offer_answer.offer(caller.local))
    crossing = caller.endpoint.datagrams_to_send()
    world.switchboard.hold(call_id, world.moment, on=True)
    for data, path in crossing:
        world.endpoint.receive_datagram(data, type(path)("udp", path.remote, path.local), world.now)
    world.settle()
    assert caller.status == 491
    world.step(5)
    assert shown(world) == "local"
    assert world.held == [(call_id, True, None)]


def test_what_cannot_be_held_says_why() -> None:
    world = World(outbound())
    ringing(world)
    for call_id, kind in (("SCL_none", FailureKind.NOT_FOUND), ("SCL_ours", FailureKind.FAILED_PRECONDITION)):
        failure = world.switchboard.hold(call_id, world.moment, on=True)
        assert isinstance(failure, Failure)
        assert failure.kind is kind


@pytest.mark.parametrize("status", [481, 408])
def test_a_phone_that_does_not_know_the_call_any_more_is_hung_up_on(status) -> None:
    world, caller, call_id = up(refuses=status)
    world.switchboard.hold(call_id, world.moment, on=True)
    world.settle()
    [record] = world.records
    assert record.reason == "leg-lost"
    assert caller.ended
    [(_, _, failure)] = world.held
    assert failure.kind is FailureKind.CANCELED


def test_who_asked_is_told_when_the_call_ends_meanwhile() -> None:
    world, caller, call_id = up(refuses=491)
    world.switchboard.hold(call_id, world.moment, on=True)
    world.settle()
    caller.hang_up()
    [(_, _, failure)] = world.held
    assert failure.kind is FailureKind.CANCELED


# Session timers


@pytest.mark.parametrize("held", ["remote", "local"])
@pytest.mark.parametrize("refresher", ["uac", "uas"])
def test_a_call_on_hold_for_five_minutes_with_session_timers_of_90_s_survives(refresher, held) -> None:
    world = World(tables())
    caller = world.caller(supported=("timer",), session_expires_s=f"90;refresher={refresher}").dial("+15550100000")
    call_id = world.switchboard.live_calls()[0].id
    if held == "remote":
        caller.change("inactive")
    else:
        world.switchboard.hold(call_id, world.moment, on=True)
        world.settle()
    caller.session = None
    for _ in range(300):
        world.step(1)
        assert world.switchboard.get(call_id) is not None, world.records
    assert shown(world) == held
    caller.endpoint.handle_timer = lambda _now: None  # type: ignore[method-assign]
    caller.endpoint.receive_datagram = lambda *_: None  # type: ignore[method-assign]
    for _ in range(100):
        world.step(1)
    assert world.records[-1].reason == "session-expired", "and a dead phone ends it"


def test_a_call_that_stays_on_hold_for_long_lives_by_its_refreshes() -> None:
    world = World(tables())
    caller = world.caller(supported=("timer",), session_expires_s="600;refresher=uas").dial("+15550100000")
    call_id = world.switchboard.live_calls()[0].id
    caller.change("inactive")
    caller.session = None
    for _ in range(1500):
        world.now += 1.0
        world.step()
    assert world.switchboard.get(call_id) is not None, world.records


def test_the_reason_of_a_bye_is_written_down() -> None:
    world, caller, _ = up()
    caller.hang_up([("Reason", 'Q.850;cause=38;text="Network {out} of order", SIP;cause=200')])
    [record] = world.records
    assert record.peer_reason == "Q.850 38 Network {out} of order; SIP 200"
    assert record.words == "the caller hung up (Q.850 38 Network {out} of order)"
    assert record.as_json()["peerReason"] == record.peer_reason
