"""What phones write within their calls, in virtual time."""

from __future__ import annotations

import pytest

from runtime.calls.messages import BODY_BYTES_MAX, BURST
from runtime.sip import events as sip
from schemas.tables.rows import Inbound, Media, RoomKind, Rows, RuleRow, TrunkRow
from schemas.tables.tables import Tables
from tests.flow.memory import Caller, World


class Writer(Caller):
    """It writes."""

    def write(self, body: bytes, kind: str = "text/plain", method: str = "MESSAGE") -> int:
        """The status that it gets."""
        self.status = 0
        self.endpoint.request(self.leg, method, self.world.now, (), body, kind)
        self.world.settle()
        return self.status

    def _handle(self, event: sip.Event) -> None:
        if isinstance(event, sip.RequestAnswered) and event.response is not None:
            self.status, self.answer = event.response.status, event.response
        else:
            super()._handle(event)


def writer(messages: str = "room") -> Writer:
    media = Media(dtmf=("info",))
    trunk = TrunkRow("default/home", inbound=Inbound(networks=("198.51.100.0/24",)), media=media)
    rule = RuleRow("default/lobby", RoomKind.DIRECT, "lobby", messages=messages)
    world = World(Tables.build(Rows({trunk.id: trunk}, {rule.id: rule})))
    made = Writer(world, ("198.51.100.7", 5060), "+15550101111")
    world.callers.append(made)
    made.dial("+15550100000")
    return made


def test_what_a_phone_writes_goes_to_its_room() -> None:
    phone = writer()
    assert phone.write(b"hello", "text/plain;charset=utf-8") == 200
    assert phone.write(b"\x00\xff", "application/octet-stream", "INFO") == 200
    assert phone.world.messages == [
        ("MESSAGE", "text/plain", b"hello"),
        ("INFO", "application/octet-stream", b"\x00\xff"),
    ]
    assert phone.write(b"5", "application/dtmf", "INFO") == 200
    assert len(phone.world.messages) == 2, "a key is a key"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"x" * (BODY_BYTES_MAX + 1), "text/plain", 413),
        (b"x", "", 415),
        (b"x", "none", 415),
        (b"x", "t/" + "y" * 200, 415),
    ],
)
def test_what_is_too_much_is_told_so(body: bytes, kind: str, status: int) -> None:
    phone = writer()
    assert phone.write(body, kind) == status
    assert not phone.world.messages


def test_a_phone_writes_no_faster_than_it_may() -> None:
    phone = writer()
    assert [phone.write(b"x") for _ in range(BURST + 2)] == [200] * BURST + [500] * 2
    phone.world.step(0.3)
    assert phone.write(b"x") == 200


def test_a_rule_that_does_not_say_so_takes_nothing() -> None:
    phone = writer("none")
    assert phone.write(b"hello") == 405
    assert "MESSAGE" not in (phone.answer.headers.first("Allow") or "MESSAGE")
    assert phone.write(b"hello", "text/plain", "INFO") == 415
    assert not phone.world.messages
