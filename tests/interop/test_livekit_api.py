"""One LIVEKIT_URL for everything: LiveKit's own clients, unchanged, with their URL set to the bridge."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from livekit import api
from livekit.protocol import sip

from tests.livekit_peers import KEY, SECRET, Client, LiveKit, needs_livekit
from tests.peers import BridgeProcess, free_port, lesson

pytestmark = [needs_livekit, pytest.mark.xdist_group("livekit")]


class Through(LiveKit):
    """A LiveKit server as it is reached through a bridge."""

    def __init__(self, port: int) -> None:
        self.port = port


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKit]:
    with LiveKit(tmp_path_factory.mktemp("livekit")) as running:
        yield running


@contextmanager
def bridge_before(server: LiveKit, work: Path) -> Iterator[Through]:
    port = free_port(socket.SOCK_STREAM)
    options = ("--rooms", "livekit", "--livekit-api", f"127.0.0.1:{port}")
    with (
        lesson("01-one-number", work) as manifests,
        BridgeProcess(manifests, work, *options, environment=server.environment),
    ):
        yield Through(port)


def asked(url: str, what: Callable[[api.LiveKitAPI], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with api.LiveKitAPI(url, KEY, SECRET) as client:
            return await what(client)

    return asyncio.run(run())


def test_one_url_serves_rooms_and_the_declared_trunks(server: LiveKit, tmp_path: Path) -> None:
    with bridge_before(server, tmp_path) as bridge:
        asked(bridge.url, lambda client: client.room.create_room(api.CreateRoomRequest(name="made-here")))
        rooms = asked(bridge.url, lambda client: client.room.list_rooms(api.ListRoomsRequest())).rooms
        assert "made-here" in [room.name for room in rooms]
        assert "made-here" in [room.name for room in server.ask("rooms")], "it is the server's own"
        [trunk] = asked(bridge.url, lambda c: c.sip.list_inbound_trunk(sip.ListSIPInboundTrunkRequest())).items
        change = sip.DeleteSIPTrunkRequest(sip_trunk_id=trunk.sip_trunk_id)
        with pytest.raises(api.TwirpError) as refused:
            asked(bridge.url, lambda client: client.sip.delete_trunk(change))
    assert refused.value.code == "failed_precondition"
    assert "trunk.yaml:" in refused.value.message


def test_livekits_client_joins_a_room_through_the_bridge(server: LiveKit, tmp_path: Path) -> None:
    with bridge_before(server, tmp_path) as bridge, Client(server, "direct", "meeting") as direct:
        with Client(bridge, "through", "meeting"):
            direct.await_event(lambda e: e["event"] == "participant" and e["identity"] == "through")
        direct.await_event(lambda e: e["event"] == "left" and e["identity"] == "through")
