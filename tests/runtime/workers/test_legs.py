"""Reading media: one tick reads for a bounded time, and everybody's packet before anybody's second."""

from __future__ import annotations

import socket
from collections import Counter

import pytest

from runtime.limits import RTP_READ_S_MAX
from runtime.media.codecs.codec import PCMU
from runtime.net.rtp_ports import RtpPortRange, RtpPorts
from runtime.workers.legs import PhoneLeg, PhoneLegs

pytestmark = pytest.mark.usefixtures("each_core")


class Clock:
    """Moves on by `step` seconds each time somebody looks."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class Heard:
    """In place of a session: counts what it is handed."""

    def __init__(self) -> None:
        self.packets = Counter[bytes]()

    def receive_rtp(self, data: bytes, _address: tuple[str, int], _now: float) -> None:
        self.packets[data] += 1


def leg(name: str) -> PhoneLeg:
    ports = RtpPortRange(20000, 60000).reserve("127.0.0.1")
    assert isinstance(ports, RtpPorts)
    made = PhoneLeg(name, ports, PCMU)
    made.session = Heard()
    return made


@pytest.mark.parametrize(("step", "rounds"), [(RTP_READ_S_MAX, 1), (RTP_READ_S_MAX / 3, 3), (0.0, 40)])
def test_a_tick_reads_in_rounds_for_a_bounded_time(step: float, rounds: int) -> None:
    legs = PhoneLegs(clock=Clock(step))
    flooded, quiet = leg("flooded"), leg("quiet")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        try:
            for each, count in ((flooded, 40), (quiet, 1)):
                legs.add(each)
                for _ in range(count):
                    sender.sendto(each.call_id.encode(), (each.ports.address, each.ports.port))
            legs.read(0.0, 0.0)
            assert flooded.session.packets[b"flooded"] == rounds
            assert quiet.session.packets[b"quiet"] == 1
        finally:
            for each in (flooded, quiet):
                each.ports.close()
            legs.close()
