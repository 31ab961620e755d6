"""Calls in rooms whose server goes away: signalling cut, the server killed, hundreds of calls come and gone."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.rooms.livekit.limits import LOST_S_MAX
from runtime.settings import LiveKitServer
from tests.livekit_peers import KEY, SECRET, LiveKit, needs_livekit
from tests.room_legs import Calls

pytestmark = [needs_livekit, pytest.mark.xdist_group("livekit")]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveKit]:
    with LiveKit(tmp_path / "livekit") as running:
        yield running


class Proxy:
    """A TCP proxy in front of the signalling that can be cut, and stay cut."""

    def __init__(self, port: int) -> None:
        self.target, self.open = port, True
        self.connections = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.open:
            writer.transport.abort()
            return
        self.connections += 1
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        self._writers |= {writer, back}
        await asyncio.gather(self._carry(reader, back), self._carry(there, writer))
        self._writers -= {writer, back}

    @staticmethod
    async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
        except OSError:
            pass
        writer.close()


async def talking(calls: Calls, count: int) -> None:
    for n in range(count):
        calls.join(f"c{n}", f"room{n // 2}")
    began = time.monotonic()
    await calls.until(lambda: calls.all_heard_since(began), "everybody to hear somebody")


def test_signalling_that_is_cut_is_resumed_and_nobody_notices(server: LiveKit) -> None:
    async def scene() -> None:
        async with Proxy(server.port) as proxy, Calls(LiveKitServer(proxy.url, KEY, SECRET)) as calls:
            await talking(calls, 4)
            proxy.open = False
            proxy.cut()
            gaps = 0
            for _ in range(30):  # three seconds without signalling
                await asyncio.sleep(0.1)
                gaps += not calls.all_heard_since(time.monotonic() - 0.3)
            assert gaps <= 2, "media goes on"
            before, proxy.open = proxy.connections, True
            await calls.until(lambda: proxy.connections >= before + 4, "all four to come back")
            await asyncio.sleep(1)
            assert not calls.told.left_
            assert calls.all_heard_since(time.monotonic() - 0.5)
            calls.join("late", "room0")  # what the resumed signalling says is still followed
            moment = time.monotonic()
            await calls.until(lambda: calls.all_heard_since(moment), "a new one to be heard and to hear")

    asyncio.run(scene())


def test_a_server_that_is_killed_and_comes_back_has_its_ten_calls_again(server: LiveKit) -> None:
    async def scene() -> None:
        async with Calls(server.settings) as calls:
            await talking(calls, 10)
            server.kill()
            await asyncio.sleep(2)
            await asyncio.to_thread(server.start)
            moment = time.monotonic()
            await calls.until(lambda: calls.all_heard_since(moment), "all ten to hear each other again", LOST_S_MAX)
            assert not calls.told.left_
            print(f"heard again {time.monotonic() - moment:.1f} s after the restart")

    asyncio.run(scene())


def test_a_server_that_stays_away_ends_each_call_with_a_reason_in_time(server: LiveKit) -> None:
    async def scene() -> None:
        async with Calls(server.settings) as calls:
            await talking(calls, 4)
            server.kill()
            killed = time.monotonic()
            await calls.until(lambda: len(calls.told.left_) == 4, "four reasons", LOST_S_MAX + 20)
            assert time.monotonic() - killed < LOST_S_MAX + 10
            assert {reason for reason, _ in calls.told.left_.values()} == {"room-lost"}

    asyncio.run(scene())


def test_hundreds_of_calls_leave_nothing_behind(server: LiveKit) -> None:
    async def scene() -> None:
        async with Calls(server.settings) as calls:

            async def wave(size: int) -> None:
                await talking(calls, size)
                for call_id in list(calls.legs):
                    calls.rooms.leave(call_id)
                calls.legs.clear()
                await calls.until(lambda: not calls.rooms.busy, "the goodbyes")

            for _ in range(10):
                await wave(20)
            await asyncio.sleep(1)
            before = left_open()
            for _ in range(15):
                await wave(20)
            await asyncio.sleep(1)
            after = left_open()
            print(f"descriptors, tasks, KiB: {before} -> {after} over 300 calls")
            assert after[0] <= before[0] + 2
            assert after[1] <= before[1] + 2
            assert after[2] < before[2] + 300 * 40, "a call that stays costs some hundred KiB"

    asyncio.run(scene())


def left_open() -> tuple[int, int, int]:
    """Descriptors, tasks and resident KiB of this process."""
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * (os.sysconf("SC_PAGE_SIZE") // 1024)
    return len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks()), resident
