"""Calls of the bridge's own, in virtual time: what the phone is told, what the room shows, what the asker hears."""

from __future__ import annotations

import pytest

from runtime.calls.record import EndedBy
from runtime.routing.dial import Destination, Dialled, DialRequest, Failure, FailureKind, InlineTrunk, NamedAddress
from runtime.sip.auth.client import Login
from schemas.seal import CLIENT_CERTIFICATE, CLIENT_KEY, OUTBOUND_PASSWORD, Place, Sealer
from schemas.tables.rows import (
    Auth,
    Direction,
    Headers,
    Kind,
    Media,
    NumberRow,
    Outbound,
    OutboundTls,
    Rows,
    Secret,
    TrunkRow,
)
from schemas.tables.tables import Tables
from tests.flow.memory import BRIDGE, Callee, World

OURS = "+15550100000"
THEIRS = "+15550109999"
CALL = "SCL_ours"
OF_ROW = ("regions", "media", "max_concurrent_calls", "refer_to")


def tables(numbers: tuple[str, ...] = (OURS,), **trunk: object) -> Tables:
    """A trunk that calls 198.51.100.9, and its numbers; `trunk` are fields of its row, or of its `outbound`."""
    of_row = {name: trunk.pop(name) for name in OF_ROW if name in trunk}
    outbound = Outbound(**{"addresses": ("198.51.100.9",), **trunk})  # type: ignore[arg-type]
    row = TrunkRow("default/out", outbound=outbound, **of_row)  # type: ignore[arg-type]
    rows = {f"default/n{n}": NumberRow(f"default/n{n}", number, row.id) for n, number in enumerate(numbers)}
    return Tables.build(Rows({row.id: row}, {}, rows))


def shown(world: World) -> dict[str, str]:
    """What the room shows of the call."""
    [member] = world.rooms.members("lobby")
    return dict(member.attributes)


def ringing(world: World, **request: object) -> Callee:
    """A phone that rings because we call it."""
    phone = world.callee()
    assert world.place(**request) is None
    phone.ring()
    return phone


def test_a_phone_is_called_from_its_room_and_answers() -> None:
    world = World(tables(), revision=3)
    phone = world.callee()
    assert world.place(metadata="m", attributes=(("tenant", "acme"),)) is None
    assert isinstance(world.dialled[CALL], Dialled), "nobody waits for the answer"
    [invite] = phone.invites
    assert invite.uri == f"sip:{THEIRS}@198.51.100.9"
    assert invite.headers.first("To") == f"<sip:{THEIRS}@198.51.100.9>"
    assert (invite.headers.first("From") or "").startswith(f'"{OURS}" <sip:{OURS}@{BRIDGE[0]}>;tag=SCL_ours')
    attributes = shown(world)
    assert attributes["sip.callStatus"] == "dialing"
    assert (attributes["sip.phoneNumber"], attributes["sip.trunkPhoneNumber"]) == (THEIRS, OURS)
    assert (attributes["sip.hostname"], attributes["tenant"]) == ("198.51.100.9", "acme")
    assert attributes["sip.callIDFull"] == invite.headers.first("Call-ID")
    assert attributes["sip.trunkID"].startswith("ST_")
    phone.ring()
    assert shown(world)["sip.callStatus"] == "ringing"
    phone.says = b"\x11" * 160
    phone.answer()
    assert shown(world)["sip.callStatus"] == "active"
    assert shown(world)["sip.callTag"]
    world.step(2)
    assert phone.heard.count(phone.says) > 50, "a lone member hears itself"
    phone.hang_up()
    [record] = world.records
    assert (record.direction, record.reason, record.ended_by) == ("outbound", "hangup", EndedBy.CALLEE)
    assert (record.from_user, record.to_user, record.source) == (OURS, THEIRS, "198.51.100.9")
    assert (record.trunk, record.room, record.revision) == ("default/out", "lobby", 3)
    assert "the callee hung up" in record.line()
    assert all(ports.closed for ports in world.ports)


def test_the_answers_of_whoever_is_called_are_expected_and_nothing_else_of_him() -> None:
    world = World(tables())
    world.place()
    assert (world.expected, world.trusted) == (["198.51.100.9"], [])


def test_two_phones_meet_in_a_room() -> None:
    world = World(tables(), anywhere=True)
    one, two = world.callee(), world.callee("198.51.100.10")
    assert world.place() is None
    assert (
        world.place("SCL_two", call_to="+15550108888", trunk="", inline=InlineTrunk("198.51.100.10"), caller=OURS)
        is None
    )
    one.says, two.says = b"\x11" * 160, b"\x22" * 160
    one.answer()
    two.answer()
    world.step(2)
    assert one.heard.count(two.says) > 50
    assert two.heard.count(one.says) > 50


def test_who_waits_hears_of_the_answer() -> None:
    world = World(tables())
    phone = ringing(world, wait_until_answered=True)
    assert CALL not in world.dialled
    phone.answer()
    told = world.dialled[CALL]
    assert isinstance(told, Dialled)
    assert (told.call_id, told.room, told.identity) == (CALL, "lobby", f"sip_{THEIRS}")
    assert told.participant_id.startswith("PA_")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (486, "busy"), (600, "busy"), (603, "rejected"), (403, "rejected"), (488, "rejected"), (404, "unavailable"),
        (480, "unavailable"), (500, "trunk-failure"), (302, "unavailable"),
    ],
)  # fmt: skip
def test_a_phone_that_does_not_answer_says_why(status: int, reason: str) -> None:
    world = World(tables())
    phone = ringing(world, wait_until_answered=True)
    phone.decline(status, "Because")
    told = world.dialled[CALL]
    assert isinstance(told, Failure)
    assert (told.sip_status, told.sip_reason) == (status, "Because")
    [record] = world.records
    assert (record.status, record.sip_reason, record.reason) == (status, "Because", reason)
    assert not world.rooms.members("lobby")
    assert all(ports.closed for ports in world.ports)


def test_what_a_carrier_says_beside_the_status_is_told() -> None:
    world = World(tables())
    phone = ringing(world, wait_until_answered=True)
    phone.decline(404, headers=[("X-Twilio-Error", "13224")], body=b"bad\x07 number\r\n", content_type="text/plain")
    told = world.dialled[CALL]
    assert isinstance(told, Failure)
    assert told.sip_reason == "bad\N{REPLACEMENT CHARACTER} number"


def test_a_phone_that_rings_too_long_is_given_up() -> None:
    world = World(tables())
    phone = ringing(world, wait_until_answered=True, ringing_timeout_s=10.0)
    world.step(9)
    assert not world.records
    world.step(2)
    assert phone.cancelled
    told = world.dialled[CALL]
    assert isinstance(told, Failure)
    assert (told.kind, told.sip_status) == (FailureKind.DEADLINE_EXCEEDED, 0)
    [record] = world.records
    assert (record.reason, record.ended_by) == ("no-answer", EndedBy.BRIDGE)


def test_an_answer_that_crosses_our_giving_up_is_hung_up_on() -> None:
    world = World(tables())
    phone = world.callee()
    world.place(ringing_timeout_s=5.0)
    world.step(6)  # 100 came, and CANCEL goes out
    assert world.records[0].reason == "no-answer"
    phone.answer()
    assert phone.ended, "BYE"


def test_an_address_of_which_nothing_is_heard_is_left_for_the_next_and_one_that_rang_is_not() -> None:
    for says, tried in ((None, 1), (100, 0), (180, 0)):
        world = World(tables(addresses=("198.51.100.9", "198.51.100.10")))
        second = world.callee("198.51.100.10")
        if says is not None:
            first = world.callee()
        world.place(wait_until_answered=True, ringing_timeout_s=20.0)
        if says == 180:
            first.ring()
        world.step(6)
        assert len(second.invites) == tried, says
        if tried:
            second.answer()
            assert isinstance(world.dialled[CALL], Dialled)


def test_a_phone_that_rang_is_called_by_no_other_way() -> None:
    for status in (408, 503):
        world = World(tables(addresses=("198.51.100.9", "198.51.100.10")))
        first, second = world.callee(), world.callee("198.51.100.10")
        world.place(wait_until_answered=True)
        first.ring()
        first.decline(status)
        assert not second.invites
        assert world.records[0].status == status


def test_an_address_that_says_nothing_until_the_end_is_unreachable() -> None:
    world = World(tables())
    world.place(wait_until_answered=True, ringing_timeout_s=10.0)
    world.step(11)
    [record] = world.records
    assert (record.reason, record.status) == ("unreachable", 0)
    assert "SIP 0" not in record.line()


def test_nobody_at_the_address() -> None:
    world = World(tables())
    world.place(wait_until_answered=True)
    world.step(40)
    told = world.dialled[CALL]
    assert isinstance(told, Failure)
    assert told.kind is FailureKind.FAILED_PRECONDITION, "not `unavailable`: an INVITE went out"
    [record] = world.records
    assert (record.reason, record.status) == ("unreachable", 408)


def test_the_next_address_is_tried_where_one_is_out_of_order_and_not_where_the_phone_is_busy() -> None:
    for status, tried in ((503, 1), (486, 0)):
        world = World(tables(addresses=("198.51.100.9", "198.51.100.10:5060")))
        first, second = world.callee(), world.callee("198.51.100.10")
        world.place(wait_until_answered=True)
        first.decline(status)
        assert len(second.invites) == tried
        if tried:
            assert second.invites[0].uri == f"sip:{THEIRS}@198.51.100.10:5060"
            second.answer()
            assert isinstance(world.dialled[CALL], Dialled)
            assert world.records == []


def test_a_room_that_goes_away_while_the_phone_rings_takes_the_call_along() -> None:
    world = World(tables())
    phone = ringing(world, wait_until_answered=True)
    world.switchboard.room_left(CALL, "room-closed", "room lobby was deleted", world.moment)
    world.settle()
    assert phone.cancelled
    told = world.dialled[CALL]
    assert isinstance(told, Failure)
    assert told.kind is FailureKind.CANCELED


def test_keys_are_pressed_before_the_call_is_active() -> None:
    world = World(tables())
    phone = ringing(world, dtmf="12w#", wait_until_answered=True)
    phone.answer()
    assert shown(world)["sip.callStatus"] == "automation"
    assert CALL not in world.dialled
    world.step(4)
    assert phone.digits == "12#"
    assert shown(world)["sip.callStatus"] == "active"
    assert isinstance(world.dialled[CALL], Dialled)


def test_a_phone_that_takes_no_keys_is_not_waited_for() -> None:
    world = World(tables())
    phone = ringing(world, dtmf="12#", wait_until_answered=True)
    phone.answer(dtmf=False)
    assert isinstance(world.dialled[CALL], Dialled)


def test_the_room_hears_a_ringing_tone_until_the_answer() -> None:
    world = World(tables())
    ringing(world, dialtone=True)
    assert world.legs[CALL].rings
    world = World(tables())
    ringing(world)
    assert not world.legs[CALL].rings


def test_headers_of_the_answer_become_attributes_and_attributes_headers_of_the_bye() -> None:
    policy = Headers(
        fixed=(("X-Trunk", "1"), ("X-Both", "trunk")), to_attributes=(("X-Case", "case"), ("X-Id", "sip.callID")),
        from_attributes=(("outcome", "X-Outcome"),), include="x",
    )  # fmt: skip
    world = World(tables(headers=policy))
    phone = ringing(world, headers=(("X-Both", "request"), ("X-Mine", "2")), attributes=(("outcome", "open"),))
    invite = phone.invites[0].headers
    assert [invite.first(name) for name in ("X-Trunk", "X-Both", "X-Mine", "X-Outcome")] == [
        "1",
        "request",
        "2",
        "open",
    ]
    phone.answer([("X-Case", "77"), ("X-Id", "forged"), ("X-Twilio-CallSid", "CA1")])
    attributes = shown(world)
    assert (attributes["case"], attributes["sip.h.x-case"], attributes["sip.twilio.callSid"]) == ("77", "77", "CA1")
    assert attributes["sip.callID"] == CALL
    assert world.shown_headers[CALL]["X-Case"] == "77"
    world.switchboard.room_shows(CALL, (("outcome", "sold"),))
    world.switchboard.hang_up(CALL, world.moment, "ended-by-room", "done", EndedBy.ROOM)
    world.settle()
    assert phone.bye_headers["X-Outcome"] == "sold"


def test_who_is_hidden_is_hidden_everywhere() -> None:
    world = World(tables())
    phone = ringing(world, hide_number=True)
    phone.answer()
    [member] = world.rooms.members("lobby")
    assert THEIRS not in f"{member}"
    phone.hang_up()
    assert THEIRS not in f"{world.records[0].as_json()}"


def test_names_of_who_calls() -> None:
    for request, begins in (
        ({}, f'"{OURS}" <sip:{OURS}@pbx.example.com>'),
        ({"display_name": ""}, f"<sip:{OURS}@pbx.example.com>"),
        ({"display_name": 'Acme "Inc"'}, f'"Acme \\"Inc\\"" <sip:{OURS}@pbx.example.com>'),
        ({"caller": "100"}, '"100" <sip:100@pbx.example.com>'),
        ({"from_": NamedAddress("", Destination("me", "a.example", 5070))}, "<sip:me@a.example:5070>"),
    ):
        world = World(tables(from_host="pbx.example.com"))
        phone = world.callee()
        assert world.place(**request) is None
        assert (phone.invites[0].headers.first("From") or "").startswith(begins + ";tag="), request


def test_where_the_invite_goes_and_whom_it_names() -> None:
    world = World(tables(), anywhere=True)
    phone = world.callee("198.51.100.77")
    asked = Destination("*72#", "198.51.100.77", 5060, "udp")
    assert world.place(request_uri=asked, to_user="desk") is None
    [invite] = phone.invites
    assert invite.uri == "sip:*72%23@198.51.100.77:5060;transport=udp"
    assert invite.headers.first("To") == "<sip:desk@198.51.100.77>"


def test_a_password_answers_a_challenge_of_the_trunks_own_address_alone() -> None:
    sealer = Sealer(bytes(range(64)))
    place = Place(Kind.TRUNK, "default/out", OUTBOUND_PASSWORD)
    auth = Auth("acme", Secret("env:P", sealer.seal(place, b"geheim")), realm="carrier")
    challenge = [("WWW-Authenticate", 'Digest realm="carrier", nonce="n", qop="auth", algorithm=SHA-256')]
    for asked, answers in (
        (None, 2),
        (Destination("1", "198.51.100.77"), 1),
        (Destination("1", "198.51.100.9", 5090), 1),
    ):
        world = World(tables(auth=auth), unseal=sealer.unseal, anywhere=True)
        phone = world.callee("198.51.100.9" if asked is None else asked.host, port=asked.port if asked else None)
        assert world.place(request_uri=asked) is None
        phone.decline(401, headers=challenge)
        assert len(phone.invites) == answers
        if answers == 2:
            assert 'username="acme"' in (phone.invites[1].headers.first("Authorization") or "")
            phone.answer()
            assert world.legs[CALL].session is not None


def test_a_password_that_cannot_be_read_places_no_call_and_is_not_shown() -> None:
    auth = Auth("acme", Secret("env:P", b"sealed with another key"))
    refused = World(tables(auth=auth)).place()
    assert isinstance(refused, Failure)
    assert "cannot be unsealed" in refused.words
    assert "geheim" not in repr(Login("acme", b"geheim"))


def test_a_client_certificate_is_shown_to_the_trunks_own_address_alone_and_must_be_unsealed() -> None:
    sealer = Sealer(bytes(range(64)))
    sealed = (
        Secret(name, sealer.seal(Place(Kind.TRUNK, "default/out", field), b"PEM"))
        for name, field in (("file:c", CLIENT_CERTIFICATE), ("file:k", CLIENT_KEY))
    )
    live = tables(transport="tls", tls=OutboundTls(*sealed))
    for asked, shown_ in ((None, True), (Destination("1", "192.0.2.77", transport="tls"), False)):
        world = World(live, unseal=sealer.unseal, anywhere=True)
        wanted = DialRequest(call_to="+15550109999", room="lobby", trunk="default/out", request_uri=asked)
        placement = world.switchboard.place(live, 1, "SCL_ours", wanted, (OURS,))
        assert not isinstance(placement, Failure)
        assert placement.shows_certificate is shown_
    refused = World(live).place()
    assert isinstance(refused, Failure)
    assert "client certificate of Trunk default/out cannot be unsealed" in refused.words


@pytest.mark.parametrize(
    ("trunk", "request_", "kind", "words"),
    [
        ({}, {"trunk": "default/other"}, FailureKind.NOT_FOUND, "does not exist"),
        ({"regions": ("us-east", "us-west")}, {}, FailureKind.FAILED_PRECONDITION, "us-east, us-west"),
        ({"allowed_destinations": ("+1415*",)}, {}, FailureKind.FAILED_PRECONDITION, "allowedDestinations"),
        (
            {"allowed_destinations": ("+1555*",)}, {"request_uri": Destination("+4490", "198.51.100.9")},
            FailureKind.FAILED_PRECONDITION, "+4490",
        ),
        ({"allowed_destinations": ("+1*",)}, {"call_to": "118118"}, FailureKind.FAILED_PRECONDITION, "118118"),
        ({"allowed_destinations": ("+1*",)}, {"call_to": "+1555,,01"}, FailureKind.FAILED_PRECONDITION, "only numbers"),
        ({"allowed_destinations": ("+1*",)}, {"to_user": "+449001"}, FailureKind.FAILED_PRECONDITION, "+449001"),
        ({}, {"request_uri": Destination("1", "192.0.2.77")}, FailureKind.FAILED_PRECONDITION, "--dial-anywhere"),
        (
            {}, {"trunk": "", "inline": InlineTrunk("198.51.100.9"), "caller": OURS}, FailureKind.FAILED_PRECONDITION,
            "--dial-anywhere",
        ),
        ({}, {"media": Media(codecs=("amr-wb",))}, FailureKind.FAILED_PRECONDITION, "amr-wb"),
        ({"numbers": ()}, {}, FailureKind.FAILED_PRECONDITION, "no numbers on outbound trunk"),
        ({}, {"trunk": "", "caller": "+15550107777"}, FailureKind.NOT_FOUND, "sip_trunk_id"),
    ],
)  # fmt: skip
def test_what_may_not_be_called_is_refused_with_what_to_do(
    trunk: dict[str, object], request_: dict[str, object], kind: FailureKind, words: str
) -> None:
    world = World(tables(**trunk))  # type: ignore[arg-type]
    refused = world.place(**request_)
    assert isinstance(refused, Failure)
    assert (refused.kind, words in refused.words) == (kind, True), refused
    assert not world.ports
    assert not world.rooms.members("lobby")


def test_a_trunk_is_found_by_its_number_and_numbers_that_only_take_calls_call_nobody() -> None:
    world = World(tables())
    phone = world.callee()
    assert world.place(trunk="", caller=OURS.removeprefix("+")) is None
    assert len(phone.invites) == 1
    inbound = NumberRow("default/in", OURS, "default/out", direction=Direction.INBOUND)
    row = TrunkRow("default/out", outbound=Outbound(("198.51.100.9",)))
    world = World(Tables.build(Rows({row.id: row}, {}, {inbound.id: inbound})))
    assert isinstance(world.place(), Failure)


def test_a_trunks_limits_count_calls_both_ways() -> None:
    world = World(tables(max_concurrent_calls=1))
    ringing(world)
    refused = world.place("SCL_two")
    assert isinstance(refused, Failure)
    assert refused.kind is FailureKind.RESOURCE_EXHAUSTED


def test_toll_fraud_meets_the_trunks_own_limits_of_calls_out() -> None:
    for limits, word in (
        ({"max_concurrent_calls": 1}, "maxConcurrentCalls"),
        ({"calls_per_second": 1}, "callsPerSecond"),
    ):
        row = TrunkRow("default/out", outbound=Outbound(("198.51.100.9",), **limits))
        number = NumberRow("default/n", OURS, row.id)
        world = World(Tables.build(Rows({row.id: row}, {}, {number.id: number})))
        ringing(world)
        refused = world.place("SCL_two")
        assert isinstance(refused, Failure)
        assert refused.kind is FailureKind.RESOURCE_EXHAUSTED
        assert f"outbound.limits.{word}" in refused.words


def test_a_trunk_has_the_last_word_on_how_long_its_calls_last() -> None:
    world = World(tables(max_call_duration_ms=5_000))
    phone = ringing(world, max_call_duration_s=3_600.0)
    phone.says = b"\x11" * 160
    phone.answer()
    world.step(4)
    assert not phone.ended
    world.step(2)
    assert phone.ended
    assert world.records[0].reason == "max-duration"


def test_an_answer_without_common_media_is_hung_up_on() -> None:
    world = World(tables())
    phone = ringing(world, wait_until_answered=True)
    phone.answer(body=b"v=0\r\n")
    assert phone.ended
    told = world.dialled[CALL]
    assert isinstance(told, Failure)
    assert told.kind is FailureKind.FAILED_PRECONDITION
    assert world.records[0].reason == "media"


def test_a_call_lasts_as_long_as_was_asked() -> None:
    world = World(tables())
    phone = ringing(world, max_call_duration_s=5.0)
    phone.says = b"\x11" * 160
    phone.answer()
    world.step(6)
    assert phone.ended
    assert world.records[0].reason == "max-duration"


def test_a_bridge_that_stops_gives_up_what_rings_and_places_nothing() -> None:
    world = World(tables())
    phone = ringing(world, wait_until_answered=True)
    world.switchboard.stop(world.moment)
    world.settle()
    assert phone.cancelled
    assert isinstance(world.dialled[CALL], Failure)
    refused = world.place("SCL_two")
    assert isinstance(refused, Failure)
    assert refused.kind is FailureKind.UNAVAILABLE
