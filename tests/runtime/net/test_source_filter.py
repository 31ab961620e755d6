"""A socket that is shut to all but some senders, with real sockets of loopback."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from runtime.net.source_filter import admit_all, admit_only

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="filters of sockets are Linux's")


@pytest.fixture(params=["127.0.0.1", "::1"])
def sockets(request: pytest.FixtureRequest) -> Iterator[list[socket.socket]]:
    """One that receives, and three that send."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with ExitStack() as stack:
        found = [stack.enter_context(closing(socket.socket(family, socket.SOCK_DGRAM))) for _ in range(4)]
        for sock in found:
            try:
                sock.bind((request.param, 0))
            except OSError:
                pytest.skip(f"no {request.param} here")
        found[0].settimeout(5)
        yield found


def heard(sockets: list[socket.socket]) -> list[bytes]:
    """Who of the senders is heard; the last one always has to be, so that nobody waits for what was dropped."""
    receiver, *senders = sockets
    for number, sender in enumerate(senders):
        sender.sendto(bytes([number]) * 20, receiver.getsockname()[:2])
    found = []
    while not found or found[-1][0] != len(senders) - 1:
        found.append(receiver.recv(100))
    return [data[:1] for data in found]


def test_only_the_senders_that_are_named_are_heard_until_all_are_again(sockets: list[socket.socket]) -> None:
    named = [sock.getsockname()[:2] for sock in sockets[2:]]
    assert heard(sockets) == [b"\0", b"\1", b"\2"]
    assert admit_only(sockets[0], named)
    assert heard(sockets) == [b"\1", b"\2"]
    assert admit_only(sockets[0], named[1:]), "one filter replaces the other"
    assert heard(sockets) == [b"\2"]
    admit_all(sockets[0])
    admit_all(sockets[0])
    assert heard(sockets) == [b"\0", b"\1", b"\2"]


def test_a_socket_is_not_shut_to_everybody_because_no_sender_can_be_named(sockets: list[socket.socket]) -> None:
    assert not admit_only(sockets[0], [("a name", 5)])
    assert heard(sockets) == [b"\0", b"\1", b"\2"]
