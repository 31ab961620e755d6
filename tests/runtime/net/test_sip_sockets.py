"""SIP over real sockets: which socket a message goes out by, and what becomes of a connection that is not to be had."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from runtime.errors import BridgeError
from runtime.limits import UDP_DATAGRAMS_PER_TURN_MAX, UDP_TURN_S_MAX
from runtime.net import sip_tcp
from runtime.settings import Listen
from runtime.sip.path import Path
from tests.runtime.net.sockets import LOOPBACK, Client, run, until, users
from tests.runtime.sip.raw import request

OPTIONS = request("OPTIONS")


def test_a_message_of_a_connection_arrives_with_its_path_and_is_answered_along_it() -> None:
    async def test() -> None:
        with users() as (user,):
            await user.open()
            user.answer = lambda data, path: user.sockets.send(b"answer", path)
            client = await Client.to(user)
            client.send(OPTIONS[:50])
            client.send(OPTIONS[50:] + OPTIONS)
            assert await client.reader.readexactly(12) == b"answeranswer"
            path = Path("tcp", (LOOPBACK, user.port()), client.address)
            assert user.messages == [(OPTIONS, path)] * 2
            assert user.sockets.is_open(path)
            client.close()
            await until(lambda: user.failures, "the end to be told")
            assert user.failures == [(path, "Connection Closed")]
            assert not user.sockets.is_open(path)
            assert len(user.sockets.connections) == 0

    run(test)


def test_a_message_to_nobody_known_makes_a_connection_which_both_sides_then_use() -> None:
    async def test() -> None:
        with users(2) as (ours, theirs):
            await ours.open()
            await theirs.open()
            theirs.answer = lambda data, path: theirs.sockets.send(OPTIONS, path)
            path = ours.sockets.path_to("tcp", (LOOPBACK, theirs.port()))
            assert path == Path("tcp", (LOOPBACK, ours.port()), (LOOPBACK, theirs.port()))
            for _ in range(3):
                ours.sockets.send(OPTIONS, path)
            assert ours.sockets.is_open(path), "the second message does not make a second connection"
            await until(lambda: len(ours.messages) == 3)
            assert ours.messages == [(OPTIONS, path)] * 3
            assert len(ours.sockets.connections) == len(theirs.sockets.connections) == 1

    run(test)


def test_a_connection_that_cannot_be_made_is_told_with_the_reason() -> None:
    async def test() -> None:
        with users() as (user,), socket.socket() as nobody:
            nobody.bind((LOOPBACK, 0))  # bound and not listening
            await user.open()
            path = user.sockets.path_to("tcp", nobody.getsockname())
            user.sockets.send(OPTIONS, path)
            await until(lambda: user.failures)
            assert user.failures == [(path, "Connection Refused")]
            assert not user.sockets.is_open(path)

    run(test)


@pytest.mark.parametrize("remote", [("127.0.0.1", 0), ("127.0.0.1", 65_536), ("0.0.0.0", 1), ("::1", 9), ("a\0b", 9)])
def test_an_address_that_no_socket_takes_is_a_failure_like_any_other(remote: tuple[str, int]) -> None:
    async def test() -> None:
        with users() as (user,):
            await user.open()
            path = Path("tcp", (LOOPBACK, user.port()), remote)
            user.sockets.send(OPTIONS, path)
            await until(lambda: user.failures)
            assert user.failures[0][0] == path
            await until(lambda: len(user.sockets.connections) == 0)

    run(test)


def test_a_connection_that_nobody_accepts_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sip_tcp, "TCP_CONNECT_S", 0.05)

    async def test() -> None:
        with users() as (user,), socket.socket() as deaf:
            deaf.bind((LOOPBACK, 0))
            deaf.listen(0)
            callers = [socket.socket() for _ in range(4)]  # the kernel holds this many, and drops the next
            for caller in callers:
                caller.setblocking(False)
                caller.connect_ex(deaf.getsockname())
            await user.open()
            path = user.sockets.path_to("tcp", deaf.getsockname())
            user.sockets.send(OPTIONS, path)
            await until(lambda: user.failures)
            assert user.failures == [(path, "Connection Timed Out")]
            assert len(user.sockets.connections) == 0
            for caller in callers:
                caller.close()

    run(test)


def test_each_transport_sends_by_its_own_socket() -> None:
    async def test() -> None:
        with users(2) as (ours, theirs):
            await ours.open("udp", "tcp")
            await theirs.open("udp", "tcp")
            for transport in ("udp", "tcp"):
                path = ours.sockets.path_to(transport, (LOOPBACK, theirs.port(transport)))
                assert path is not None
                ours.sockets.send(OPTIONS, path)
                assert ours.sockets.local_for(transport, (LOOPBACK, 9)) == (LOOPBACK, ours.port(transport))
            await until(lambda: len(theirs.messages) == 2)
            assert {path.transport for _, path in theirs.messages} == {"udp", "tcp"}
            udp = next(path for _, path in theirs.messages if path.transport == "udp")
            assert udp.remote == (LOOPBACK, ours.port("udp"))

    run(test)


def test_what_no_listener_speaks_has_no_path() -> None:
    async def test() -> None:
        with users() as (user,):
            await user.open("udp")
            assert user.sockets.path_to("tcp", (LOOPBACK, 5060)) is None
            assert user.sockets.local_for("tcp", (LOOPBACK, 5060)) is None
            assert user.sockets.path_to("udp", ("2001:db8::1", 5060)) is None, "an IPv4 socket reaches no IPv6 peer"

    run(test)


def test_a_listener_on_every_address_names_the_one_that_was_reached() -> None:
    async def test() -> None:
        with users() as (user,):
            await user.sockets.open([Listen("udp", "0.0.0.0", 0), Listen("tcp", "0.0.0.0", 0)])
            reader, writer = await asyncio.open_connection("127.0.0.9", user.port("tcp"))
            writer.write(OPTIONS)
            await until(lambda: user.messages)
            path = user.messages[0][1]
            assert path.local == ("127.0.0.9", user.port("tcp"))
            user.sockets.send(b"x", path)
            assert await reader.readexactly(1) == b"x"
            assert user.sockets.local_for("tcp", (LOOPBACK, 9)) == (LOOPBACK, user.port("tcp"))
            writer.close()

    run(test)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_taken_port_is_said_with_its_transport_and_nothing_stays_open(transport: str) -> None:
    async def test() -> None:
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        with users() as (user,), socket.socket(socket.AF_INET, kind) as other:
            other.bind((LOOPBACK, 0))
            if transport == "tcp":
                other.listen()
            port = other.getsockname()[1]
            with pytest.raises(BridgeError) as caught:
                await user.sockets.open([Listen("tcp", LOOPBACK, 0), Listen(transport, LOOPBACK, port)])
            assert f"{transport} port {port} on 127.0.0.1 is taken" in caught.value.what
            assert f"--listen tcp://127.0.0.1:{port + 10}" in caught.value.hint

    run(test)


def test_an_address_that_is_not_ours_is_said() -> None:
    async def test() -> None:
        with users() as (user,), pytest.raises(BridgeError, match=r"cannot listen on tcp port 5060 on 192\.0\.2\.1"):
            await user.sockets.open([Listen("tcp", "192.0.2.1", 5060)])

    run(test)


def test_after_the_end_no_connection_is_made() -> None:
    async def test() -> None:
        with users(2) as (ours, theirs):
            await ours.open()
            await theirs.open()
            path = ours.sockets.path_to("tcp", (LOOPBACK, theirs.port()))
            assert path is not None
            ours.sockets.close()
            ours.sockets.send(OPTIONS, path)
            await until(lambda: ours.failures)
            assert ours.failures == [(path, "Too Many Connections")]

    run(test)


@pytest.mark.parametrize(("message_s", "at_once"), [(0.0, UDP_DATAGRAMS_PER_TURN_MAX), (UDP_TURN_S_MAX, 1)])
def test_datagrams_that_came_together_are_read_in_turns_that_the_media_clock_can_wait_for(message_s, at_once) -> None:
    async def test() -> None:
        with users() as (user,):
            await user.sockets.open([Listen("udp", LOOPBACK, 0)])
            in_turn = [0]

            def turn() -> None:
                in_turn.append(0)
                if len(user.messages) < 200:
                    asyncio.get_running_loop().call_soon(turn)

            def answer(_data: bytes, _path: Path) -> None:
                in_turn[-1] += 1
                time.sleep(message_s)

            user.answer = answer
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
                for _ in range(200):
                    peer.sendto(b"x", (LOOPBACK, user.sockets.listening[0].port))
            turn()
            await until(lambda: len(user.messages) == 200)
            assert 1 <= max(in_turn) <= at_once

    run(test)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("peer", [LOOPBACK, "::1"])
def test_one_listener_hears_both_versions_of_ip_and_names_peers_as_they_are(transport: str, peer: str) -> None:
    async def test() -> None:
        with users(2) as (ours, theirs):
            await ours.sockets.open([Listen(transport, "::", 0, dual=True)])
            await theirs.sockets.open([Listen(transport, peer, 0)])
            theirs.answer = lambda data, path: theirs.sockets.send(b"\r\n" + OPTIONS, path)
            path = ours.sockets.path_to(transport, (peer, theirs.port(transport)))
            assert path == Path(transport, (peer, ours.port(transport)), (peer, theirs.port(transport)))
            ours.sockets.send(OPTIONS, path)
            await until(lambda: ours.messages)
            assert ours.messages[0][1] == path
            ours.answer = lambda data, path: ours.sockets.send(OPTIONS, path)
            back = theirs.sockets.path_to(transport, (peer, ours.port(transport)))
            assert back is not None
            heard = len(ours.messages)
            theirs.answer = None
            theirs.sockets.send(OPTIONS, back)
            await until(lambda: len(ours.messages) > heard and len(theirs.messages) > 1)
            assert ours.messages[-1][1].remote[0] == ours.messages[-1][1].local[0] == peer

    run(test)


@pytest.mark.parametrize("order", [1, -1])
def test_each_version_may_have_its_own_listener_at_one_port(order: int) -> None:
    async def test() -> None:
        with users(2) as (ours, theirs):
            await theirs.open("udp")
            port = theirs.port("udp")
            theirs.sockets.close()
            await ours.sockets.open([Listen("udp", "0.0.0.0", port), Listen("udp", "::", port)][::order])
            for address in (LOOPBACK, "::1"):
                path = ours.sockets.path_to("udp", (address, port))
                assert path is not None
                ours.sockets.send(OPTIONS, path)
            await until(lambda: len(ours.messages) == 2)
            assert {path.remote[0] for _, path in ours.messages} == {LOOPBACK, "::1"}

    run(test)
