"""Rooms that take their time, or are taken away: ringing, fallback, answering first, the BYE's headers."""

from __future__ import annotations

from runtime.calls.record import EndedBy
from runtime.rooms.adapter import Leg, Participant
from schemas.tables.rows import Headers, Inbound, Media, Pairs, RoomKind, Rows, RuleRow, TrunkRow
from schemas.tables.tables import Tables
from tests.flow.memory import World


class SlowRooms:
    """Rooms that do nothing until a test says so."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.here: dict[str, Participant] = {}
        self.changes: list[Pairs] = []
        self.gone: dict[str, str] = {}

    def join(self, room: str, participant: Participant, leg: Leg, now: float) -> None:
        self.here[participant.call_id] = participant
        self.world.switchboard.room_waits(participant.call_id, self.world.moment)

    def leave(self, call_id: str, reason: str = "") -> None:
        self.gone[call_id] = reason

    def set_attributes(self, call_id: str, changes: Pairs) -> None:
        self.changes.append(changes)

    def digit(self, call_id: str, digit: str, now: float) -> None:
        pass

    def tick(self, now: float) -> None:
        pass


def slow(answer: str = "whenRoomReady", headers: Headers | None = None) -> tuple[World, SlowRooms]:
    inbound = Inbound(networks=("198.51.100.0/24",), ringing_timeout_ms=5_000, headers=headers or Headers())
    rule = RuleRow(
        "default/lobby", RoomKind.DIRECT, "lobby", answer=answer, fallback_sip_code=503, media=Media(room_codec="opus")
    )
    world = World(Tables.build(Rows({"default/home": TrunkRow("default/home", inbound=inbound)}, {rule.id: rule})))
    rooms = SlowRooms(world)
    world.rooms = rooms  # type: ignore[assignment]
    return world, rooms


def test_the_phone_rings_until_the_room_is_ready() -> None:
    world, rooms = slow()
    caller = world.caller().dial("+15550100000")
    assert caller.status == 0
    [(call_id, participant)] = rooms.here.items()
    assert (participant.room_codec, dict(participant.attributes)["sip.callStatus"]) == ("opus", "ringing")
    world.step(2)
    assert world.switchboard.room_joined(call_id, world.moment)
    world.settle()
    assert caller.status == 200
    assert rooms.changes == [(("sip.callStatus", "active"),)]
    assert not world.switchboard.room_joined(call_id, world.moment), "once"


def test_ringing_has_an_end_and_the_rule_says_how() -> None:
    world, rooms = slow()
    caller = world.caller().dial("+15550100000")
    world.step(6)
    assert caller.status == 503
    assert "nobody was in the room" in caller.warning
    [record] = world.records
    assert (record.reason, record.status, record.ended_by) == ("ringing-timeout", 503, EndedBy.ROOM)
    assert rooms.gone == dict.fromkeys(rooms.here, "ringing-timeout")


def test_a_participant_that_is_moved_has_its_new_room_in_the_record() -> None:
    world, rooms = slow()
    caller = world.caller().dial("+15550100000")
    [call_id] = rooms.here
    world.switchboard.room_entered(call_id, "PA_1", world.moment)
    world.settle()
    assert caller.status == 0, "nobody is there yet"
    world.switchboard.room_joined(call_id, world.moment)
    world.settle()
    world.switchboard.room_moved(call_id, "elsewhere")
    caller.hang_up()
    world.switchboard.room_moved(call_id, "nowhere")
    [record] = world.records
    assert (record.room, rooms.gone) == ("elsewhere", {call_id: "hangup"})


def test_a_call_may_be_answered_first() -> None:
    world, rooms = slow("immediately")
    caller = world.caller().dial("+15550100000")
    assert caller.status == 200
    [call_id] = rooms.here
    world.step(10)
    assert not world.records, "an answered call does not ring"
    world.switchboard.room_left(call_id, "room-unreachable", "nobody there", world.moment)
    world.settle()
    assert caller.ended
    assert 'text="nobody there"' in caller.bye_reason


def test_a_room_that_cannot_be_had_gives_the_fallback() -> None:
    world, rooms = slow()
    caller = world.caller().dial("+15550100000")
    [call_id] = rooms.here
    world.switchboard.room_left(call_id, "room-unreachable", 'words "with"\r\nquotes', world.moment)
    world.settle()
    assert caller.status == 503
    assert caller.warning == "399 dialplane \"words 'with'''quotes\""


def test_what_the_room_set_goes_on_the_bye_and_cannot_break_out() -> None:
    policy = Headers(fixed=(("X-Served", "us"),), from_attributes=(("outcome", "X-Outcome"), ("evil", "X-Evil")))
    world, rooms = slow(headers=policy)
    caller = world.caller().dial("+15550100000", headers=[("X-Twilio-CallSid", "CA1")])
    [call_id] = rooms.here
    assert dict(rooms.here[call_id].attributes)["sip.twilio.callSid"] == "CA1"
    assert ("X-Twilio-CallSid", "CA1") in rooms.here[call_id].headers
    world.switchboard.room_joined(call_id, world.moment)
    world.settle()
    assert caller.status == 200
    world.switchboard.room_shows(call_id, (("evil", "x\r\nVia: y"), ("outcome", "sold")))
    world.switchboard.hang_up(call_id, world.moment, "ended-by-room", "done", EndedBy.ROOM, [("X-Why", "done")])
    world.settle()
    assert caller.ended
    assert caller.bye_headers["X-Outcome"] == "sold"
    assert caller.bye_headers["X-Why"] == "done"
    assert "X-Evil" not in caller.bye_headers
