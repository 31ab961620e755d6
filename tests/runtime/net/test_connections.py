"""What a stranger can do to connections, and the bound that each of it meets."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import closing

import pytest

from runtime.limits import TCP_MESSAGES_PER_TURN_MAX, TCP_READS_PER_MESSAGE_MAX, TCP_TURN_S_MAX
from runtime.net import connection, connections
from runtime.net.framing import PlainFraming
from runtime.sip import framing
from runtime.sip.path import Path
from tests.runtime.net.sockets import LOOPBACK, Client, run, until, users
from tests.runtime.sip.raw import request

OPTIONS = request("OPTIONS")
STRANGER = "127.0.0.9"


@pytest.fixture(autouse=True)
def _sweep_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SWEEP_S", 0.01)


def test_a_ping_is_answered_with_one_line_end() -> None:
    async def test() -> None:
        with users() as (user,):
            await user.open()
            client = await Client.to(user)
            client.send(b"\r\n\r\n" + OPTIONS + b"\r\n\r\n")
            assert await client.reader.readexactly(4) == b"\r\n\r\n"
            assert user.datas() == [OPTIONS]
            client.close()

    run(test)


def test_ten_thousand_messages_in_one_connection_arrive_in_order() -> None:
    async def test() -> None:
        with users() as (user,):
            await user.open()
            client = await Client.to(user)
            sent = [request("OPTIONS", cseq=n, body="x" * (n % 700)) for n in range(10_000)]
            client.send(b"".join(sent))
            await until(lambda: len(user.messages) == len(sent), "all of them")
            assert user.datas() == sent
            client.close()

    run(test)


def test_a_burst_leaves_the_loop_its_turns() -> None:
    async def test() -> None:
        with users() as (user,):
            await user.open()
            turns: list[int] = []

            def slow(_data: bytes, _path: Path) -> None:
                time.sleep(0.001)  # what a message costs

            async def clock() -> None:
                while len(user.messages) < 400:
                    turns.append(len(user.messages))
                    await asyncio.sleep(0)

            user.answer = slow
            client = await Client.to(user)
            client.send(OPTIONS * 400)
            await clock()
            steps = [after - before for before, after in zip(turns, [*turns[1:], 400], strict=True)]
            assert max(steps) <= TCP_MESSAGES_PER_TURN_MAX + 1
            client.close()

    run(test)


def test_who_sends_in_crumbs_is_read_in_turn_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Counter[framing.StreamSplitter]()
    receive = framing.StreamSplitter.receive

    def counted(splitter: framing.StreamSplitter, data: bytes) -> None:
        reads[splitter] += 1
        receive(splitter, data)

    monkeypatch.setattr(framing.StreamSplitter, "receive", counted)
    monkeypatch.setattr(connections, "TCP_CRUMBS_EVERY_S", 0.05)
    monkeypatch.setattr(connections, "TCP_CRUMBS_AT_ONCE", 2)

    async def test() -> None:
        with users() as (user,):
            await user.open()
            clients = [await Client.to(user) for _ in range(10)]
            began = time.monotonic()
            for position in range(len(OPTIONS)):
                for client in clients:
                    client.send(OPTIONS[position : position + 1])
                await asyncio.sleep(0.001)
            turns = (time.monotonic() - began) / 0.05 + 1
            assert sum(reads.values()) <= 10 * TCP_READS_PER_MESSAGE_MAX + 2 * turns
            await until(lambda: user.datas() == [OPTIONS] * 10)
            for client in clients:
                client.close()

    run(test)


def test_a_peer_over_its_rate_is_made_to_wait_and_nothing_is_lost() -> None:
    async def test() -> None:
        with users() as (user,):
            await user.open()
            user.rests = [0.0, 0.0, 0.1, 0.0, 0.0]
            client = await Client.to(user)
            began = time.monotonic()
            client.send(OPTIONS * 2)
            await asyncio.sleep(0)
            client.send(OPTIONS * 200)
            await until(lambda: len(user.messages) == 202)
            assert time.monotonic() - began >= 0.1
            client.close()

    run(test)


@pytest.mark.parametrize(
    "limit",
    [
        "TCP_CONNECTIONS_MAX",
        "TCP_CONNECTIONS_PER_ADDRESS_MAX",
        "TCP_STRANGERS_MAX",
        "TCP_CONNECTIONS_PER_STRANGER_MAX",
    ],
)
def test_one_connection_too_many_is_closed_at_once_and_the_others_stay(
    monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(connections, limit, 3)

    async def test() -> None:
        with users() as (user,):
            await user.open()
            user.strangers = {LOOPBACK} if "STRANGER" in limit else set()
            clients = [await Client.to(user) for _ in range(3)]
            await until(lambda: len(user.sockets.connections) == 3)
            refused = await Client.to(user)
            assert await refused.ended() == b""
            assert user.sockets.connections.ended["Too Many Connections"] == 1
            path = user.sockets.path_to("tcp", (LOOPBACK, 9))
            assert path is not None
            user.sockets.send(OPTIONS, path)
            await until(lambda: user.failures)
            assert user.failures == [(path, "Too Many Connections")]
            clients[0].close()
            await until(lambda: len(user.sockets.connections) == 2)
            again = await Client.to(user)
            again.send(OPTIONS)
            await until(lambda: user.messages, "a place that was given back")
            for client in (*clients, again, refused):
                client.close()

    run(test)


def test_half_a_message_and_silence_is_answered_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MESSAGE_WITHIN_S", 0.1)

    async def test() -> None:
        with users() as (user,):
            await user.open()
            user.answer = lambda data, path: user.sockets.send(b"answer", path)
            client = await Client.to(user)
            client.send(OPTIONS + OPTIONS[:40])
            assert await client.ended() == b"answeranswer"
            assert user.datas() == [OPTIONS, OPTIONS[:40]]
            assert user.faults == [(400, "Message Did Not End In Time")]
            client.close()
            await until(lambda: user.sockets.connections.ended)
            assert user.sockets.connections.ended == {"Message Did Not End In Time": 1}

    run(test)


def test_a_stream_that_cannot_be_split_is_answered_and_the_rest_of_it_thrown_away() -> None:
    async def test() -> None:
        with users() as (user,):
            await user.open()
            user.answer = lambda data, path: user.sockets.send(b"answer", path)
            client = await Client.to(user)
            client.send(OPTIONS.replace(b"Content-Length: 0\r\n", b"") + OPTIONS * 5_000)
            assert await client.ended() == b"answer"
            assert len(user.messages) == 1
            assert user.faults == [(400, "Missing Content-Length")]
            client.close()
            await until(lambda: len(user.sockets.connections) == 0)

    run(test)


def test_the_end_of_a_stream_within_a_message_is_told() -> None:
    async def test() -> None:
        with users() as (user,):
            await user.open()
            user.answer = lambda data, path: user.sockets.send(b"answer", path)
            client = await Client.to(user)
            client.send(OPTIONS[:-2])
            client.writer.write_eof()
            assert await client.ended() == b"answer"
            assert user.faults == [(400, "Connection Closed Within A Message")]
            client.close()

    run(test)


def test_everything_before_the_end_of_a_stream_is_heard() -> None:
    async def test() -> None:
        with users() as (user,):
            await user.open()
            user.answer = lambda data, path: user.sockets.send(b"x", path)
            client = await Client.to(user)
            client.send(OPTIONS * 500)
            client.writer.write_eof()
            assert await client.ended() == b"x" * 500
            client.close()

    run(test)


def test_a_peer_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TCP_UNSENT_BYTES_MAX", 100_000)

    async def test() -> None:
        with users() as (user,):
            await user.open()
            user.answer = lambda data, path: user.sockets.send(bytes(50_000), path)
            client = await Client.to(user)
            client.writer.transport.pause_reading()
            client.send(OPTIONS * 1_000)
            await until(lambda: user.sockets.connections.ended["Peer Does Not Read"])
            assert user.failures[0][1] == "Peer Does Not Read"
            assert len(user.messages) < 1_000
            client.close()

    run(test)


def test_what_waits_for_a_connection_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TCP_UNSENT_BYTES_MAX", 1_000)

    async def test() -> None:
        with users(2) as (ours, theirs):
            await ours.open()
            await theirs.open()
            path = ours.sockets.path_to("tcp", (LOOPBACK, theirs.port()))
            assert path is not None
            ours.sockets.send(bytes(1_001), path)
            await until(lambda: ours.failures)
            assert ours.failures == [(path, "Peer Does Not Read")]
            await until(lambda: len(ours.sockets.connections) == 0)

    run(test)


def test_an_idle_connection_is_closed_unless_a_call_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "TCP_FIRST_MESSAGE_S", 0.05)
    monkeypatch.setattr(connections, "TCP_IDLE_S", 0.1)

    async def test() -> None:
        with users() as (user,):
            await user.open()
            needed, idle = await Client.to(user), await Client.to(user)
            user.needed.add(Path("tcp", (LOOPBACK, user.port()), needed.address))
            for client in (needed, idle):
                client.send(OPTIONS)
            assert await idle.ended() == b""
            assert user.sockets.connections.ended == {"Idle Connection": 1}
            needed.send(OPTIONS)
            await until(lambda: len(user.messages) == 3)
            user.needed.clear()
            assert await needed.ended() == b""
            for client in (needed, idle):
                client.close()

    run(test)


def test_strangers_take_no_place_of_a_carrier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "TCP_STRANGERS_MAX", 2)
    monkeypatch.setattr(connections, "TCP_FIRST_MESSAGE_S", 0.2)

    async def test() -> None:
        with users() as (user,):
            await user.open()
            user.strangers = {STRANGER}
            strangers = [await Client.to(user, STRANGER) for _ in range(3)]
            await until(lambda: user.sockets.connections.ended["Too Many Connections"] == 1)
            carriers = [await Client.to(user) for _ in range(3)]
            for client in carriers:
                client.send(OPTIONS)
            await until(lambda: len(user.messages) == 3)
            strangers[0].send(OPTIONS)
            for client in strangers:
                assert await client.ended() == b"", "a stranger is idle sooner, whatever it has said"
            assert len(user.sockets.connections) == 3
            for client in (*strangers, *carriers):
                client.close()

    run(test)


@pytest.mark.parametrize("said", [b"", b"\r\n"])
def test_a_connection_that_says_nothing_is_closed_sooner(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(connections, "TCP_FIRST_MESSAGE_S", 0.1)

    async def test() -> None:
        with users() as (user,):
            await user.open()
            silent, pinging = await Client.to(user), await Client.to(user)
            silent.send(said)
            pinging.send(b"\r\n\r\n")
            assert await silent.ended() == b""
            pinging.send(OPTIONS)
            await until(lambda: user.messages)
            for client in (silent, pinging):
                client.close()

    run(test)


def test_a_closed_connection_that_cannot_send_its_last_words_does_not_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TCP_LINGER_S", 0.05)
    monkeypatch.setattr(connections, "TCP_FIRST_MESSAGE_S", 0.05)
    monkeypatch.setattr(connections, "TCP_IDLE_S", 0.05)
    monkeypatch.setattr(connection, "TCP_UNSENT_BYTES_MAX", 1 << 30)

    async def test() -> None:
        with users() as (user,):
            await user.open()
            user.answer = lambda data, path: user.sockets.send(bytes(20_000_000), path)
            client = await Client.to(user)
            client.writer.transport.pause_reading()
            client.send(OPTIONS)
            await until(lambda: user.messages)
            await until(lambda: len(user.sockets.connections) == 0, "the connection to be cut off")
            client.close()

    run(test)


def test_many_connections_that_send_at_once_share_one_turn_s_time_and_all_get_on() -> None:
    async def test() -> None:
        with users() as (user,):
            await user.open()
            in_turn, connections, each = [0], 8, 10

            def turn() -> None:
                in_turn.append(0)
                if len(user.messages) < connections * each:
                    asyncio.get_running_loop().call_soon(turn)

            def answer(_data: bytes, _path: Path) -> None:
                in_turn[-1] += 1
                time.sleep(TCP_TURN_S_MAX)

            user.answer = answer
            clients = [await Client.to(user) for _ in range(connections)]
            turn()
            for client in clients:
                client.send(OPTIONS * each)
            await until(lambda: len(user.messages) == connections * each)
            assert max(in_turn) <= 2, "not as many as there are connections"
            first_half = {path.remote for _, path in user.messages[: connections * each // 2]}
            assert len(first_half) == connections, "nobody waits for another to be done"
            for client in clients:
                client.close()

    run(test)


def test_a_connection_of_ours_that_a_call_needs_is_pinged_and_dies_when_pings_are_answered_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(PlainFraming, "ping_after_s", 0.05)
    monkeypatch.setattr(connection, "PONG_WITHIN_S", 0.1)
    pinged: list[str] = []
    answers = True

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = (await reader.readexactly(len(OPTIONS) + 4))[:7].decode()
        assert name == "OPTIONS"
        while True:
            if answers:
                writer.write(b"\r\n")
            pinged.append(name)
            try:
                assert await reader.readexactly(4) == b"\r\n\r\n"
            except asyncio.IncompleteReadError:
                return writer.close()

    async def test() -> None:
        nonlocal answers
        with users() as (user,), closing(await asyncio.start_server(peer, LOOPBACK, 0)) as server:
            await user.open()
            path = user.sockets.path_to("tcp", server.sockets[0].getsockname())
            assert path is not None
            user.sockets.send(OPTIONS, path)
            await until(lambda: user.times_asked > 3, "looks at a quiet connection")
            assert pinged == [], "nobody needs it"
            user.needed.add(path)
            await until(lambda: len(pinged) > 3)
            assert user.messages == user.failures == []
            answers = False
            await until(lambda: user.failures)
            assert user.failures == [(path, "No Answer To Keep-Alive")]

    run(test)


def test_a_peer_that_knows_no_pings_keeps_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PlainFraming, "ping_after_s", 0.02)
    monkeypatch.setattr(connection, "PONG_WITHIN_S", 0.01)

    async def test() -> None:
        heard: list[bytes] = []

        async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(100):
                heard.append(data)
            writer.close()

        with users() as (user,), closing(await asyncio.start_server(peer, LOOPBACK, 0)) as server:
            await user.open()
            path = user.sockets.path_to("tcp", server.sockets[0].getsockname())
            assert path is not None
            user.needed.add(path)
            user.sockets.send(OPTIONS, path)
            await until(lambda: b"".join(heard).count(b"\r\n\r\n") > 5)
            assert user.failures == []

    run(test)
