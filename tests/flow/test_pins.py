"""Calls of rules with a PIN, from INVITE to record, in virtual time: what a caller hears, presses and gets."""

from __future__ import annotations

import logging

import pytest

from runtime.calls.pin_dialogue import FIRST_KEY_S, NEXT_KEY_S, PROMPTING_S_MAX, TRIES_MAX, Prompt
from runtime.calls.record import EndedBy
from runtime.gate.pin_guesses import LOCKED_S, TRUNK_WRONG_BURST, TRUNK_WRONG_PER_S, WRONG_MAX
from runtime.media.codecs.g711 import Law
from schemas.seal import KEY_BYTES, PIN, Place, Sealer
from schemas.tables.decisions import CallFacts, PinNeeded, Reason
from schemas.tables.lookup import decide
from schemas.tables.rows import Inbound, Kind, Media, PinPrompts, RoomKind, Rows, RuleRow, Secret, TrunkRow
from schemas.tables.tables import Tables
from tests.flow.memory import PROMPT_TICKS, PROMPTS, Caller, World
from tests.frames import coded

SEALER = Sealer(bytes(range(KEY_BYTES)))
NUMBER, SOURCE = "+15550100000", "198.51.100.7"
PROMPT_S = PROMPT_TICKS * 0.02
RIGHT, WRONG = "7391", "4444"


def sealed(rule: str, pin: str) -> Secret:
    return Secret("env:PIN", SEALER.seal(Place(Kind.RULE, rule, PIN), pin.encode()))


def board(name: str = "default/board", pin: str = RIGHT, room: str = "board", **fields: object) -> RuleRow:
    return RuleRow(name, RoomKind.DIRECT, room, pin=sealed(name, pin), **fields)  # type: ignore[arg-type]


OPEN = RuleRow("default/lobby", RoomKind.DIRECT, "lobby")


def tables(*rules: RuleRow, media: Media | None = None, calls_max: int | None = None, **inbound: object) -> Tables:
    home = Inbound(networks=(SOURCE + "/32",), **inbound)  # type: ignore[arg-type]
    trunk = TrunkRow("default/home", inbound=home, media=media or Media(), max_concurrent_calls=calls_max)
    return Tables.build(Rows({trunk.id: trunk}, {rule.id: rule for rule in rules or (board(),)}))


def world(*rules: RuleRow, **given: object) -> World:
    return World(tables(*rules, **given), unseal=SEALER.unseal)  # type: ignore[arg-type]


def press(caller: Caller, keys: str) -> None:
    """Press keys, and wait until the bridge has heard the last one."""
    assert caller.session is not None
    caller.session.send_digits(keys, caller.world.now)
    caller.world.step(0.5 * len(keys) + 0.1)


def hears(caller: Caller, prompt: Prompt, law: Law = "pcmu") -> bool:
    return caller.heard[-1] == coded(PROMPTS[prompt][0], law)


def room_of(bridge: World, room: str) -> int:
    return len(bridge.rooms.members(room))


def test_a_caller_is_asked_and_the_right_pin_opens_the_room() -> None:
    bridge = world()
    caller = bridge.caller()
    caller.says = b"\x10" * 160
    caller.dial(NUMBER)
    assert caller.status == 200
    [call] = bridge.switchboard.live_calls()
    assert (call.state.value, call.record.room, call.record.rule) == ("prompting", "", "default/board")
    bridge.step(1)
    assert hears(caller, Prompt.ASK)
    assert not room_of(bridge, "board")
    press(caller, RIGHT + "#")
    assert room_of(bridge, "board") == 1
    assert call.state.value == "active"
    assert not len(bridge.booth)
    bridge.step(1)
    assert caller.heard[-1] == caller.says, "it is in the room, and hears its echo"
    press(caller, "5")
    caller.hang_up()
    [record] = bridge.records
    assert (record.reason, record.room, record.rule, record.digits) == ("hangup", "board", "default/board", 1)
    assert record.identity == "sip_+15550101111"
    assert bridge.switchboard.reception.admitted == 1


def test_nothing_is_sent_and_nothing_asked_before_the_answer_is_acknowledged() -> None:
    bridge = world()
    caller = bridge.caller()
    drop_acks = caller.endpoint.datagrams_to_send
    caller.endpoint.datagrams_to_send = lambda: [d for d in drop_acks() if not d[0].startswith(b"ACK ")]
    caller.dial(NUMBER)
    bridge.step(1)
    assert not bridge.prompts
    assert caller.session is not None
    assert caller.session.stats.received == 0
    bridge.step(60)
    assert [r.reason for r in bridge.records] == ["no-ack"]


def test_the_first_key_interrupts_the_prompt() -> None:
    bridge = world()
    caller = bridge.caller().dial(NUMBER)
    bridge.step(0.5)
    press(caller, "1")
    assert not hears(caller, Prompt.ASK)


def test_an_entry_is_complete_without_a_hash_when_no_key_follows() -> None:
    bridge = world()
    caller = bridge.caller().dial(NUMBER)
    press(caller, RIGHT)
    bridge.step(NEXT_KEY_S - 1)
    assert not room_of(bridge, "board")
    bridge.step(1.5)
    assert room_of(bridge, "board") == 1


def test_a_wrong_pin_is_said_and_may_be_tried_again() -> None:
    bridge = world()
    caller = bridge.caller().dial(NUMBER)
    press(caller, WRONG + "#")
    assert hears(caller, Prompt.WRONG)
    press(caller, RIGHT + "#")
    assert room_of(bridge, "board") == 1


def test_after_three_wrong_pins_the_caller_hears_goodbye_and_is_hung_up_on() -> None:
    bridge = world()
    caller = bridge.caller().dial(NUMBER)
    for _ in range(TRIES_MAX):
        press(caller, WRONG + "#")
    assert hears(caller, Prompt.GOODBYE)
    press(caller, RIGHT + "#")
    assert not room_of(bridge, "board"), "too late"
    bridge.step(PROMPT_S)
    assert caller.ended
    assert caller.bye_reason == 'Q.850;cause=16;text="3 wrong PINs were entered"'
    [record] = bridge.records
    assert (record.reason, record.status, record.ended_by) == ("wrong-pin", 200, EndedBy.BRIDGE)
    assert (record.rule, record.room, record.digits) == ("default/board", "", 0)
    assert any("another PIN" in line for line in record.trail)
    assert all(ports.closed for ports in bridge.ports)
    assert [prompt for prompt, _ in bridge.prompts] == [Prompt.ASK, Prompt.WRONG, Prompt.WRONG, Prompt.GOODBYE]


def test_who_presses_nothing_is_asked_three_times_and_hung_up_on() -> None:
    bridge = world()
    caller = bridge.caller()
    caller.says = b"\x10" * 160
    caller.dial(NUMBER)
    bridge.step(TRIES_MAX * (PROMPT_S + FIRST_KEY_S + 0.1) + PROMPT_S + 1)
    assert caller.ended
    assert [(r.reason, r.words) for r in bridge.records] == [("pin-required", "no PIN was entered")]
    assert [prompt for prompt, _ in bridge.prompts] == [Prompt.ASK] * 3 + [Prompt.GOODBYE]


def test_nobody_holds_a_port_with_keys_that_never_make_an_entry() -> None:
    bridge = world()
    caller = bridge.caller()
    caller.dial(NUMBER)
    while not bridge.records and bridge.now < 1000:
        press(caller, "1")
        bridge.step(3)
    assert bridge.records[0].reason == "pin-required"
    assert bridge.now - 100 < PROMPTING_S_MAX + 10


def test_the_pin_chooses_among_the_rules() -> None:
    one, two = board("default/one", "11", "one"), board("default/two", "2222", "two")
    bridge = world(one, two)
    for pin, room in (("11", "one"), ("2222", "two")):
        caller = bridge.caller().dial(NUMBER)
        press(caller, pin + "#")
        assert room_of(bridge, room) == 1
        caller.hang_up()
    assert [(r.rule, r.room) for r in bridge.records] == [("default/one", "one"), ("default/two", "two")]


def test_a_hash_alone_reaches_an_open_rule_and_no_pin_falls_back_to_it() -> None:
    bridge = world(board(), OPEN)
    caller = bridge.caller().dial(NUMBER)
    press(caller, WRONG + "#")
    assert hears(caller, Prompt.WRONG)
    assert not room_of(bridge, "lobby")
    press(caller, "#")
    assert room_of(bridge, "lobby") == 1
    assert [state.state.value for state in bridge.switchboard.live_calls()] == ["active"]


def test_a_hash_alone_where_no_rule_is_open_asks_again_and_is_no_guess() -> None:
    bridge = world()
    caller = bridge.caller().dial(NUMBER)
    press(caller, "#")
    assert hears(caller, Prompt.ASK)
    for _ in range(TRIES_MAX - 1):
        press(caller, "#")
    bridge.step(PROMPT_S + 1)
    assert [r.reason for r in bridge.records] == ["pin-required"]
    assert bridge.caller().dial(NUMBER).status == 200, "it is not locked out"


def test_a_pin_longer_than_any_is_a_wrong_one() -> None:
    bridge = world(board(pin="1" * 16))
    caller = bridge.caller().dial(NUMBER)
    press(caller, "1" * 17 + "#")
    assert hears(caller, Prompt.WRONG)
    press(caller, "1" * 16 + "#")
    assert room_of(bridge, "board") == 1


def test_a_caller_that_guesses_is_locked_out_for_longer_and_longer() -> None:
    bridge = world()
    for wait_s in (LOCKED_S, 2 * LOCKED_S):
        caller = bridge.caller().dial(NUMBER)
        for _ in range(WRONG_MAX):
            press(caller, WRONG + "#")
        bridge.step(PROMPT_S + 1)
        refused = bridge.caller().dial(NUMBER)
        assert refused.status == 403
        assert "may try again" in refused.warning
        assert bridge.records[-1].reason == "pin-locked-out"
        bridge.step(wait_s - 10)
        assert bridge.caller().dial(NUMBER).status == 403
        bridge.step(10)
    other = bridge.caller(number="+15550107777").dial(NUMBER)
    assert other.status == 200, "another caller of the same carrier is not"
    press(other, RIGHT + "#")
    assert room_of(bridge, "board") == 1


def test_many_calls_at_once_are_no_more_guesses() -> None:
    bridge = world()
    callers = [bridge.caller().dial(NUMBER) for _ in range(WRONG_MAX + 1)]
    for caller in callers[:-1]:
        press(caller, WRONG + "#")
    press(callers[-1], RIGHT + "#")
    assert not room_of(bridge, "board"), "this caller was locked out a moment ago"
    bridge.step(PROMPT_S + 1)
    assert callers[-1].ended
    record = bridge.records[-1]
    assert record.reason == "pin-locked-out", "its PIN was not tried, and so is not said to be wrong"
    assert record.words.startswith("this caller entered too many wrong PINs, and may try again in ")
    assert (record.trunk, record.rule, record.trail) == ("default/home", "default/board", ())


def test_a_right_pin_forgives_nothing() -> None:
    """Two guesses at another room's PIN, then one's own, and so on for ever."""
    bridge = world()
    caller = bridge.caller().dial(NUMBER)
    press(caller, WRONG + "#")
    press(caller, WRONG + "#")
    press(caller, RIGHT + "#")
    assert room_of(bridge, "board") == 1
    caller.hang_up()
    caller = bridge.caller().dial(NUMBER)
    press(caller, WRONG + "#")
    bridge.step(PROMPT_S + 1)
    assert caller.ended
    assert bridge.caller().dial(NUMBER).status == 403


def test_callers_of_many_numbers_are_held_back_together() -> None:
    bridge = world()
    asked = bridge.caller().dial(NUMBER)
    press(bridge.caller(number="+15550100001").dial(NUMBER), WRONG + "#")
    guesses = bridge.switchboard.reception._prompting._guesses
    while not guesses.trunk_spent_s("default/home", bridge.now):
        guesses.wrong("192.0.2.1", f"+1555{len(guesses)}", "default/home", bridge.now)
    assert len(guesses) <= TRUNK_WRONG_BURST + 1, "the first caller counted"
    refused = bridge.caller(number="+15550107777").dial(NUMBER)
    assert refused.status == 403
    assert "callers of this trunk" in refused.warning
    press(asked, RIGHT + "#")
    assert not room_of(bridge, "board"), "nor is a PIN of those looked at who were asked before"
    bridge.step(1 / TRUNK_WRONG_PER_S)
    assert bridge.caller(number="+15550107777").dial(NUMBER).status == 200


def test_the_files_of_a_rule_are_played() -> None:
    bridge = world(board(pin_prompts=PinPrompts(ask="hello.wav", goodbye="bye.wav")))
    caller = bridge.caller().dial(NUMBER)
    for _ in range(TRIES_MAX):
        press(caller, WRONG + "#")
    assert [file for _, file in bridge.prompts] == ["hello.wav", "", "", "bye.wav"]


def test_hanging_up_while_asked_leaves_nothing_behind() -> None:
    bridge = world()
    caller = bridge.caller().dial(NUMBER)
    press(caller, "12")
    caller.hang_up()
    [record] = bridge.records
    assert (record.reason, record.ended_by, record.digits) == ("hangup", EndedBy.CALLER, 0)
    assert not len(bridge.booth)
    assert not bridge.switchboard.reception._prompting._callers
    assert all(ports.closed for ports in bridge.ports)


def test_a_held_call_is_not_asked_for_ever_and_another_codec_goes_on_with_the_prompt() -> None:
    bridge = world()
    caller = bridge.caller().dial(NUMBER)
    bridge.step(0.5)
    assert caller.change(codecs=("pcma",)) == 200
    bridge.step(0.5)
    assert hears(caller, Prompt.ASK, "pcma")
    assert caller.change("inactive", codecs=("pcma",)) == 200
    bridge.step(5)
    assert caller.change("sendrecv", codecs=("pcma",)) == 200
    press(caller, RIGHT + "#")
    assert room_of(bridge, "board") == 1
    held = bridge.caller(number="+15550105555").dial(NUMBER)
    held.change("inactive")
    bridge.step(PROMPTING_S_MAX)
    assert held.ended


def test_silence_of_the_network_ends_an_asked_call() -> None:
    bridge = world(media=Media(timeout_ms=5000))
    caller = bridge.caller().dial(NUMBER)
    caller.says = b"\x10" * 160
    bridge.step(0.5)
    caller.session = None
    bridge.step(7)
    assert [r.reason for r in bridge.records] == ["media-timeout"]


def test_the_opened_rules_media_timeout_holds_from_then_on() -> None:
    asks = board("default/a", "11", media=Media(timeout_ms=600_000))
    opened = board("default/b", RIGHT, "strict", media=Media(timeout_ms=5000))
    bridge = world(asks, opened)
    caller = bridge.caller().dial(NUMBER)
    caller.says = b"\x10" * 160
    press(caller, RIGHT + "#")
    assert room_of(bridge, "strict") == 1
    caller.session = None
    bridge.step(7)
    assert [r.reason for r in bridge.records] == ["media-timeout"]


def test_the_longest_duration_counts_from_the_answer() -> None:
    bridge = world(max_call_duration_ms=20_000)
    caller = bridge.caller().dial(NUMBER)
    bridge.step(10)
    press(caller, RIGHT + "#")
    bridge.step(8)
    assert [r.reason for r in bridge.records] == ["max-duration"]


def test_an_asked_call_counts_on_its_trunk_and_gives_its_place_back() -> None:
    bridge = world(calls_max=1)
    caller = bridge.caller().dial(NUMBER)
    assert bridge.caller(number="+15550102222").dial(NUMBER).status == 503
    caller.hang_up()
    assert bridge.caller(number="+15550102222").dial(NUMBER).status == 200


def test_a_draining_bridge_lets_an_asked_caller_finish_and_a_stopping_one_says_why() -> None:
    bridge = world()
    caller = bridge.caller().dial(NUMBER)
    bridge.switchboard.drain()
    press(caller, RIGHT + "#")
    assert room_of(bridge, "board") == 1
    other = world()
    asked = other.caller().dial(NUMBER)
    other.switchboard.stop(other.moment)
    other.settle()
    assert "the bridge is stopping" in asked.bye_reason
    assert not len(other.booth)


def test_the_tables_of_the_invite_decide_the_pin() -> None:
    bridge = world()
    caller = bridge.caller().dial(NUMBER)
    bridge.switchboard.use_tables(tables(board(pin="999")), 2)
    press(caller, RIGHT + "#")
    assert room_of(bridge, "board") == 1
    later = bridge.caller(number="+15550102222").dial(NUMBER)
    press(later, RIGHT + "#")
    assert hears(later, Prompt.WRONG)
    press(later, "999#")
    assert room_of(bridge, "board") == 2


def test_a_room_that_cannot_be_had_ends_the_answered_call_with_a_bye(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.rooms.embedded.ROOM_MEMBERS_MAX", 0)
    bridge = world()
    caller = bridge.caller().dial(NUMBER)
    press(caller, RIGHT + "#")
    assert caller.ended
    assert [(r.reason, r.status, r.ended_by) for r in bridge.records] == [("room-full", 200, EndedBy.ROOM)]


def test_a_rule_that_hides_numbers_hides_them_while_asking_and_locked_out_too() -> None:
    bridge = world(board(hide_phone_number=True))
    caller = bridge.caller(number="+15550109876").dial(NUMBER)
    for _ in range(TRIES_MAX):
        press(caller, WRONG + "#")
    bridge.step(PROMPT_S + 1)
    bridge.caller(number="+15550109876").dial(NUMBER)
    assert [r.reason for r in bridge.records] == ["wrong-pin", "pin-locked-out"]
    assert "5550109876" not in str([r.as_json() for r in bridge.records])


def test_a_phone_that_sends_no_keys_is_not_asked() -> None:
    bridge = world()
    sdp = b"v=0\r\no=- 1 9 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
    assert bridge.caller().dial(NUMBER, body=sdp).status == 488
    assert [(r.reason, "telephone-event" in r.words) for r in bridge.records] == [("media", True)]
    assert all(ports.closed for ports in bridge.ports)
    assert bridge.caller(number="+15550103333").dial(NUMBER).status == 200


def test_a_pin_that_cannot_be_unsealed_refuses_before_anybody_is_asked() -> None:
    other = Sealer(bytes(KEY_BYTES))
    bridge = World(tables(), unseal=other.unseal)
    caller = bridge.caller().dial(NUMBER)
    assert caller.status == 500
    (record,) = bridge.records
    assert record.reason == "secret-unreadable"
    assert "secret.key" in record.hint, "it is said what to do"


def test_rows_that_are_not_honoured_refuse_before_a_pin_is_asked_for() -> None:
    declared = tables(board(media=Media(codecs=("amr-wb",))))
    decision = decide(declared, CallFacts(SOURCE, NUMBER, "+15550101111"))
    assert not isinstance(decision, PinNeeded)
    bridge = World(declared, unseal=SEALER.unseal)
    assert bridge.caller().dial(NUMBER).status == 488
    assert [r.reason for r in bridge.records] == [Reason.NO_CODEC.value]


def test_neither_a_pin_nor_a_guess_is_in_a_record_a_header_or_a_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bridge = world(board(pin="8675309"))
    caller = bridge.caller().dial(NUMBER)
    told = []
    for keys in ("3141592#", "2718281#", "8675309#"):
        press(caller, keys)
        told += [repr(call) + repr(call.asked) for call in bridge.switchboard.live_calls()]
        told.append(repr(bridge.switchboard.reception._prompting._callers))
    caller.hang_up()
    told += [str(r.as_json()) + r.line() + repr(r) for r in bridge.records]
    for secret in ("8675309", "3141592", "2718281"):
        assert not any(secret in text for text in [*told, caller.bye_reason, caplog.text])
