"""SIP over WebSocket on real sockets (RFC 7118), with the clients of `websockets` and with bytes of a hostile one."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from pathlib import Path as File

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.typing import Origin, Subprotocol

from runtime.net import connection, connections, ws_stream
from runtime.net.framing import Over
from runtime.net.ws_stream import MESSAGE_BYTES_MAX, NOT_SIP, OTHER_ORIGIN, PIECE_BYTES, WsServer, WsStream
from runtime.sip.framing import Framed, Ping
from runtime.sip.path import Path
from tests.certificates import Authority
from tests.runtime.net.sockets import LOOPBACK, Client, User, run, until, users
from tests.runtime.net.test_sip_tls import settings_of, speaks, trusting
from tests.runtime.sip.raw import request

OPTIONS = request("OPTIONS")
SIP = Subprotocol("sip")
PAGE = Origin("https://phone.example")
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
)


async def page(user: User, *, origin: Origin | None = PAGE, protocol: Subprotocol | None = SIP) -> ClientConnection:
    """A client whose connection is up."""
    protocols = [protocol] if protocol else None
    return await connect(f"ws://{LOOPBACK}:{user.port('ws')}", origin=origin, subprotocols=protocols)


def path_of(user: User, client: ClientConnection) -> Path:
    host, port = client.local_address[:2]
    return Path("ws", (LOOPBACK, user.port("ws")), (host, port))


def frame(opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


async def raw(user: User, handshake: bytes = HANDSHAKE) -> Client:
    """A client that writes its bytes itself; the handshake is answered."""
    client = Client(*await asyncio.open_connection(LOOPBACK, user.port("ws")))
    client.send(handshake)
    assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    return client


def test_each_message_of_a_websocket_is_one_of_sip_and_answers_go_back_as_text() -> None:
    async def test() -> None:
        with users() as (user,):
            await user.open("ws")
            user.answer = lambda data, path: user.sockets.send(b"SIP/2.0 200 \xc3\xbcber", path)
            client = await page(user)
            assert client.subprotocol == SIP
            await client.send(OPTIONS.decode())
            await client.send(OPTIONS)  # binary
            await client.send([OPTIONS[:40].decode(), OPTIONS[40:].decode()])  # in fragments
            assert [await client.recv() for _ in range(3)] == ["SIP/2.0 200 über"] * 3
            assert user.messages == [(OPTIONS, path_of(user, client))] * 3
            user.answer = lambda data, path: user.sockets.send(b"SIP/2.0 200 \xfc", path)
            await client.send(OPTIONS)
            assert await client.recv() == b"SIP/2.0 200 \xfc", "no UTF-8: a browser would break a text"
            await client.close()
            await until(lambda: user.failures)
            assert user.failures == [(path_of(user, client), "WebSocket Closed")]
            assert user.sockets.connections.ended == {"WebSocket Closed": 1}

    run(test)


@pytest.mark.parametrize(
    ("origin", "protocol", "status", "why"),
    [
        (Origin("https://elsewhere.example"), SIP, 403, OTHER_ORIGIN),
        (Origin("https://phone.example.elsewhere.example"), SIP, 403, OTHER_ORIGIN),
        (PAGE, None, 400, NOT_SIP),
        (PAGE, Subprotocol("chat"), 400, NOT_SIP),
    ],
)
def test_other_pages_and_other_protocols_are_refused(
    origin: Origin, protocol: Subprotocol | None, status: int, why: str
) -> None:
    async def test() -> None:
        with users() as (user,):
            await user.open("ws")
            with pytest.raises(InvalidStatus) as refused:
                await page(user, origin=origin, protocol=protocol)
            assert refused.value.response.status_code == status
            await until(lambda: user.sockets.connections.ended)
            assert user.sockets.connections.ended == {why: 1}

    run(test)


def test_a_program_says_no_origin_and_is_let_in() -> None:
    async def test() -> None:
        with users() as (user,):
            await user.open("ws")
            client = await page(user, origin=None)
            await client.send(OPTIONS)
            await until(lambda: user.messages)
            await client.close()

    run(test)


def test_where_any_origin_is_allowed_any_is() -> None:
    stream = WsServer(["*"])
    stream.receive(HANDSHAKE.replace(b"Host: x", b"Host: x\r\nOrigin: https://anything.example"))
    stream.next_item(0)
    assert stream.taken().startswith(b"HTTP/1.1 101")


def test_what_has_lost_its_connection_is_told_so_and_nobody_is_connected_to() -> None:
    async def test() -> None:
        with users() as (user,):
            await user.open("ws")
            gone = Path("ws", (LOOPBACK, user.port("ws")), (LOOPBACK, 9))
            user.sockets.send(OPTIONS, gone)
            await until(lambda: user.failures)
            assert user.failures == [(gone, "Connection Closed")]
            assert user.sockets.local_for("wss", (LOOPBACK, 9)) is None
            assert len(user.sockets.connections) == 0

    run(test)


def test_pings_of_both_kinds_are_answered() -> None:
    async def test() -> None:
        with users() as (user,):
            await user.open("ws")
            client = await page(user)
            await (await client.ping())
            await client.send("\r\n\r\n")
            assert await client.recv() == "\r\n"
            assert not user.messages
            await client.close()

    run(test)


def test_a_page_cannot_ping_so_the_bridge_does_and_who_does_not_answer_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(WsStream, "ping_after_s", 0.1)
    monkeypatch.setattr(connections, "SWEEP_S", 0.02)
    monkeypatch.setattr(connection, "PONG_WITHIN_S", 0.3)

    async def test() -> None:
        with users() as (user,):
            await user.open("ws")
            client = await raw(user)
            client.send(frame(Opcode.TEXT, OPTIONS))
            assert await client.reader.readexactly(2) == b"\x89\x00"
            client.send(frame(Opcode.PONG))
            assert await client.reader.readexactly(2) == b"\x89\x00"
            await client.ended()
            client.close()
            assert user.sockets.connections.ended == {"No Answer To Keep-Alive": 1}

    run(test)


def test_strangers_are_not_pinged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WsStream, "ping_after_s", 0.05)
    monkeypatch.setattr(connections, "SWEEP_S", 0.02)
    monkeypatch.setattr(connections, "TCP_FIRST_MESSAGE_S", 0.3)

    async def test() -> None:
        with users() as (user,):
            user.strangers.add(LOOPBACK)
            await user.open("ws")
            client = await raw(user)
            heard = await client.ended()
            client.close()
            assert heard == b"\x88\x02\x03\xe9", "nothing but going away (1001)"
            assert user.sockets.connections.ended == {"Idle Connection": 1}

    run(test)


@pytest.mark.parametrize("begun", [b"", HANDSHAKE[:60]])
def test_a_handshake_that_does_not_end_is_cut_off(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "WS_HANDSHAKE_S", 0.1)
    monkeypatch.setattr(connections, "SWEEP_S", 0.02)

    async def test() -> None:
        with users() as (user,):
            await user.open("ws")
            client = Client(*await asyncio.open_connection(LOOPBACK, user.port("ws")))
            client.send(begun)
            assert await client.ended() == b""
            client.close()
            assert user.sockets.connections.ended == {"WebSocket Handshake Took Too Long": 1}

    run(test)


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000, "No WebSocket Handshake"),
        (b"OPTIONS sip:x SIP/2.0\r\n\r\n", "No WebSocket Handshake"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + frame(Opcode.CLOSE), "No WebSocket Handshake"),
        (b"\x16\x03\x01\x02\r\n\r\n", "No WebSocket Handshake"),
        (HANDSHAKE + b"\x81\x05hello", "WebSocket Broken"),  # no mask
        (HANDSHAKE + frame(Opcode.CONT, b"x"), "WebSocket Broken"),
        (HANDSHAKE + b"\x82\xff" + struct.pack("!Q", MESSAGE_BYTES_MAX + 1), "WebSocket Message Too Large"),
        (
            HANDSHAKE + frame(Opcode.BINARY, b"x" * MESSAGE_BYTES_MAX, fin=False) + frame(Opcode.CONT, b"x"),
            "WebSocket Message Too Large",
        ),
    ],
    ids=["long", "sip", "plain-get-and-close", "tls", "unmasked", "continued", "announced-large", "grown-large"],
)
def test_what_is_no_websocket_of_ours_ends(sent: bytes, why: str) -> None:
    async def test() -> None:
        with users() as (user,):
            await user.open("ws")
            client = Client(*await asyncio.open_connection(LOOPBACK, user.port("ws")))
            client.send(sent)
            await client.ended()
            client.close()
            await until(lambda: user.sockets.connections.ended)
            assert user.sockets.connections.ended == {why: 1}
            assert not user.messages

    run(test)


def test_a_message_that_does_not_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws_stream, "MESSAGE_WITHIN_S", 0.1)
    monkeypatch.setattr(connections, "SWEEP_S", 0.02)

    async def test() -> None:
        with users() as (user,):
            await user.open("ws")
            client = await raw(user)
            client.send(frame(Opcode.TEXT, OPTIONS[:20], fin=False))
            assert b"Did Not End In Time" in await client.ended()
            client.close()
            await until(lambda: user.sockets.connections.ended)
            assert user.sockets.connections.ended == {"WebSocket Message Did Not End In Time": 1}

    run(test)


def test_what_begins_behind_a_message_or_goes_on_between_pings_has_its_time_too() -> None:
    stream = WsServer()
    stream.receive(HANDSHAKE)
    stream.next_item(0)
    whole = frame(Opcode.TEXT, OPTIONS)
    stream.receive(whole + whole[:9])
    assert stream.next_item(1.0) == Framed(OPTIONS)
    assert stream.check(10.9) is None
    stream.receive(whole[9:] + frame(Opcode.TEXT, b"a", fin=False))
    assert stream.next_item(10.9) == Framed(OPTIONS)
    stream.receive(frame(Opcode.PING))
    assert stream.next_item(20.0) == Ping()
    assert stream.check(20.8) is None
    assert stream.check(20.9) == Over("WebSocket Message Did Not End In Time")


def test_a_ping_before_the_end_in_one_piece_is_no_matter() -> None:
    stream = WsServer()
    stream.receive(HANDSHAKE)
    stream.next_item(0)
    stream.receive(frame(Opcode.TEXT, b"\r\n\r\n") + frame(Opcode.CLOSE))
    assert stream.next_item(0) == Ping()
    assert stream.next_item(0) == Over("WebSocket Closed")


def test_one_item_costs_one_piece_however_many_frames_there_are() -> None:
    """Between two items the connection looks at the time: a flood of empty frames holds up nobody."""
    stream = WsServer()
    stream.receive(HANDSHAKE)
    stream.next_item(0)
    fragments = frame(Opcode.TEXT, fin=False) + frame(Opcode.CONT, fin=False) * 1_000 + frame(Opcode.CONT, b"end")
    stream.receive(fragments + frame(Opcode.PING) * 100)
    items = []
    while (item := stream.next_item(0)) is not None:
        items.append(item)
    assert Framed(b"end") in items
    assert items.count(Ping()) == 100
    assert len(items) >= len(fragments) // PIECE_BYTES


def test_a_peer_that_pings_and_reads_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TCP_UNSENT_BYTES_MAX", 10_000)

    async def test() -> None:
        with users() as (user,):
            await user.open("ws")
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, (LOOPBACK, user.port("ws")))
            await asyncio.get_running_loop().sock_sendall(sock, HANDSHAKE)
            flood = frame(Opcode.PING, b"x" * 125) * 200
            while not user.sockets.connections.ended:
                try:
                    await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(sock, flood), 1)
                except (TimeoutError, ConnectionError):
                    break
            await until(lambda: user.sockets.connections.ended)
            assert user.sockets.connections.ended == {"Peer Does Not Read": 1}
            sock.close()

    run(test)


def test_a_server_that_stops_says_so() -> None:
    async def test() -> None:
        with users() as (user,):
            await user.open("ws")
            client = await page(user)
            await client.send(OPTIONS)
            await until(lambda: user.messages)
            user.sockets.close()
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001

    run(test)


def test_wss_is_the_same_over_tls(tmp_path: File) -> None:
    authority = Authority(tmp_path)
    user = speaks(settings_of(authority.pair("ours", "ours.example"), authority))

    async def test() -> None:
        try:
            await user.open("wss")
            user.answer = lambda data, path: user.sockets.send(data, path)
            port = user.port("wss")
            context: ssl.SSLContext = trusting(authority)
            async with connect(
                f"wss://{LOOPBACK}:{port}", ssl=context, server_hostname="ours.example", origin=PAGE, subprotocols=[SIP]
            ) as client:
                await client.send(OPTIONS.decode())
                assert await client.recv() == OPTIONS.decode()
                assert user.messages[0][1].transport == "wss"
            await until(lambda: user.sockets.connections.ended)
            assert user.sockets.connections.ended == {"WebSocket Closed": 1}
        finally:
            user.sockets.close()
            await asyncio.sleep(0.01)

    run(test)
