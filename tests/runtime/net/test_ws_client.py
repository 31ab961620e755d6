"""WebSockets that we open (RFC 7118 as its client), to the servers of `websockets` and to ones that mean ill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path as File

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from runtime.net import connection, connections
from runtime.net.ws_stream import WsStream
from runtime.settings import TlsSettings
from runtime.sip.path import Path
from tests.certificates import Authority
from tests.runtime.net.sockets import LOOPBACK, User, run, until, users
from tests.runtime.net.test_sip_tls import settings_of, speaks
from tests.runtime.sip.raw import request

OPTIONS = request("OPTIONS")
ANSWER = "SIP/2.0 200 über"
SIP = Subprotocol("sip")


class Server:
    """A SIP server of `websockets`: what was asked for, and what came, message by message; each is answered."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        """Path and Host of each handshake."""
        self.heard: list[str | bytes] = []
        self.open: list[ServerConnection] = []

    @asynccontextmanager
    async def serve(self, protocols: list[Subprotocol] | None = None, **more: object) -> AsyncIterator[int]:
        """Its port."""
        made = serve(self._talk, LOOPBACK, 0, subprotocols=[SIP] if protocols is None else protocols, **more)  # type: ignore[arg-type]
        async with made as server:
            yield next(iter(server.sockets)).getsockname()[1]

    async def _talk(self, client: ServerConnection) -> None:
        request = client.request
        assert request is not None
        self.asked.append((request.path, request.headers["Host"]))
        self.open.append(client)
        async for message in client:
            self.heard.append(message)
            await client.send(ANSWER)


@asynccontextmanager
async def raw(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[int]:
    """A server that writes its bytes itself, once the handshake was asked for."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await talk(reader, writer)
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, LOOPBACK, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def way(user: User, port: int, transport: str = "ws", *, name: str = "", resource: str = "/") -> Path:
    path = user.sockets.path_to(transport, (LOOPBACK, port))
    assert path is not None
    return replace(path, name=name, resource=resource)


def test_messages_wait_for_the_handshake_and_answers_come_by_the_same_connection() -> None:
    async def test() -> None:
        server = Server()
        with users() as (user,):
            async with server.serve() as port:
                await user.open("udp")  # nobody is heard by WebSocket
                path = way(user, port, name="sip.example", resource="/sip/ws")
                for _ in range(3):
                    user.sockets.send(OPTIONS, path)
                await until(lambda: len(user.messages) == 3)
                assert user.messages == [(ANSWER.encode(), path)] * 3
                assert server.heard == [OPTIONS.decode()] * 3
                assert server.asked == [("/sip/ws", f"sip.example:{port}")]
                assert user.sockets.is_open(path)
                assert [listen.transport for listen in user.sockets.listening] == ["udp"]

    run(test)


def test_another_path_or_name_is_another_connection() -> None:
    async def test() -> None:
        server = Server()
        with users() as (user,):
            async with server.serve() as port:
                await user.open("ws")
                paths = [way(user, port), way(user, port, resource="/b"), way(user, port, name="b.example")]
                for path in paths * 2:
                    user.sockets.send(OPTIONS, path)
                await until(lambda: len(user.messages) == 6)
                assert len(user.sockets.connections) == 3
                assert {path for _, path in user.messages} == set(paths)
                assert server.asked[0] == ("/", f"{LOOPBACK}:{port}")

    run(test)


def test_a_connection_that_has_closed_is_made_anew_by_the_next_message() -> None:
    async def test() -> None:
        server = Server()
        with users() as (user,):
            async with server.serve() as port:
                await user.open("ws")
                path = way(user, port)
                user.sockets.send(OPTIONS, path)
                await until(lambda: user.messages)
                await server.open[0].close()
                await until(lambda: user.failures)
                assert user.failures == [(path, "WebSocket Closed")]
                user.sockets.send(OPTIONS, path)
                await until(lambda: len(user.messages) == 2)
                assert len(server.asked) == 2

    run(test)


async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\nno end")


async def of_another_kind(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SIP/2.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


async def long_winded(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 101 Switching\r\n" + b"X: y\r\n" * 10_000)


async def with_another_key(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("talk", "why"),
    [
        (endless, "WebSocket Refused: HTTP 404"),
        (of_another_kind, "No WebSocket Handshake"),
        (long_winded, "No WebSocket Handshake"),
        (with_another_key, "No WebSocket Handshake"),
    ],
)
def test_a_server_that_does_not_shake_hands_is_given_up(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], why: str
) -> None:
    async def test() -> None:
        with users() as (user,):
            async with raw(talk) as port:
                await user.open("ws")
                path = way(user, port)
                user.sockets.send(OPTIONS, path)
                await until(lambda: user.failures)
                assert user.failures == [(path, why)]
                assert not user.messages

    run(test)


def test_a_server_that_does_not_speak_sip_is_given_up() -> None:
    async def test() -> None:
        def agree(*_: object) -> None:
            """No sub-protocol, and 101 all the same."""

        server = Server()
        with users() as (user,):
            async with server.serve(select_subprotocol=agree) as port:
                await user.open("ws")
                user.sockets.send(OPTIONS, way(user, port))
                await until(lambda: user.failures)
                assert [why for _, why in user.failures] == ["WebSocket Without The Protocol sip"]
                assert not server.heard

    run(test)


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "WS_HANDSHAKE_S", 0.1)
    monkeypatch.setattr(connections, "SWEEP_S", 0.02)

    async def silent(*_: object) -> None:
        """It has heard the request."""

    async def test() -> None:
        with users() as (user,):
            async with raw(silent) as port:
                await user.open("ws")
                user.sockets.send(OPTIONS, way(user, port))
                await until(lambda: user.failures)
                assert [why for _, why in user.failures] == ["WebSocket Handshake Took Too Long"]

    run(test)


def test_what_waits_for_a_handshake_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TCP_UNSENT_BYTES_MAX", 12 * len(OPTIONS))

    async def silent(*_: object) -> None:
        """It has heard the request."""

    async def test() -> None:
        with users() as (user,):
            async with raw(silent) as port:
                await user.open("ws")
                path = way(user, port)
                for _ in range(10):
                    user.sockets.send(OPTIONS, path)
                await asyncio.sleep(0)
                assert not user.failures
                for _ in range(3):
                    user.sockets.send(OPTIONS, path)
                await until(lambda: user.failures)
                assert user.failures[0] == (path, "Peer Does Not Read")

    run(test)


def test_one_that_is_needed_is_pinged_and_one_that_answers_no_more_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WsStream, "ping_after_s", 0.05)
    monkeypatch.setattr(connections, "SWEEP_S", 0.02)
    monkeypatch.setattr(connection, "PONG_WITHIN_S", 0.3)

    async def test() -> None:
        server = Server()
        with users() as (user,):
            user.strangers.add(LOOPBACK)  # who is called need not be known by its address
            async with server.serve() as port:
                await user.open("ws")
                path = way(user, port)
                user.needed.add(path)
                user.sockets.send(OPTIONS, path)
                await until(lambda: user.messages)
                made = user.sockets.connections.find(path)
                assert made is not None
                await until(lambda: made._answers_pings, "a pong")
                server.open[0].transport.pause_reading()
                await until(lambda: user.failures)
                assert user.failures == [(path, "No Answer To Keep-Alive")]

    run(test)


@pytest.mark.parametrize(
    ("name", "why"), [("carrier.example", ""), ("other.example", "Certificate Of Another Name (for carrier.example")]
)
def test_over_tls_the_name_that_is_dialled_is_proven(tmp_path: File, name: str, why: str) -> None:
    authority = Authority(tmp_path)
    theirs = speaks(settings_of(authority.pair("theirs", "carrier.example"), authority))
    ours = speaks(TlsSettings(authorities=authority.file))
    theirs.answer = lambda _, path: theirs.sockets.send(ANSWER.encode(), path)

    async def test() -> None:
        try:
            await theirs.open("wss")
            await ours.open("udp")
            path = way(ours, theirs.port("wss"), "wss", name=name)
            ours.sockets.send(OPTIONS, path)
            await until(lambda: ours.messages or ours.failures)
            if why:
                assert ours.failures[0][1].startswith(why)
                assert not theirs.messages
            else:
                assert ours.messages == [(ANSWER.encode(), path)]
                assert theirs.datas() == [OPTIONS]
        finally:
            ours.sockets.close()
            theirs.sockets.close()
            await asyncio.sleep(0.01)

    run(test)


def test_a_refusal_says_its_status(tmp_path: File) -> None:
    async def test() -> None:
        def refuse(client: ServerConnection, _: Request) -> Response:
            return client.respond(503, "not now")

        with users() as (user,):
            async with Server().serve(process_request=refuse) as port:
                await user.open("ws")
                user.sockets.send(OPTIONS, way(user, port))
                await until(lambda: user.failures)
                assert [why for _, why in user.failures] == ["WebSocket Refused: HTTP 503"]

    run(test)
