"""SIP over TLS on real sockets: who may speak, whom we speak to, and what a slow or hostile peer costs."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path as File

import pytest

from runtime.gate import handshakes
from runtime.limits import TCP_READ_BYTES, TCP_TURN_S_MAX
from runtime.net import connection, connections, tls_contexts, tls_files, tls_stream
from runtime.net.tls_contexts import Identities, TlsContexts, no_identities
from runtime.settings import TlsPair, TlsSettings
from runtime.sip.path import Path
from tests.certificates import Authority, PairFiles
from tests.runtime.net.sockets import LOOPBACK, User, run, until
from tests.runtime.sip.raw import request

OPTIONS = request("OPTIONS")


def speaks(settings: TlsSettings, identities: Identities = no_identities) -> User:
    contexts = TlsContexts(settings, identities)
    contexts.load()
    return User(contexts)


def settings_of(pair: PairFiles, authority: Authority) -> TlsSettings:
    return TlsSettings(pairs=(TlsPair(pair.certificate, pair.key),), authorities=authority.file)


def checked(test: Callable[[User, User], Awaitable[None]], ours: User, theirs: User) -> None:
    """Run a test with two endpoints that listen."""

    async def main() -> None:
        try:
            await ours.open("tls")
            await theirs.open("tls")
            await test(ours, theirs)
        finally:
            ours.sockets.close()
            theirs.sockets.close()
            await asyncio.sleep(0.01)

    run(main)


def way(ours: User, theirs: User, name: str = "", identity: str = "") -> Path:
    path = ours.sockets.path_to("tls", (LOOPBACK, theirs.port("tls")))
    assert path is not None
    return replace(path, name=name, identity=identity)


async def client(
    user: User, context: ssl.SSLContext | None, source: str = LOOPBACK
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(LOOPBACK, user.port("tls"), ssl=context, local_addr=(source, 0))


def trusting(authority: Authority) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.file))
    context.check_hostname = False
    return context


def test_a_message_goes_over_tls_and_its_answer_comes_back_along_the_connection(tmp_path: File) -> None:
    authority = Authority(tmp_path)
    ours = speaks(settings_of(authority.pair("ours", "ours.example"), authority))
    theirs = speaks(settings_of(authority.pair("theirs", "theirs.example"), authority))
    theirs.answer = lambda data, path: theirs.sockets.send(OPTIONS, path)

    async def test(ours: User, theirs: User) -> None:
        path = way(ours, theirs, "theirs.example")
        for _ in range(3):
            ours.sockets.send(OPTIONS, path)
        await until(lambda: len(ours.messages) == 3)
        assert ours.messages == [(OPTIONS, path)] * 3
        assert theirs.datas() == [OPTIONS] * 3
        assert len(ours.sockets.connections) == len(theirs.sockets.connections) == 1

    checked(test, ours, theirs)


@pytest.mark.parametrize(
    ("names", "dialled", "why"),
    [
        (("other.example",), "theirs.example", "Certificate Of Another Name (for other.example, not theirs.example)"),
        ((), "theirs.example", "Certificate Of Another Name (for somebody, not theirs.example)"),
    ],
)
def test_a_certificate_of_another_name_is_refused_before_anything_is_said(
    tmp_path: File, names: tuple[str, ...], dialled: str, why: str
) -> None:
    authority = Authority(tmp_path)
    ours = speaks(settings_of(authority.pair("ours", "ours.example"), authority))
    theirs = speaks(settings_of(authority.pair("theirs", *names), authority))

    async def test(ours: User, theirs: User) -> None:
        path = way(ours, theirs, dialled)
        ours.sockets.send(OPTIONS, path)
        await until(lambda: ours.failures)
        assert ours.failures == [(path, why)]
        await until(lambda: theirs.sockets.connections.ended)
        assert theirs.messages == []
        assert ours.sockets.connections.ended == {"Certificate Of Another Name": 1}

    checked(test, ours, theirs)


def test_two_names_at_one_address_have_a_connection_each(tmp_path: File) -> None:
    authority = Authority(tmp_path)
    ours = speaks(settings_of(authority.pair("ours", "ours.example"), authority))
    theirs = speaks(settings_of(authority.pair("theirs", "one.example", "two.example"), authority))

    async def test(ours: User, theirs: User) -> None:
        for name in ("one.example", "two.example", "one.example"):
            ours.sockets.send(OPTIONS, way(ours, theirs, name))
        await until(lambda: len(theirs.messages) == 3)
        assert len(ours.sockets.connections) == 2

    checked(test, ours, theirs)


def test_a_certificate_that_nobody_trusts_is_refused_with_the_reason(tmp_path: File) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    ours = speaks(settings_of(authority.pair("ours", "ours.example"), authority))
    theirs = speaks(settings_of(stranger.pair("theirs", "theirs.example"), authority))

    async def test(ours: User, theirs: User) -> None:
        ours.sockets.send(OPTIONS, way(ours, theirs, "theirs.example"))
        await until(lambda: ours.failures and theirs.sockets.connections.ended)
        assert ours.failures[0][1] == "Certificate Not Trusted (unable to get local issuer certificate)"
        assert theirs.sockets.connections.ended == {"TLS Failed (tlsv1 alert unknown ca)": 1}, "they are told"

    checked(test, ours, theirs)


def test_who_listens_for_clients_of_an_authority_takes_those_alone(tmp_path: File) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    shown = {"good": authority.pair("good"), "bad": other.pair("bad")}

    def identities(name: str) -> tuple[bytes, bytes] | None:
        pair = shown.get(name)
        return (pair.certificate.read_bytes(), pair.key.read_bytes()) if pair else None

    ours = speaks(TlsSettings(authorities=authority.file), identities)
    settings = settings_of(authority.pair("theirs", "theirs.example"), authority)
    theirs = speaks(replace(settings, client_authorities=authority.file))

    async def test(ours: User, theirs: User) -> None:
        for identity, why in (("", "certificate required"), ("bad", "unknown ca")):
            ours.failures.clear()
            ours.sockets.send(OPTIONS, way(ours, theirs, identity=identity))
            await until(lambda: ours.failures)
            assert why in ours.failures[0][1]
        ours.failures.clear()
        ours.sockets.send(OPTIONS, way(ours, theirs, identity="gone"))
        await until(lambda: ours.failures)
        assert ours.failures[0][1] == "No Client Certificate"
        assert theirs.messages == []
        ours.sockets.send(OPTIONS, way(ours, theirs, identity="good"))
        await until(lambda: theirs.messages)

    checked(test, ours, theirs)


def test_a_slow_handshake_is_ended_and_holds_up_nobody(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SWEEP_S", 0.01)
    monkeypatch.setattr(connection, "TLS_HANDSHAKE_S", 0.2)
    authority = Authority(tmp_path)
    ours = speaks(settings_of(authority.pair("ours", "ours.example"), authority))
    theirs = speaks(settings_of(authority.pair("theirs", "theirs.example"), authority))

    async def test(ours: User, theirs: User) -> None:
        _, silent = await client(theirs, None)
        _, slow = await client(theirs, None)
        slow.write(b"\x16\x03\x01\x02\x00\x01")  # the head of a ClientHello
        _, writer = await client(theirs, trusting(authority))
        writer.write(OPTIONS)
        await until(lambda: theirs.messages, "a peer in time")
        await until(lambda: theirs.sockets.connections.ended["TLS Handshake Took Too Long"] == 2)
        for opened in (silent, slow, writer):
            opened.close()

    checked(test, ours, theirs)


@pytest.mark.parametrize("said", [OPTIONS, b"\x00" * 400, b"\x16\x03\x01\xff\xff" + b"\x01" * 70_000])
def test_what_is_no_tls_is_closed_and_counted(tmp_path: File, said: bytes) -> None:
    authority = Authority(tmp_path)
    theirs = speaks(settings_of(authority.pair("theirs", "theirs.example"), authority))

    async def test(ours: User, theirs: User) -> None:
        reader, writer = await client(theirs, None)
        writer.write(said)
        try:
            await reader.read()
        except ConnectionResetError:
            pass
        await until(lambda: theirs.sockets.connections.ended)
        [why] = theirs.sockets.connections.ended
        assert why.startswith("TLS Failed (")
        assert theirs.messages == []
        writer.close()

    checked(test, speaks(settings_of(authority.pair("ours"), authority)), theirs)


def test_a_stranger_s_handshakes_are_counted_and_others_have_theirs(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "STRANGER_BURST", 3.0)
    authority = Authority(tmp_path)
    theirs = speaks(settings_of(authority.pair("theirs", "theirs.example"), authority))
    theirs.strangers = {"127.0.0.9", "127.0.0.8"}

    async def shakes_hands(source: str) -> bool:
        try:
            _, writer = await client(theirs, trusting(authority), source)
        except (ConnectionError, ssl.SSLError):
            return False
        writer.close()
        return True

    async def test(ours: User, theirs: User) -> None:
        assert [await shakes_hands("127.0.0.9") for _ in range(5)] == [True] * 3 + [False] * 2
        assert await shakes_hands("127.0.0.8")
        assert [await shakes_hands(LOOPBACK) for _ in range(10)] == [True] * 10
        assert theirs.sockets.connections.ended["Too Many TLS Handshakes"] == 2

    checked(test, speaks(settings_of(authority.pair("ours"), authority)), theirs)


def test_a_new_certificate_is_shown_to_new_connections_and_the_old_ones_go_on(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_contexts, "LOOK_EVERY_S", 0.02)
    authority = Authority(tmp_path)
    pair = authority.pair("theirs", "old.example")
    told: list[str] = []
    contexts = TlsContexts(settings_of(pair, authority), log=told.append)
    contexts.load()
    theirs = User(contexts)
    ours = speaks(settings_of(authority.pair("ours"), authority))

    async def test(ours: User, theirs: User) -> None:
        contexts.watch(asyncio.get_running_loop().call_soon_threadsafe)
        first = way(ours, theirs, "old.example")
        ours.sockets.send(OPTIONS, first)
        await until(lambda: len(theirs.messages) == 1)
        pair.key.write_text("broken")
        await until(lambda: any("cannot use" in words for words in told), "the broken pair to be told")
        ours.sockets.send(OPTIONS, way(ours, theirs, "old.example", ""))
        await until(lambda: len(theirs.messages) == 2)
        authority.pair("theirs", "new.example")
        await until(lambda: "new.example" in told[-1], "the new pair")
        ours.sockets.send(OPTIONS, way(ours, theirs, "new.example"))
        ours.sockets.send(OPTIONS, first)
        await until(lambda: len(theirs.messages) == 4)
        assert len(ours.sockets.connections) == 2
        assert ours.failures == []
        contexts.stop()

    checked(test, ours, theirs)


def test_a_pair_that_could_not_be_read_is_taken_up_once_it_can_and_told_of_once(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_contexts, "LOOK_EVERY_S", 0.01)
    authority = Authority(tmp_path)
    pair, new = authority.pair("theirs", "old.example"), authority.pair("new", "new.example")
    told: list[str] = []
    reads: list[object] = []

    def reading(files: TlsPair) -> tls_files.Held:
        reads.append(files)
        return read(files)

    read = tls_files.read
    monkeypatch.setattr(tls_contexts, "read", reading)
    contexts = TlsContexts(settings_of(pair, authority), log=told.append)
    contexts.load()

    def write_key(data: bytes) -> None:
        """In place, with nothing to be seen of it from outside: a mode that is repaired leaves as little."""
        pair.key.write_bytes(data)
        os.utime(pair.key, ns=(1, 1))

    async def test() -> None:
        right = new.key.read_bytes()
        write_key(b"x" * len(right))
        pair.certificate.write_bytes(new.certificate.read_bytes())
        contexts.watch(asyncio.get_running_loop().call_soon_threadsafe)
        await until(lambda: len(reads) > 4, "looks at the broken pair")
        assert len(told) == 2
        assert "cannot use" in told[1]
        write_key(right)
        await until(lambda: "new.example" in told[-1], "the repaired pair")
        contexts.stop()

    run(test)


def test_calls_go_out_over_tls_where_nobody_listens_by_it(tmp_path: File) -> None:
    authority = Authority(tmp_path)
    theirs = speaks(settings_of(authority.pair("theirs", "theirs.example"), authority))
    ours = speaks(TlsSettings(authorities=authority.file))

    async def test() -> None:
        await ours.open("udp", "tcp")
        await theirs.open("tls")
        assert [listen.transport for listen in ours.sockets.listening] == ["udp", "tcp"]
        ours.sockets.send(OPTIONS, way(ours, theirs, "theirs.example"))
        await until(lambda: theirs.messages)
        ours.sockets.close()
        theirs.sockets.close()
        await asyncio.sleep(0.01)

    run(test)


def test_the_end_of_a_stream_is_seen_within_tls_too(tmp_path: File) -> None:
    authority = Authority(tmp_path)
    theirs = speaks(settings_of(authority.pair("theirs", "theirs.example"), authority))
    theirs.answer = lambda data, path: theirs.sockets.send(b"answer", path)

    async def test(ours: User, theirs: User) -> None:
        reader, writer = await client(theirs, trusting(authority))
        writer.write(OPTIONS * 300 + OPTIONS[:40])
        await until(lambda: len(theirs.messages) == 300)
        writer.close()
        await until(lambda: theirs.faults)
        assert theirs.faults == [(400, "Connection Closed Within A Message")]
        assert (await reader.read())[:6] == b"answer"

    checked(test, speaks(settings_of(authority.pair("ours"), authority)), theirs)


def test_records_of_one_byte_from_many_connections_leave_the_loop_its_turns(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    ours = speaks(settings_of(authority.pair("ours", "ours.example"), authority))
    theirs = speaks(settings_of(authority.pair("theirs", "theirs.example"), authority))
    turns, reads, sizes, full = [0], Counter[int](), list[int](), set[tls_stream.TlsStream]()
    read, receive = tls_stream.TlsStream.read, tls_stream.TlsStream.receive

    def slow(stream: tls_stream.TlsStream) -> bytes:
        if stream in full:
            full.remove(stream)
            reads[turns[0]] += 1
            time.sleep(2 * TCP_TURN_S_MAX)  # what hundreds of records cost
        return read(stream)

    def counted(stream: tls_stream.TlsStream, data: bytes) -> None:
        if stream.server_side and stream.is_ready:
            sizes.append(len(data))
            full.add(stream)
        receive(stream, data)

    async def test(ours: User, theirs: User) -> None:
        made = [await client(theirs, trusting(authority)) for _ in range(8)]
        monkeypatch.setattr(tls_stream.TlsStream, "read", slow)
        monkeypatch.setattr(tls_stream.TlsStream, "receive", counted)
        for _, writer in made:
            writer.write(OPTIONS * 200)
        while len(theirs.messages) < 8 * 200:
            turns[0] += 1
            await asyncio.sleep(0)
        assert max(sizes) <= TCP_READ_BYTES
        assert max(reads.values()) <= 2
        for _, writer in made:
            writer.transport.abort()

    checked(test, ours, theirs)
