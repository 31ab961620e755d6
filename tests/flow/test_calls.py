"""Calls from INVITE to record, in virtual time: what a caller gets, what a room hears, what is written down."""

from __future__ import annotations

import pytest

from runtime.calls.record import EndedBy
from runtime.limits import CALLS_MAX, ROOM_MEMBERS_MAX
from runtime.media.codecs.g711 import SILENCE
from runtime.sip.offer_answer import Negotiated, OfferAnswer
from runtime.sip.path import Path
from schemas.ids import ID_ALPHABET
from schemas.tables.media import merged_media
from schemas.tables.rows import Auth, Inbound, Media, NumberRow, RoomKind, Rows, RuleRow, Secret, TrunkRow
from schemas.tables.tables import Tables
from tests.flow.memory import BRIDGE, World

HOME = "198.51.100.0/24"
LOBBY = RuleRow("default/lobby", RoomKind.DIRECT, "lobby")
PLAIN = Media()


def tables(*rules: RuleRow, media: Media = PLAIN, **inbound: object) -> Tables:
    """One trunk for everybody at home, and these rules (or the lobby)."""
    trunk = TrunkRow("default/home", inbound=Inbound(networks=(HOME,), **inbound), media=media)  # type: ignore[arg-type]
    return Tables.build(Rows({trunk.id: trunk}, {rule.id: rule for rule in rules or (LOBBY,)}))


def frame(value: int) -> bytes:
    """A loud frame that can be told from others."""
    return bytes([value]) * 160


def is_random_id(text: str) -> bool:
    """Whether it looks like LiveKit's id of a participant."""
    return text.startswith("PA_") and len(text) == 15 and set(text[3:]) <= set(ID_ALPHABET)


def test_an_admitted_call_is_answered_joins_its_room_and_leaves_a_record() -> None:
    world = World(tables(), revision=7)
    caller = world.caller().dial("+15550100000")
    assert caller.status == 200
    [member] = world.rooms.members("lobby")
    assert (member.identity, member.name) == ("sip_+15550101111", "Phone +15550101111")
    attributes = dict(member.attributes)
    assert attributes["sip.phoneNumber"] == "+15550101111"
    assert attributes["sip.trunkPhoneNumber"] == "+15550100000"
    assert attributes["sip.callID"] == member.call_id
    assert attributes["sip.callStatus"] == "active"
    assert is_random_id(world.entries[member.call_id])
    world.step(1)
    caller.hang_up()
    [record] = world.records
    assert (record.reason, record.ended_by, record.status, record.revision) == ("hangup", EndedBy.CALLER, 200, 7)
    assert (record.trunk, record.rule, record.room) == ("default/home", "default/lobby", "lobby")
    assert record.answered_at > 0
    assert "the caller hung up" in record.line()
    assert all(ports.closed for ports in world.ports)
    assert not world.rooms.members("lobby")


def test_a_stranger_is_refused_and_explained_and_no_transaction_is_kept() -> None:
    world = World(tables())
    caller = world.caller("203.0.113.9").dial("+15550100000")
    assert (caller.status, caller.warning) == (403, "")
    [record] = world.records
    assert (record.reason, record.status, record.to_user) == ("source-not-allowed", 403, "+15550100000")
    assert "source 203.0.113.9 is not in 198.51.100.0/24" in record.trail[0]
    assert (world.endpoint.transaction_count, world.endpoint.alarm_count) == (0, 0)


def test_a_stranger_is_let_in_to_be_challenged_where_a_trunk_goes_by_its_password_alone() -> None:
    sip = Inbound(auth=Auth("acme", Secret("env:PASSWORD")))
    trunk = TrunkRow("default/anywhere", inbound=sip)
    world = World(Tables.build(Rows({trunk.id: trunk}, {LOBBY.id: LOBBY})))
    assert not world.switchboard.reception.knows("203.0.113.9")
    assert world.switchboard.reception.welcomes("203.0.113.9")
    world.caller("203.0.113.9").dial("+15550100000")
    assert [record.reason for record in world.records] != ["source-not-allowed"]


def test_a_lone_caller_hears_itself_later() -> None:
    world = World(tables())
    caller = world.caller()
    caller.says = frame(0x10)
    caller.dial("+15550100000")
    world.step(2)
    first = next(n for n, heard in enumerate(caller.heard) if heard == caller.says)
    assert 0.4 <= first * 0.02 <= 0.6


def test_three_callers_hear_the_others_and_not_themselves() -> None:
    world = World(tables())
    callers = [world.caller(number=f"+1555010{n}000") for n in range(3)]
    for n, caller in enumerate(callers):
        caller.dial("+15550100000")
        caller.says = frame(0x10 + n) if n < 2 else None
    world.step(1)
    first, second, listener = (c.heard[-1] for c in callers)
    assert first == callers[1].says, "one other voice passes through untouched"
    assert second == callers[0].says
    assert listener not in (callers[0].says, callers[1].says, None), "two voices are mixed"


def test_digits_go_to_the_others_in_the_room_and_only_their_count_is_recorded() -> None:
    world = World(tables())
    one, other = world.caller(), world.caller(number="+15550102222")
    one.dial("+15550100000")
    other.dial("+15550100000")
    assert one.session is not None
    one.session.send_digits("159#", world.now)
    world.step(6)
    assert other.digits == "159#"
    assert one.digits == ""
    one.hang_up()
    assert world.records[0].digits == 4
    assert "159" not in str(world.records[0].as_json()["media"])


@pytest.mark.parametrize(
    ("address", "number", "called", "status", "reason"),
    [
        ("203.0.113.9", "+15550101111", "+15550100000", 403, "source-not-allowed"),
        ("198.51.100.7", "+17770101111", "+15550100000", 403, "caller-not-allowed"),
        ("198.51.100.7", "+15550101111", "+18880100000", 404, "no-rule"),
    ],
)
def test_a_refused_call_gets_a_status_and_a_trail(
    address: str, number: str, called: str, status: int, reason: str
) -> None:
    rule = RuleRow("default/r", RoomKind.DIRECT, "r", to=("+1555*",))
    world = World(tables(rule, allowed_numbers=("+1555*",)))
    caller = world.caller(address, number).dial(called)
    assert caller.status == status
    [record] = world.records
    assert (record.status, record.reason) == (status, reason)
    assert record.trail
    assert ("dialplane" in caller.warning) is (reason != "source-not-allowed"), "strangers are told nothing"


@pytest.mark.parametrize("escaped", ["%1b%5b2J", "%0d%0aforged", "%00", "%e2%80%ae"])
@pytest.mark.parametrize("whose", ["caller", "called"])
def test_a_user_that_could_steer_a_terminal_is_refused_and_not_repeated(escaped: str, whose: str) -> None:
    world = World(tables())
    caller = world.caller(number=f"bob{escaped}" if whose == "caller" else "bob")
    caller.dial(f"room{escaped}" if whose == "called" else "room")
    assert caller.status == 400
    [record] = world.records
    assert (record.reason, record.from_user, record.room) == ("syntax", "", "")
    assert record.line().isprintable()


def test_hold_is_answered_truly_and_is_no_media_timeout() -> None:
    world = World(tables(media=Media(timeout_ms=5000)))
    caller = world.caller()
    caller.says = frame(0x20)
    caller.dial("+15550100000")
    world.step(1)
    assert caller.change("inactive") == 200
    assert caller.offer_answer.negotiated is not None
    assert caller.offer_answer.negotiated.direction == "inactive"
    world.step(60)
    assert not world.records, "a held call is not a dead one"
    assert caller.change("sendrecv") == 200
    caller.heard.clear()
    world.step(1)
    assert caller.says in caller.heard
    assert caller.change(codecs=("pcma",)) == 200, "another codec"
    world.step(0.5)
    assert world.legs[next(iter(world.legs))].session.codec.name == "pcma"  # type: ignore[union-attr]


@pytest.mark.parametrize("offset", [0, 1, 2])
def test_a_call_that_names_a_media_port_of_the_bridge_as_its_own_is_refused(offset: int) -> None:
    """Its own next port pair, RTP or RTCP, or that of a call that is up: it would keep itself alive."""
    world = World(tables())
    up = world.caller().dial("+15550100000")
    port = world.ports[0].port if offset == 2 else world.ports[0].port + 2 + offset
    caller = world.caller()
    caller.media_address = (BRIDGE[0], port)
    assert caller.dial("+15550100000").status == 488
    assert world.records[-1].reason == "media"
    assert "media port of the bridge itself" in world.records[-1].words
    assert up.status == 200
    up.media_address = (BRIDGE[0], world.ports[0].port)
    assert up.change() == 488, "nor by a re-INVITE"
    assert world.legs[next(iter(world.legs))].session.remote[0] != BRIDGE[0]  # type: ignore[union-attr]


def test_a_reinvite_that_cannot_be_agreed_on_leaves_the_call_as_it_was() -> None:
    world = World(tables())
    caller = world.caller()
    caller.says = frame(0x20)
    caller.dial("+15550100000")
    world.step(1)
    sdp = b"v=0\r\no=- 1 9 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n"
    caller.endpoint.reinvite(caller.leg, world.now, sdp)
    world.settle()
    assert caller.status == 488
    caller.heard.clear()
    world.step(1)
    assert caller.says in caller.heard
    assert not world.records


def test_silence_of_the_network_ends_the_call_with_a_reason() -> None:
    world = World(tables(media=Media(timeout_ms=5000)))
    caller = world.caller().dial("+15550100000")
    caller.says = frame(0x20)
    world.step(1)
    caller.session = None  # the network swallows its RTP
    world.step(6)
    [record] = world.records
    assert (record.reason, record.ended_by) == ("media-timeout", EndedBy.NETWORK)
    assert caller.ended


def test_the_longest_allowed_duration_ends_the_call() -> None:
    world = World(tables(max_call_duration_ms=10_000))
    caller = world.caller()
    caller.says = frame(1)
    caller.dial("+15550100000")
    world.step(9)
    assert not world.records
    world.step(2)
    assert [r.reason for r in world.records] == ["max-duration"]


def test_a_live_call_keeps_its_revision_and_the_next_one_takes_the_new() -> None:
    world = World(tables(), revision=1)
    first = world.caller().dial("+15550100000")
    world.switchboard.use_tables(tables(RuleRow("default/lobby", RoomKind.DIRECT, "hall")), 2)
    second = world.caller(number="+15550102222").dial("+15550100000")
    assert len(world.rooms.members("lobby")) == len(world.rooms.members("hall")) == 1
    first.hang_up()
    second.hang_up()
    assert [(r.room, r.revision) for r in world.records] == [("lobby", 1), ("hall", 2)]


def test_an_offerless_invite_gets_our_offer_and_hangs_up_when_the_ack_brings_no_answer() -> None:
    world = World(tables())
    caller = world.caller()

    class Silent(OfferAnswer):
        """An offerless caller whose ACK is empty: the endpoint acknowledges by itself."""

        def accept(self, answer: bytes) -> Negotiated:
            return self.answer(answer, caller.local)[1]

    caller.offer_answer = Silent()
    caller.dial("+15550100000", body=b"")
    assert caller.status == 200
    [record] = world.records
    assert (record.reason, record.ended_by) == ("media", EndedBy.BRIDGE)
    assert caller.ended


def test_what_is_not_in_effect_is_refused_never_let_through() -> None:
    cases = [
        (tables(media=Media(codecs=("amr-wb",))), 488, "no-codec"),
        (tables(RuleRow("default/l", RoomKind.DIRECT, "x" * 257)), 484, "room-name"),
    ]
    for declared, status, reason in cases:
        world = World(declared)
        assert world.caller().dial("+15550100000").status == status
        assert [(r.status, r.reason) for r in world.records] == [(status, reason)]


def test_a_hidden_number_is_masked_when_its_call_is_refused_too() -> None:
    rule = RuleRow("default/h", RoomKind.DIRECT, "h", hide_phone_number=True, media=Media(codecs=("amr-wb",)))
    world = World(tables(rule))
    world.caller(number="+15550109876").dial("+15550100000")
    assert world.records[0].from_user == "9876"


def test_a_body_that_is_no_session_description_is_refused_before_routing() -> None:
    world = World(tables())
    caller = world.caller()
    caller.endpoint.invite(
        f"sip:+15550100000@{BRIDGE[0]}", Path("udp", caller.address, BRIDGE), world.now,
        from_="<sip:x@198.51.100.7>", to="<sip:+15550100000@192.0.2.1>", body=b"{}", content_type="application/json",
    )  # fmt: skip
    world.settle()
    assert caller.status == 415
    assert world.records[0].reason == "body"


def test_no_free_port_is_a_503_with_a_reason() -> None:
    world = World(tables())
    world.switchboard._opening._reserve_ports = lambda _address: "no more files can be opened"
    assert world.caller().dial("+15550100000").status == 503
    assert world.records[0].reason == "no-ports"


def test_a_full_room_refuses_with_486() -> None:
    world = World(tables())
    for n in range(ROOM_MEMBERS_MAX):
        assert world.caller(number=f"+1555010{n:04}").dial("+15550100000").status == 200
    assert world.caller(number="+15559999999").dial("+15550100000").status == 486
    assert world.records[0].reason == "room-full"


def test_a_rule_cannot_switch_off_the_encryption_of_its_trunk() -> None:
    merged = merged_media(Media(encryption="require", timeout_ms=1), Media(encryption="disable", codecs=("pcma",)))
    assert merged == Media(encryption="require", codecs=("pcma",), timeout_ms=1)
    assert merged_media(Media(encryption="disable"), Media(encryption="allow")).encryption == "allow"


def test_a_hidden_number_is_masked_in_room_and_record() -> None:
    rule = RuleRow("default/h", RoomKind.INDIVIDUAL, "call", hide_phone_number=True)
    world = World(tables(rule))
    caller = world.caller(number="+15550109876").dial("+15550100000")
    [member] = world.rooms.members("call_9876")
    assert "5550109876" not in str(member)
    caller.hang_up()
    assert "5550109876" not in str(world.records[0].as_json())


def test_a_stopping_bridge_hangs_up_with_a_reason_and_takes_no_new_call() -> None:
    world = World(tables())
    caller = world.caller().dial("+15550100000")
    world.switchboard.stop(world.moment)
    world.settle()
    assert caller.ended
    assert world.records[0].reason == "shutdown"
    assert world.caller().dial("+15550100000").status == 503


def test_a_full_bridge_refuses_with_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CALLS_MAX >= 1000
    monkeypatch.setattr("runtime.calls.board.CALLS_MAX", 1)
    world = World(tables())
    world.caller().dial("+15550100000")
    assert world.caller(number="+15550102222").dial("+15550100000").status == 503
    assert world.records[0].reason == "full"


def test_a_phone_number_that_points_at_a_rule_brings_its_calls_there() -> None:
    trunk = TrunkRow("default/home", inbound=Inbound(networks=(HOME,)))
    rules = {r.id: r for r in (LOBBY, RuleRow("default/any", RoomKind.CALLEE, "line"))}
    number = NumberRow("default/n", "+15550100000", "default/home", "default/lobby")
    world = World(Tables.build(Rows({trunk.id: trunk}, rules, {number.id: number})))
    world.caller().dial("+15550100000")
    world.caller(number="+15550102222").dial("+15559999999")
    assert len(world.rooms.members("lobby")) == 1
    assert len(world.rooms.members("line_+15559999999")) == 1


def test_silence_is_sent_when_nobody_speaks() -> None:
    world = World(tables())
    caller = world.caller().dial("+15550100000")
    world.step(1)
    assert caller.heard[-1] in (None, SILENCE["pcmu"])
    assert caller.session is not None
    assert caller.session.stats.received > 40


def test_a_trunks_limits_are_answered_with_503_and_given_back_with_the_call() -> None:
    trunk = TrunkRow("default/home", inbound=Inbound(networks=(HOME,)), max_concurrent_calls=1)
    world = World(Tables.build(Rows({trunk.id: trunk}, {LOBBY.id: LOBBY})))
    first = world.caller().dial("+15550100000")
    second = world.caller(number="+15550102222").dial("+15550100000")
    assert (first.status, second.status) == (200, 503)
    assert "maxConcurrentCalls" in second.warning
    first.hang_up()
    assert world.caller(number="+15550103333").dial("+15550100000").status == 200
    assert [r.reason for r in world.records] == ["trunk-calls", "hangup"]


def test_a_call_that_finds_no_media_does_not_keep_its_place_on_the_trunk() -> None:
    trunk = TrunkRow("default/home", inbound=Inbound(networks=(HOME,)), max_concurrent_calls=1)
    world = World(Tables.build(Rows({trunk.id: trunk}, {LOBBY.id: LOBBY})))
    sdp = b"v=0\r\no=- 1 9 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n"
    assert world.caller().dial("+15550100000", body=sdp).status == 488
    assert world.caller().dial("+15550100000").status == 200


def test_no_packet_goes_out_before_the_answer_is_acknowledged() -> None:
    world = World(tables())
    caller = world.caller()
    drop_acks = caller.endpoint.datagrams_to_send
    caller.endpoint.datagrams_to_send = lambda: [d for d in drop_acks() if not d[0].startswith(b"ACK ")]
    caller.dial("+15550100000")
    world.step(1)
    assert caller.status == 200
    assert caller.session is not None
    assert caller.session.stats.received == 0


def test_a_contact_of_another_family_is_reached_where_the_call_came_from() -> None:
    world = World(tables())
    caller = world.caller()
    caller.dial("+15550100000", headers=[("Contact", "<sip:x@[2001:db8::1]:5060>")])
    world.switchboard.stop(world.moment)
    world.settle()
    assert caller.ended


def test_a_burst_of_keys_does_not_drown_the_speech_of_a_room() -> None:
    world = World(tables())
    one, other = world.caller(), world.caller(number="+15550102222")
    one.dial("+15550100000")
    other.dial("+15550100000")
    call_id = next(iter(world.legs))
    for _ in range(250):
        world.rooms.digit(call_id, "5", world.now)
    world.step(15)
    assert 1 <= len(other.digits) <= 21
    assert not world.legs[list(world.legs)[1]].session.digits_pending  # type: ignore[union-attr]


def test_our_bye_says_why() -> None:
    world = World(tables())
    caller = world.caller().dial("+15550100000")
    world.switchboard.stop(world.moment)
    world.settle()
    assert caller.bye_reason == 'Q.850;cause=41;text="the bridge is stopping"'
