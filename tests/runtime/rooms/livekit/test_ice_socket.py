"""The UDP socket of a call: who is heard, who is named, and that it goes on when only one peer is left."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aioice import ice, stun

from runtime.media.ice_checks import IceNames
from runtime.net.outbox import make_outbox
from runtime.net.polled import make_polled
from runtime.rooms.livekit.ice import IceAgent, IceSocket
from tests.runtime.media.test_ice_lite import NAMES, check

pytestmark = pytest.mark.usefixtures("each_core")

STUN, MEDIA = b"\x01stun", b"\x80media"


class Heard:
    """A socket of a call, and what came of it."""

    def __init__(self) -> None:
        self.media: list[bytes] = []
        self.stun: list[tuple[bytes, tuple[str, int]]] = []
        self.polled = make_polled()
        self.socket = IceSocket(self.media.append, lambda data, sender: self.stun.append((data, sender)), self.polled)

    def settle(self, remote: tuple[str, int]) -> None:
        self.socket.settle(remote)
        self.socket.rest()


@pytest.fixture
def heard() -> Iterator[Heard]:
    made = Heard()
    yield made
    made.socket.close()
    made.polled.close()


@contextmanager
def peer(host: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind((host, 0))
        made.settimeout(5)
        yield made


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_settled_socket_hears_and_speaks_to_its_peer_alone(heard: Heard, host: str) -> None:
    if ":" in host and not heard.socket.both:
        pytest.skip("no IPv6 here")
    here = (host, heard.socket.port)
    with peer(host) as server, peer(host) as stranger:
        remote = server.getsockname()[:2]
        stranger.sendto(STUN, here)
        heard.settle(remote)
        assert heard.stun == [(STUN, stranger.getsockname()[:2])], "what came before has its own sender"
        for sender in (stranger, server):
            sender.sendto(MEDIA, here)
            sender.sendto(STUN, here)
        heard.polled.read(time.monotonic(), time.time())
        assert heard.media == [MEDIA]
        assert heard.stun[1:] == [(STUN, remote)]
        outbox = make_outbox()
        heard.socket.write(b"to the peer", outbox)
        outbox.flush()
        heard.socket.send_to(b"and again", remote)
        heard.socket.send_to(b"to nobody", stranger.getsockname()[:2])
        assert [server.recv(100), server.recv(100)] == [b"to the peer", b"and again"]


def test_a_peer_that_is_gone_is_one_lost_packet(heard: Heard) -> None:
    with peer("127.0.0.1") as server:
        remote = server.getsockname()
    heard.settle(remote)
    for _ in range(2):  # the second time the kernel tells of the first
        heard.socket.send(MEDIA)
        heard.polled.read(time.monotonic(), time.time())
    assert heard.media == []


def test_a_closed_socket_is_read_no_more(heard: Heard) -> None:
    with peer("127.0.0.1") as server:
        heard.settle(server.getsockname())
        server.sendto(MEDIA, ("127.0.0.1", heard.socket.port))
        heard.socket.close()
        heard.polled.read(time.monotonic(), time.time())
        heard.socket.send(MEDIA)
    assert heard.media == []


@pytest.mark.parametrize(
    ("names", "more", "ours"),
    [
        (NAMES, {}, True),
        (IceNames("ours", "q" * 32, "theirs"), {}, False),
        (NAMES, {"ICE_CONTROLLED": 7}, False),
    ],
)
def test_checks_of_the_settled_peer_are_answered_without_aioice_and_no_others(
    names: IceNames, more: dict[str, int], ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_to_aioice: list[bytes] = []
    monkeypatch.setattr(ice.StunProtocol, "datagram_received", lambda _, data, __: left_to_aioice.append(data))

    async def asked() -> bytes:
        polled = make_polled()
        agent = IceAgent(NAMES.ufrag, NAMES.password, polled, lambda _: None, lambda: None, controlling=False)
        agent.remote_username, agent.remote_password = NAMES.their_ufrag, "r" * 32
        await agent.gather_candidates()
        assert agent.socket is not None
        with peer("127.0.0.1") as server:
            agent.socket.settle(server.getsockname())
            agent.socket.rest()
            server.sendto(check(names, **more), ("127.0.0.1", agent.socket.port))
            polled.read(time.monotonic(), time.time())
            answered = server.recv(2048) if ours else b""
        await agent.end()
        polled.close()
        return answered

    answered = asyncio.run(asked())
    assert bool(left_to_aioice) is not ours
    if ours:
        assert stun.parse_message(answered).message_class is stun.Class.RESPONSE
