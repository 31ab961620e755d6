"""What is done with the sound of calls, in virtual time: keys as tones, music, recordings, ringing tones, noise."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from runtime.routing.orders import SoundOrders
from schemas.tables.rows import Inbound, Media, Recording, RoomKind, Rows, RuleRow, TrunkRow
from schemas.tables.tables import Tables
from tests.flow import test_dialling as dialling
from tests.flow import test_pins as pins
from tests.flow.memory import Callee, Caller, World
from tests.flow.test_early_media import calling
from tests.flow.test_early_media import rule as ringing_rule
from tests.frames import frame

PLAIN, INBAND, BOTH = Media(), Media(dtmf=("inband",)), Media(dtmf=("rfc4733", "inband"))
NUMBER = "+15550100000"


def tables(media: Media = PLAIN, *, music: str = "", noise: bool = False, **rule: object) -> Tables:
    inbound = Inbound(networks=("198.51.100.0/24",), noise_cancellation=noise)
    trunk = TrunkRow("default/home", inbound=inbound, media=media, hold_music=music)
    row = RuleRow("default/lobby", RoomKind.DIRECT, "lobby", **rule)  # type: ignore[arg-type]
    return Tables.build(Rows({trunk.id: trunk}, {row.id: row}))


def toned(caller: Caller | Callee) -> None:
    """From now on its keys are tones in its voice, and it hears those of others."""
    assert caller.session is not None
    config = replace(caller.session.config, keys_by_tone=True, hears_tones=True)
    caller.session.reconfigure(config, caller.world.now)


def press(caller: Caller, keys: str) -> None:
    assert caller.session is not None
    caller.session.send_digits(keys, caller.world.now)
    caller.world.step(0.5 * len(keys) + 0.2)


def up(media: Media, **rule: object) -> tuple[World, Caller, str]:
    world = World(tables(media, **rule))  # type: ignore[arg-type]
    caller = world.caller().dial(NUMBER)
    world.step(0.2)
    return world, caller, world.switchboard.live_calls()[0].id


# Keys


def test_keys_that_are_tones_are_for_the_others_of_the_room() -> None:
    world, caller, call_id = up(INBAND)
    other = world.caller(number="+15550102222").dial(NUMBER)
    toned(caller)
    press(caller, "155#")
    assert world.switchboard.get(call_id).record.digits == 4
    assert world.legs[call_id].session.config.dtmf_receive is None, "no telephone-event was offered"
    assert other.digits == ""
    toned(other)
    press(caller, "7")
    world.step(1)
    assert other.digits[-1:] == "7", "it takes no events either, and hears a tone"


def test_a_press_that_is_told_by_event_and_heard_as_a_tone_is_one_press() -> None:
    world, caller, call_id = up(BOTH)
    by_events = caller.session.config
    toned(caller)
    press(caller, "5")
    caller.session.reconfigure(by_events, world.now)
    caller.session.send_digits("5", world.now)
    world.step(0.1)
    assert world.switchboard.get(call_id).record.digits == 1


def test_without_a_word_in_the_manifest_a_tone_is_sound() -> None:
    world, caller, call_id = up(Media())
    toned(caller)
    press(caller, "12")
    assert world.switchboard.get(call_id).record.digits == 0


def test_a_pin_can_be_entered_by_tones() -> None:
    bridge = pins.world(media=INBAND)
    caller = bridge.caller().dial(pins.NUMBER)
    bridge.step(1)
    assert caller.status == 200
    toned(caller)
    press(caller, pins.RIGHT + "#")
    assert pins.room_of(bridge, "board") == 1
    assert bridge.switchboard.live_calls()[0].record.digits == 0, "not even their count is written down"


def test_a_phone_that_takes_no_events_is_pressed_keys_by_tones() -> None:
    world = World(dialling.tables(media=INBAND))
    phone = dialling.ringing(world, dtmf="12#", wait_until_answered=True)
    phone.answer(dtmf=False)
    world.step(0.02)
    toned(phone)
    world.step(2)
    assert phone.digits == "12#"
    assert dialling.shown(world)["sip.callStatus"] == "active"


def test_the_echo_of_our_own_tone_is_no_key_of_the_phone() -> None:
    world, caller, call_id = up(INBAND)
    session = world.legs[call_id].session
    session.send_digits("9", world.now)
    for _ in range(50):  # a line that gives back what it is sent
        world.step(0.02)
        caller.says = caller.heard[-1]
    assert world.switchboard.get(call_id).record.digits == 0


# Music, recordings, ringing tones, noise


@pytest.mark.parametrize(
    ("trunk", "rule", "music"), [("builtIn", "", "builtIn"), ("builtIn", "a.wav", "a.wav"), ("", "", "")]
)
def test_a_phone_on_hold_hears_the_music_of_its_rule_or_trunk(trunk: str, rule: str, music: str) -> None:
    world, caller, call_id = up(Media(), music=trunk, hold_music=rule)
    assert world.switchboard.hold(call_id, world.moment, on=True) is None
    world.settle()
    assert world.legs[call_id].music == music
    assert world.legs[call_id].session.config.silent
    world.switchboard.hold(call_id, world.moment, on=False)
    world.settle()
    assert world.legs[call_id].music == ""
    assert caller.change("sendonly") == 200
    assert world.legs[call_id].music == "", "the phone's own hold is its own affair"


def test_what_is_pushed_instead_is_heard_on_hold_and_the_room_is_not() -> None:
    world, _, call_id = up(Media())
    world.switchboard.hold(call_id, world.moment, on=True)
    world.settle()
    session, music = world.legs[call_id].session, frame(b"\x33" * 160)
    [(packet, _)] = session.push(frame(b"\x21" * 160), world.now, instead=music)
    assert packet[12:] == music.payload
    [(packet, _)] = session.push(frame(b"\x21" * 160), world.now)
    assert packet[12:] == b"\xff" * 160


def test_a_rule_records_from_the_answer_on_and_says_so() -> None:
    world, caller, call_id = up(Media(), recording=Recording("opus", 60_000))
    [(recorded, file, wanted)] = world.recordings
    assert (recorded, wanted) == (call_id, Recording("opus", 60_000))
    assert re.fullmatch(rf"\d{{8}}T\d{{6}}Z-{call_id}\.opus", file)
    shown = dict(world.rooms.members("lobby")[0].attributes)
    assert shown["sip.recording"] == file
    world.switchboard.recording_ended(call_id, kept=True)
    world.settle()
    assert "sip.recording" not in dict(world.rooms.members("lobby")[0].attributes)
    caller.hang_up()
    assert world.records[-1].recording == file
    assert world.records[-1].as_json()["recording"] == file


def test_a_call_that_is_answered_at_once_is_recorded_from_there_on() -> None:
    world, caller, call_id = up(Media(), recording=Recording("wav"), answer="immediately")
    [(recorded, file, _)] = world.recordings
    assert recorded == call_id
    assert dict(world.rooms.members("lobby")[0].attributes)["sip.recording"] == file
    caller.hang_up()
    assert world.records[-1].recording == file


def test_a_trunk_records_the_calls_that_are_placed_through_it_from_the_answer_on() -> None:
    world = World(dialling.tables(recording=Recording("opus", 60_000)))
    phone = dialling.ringing(world)
    assert not world.recordings, "what rings is nobody's conversation"
    phone.answer()
    world.step(0.1)
    [(recorded, file, wanted)] = world.recordings
    assert (recorded, wanted) == (dialling.CALL, Recording("opus", 60_000))
    assert dialling.shown(world)["sip.recording"] == file
    phone.hang_up()
    assert world.records[-1].recording == file


def test_a_recording_that_could_not_be_begun_is_in_no_record() -> None:
    world, caller, call_id = up(Media(), recording=Recording("wav"))
    world.switchboard.recording_ended(call_id, kept=False)
    caller.hang_up()
    assert world.records[-1].recording == ""


def test_a_caller_who_is_asked_for_a_pin_is_not_recorded_meanwhile() -> None:
    bridge = pins.world(pins.board(recording=Recording("wav")))
    caller = bridge.caller().dial(pins.NUMBER)
    bridge.step(1)
    assert bridge.recordings == []
    pins.press(caller, pins.RIGHT + "#")
    assert len(bridge.recordings) == 1


def test_nothing_is_recorded_of_a_phone_that_only_rings() -> None:
    world, _, call_id = calling(ringing_rule(recording=Recording("wav")))
    assert world.recordings == []
    world.switchboard.answer_asked(call_id, world.moment)
    world.settle()
    assert len(world.recordings) == 1


def test_a_caller_hears_the_ringing_tone_of_a_country() -> None:
    world, _, call_id = calling(ringing_rule(ringback="fr"))
    assert world.legs[call_id].phone_rings == "fr"
    world.switchboard.answer_asked(call_id, world.moment)
    world.settle()
    assert world.legs[call_id].phone_rings == ""


@pytest.mark.parametrize(
    ("trunk", "request_", "tone"), [("", "", "tone"), ("GB", "", "gb"), ("GB", "US", "us"), ("XX", "", "tone")]
)
def test_a_room_hears_the_ringing_tone_of_the_country_that_is_called(trunk: str, request_: str, tone: str) -> None:
    world = World(dialling.tables(destination_country=trunk))
    dialling.ringing(world, dialtone=True, country=request_)
    assert world.legs[dialling.CALL].rings == tone


def test_noise_is_taken_out_where_trunk_rule_or_request_ask_for_it() -> None:
    for noise, rule in ((True, False), (False, True)):
        world = World(tables(noise=noise, noise_cancellation=rule))
        world.caller().dial(NUMBER)
        assert world.switchboard.live_calls()[0].orders.sound.cleaned
    world = World(dialling.tables())
    dialling.ringing(world, noise_cancellation=True)
    assert world.switchboard.live_calls()[0].orders.sound == SoundOrders(cleaned=True)
