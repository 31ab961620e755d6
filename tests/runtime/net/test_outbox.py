"""What one tick made is sent in a row, nothing waits for too many, and what cannot be sent is lost alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from runtime.net.outbox import WAITING_MAX, Outbox, make_outbox

pytestmark = pytest.mark.usefixtures("each_core")


class Line:
    """A socket that sends, and the one that it sends to."""

    def __init__(self, family: int, host: str) -> None:
        self.sends = socket.socket(family, socket.SOCK_DGRAM)
        self.hears = socket.socket(family, socket.SOCK_DGRAM)
        self.hears.bind((host, 0))
        self.hears.setblocking(False)
        self.to = self.hears.getsockname()[:2]

    def heard(self) -> list[bytes]:
        found = []
        while True:
            try:
                found.append(self.hears.recv(100))
            except BlockingIOError:
                return found

    def close(self) -> None:
        self.sends.close()
        self.hears.close()


@pytest.fixture(params=["127.0.0.1", "::1"])
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    try:
        made = Line(socket.AF_INET6 if ":" in request.param else socket.AF_INET, request.param)
    except OSError:
        pytest.skip("no IPv6 here")
    yield made
    made.close()


def test_datagrams_wait_for_the_flush_and_go_in_their_order(line: Line) -> None:
    outbox = make_outbox()
    for n in range(3):
        outbox.add(line.sends, b"%d" % n, line.to)
    assert line.heard() == []
    outbox.flush()
    outbox.flush()
    assert line.heard() == [b"0", b"1", b"2"]


def test_a_connected_socket_needs_no_address(line: Line) -> None:
    outbox = make_outbox()
    line.sends.connect(line.to)
    outbox.add(line.sends, b"to the peer")
    outbox.flush()
    assert line.heard() == [b"to the peer"]


def test_no_more_than_so_many_wait(line: Line) -> None:
    outbox = make_outbox()
    for n in range(WAITING_MAX):
        assert line.heard() == []
        outbox.add(line.sends, b"%d" % n, line.to)
    assert line.heard() == [b"%d" % n for n in range(WAITING_MAX)]


def test_what_cannot_be_sent_does_not_hold_up_the_others(line: Line) -> None:
    outbox: Outbox = make_outbox()
    closed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    outbox.add(closed, b"by a socket that is closed meanwhile", line.to)
    closed.close()
    for host, port in ((line.to[0], 0), (line.to[0], 70_000), ("no host", 5), ("fe80::1%nolink", 5), ("", -1)):
        outbox.add(line.sends, b"nowhere", (host, port))
    outbox.add(line.sends, b"without a peer")
    outbox.add(line.sends, b"this", line.to)
    outbox.flush()
    assert line.heard() == [b"this"]
