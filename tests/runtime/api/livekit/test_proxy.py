"""What the LiveKit server answers itself passes through the bridge, whole, bounded, and nothing else does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from runtime.api.livekit import limits
from runtime.settings import LiveKitServer
from tests.runtime.api.livekit.serving import KEY, SECRET, passing, serving


async def _echo(request: web.Request) -> web.Response:
    names = ("X-Kept", "X-Named", "X-Forwarded-For")
    told = {"path": request.raw_path, **{name: request.headers.get(name) for name in names}}
    return web.Response(body=await request.read(), headers={"X-Told": json.dumps(told)}, status=418)


def _app(handler: Any = _echo) -> web.Application:
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{any:.*}", handler)
    return app


def test_every_other_request_is_passed_on_with_body_and_headers() -> None:
    async def scenario(url: str) -> None:
        headers = {"X-Kept": "yes", "Connection": "keep-alive, X-Named", "X-Named": "of this hop"}
        headers["X-Forwarded-For"] = "192.0.2.9"
        async with aiohttp.ClientSession() as session:
            for path in (
                "/twirp/livekit.RoomService/ListRooms",
                "//rtc/validate?access_token=%2B",
                "/settings/regions",
            ):
                async with session.post(
                    aiohttp.client.URL(url + path, encoded=True), data=b"x" * 300_000, headers=headers
                ) as got:
                    assert (got.status, len(await got.read())) == (418, 300_000)
                    told = json.loads(got.headers["X-Told"])
                    assert told.pop("path") == path.replace("//", "/")
                    assert told == {"X-Kept": "yes", "X-Named": None, "X-Forwarded-For": "192.0.2.9, 127.0.0.1"}

    passing(_app(), scenario)


@pytest.mark.parametrize(
    "path", ["/", "/debug/rooms", "/rtc/../debug", "/twirp/other.Service/X", "/twirp/livekit.%53IP/X"]
)
def test_what_is_not_livekits_api_is_not_passed_on(path: str) -> None:
    async def scenario(url: str) -> int:
        async with aiohttp.ClientSession() as session, session.get(URL(url + path, encoded=True)) as got:
            return got.status

    assert passing(_app(), scenario) == 404


def test_a_body_that_is_too_large_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_BYTES_MAX", 1000)

    async def scenario(url: str) -> int:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/twirp/livekit.RoomService/ListRooms", data=b"x" * 1001) as got,
        ):
            return got.status

    assert passing(_app(), scenario) == 400


def test_a_streamed_body_that_grows_too_large_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_BYTES_MAX", 1000)

    async def body() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    async def scenario(url: str) -> dict[str, Any]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/twirp/livekit.RoomService/ListRooms", data=body()) as got,
        ):
            return dict(await got.json())

    assert passing(_app(), scenario)["code"] == "invalid_argument"


@pytest.mark.parametrize("most", [1000, 1 << 20])
def test_an_answer_that_breaks_off_is_seen_to_be_broken(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(limits, "ANSWER_BYTES_MAX", most)

    async def break_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x" * 2000)
        assert request.transport is not None
        request.transport.close()
        return response

    async def scenario(url: str) -> None:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                async with session.get(f"{url}/settings/regions") as got:
                    await got.read()

    passing(_app(break_off), scenario)


def test_messages_of_a_websocket_go_both_ways_and_its_end_is_told() -> None:
    async def talk(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("livekit",))
        await socket.prepare(request)
        await socket.send_str(request.raw_path)
        async for message in socket:
            if message.data == b"end":
                await socket.close(code=4001, message=b"over")
            else:
                await socket.send_bytes(message.data)
        return socket

    async def scenario(url: str) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/rtc/v1?x=1") as socket:
            assert (await socket.receive_str()) == "/rtc/v1?x=1"
            await socket.send_bytes(b"y" * 500_000)
            assert len(await socket.receive_bytes()) == 500_000
            await socket.send_bytes(b"end")
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
            assert socket.close_code == 4001

    passing(_app(talk), scenario)


def test_a_websocket_ends_when_both_sides_are_silent_and_not_when_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SILENCE_S_MAX", 0.2)
    heard: list[str] = []

    async def listen(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        heard.extend([message.data async for message in socket])
        return socket

    async def scenario(url: str) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/agent") as socket:
            for number in range(8):
                await socket.send_str(str(number))
                await asyncio.sleep(0.1)
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE

    passing(_app(listen), scenario)
    assert heard == [str(number) for number in range(8)]


def test_a_websocket_that_the_server_refuses_is_refused_with_its_status() -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=401, text="no permission")

    async def scenario(url: str) -> int:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(f"{url}/rtc")
            return refused.value.status

    assert passing(_app(refuse), scenario) == 401


def test_a_server_that_is_not_there_is_unavailable() -> None:
    async def scenario(url: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.post(f"{url}/twirp/livekit.RoomService/X") as got:
            return got.status, (await got.json())["code"]

    absent = LiveKitServer("ws://127.0.0.1:9", KEY, SECRET)
    assert serving(scenario, behind=absent) == (503, "unavailable")
    assert serving(scenario) == (503, "unavailable"), "no server is named"
