"""Whatever is wrong with a Redis server: a StoreError says where, what and what to do; nothing changed, no secret."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from schemas.stores import Publish, StoreError, holds_password, open_tables, shown
from schemas.stores.redis import wire
from schemas.stores.redis.address import parse_address
from schemas.tables.rows import Delta, NumberRow
from tests.peers import free_port, program, wait_for
from tests.redis_server import Proxy, RedisServer
from tests.schemas.stores.test_contract import NUMBER, RULE, publish, renumbered

MANY = Delta(tuple(NumberRow(f"default/n-{i}", "+1") for i in range(2_000)))


def refusal(url: str) -> str:
    """What is said of it; the password is not."""
    with pytest.raises(StoreError) as refused, open_tables(url) as store:
        publish(store, renumbered("+99"))
    assert "hunter2" not in str(refused.value)
    assert refused.value.where in (shown(url), f"{url.partition(':')[0]}://…")
    return f"{refused.value.what}; {refused.value.hint}"


# URLs


@pytest.mark.parametrize(
    ("url", "shows"),
    [
        ("redis://host", "redis://host:6379/0"),
        ("redis://:hunter2@host:7000/3?prefix=voice", "redis://host:7000/3?prefix=voice"),
        ("rediss://me:hunter2%40@[::1]/?ca=/etc/ca.pem", "rediss://[::1]:6379/0"),
        (
            "redis+sentinel://me:hunter2@a,b:1/tables/2?sentinel-password=hunter2",
            "redis+sentinel://a:26379,b:1/tables/2",
        ),
    ],
)
def test_an_address_is_shown_without_who_asks(url, shows):
    assert shown(url) == shows
    assert "hunter2" not in repr(parse_address(url))
    assert holds_password(url) == ("hunter2" in url)


def test_all_of_a_url_is_taken():
    address = parse_address("rediss://me:h%2Fu%3An@host:7000/3?prefix=voice.eu&ca=a.pem&cert=c.pem&key=k.pem")
    assert (address.user, address.password, address.hosts) == ("me", "h/u:n", (("host", 7000),))
    assert (address.database, address.prefix, address.tls) == (3, "voice.eu", True)
    assert (address.authorities, address.certificate, address.key) == ("a.pem", "c.pem", "k.pem")


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("redis://", "names no server"),
        ("redis:///0", "names no server"),
        ("redis://hunter2@:7000", "names no server"),
        ("redis://h ost", "names no server"),
        ("redis://host:70000", "names no server"),
        ("redis://host:hunter2", "names no server"),
        ("redis://a,b/0", "names several servers"),
        ("redis://[::1", "no URL"),
        ("redis://:hunter2#@host", "a # has to be written %23"),
        ("redis://host/x", "number of a database"),
        ("redis://host/70000", "number of a database"),
        ("redis://host/0/hunter2", "the path is not"),
        ("redis+sentinel://host", r"the path is not that of tables; write redis\+sentinel://HOST,HOST/SERVICE"),
        ("redis://host?password=hunter2", "only ca, cert, key, prefix, sentinel-password may stand behind"),
        ("redis://host?hunter2", "only ca, cert|no URL"),
        ("redis://host?prefix={x}", "prefix is no name; use at most 63 lower-case letters"),
        ("redis://host?ca=x", "write rediss://"),
    ],
)
def test_a_url_that_names_none_is_answered_with_the_forms(url, what):
    with pytest.raises(StoreError, match=what) as refused:
        open_tables(url)
    assert "hunter2" not in str(refused.value)


# Servers that refuse

needs_redis = pytest.mark.peer("redis-server")


def test_nobody_there_is_told():
    said = refusal(f"redis://:hunter2@127.0.0.1:{free_port(socket.SOCK_STREAM)}/0")
    assert "Redis cannot be reached" in said
    assert "is it there" in said


@needs_redis
def test_passwords_and_users(tmp_path: Path):
    with RedisServer(tmp_path, "--requirepass", "right") as server:
        at = f"127.0.0.1:{server.port}/0"
        assert "Redis wants a password; give both in the URL" in refusal(f"redis://{at}")
        assert "does not take this user and password" in refusal(f"redis://:hunter2@{at}")
        assert "does not take this user and password" in refusal(f"redis://nobody:hunter2@{at}")
        with open_tables(f"redis://:right@{at}") as store:
            publish(store, NUMBER)
            for user, may in {
                "bridge": ("+@all", "-@dangerous"),
                "reader": ("+@read", "+@connection", "+eval", "+evalsha"),
                "half": ("+@all", "-xadd"),
            }.items():
                store._wire.do("ACL", "SETUSER", user, "on", ">hunter2", "~{dialplane}:*", *may)
        with open_tables(f"redis://bridge:hunter2@{at}") as store:
            assert publish(store, renumbered("+2")) == 2, "a user without INFO and KEYS is enough"
        for user in ("reader", "half"):
            with open_tables(f"redis://{user}:hunter2@{at}") as store:
                before = store.load()
                with pytest.raises(StoreError, match=r"may not do.*let the user run"):
                    publish(store, renumbered("+3"))
                assert store.load() == before, "nothing half-applied"
        with (
            open_tables(f"redis://bridge:hunter2@{at}?prefix=other") as store,
            pytest.raises(StoreError, match="may not"),
        ):
            store.head()


@needs_redis
def test_a_bridges_own_user_reads_and_changes_nothing_but_its_heartbeat(tmp_path: Path):
    with RedisServer(tmp_path) as server, open_tables(server.url()) as store:
        publish(store, NUMBER)
        words = ("on", ">hunter2", "~{dialplane}:*", "+@read", "+@connection", "(~{dialplane}:bridges +hset)")
        store._wire.do("ACL", "SETUSER", "bridge", *words)
        with open_tables(f"redis://bridge:hunter2@127.0.0.1:{server.port}/0") as reader:
            then = reader.load().head
            publish(store, renumbered("+2"))
            assert reader.wait(5)
            assert reader.changes(then) is not None
            assert reader.acknowledge("b1", "eu", reader.head(), 1.0)
            assert [ack.revision for ack in store.bridges(1.0)] == [2]
            for command in (("HSET", "{dialplane}:rows", "x", "y"), ("DEL", "{dialplane}:head"), ("FLUSHALL",)):
                with pytest.raises(StoreError, match="this user may not do that"):
                    reader._wire.do(*command)


@needs_redis
def test_a_server_without_a_password_that_is_given_one(tmp_path: Path):
    with RedisServer(tmp_path) as server:
        assert "was given one" in refusal(f"redis://:hunter2@127.0.0.1:{server.port}/0")
        assert "no database of this number" in refusal(f"redis://127.0.0.1:{server.port}/99")


@needs_redis
def test_a_full_memory_changes_nothing(tmp_path: Path):
    with RedisServer(tmp_path) as server, open_tables(server.url()) as store:
        publish(store, NUMBER)
        before = store.load()
        store._wire.do("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(StoreError, match="no memory left, nothing was changed; raise its maxmemory"):
            publish(store, renumbered("+2"))
        with pytest.raises(StoreError, match="no memory left"):
            store.publish(Publish(before.digest, MANY, owner="default", now=1.0))
        assert store.load() == before
        store._wire.do("CONFIG", "SET", "maxmemory", "0")
        assert publish(store, renumbered("+2")) == 2


@needs_redis
def test_a_server_that_may_throw_keys_away_is_refused(tmp_path: Path):
    with RedisServer(tmp_path, "--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru") as server:
        assert "throws away any key when its memory is full; set its maxmemory-policy" in refusal(server.url())


@needs_redis
def test_a_replica_takes_no_publish(tmp_path: Path):
    with RedisServer(tmp_path / "a") as primary, RedisServer(tmp_path / "b") as replica:
        with open_tables(primary.url()) as store:
            publish(store, NUMBER)
        replica.asked("REPLICAOF", "127.0.0.1", str(primary.port))
        with open_tables(replica.url()) as store:
            wait_for(lambda: store.head().revision == 1, "the replica")
            assert store.load().rows.numbers == {NUMBER.id: NUMBER}, "reading is fine"
            with pytest.raises(StoreError, match="this server is a replica, it takes no publish; name the primary"):
                publish(store, renumbered("+2"))
        primary.asked("CONFIG", "SET", "min-replicas-to-write", "3")
        assert "too few replicas" in refusal(primary.url())


@needs_redis
def test_a_server_that_loads_its_data_is_waited_for(tmp_path: Path):
    with RedisServer(tmp_path) as server:
        with open_tables(server.url()) as store:
            store.publish(Publish(store.head().digest, MANY, owner="default", now=1.0))
            store._wire.do("SAVE")
        server.options += ["--key-load-delay", "300000", "--loading-process-events-interval-bytes", "1024"]
        server.kill()
        begun = threading.Thread(target=server.start, daemon=True)
        begun.start()
        said = wait_for(lambda: said_of(server.url(), "loading"), "word of loading")
        assert "Redis is loading its data; wait" in said
        begun.join(40)
        with open_tables(server.url()) as store:
            assert len(store.load().rows.numbers) == 2_000


def said_of(url: str, word: str) -> str:
    try:
        with open_tables(url) as store:
            store.head()
    except StoreError as error:
        return str(error) if word in str(error) else ""
    return ""


@needs_redis
def test_a_disk_that_cannot_be_saved_to(tmp_path: Path):
    with (
        RedisServer(tmp_path, "--save", "3600 1000000", "--enable-protected-configs", "yes") as server,
        open_tables(server.url()) as store,
    ):
        publish(store, NUMBER)
        (tmp_path / "gone").mkdir()
        store._wire.do("CONFIG", "SET", "dir", str(tmp_path / "gone"))
        (tmp_path / "gone").rmdir()
        store._wire.do("BGSAVE")
        wait_for(lambda: "err" in str(store._wire.do("INFO", "persistence")["rdb_last_bgsave_status"]), "a failed save")
        with pytest.raises(StoreError, match="cannot save to its disk and takes no writes, nothing was changed"):
            publish(store, renumbered("+2"))
        assert store.head().revision == 1


@needs_redis
def test_a_closed_connection_is_made_anew_without_a_word(tmp_path: Path):
    with RedisServer(tmp_path, "--appendonly", "yes") as server, open_tables(server.url()) as store:
        publish(store, NUMBER)
        server.restart()
        assert store.head().revision == 1
        server.restart()
        assert publish(store, RULE) == 2


def test_a_silent_server_is_given_up(monkeypatch):
    monkeypatch.setattr(wire, "ANSWER_WITHIN_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        assert "Redis does not answer" in refusal(f"redis://:hunter2@127.0.0.1:{silent.getsockname()[1]}/0")
        assert time.monotonic() - began < 5


def test_what_is_no_redis_is_told():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            for _ in range(2):
                with listener.accept()[0] as taken:
                    taken.recv(100)
                    taken.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        assert "what answers there is no Redis" in refusal(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")


@needs_redis
def test_a_partition_changes_nothing_or_everything(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(wire, "ANSWER_WITHIN_S", 0.3)
    with RedisServer(tmp_path) as server, Proxy(server.port) as proxy:
        store = open_tables(f"redis://127.0.0.1:{proxy.port}/0")
        publish(store, NUMBER)
        proxy.stop()
        with pytest.raises(StoreError, match="Redis does not answer"):
            publish(store, renumbered("+2"))
        proxy.go_on()
        assert publish(store, renumbered("+3")) == 2
        store.close()


# TLS, Sentinels, clusters


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, and a certificate of it for localhost."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    name = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl(*new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=an authority")
    openssl(*new, "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", "key.pem", "-out", "cert.pem", *name)
    return folder


@needs_redis
def test_tls_proves_the_server_and_the_client(tmp_path: Path, certified: Path, monkeypatch):
    monkeypatch.setattr(wire, "ANSWER_WITHIN_S", 0.5)
    monkeypatch.setattr(wire, "CONNECT_WITHIN_S", 0.5)
    with RedisServer(tmp_path) as server:
        port = free_port(socket.SOCK_STREAM)
        files = {"tls-cert-file": "cert.pem", "tls-key-file": "key.pem", "tls-ca-cert-file": "ca.pem"}
        for option, name in files.items():
            server.options += [f"--{option}", str(certified / name)]
        server.options += ["--tls-port", str(port)]
        server.restart()
        ours = f"ca={certified}/ca.pem&cert={certified}/cert.pem&key={certified}/key.pem"
        with open_tables(f"rediss://localhost:{port}/0?{ours}") as store:
            assert publish(store, NUMBER) == 1
        assert "TLS failed: " in refusal(f"rediss://localhost:{port}/0")
        assert "?ca=FILE" in refusal(f"rediss://localhost:{port}/0")
        assert "TLS failed: IP address mismatch" in refusal(f"rediss://127.0.0.1:{port}/0?{ours}")
        assert "Redis does not answer" in refusal(f"rediss://localhost:{server.port}/0?{ours}"), "it waits for more"
        assert "No such file" in refusal(f"rediss://localhost:{port}/0?ca=/nowhere/ca.pem")
        without = f"rediss://localhost:{port}/0?ca={certified}/ca.pem"
        assert "Redis cannot be reached" in refusal(without) or "TLS failed" in refusal(without)


@needs_redis
def test_sentinels_are_asked_where_the_primary_is(tmp_path: Path):
    port = free_port(socket.SOCK_STREAM)
    config = tmp_path / "sentinel.conf"
    with RedisServer(tmp_path / "a") as first, RedisServer(tmp_path / "b") as second:
        second.asked("REPLICAOF", "127.0.0.1", str(first.port))
        config.write_text(
            f"port {port}\nbind 127.0.0.1\nsentinel monitor tables 127.0.0.1 {first.port} 1\n"
            "sentinel down-after-milliseconds tables 500\nsentinel failover-timeout tables 3000\n"
        )
        words = [program("redis-server") or "", str(config), "--sentinel"]
        with (tmp_path / "sentinel.log").open("w") as log, subprocess.Popen(words, stdout=log, stderr=log) as sentinel:
            try:
                url = f"redis+sentinel://127.0.0.1:{free_port(socket.SOCK_STREAM)},127.0.0.1:{port}/tables"
                wait_for(lambda: publishes(url), "the Sentinel to know the primary")
                assert "no Sentinel knows a primary of songs" in refusal(url.replace("/tables", "/songs"))
                with open_tables(url) as store:
                    wait_for(lambda: second.asked("GET", "{dialplane}:head") != b"$-1", "the replica")
                    first.kill()
                    wait_for(lambda: goes_on(store), "another primary", 60)
                    assert store.head().revision >= 2
            finally:
                sentinel.kill()


def publishes(url: str) -> bool:
    try:
        with open_tables(url) as store:
            return publish(store, NUMBER) == 1
    except StoreError:
        return False


def goes_on(store) -> bool:
    try:
        return publish(store, renumbered("+2")) == 2
    except StoreError:
        return False


@needs_redis
def test_a_cluster_says_which_node_has_the_tables(tmp_path: Path):
    options = ("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no", "--cluster-port")
    buses = [str(free_port(socket.SOCK_STREAM)) for _ in "ab"]
    with (
        RedisServer(tmp_path / "a", *options, buses[0]) as one,
        RedisServer(tmp_path / "b", *options, buses[1]) as two,
    ):
        one.asked("CLUSTER", "ADDSLOTSRANGE", "0", "8191")
        two.asked("CLUSTER", "ADDSLOTSRANGE", "8192", "16383")
        one.asked("CLUSTER", "MEET", "127.0.0.1", str(two.port), buses[1])
        wait_for(lambda: publishes(one.url()) and publishes(two.url()), "the cluster")
        with open_tables(one.url()) as by_one, open_tables(two.url()) as by_two:
            assert by_one.load() == by_two.load()
            assert publish(by_two, renumbered("+7")) == 2
            assert by_one.head().revision == 2
            by_one.publish(Publish(by_one.head().digest, MANY, owner="default", now=1.0))
            assert len(by_two.load().rows.numbers) == 2_001
        assert "a cluster has database 0 only" in refusal(f"redis://127.0.0.1:{one.port}/1")
