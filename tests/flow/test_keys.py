"""Keys by SIP INFO, in virtual time: in and out, beside RFC 4733 and without it."""

from __future__ import annotations

import pytest

from runtime.calls.presses import INFO_BURST
from runtime.sip import events as sip
from schemas.tables.rows import Inbound, Media, RoomKind, Rows, RuleRow, TrunkRow
from schemas.tables.tables import Tables
from tests.flow import test_dialling as dialling
from tests.flow import test_pins as pins
from tests.flow.memory import Callee, Caller, World

RELAY = "application/dtmf-relay"
BOTH, INFO = Media(dtmf=("rfc4733", "info")), Media(dtmf=("info",))


def tables(media: Media) -> Tables:
    trunk = TrunkRow("default/home", inbound=Inbound(networks=("198.51.100.0/24",)), media=media)
    return Tables.build(Rows({trunk.id: trunk}, {"default/lobby": RuleRow("default/lobby", RoomKind.DIRECT, "lobby")}))


class Phone(Caller):
    """It tells of its keys by INFO."""

    def tell(self, body: bytes, kind: str = RELAY, headers: tuple[tuple[str, str], ...] = ()) -> int:
        """The status that an INFO gets."""
        self.status = 0
        self.endpoint.request(self.leg, "INFO", self.world.now, headers, body, kind)
        self.world.settle()
        return self.status

    def key(self, key: str) -> int:
        return self.tell(f"Signal={key}\r\nDuration=160\r\n".encode())

    def _handle(self, event: sip.Event) -> None:
        if isinstance(event, sip.RequestAnswered) and event.response is not None:
            self.status = event.response.status
            self.answer = event.response
        else:
            super()._handle(event)


def phone(world: World, number: str = "+15550101111") -> Phone:
    made = Phone(world, ("198.51.100.7", 5060 + len(world.callers)), number)
    world.callers.append(made)
    return made


def digits(world: World) -> int:
    """How many presses the first live call has had."""
    return world.switchboard.live_calls()[0].record.digits


def test_keys_by_info_are_played_to_the_others_in_the_room() -> None:
    world = World(tables(BOTH))
    one, other = phone(world), world.caller(number="+15550102222")
    one.dial("+15550100000")
    other.dial("+15550100000")
    assert [one.key("5"), one.tell(b"#", "application/dtmf"), one.tell(b"signal= 11 \n Duration=100", RELAY)] == [
        200
    ] * 3
    world.step(2)
    assert other.digits == "5##"
    assert one.digits == ""
    assert digits(world) == 3


def test_a_press_that_is_told_twice_is_one_press() -> None:
    world = World(tables(BOTH))
    caller = phone(world)
    caller.dial("+15550100000")
    assert caller.session is not None
    for _ in range(2):
        caller.session.send_digits("5", world.now)
        world.step(0.3)
        assert caller.key("5") == 200
    assert digits(world) == 2
    assert caller.key("7") == 200
    caller.session.send_digits("7", world.now)
    world.step(1.2)
    assert digits(world) == 3
    assert caller.key("7") == 200
    assert digits(world) == 4, "a press of its own, long after"


@pytest.mark.parametrize(
    ("body", "kind", "headers", "status"),
    [
        (b"", "", (), 200),
        (b"Signal=!\r\nDuration=100", RELAY, (), 200),
        (b"Signal=x\r\nDuration=100", RELAY, (), 400),
        (b"5" * 300, RELAY, (), 400),
        (b"<media_control/>", "application/media_control+xml", (), 415),
        (b"5", "", (), 415),
        (b"5", "no type", (), 415),
        (b"5", RELAY, (("Info-Package", "foo"),), 469),
    ],
)
def test_what_is_no_key_is_told_so(body: bytes, kind: str, headers: tuple[tuple[str, str], ...], status: int) -> None:
    world = World(tables(BOTH))
    caller = phone(world)
    caller.dial("+15550100000")
    assert caller.tell(body, kind, headers) == status
    assert digits(world) == 0
    if status == 415:
        assert caller.answer.headers.first("Accept") == "application/dtmf-relay, application/dtmf"


def test_a_trunk_that_does_not_say_so_takes_no_info() -> None:
    world = World(tables(Media()))
    caller = phone(world)
    caller.dial("+15550100000")
    assert caller.key("5") == 415
    assert digits(world) == 0


def test_keys_come_no_faster_than_somebody_presses() -> None:
    world = World(tables(INFO))
    caller = phone(world)
    caller.dial("+15550100000")
    told = [caller.key("123456789"[n % 9]) for n in range(INFO_BURST + 5)]
    assert told == [200] * INFO_BURST + [500] * 5
    world.step(1)
    assert caller.key("1") == 200
    assert digits(world) == INFO_BURST + 1


@pytest.mark.parametrize(("media", "dtmf"), [(BOTH, False), (INFO, True)])
def test_keys_for_a_phone_without_events_go_by_info(media: Media, dtmf: bool) -> None:
    world = World(dialling.tables(media=media))
    called = Told(world, ("198.51.100.9", 5060), "+15550109999")
    world.callers.append(called)
    assert world.place(dtmf="5w#") is None
    called.ring()
    called.answer(dtmf=dtmf)
    assert dialling.shown(world)["sip.callStatus"] == "automation"
    world.step(2)
    assert dialling.shown(world)["sip.callStatus"] == "active"
    assert [body for _, body in called.infos] == [b"Signal=5\r\nDuration=250\r\n", b"Signal=#\r\nDuration=250\r\n"]
    gap = called.infos[1][0] - called.infos[0][0]
    assert 0.95 < gap < 1.1, "tone, gap and half a second of pause"


def test_keys_go_as_events_where_the_phone_takes_them() -> None:
    world = World(dialling.tables(media=BOTH))
    called = Told(world, ("198.51.100.9", 5060), "+15550109999")
    world.callers.append(called)
    world.place(dtmf="5#")
    called.ring()
    called.answer()
    world.step(2)
    assert (called.digits, called.infos) == ("5#", [])


def test_a_pin_may_be_entered_by_info() -> None:
    world = pins.world(media=INFO)
    caller = phone(world)
    caller.dial(pins.NUMBER)
    assert caller.status == 200
    for key in pins.RIGHT + "#":
        caller.key(key)
    world.step(0.1)
    assert pins.room_of(world, "board") == 1
    caller.hang_up()
    assert world.records[0].digits == 0, "keys of a PIN are not counted"


class Told(Callee):
    """It keeps what it is told by INFO, and when."""

    def __post_init__(self) -> None:
        self.allow = (*self.allow, "INFO")
        self.infos: list[tuple[float, bytes]] = []
        super().__post_init__()

    def _handle(self, event: sip.Event) -> None:
        if isinstance(event, sip.RequestReceived) and event.request.method == "INFO":
            self.infos.append((self.world.now, event.request.body))
            self.endpoint.respond_request(event.request_id, 200, self.world.now)
        else:
            super()._handle(event)
