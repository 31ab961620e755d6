"""Calls in rooms whose server goes away: signalling cut, the server killed, hundreds of calls come and gone."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.rooms.livekit.limits import LOST_S_MAX
from tests.livekit_front import Front
from tests.livekit_peers import LiveKit, needs_livekit
from tests.room_legs import Calls

pytestmark = [needs_livekit, pytest.mark.xdist_group("livekit")]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveKit]:
    with LiveKit(tmp_path / "livekit") as running:
        yield running


async def talking(calls: Calls, count: int) -> None:
    for n in range(count):
        calls.join(f"c{n}", f"room{n // 2}")
    began = time.monotonic()
    await calls.until(lambda: calls.all_heard_since(began), "everybody to hear somebody")


@pytest.mark.parametrize("older", [False, True], ids=["one-path", "two-paths"])
def test_signalling_that_is_cut_is_resumed_and_nobody_notices(server: LiveKit, older: bool) -> None:
    async def scene(front: Front) -> None:
        async with Calls(front.settings) as calls:
            await talking(calls, 4)
            front.open = False
            front.cut()
            gaps = 0
            for _ in range(30):  # three seconds without signalling
                await asyncio.sleep(0.1)
                gaps += not calls.all_heard_since(time.monotonic() - 0.3)
            assert gaps <= 2, "media goes on"
            before, front.open = front.sessions, True
            await calls.until(lambda: front.sessions >= before + 4, "all four to come back")
            heard = {call_id: leg.heard for call_id, leg in calls.legs.items()}
            await asyncio.sleep(1)
            assert not calls.told.left_
            missed = {call_id: 50 - leg.heard + heard[call_id] for call_id, leg in calls.legs.items()}
            print(f"frames missed in the second of the resume: {missed}")
            assert max(missed.values()) < 20, "a way that is found anew costs less than is noticed"
            assert calls.all_heard_since(time.monotonic() - 0.5)
            calls.join("late", "room0")  # what the resumed signalling says is still followed
            moment = time.monotonic()
            await calls.until(lambda: calls.all_heard_since(moment), "a new one to be heard and to hear")

    with Front(server, older=older) as front:
        asyncio.run(scene(front))
        assert front.paths.count("/rtc/v1") >= (1 if older else 5)
        assert ("/rtc" in front.paths) == older


@pytest.mark.parametrize("older", [False, True], ids=["one-path", "two-paths"])
def test_a_server_that_is_killed_and_comes_back_has_its_ten_calls_again(server: LiveKit, older: bool) -> None:
    async def scene(front: Front) -> None:
        async with Calls(front.settings) as calls:
            await talking(calls, 10)
            server.kill()
            front.cut()
            await asyncio.sleep(2)
            await asyncio.to_thread(server.start)
            moment = time.monotonic()
            await calls.until(lambda: calls.all_heard_since(moment), "all ten to hear each other again", LOST_S_MAX)
            assert not calls.told.left_
            print(f"heard again {time.monotonic() - moment:.1f} s after the restart")

    with Front(server, older=older) as front:
        asyncio.run(scene(front))


def test_a_server_that_comes_back_newer_or_older_has_its_calls_again(server: LiveKit) -> None:
    async def scene(front: Front) -> None:
        async with Calls(front.settings) as calls:
            await talking(calls, 2)
            for older in (True, False):
                server.kill()
                front.cut()
                front.older = older
                await asyncio.to_thread(server.start)
                moment = time.monotonic()
                await calls.until(lambda: calls.all_heard_since(moment), f"both again, older: {older}", LOST_S_MAX)  # noqa: B023
            assert not calls.told.left_
            calls.join("new", "room0")
            moment = time.monotonic()
            await calls.until(lambda: calls.all_heard_since(moment), "a new one")

    with Front(server) as front:
        asyncio.run(scene(front))
        assert front.paths[0] != "/rtc"
        assert "/rtc" in front.paths


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


@pytest.mark.parametrize("older", [False, True], ids=["one-path", "two-paths"])
def test_hundreds_of_calls_leave_nothing_behind(server: LiveKit, older: bool) -> None:
    async def scene(front: Front) -> None:
        async with Calls(front.settings) as calls:

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

    with Front(server, older=older) as front:
        asyncio.run(scene(front))


def left_open() -> tuple[int, int, int]:
    """Descriptors, tasks and resident KiB of this process, without what malloc keeps of memory that was given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * (os.sysconf("SC_PAGE_SIZE") // 1024)
    return len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks()), resident
