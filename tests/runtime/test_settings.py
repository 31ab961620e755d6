"""Options of the bridge: what is taken, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from runtime.cli import bridge
from runtime.errors import BridgeError
from runtime.settings import (
    LISTEN_DEFAULT,
    Listen,
    parse_host_port,
    parse_listen,
    parse_listens,
    parse_livekit,
    parse_livekit_api,
    parse_origins,
    parse_ports,
)


def test_origins_are_written_as_browsers_name_them() -> None:
    assert parse_origins(["https://phone.example", "http://localhost:3000", "*"])[2] == "*"
    for wrong in ("phone.example", "https://phone.example/", "https://Phone.example", "wss://phone.example", "null"):
        with pytest.raises(BridgeError):
            parse_origins([wrong])


def test_listeners_are_read_and_written() -> None:
    assert parse_listen("udp://127.0.0.1:5060") == Listen("udp", "127.0.0.1", 5060)
    assert str(parse_listen("tcp://[::1]:5070")) == "tcp://[::1]:5070"
    assert parse_listen("127.0.0.1:5060").transport == "udp"
    assert [listen.transport for listen in parse_listens(LISTEN_DEFAULT)] == ["udp", "tcp"]


def test_the_same_listener_twice_is_refused_and_ports_of_the_kernels_choice_are_not() -> None:
    with pytest.raises(BridgeError, match=r"tcp://127\.0\.0\.1:5060 is given twice"):
        parse_listens(["tcp://127.0.0.1:5060", "udp://127.0.0.1:5060", "tcp://127.0.0.1:5060"])
    assert len(parse_listens(["tcp://127.0.0.1:0", "tcp://127.0.0.1:0"])) == 2


@pytest.mark.parametrize(
    "text",
    [
        "sctp://127.0.0.1:5060",
        "tcp://localhost:5060",
        "udp://localhost:5060",
        "udp://127.0.0.1",
        "udp://127.0.0.1:x",
        "5060",
        "udp://127.0.0.1:70000",
    ],
)
def test_a_bad_listener_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BridgeError) as caught:
        parse_listen(text)
    assert "127.0.0.1:5060" in caught.value.hint


def test_a_bad_address_of_the_api_is_refused_with_the_apis_own_port(tmp_path: Path) -> None:
    done = CliRunner().invoke(bridge, ["up", "--state", str(tmp_path), "--api", "http://127.0.0.1:8090"])
    assert isinstance(done.exception, BridgeError)
    assert done.exception.hint == "write it like --api 127.0.0.1:8080"


@pytest.mark.parametrize("text", ["10000", "20000-10000", "1-2", "10001-10002", "a-b", "60000-70000", "10000-10000"])
def test_a_bad_port_range_is_refused(text: str) -> None:
    with pytest.raises(BridgeError):
        parse_ports(text)


def test_the_smallest_range_is_one_pair() -> None:
    assert parse_ports("10000-10001") == (10000, 10001)
    assert parse_host_port("[::1]:1", "--api") == ("::1", 1)


def test_a_livekit_server_is_an_address_and_a_key() -> None:
    server = parse_livekit("https://project.livekit.cloud/", "key", "secret")
    assert (server.url, server.api_key) == ("wss://project.livekit.cloud", "key")
    assert "secret" not in repr(server)


@pytest.mark.parametrize("url", ["", "project.livekit.cloud", "ftp://x", "ws://", "ws://u@h", "ws://h?token=1"])
def test_what_is_no_livekit_server_is_refused(url: str) -> None:
    with pytest.raises(BridgeError, match="LIVEKIT_URL"):
        parse_livekit(url, "key", "secret")


def test_a_missing_key_is_named() -> None:
    with pytest.raises(BridgeError, match="LIVEKIT_API_KEY and LIVEKIT_API_SECRET"):
        parse_livekit("ws://127.0.0.1:7880", "", "")


def test_livekits_api_needs_keys_and_may_have_no_server_behind_it() -> None:
    alone = parse_livekit_api("127.0.0.1:7800", "", "key", "secret")
    assert (alone.host, alone.port, alone.server) == ("127.0.0.1", 7800, None)
    assert "secret" not in repr(alone)
    before = parse_livekit_api("[::]:7800", "https://project.livekit.cloud", "key", "secret")
    assert before.server is not None
    assert before.server.url == "wss://project.livekit.cloud"
    with pytest.raises(BridgeError, match="LIVEKIT_API_KEY"):
        parse_livekit_api("127.0.0.1:7800", "", "key", "")
    with pytest.raises(BridgeError, match=r"LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=[0-9a-f]{32}$"):
        parse_livekit_api("127.0.0.1:7800", "", "", "")
    with pytest.raises(BridgeError, match="--livekit-api"):
        parse_livekit_api("nowhere", "", "key", "secret")


def test_every_address_is_that_of_both_versions_unless_ipv4_has_its_own_listener() -> None:
    def duals(*texts: str) -> list[bool]:
        return [listen.dual for listen in parse_listens(texts)]

    assert duals("udp://[::]:5060", "tcp://[::]:5060", "udp://[::1]:5070") == [True, True, False]
    assert duals("udp://[::]:5060", "udp://0.0.0.0:5060", "tcp://[::]:5060") == [False, False, True]
    assert duals("tls://[::]:5061", "tcp://127.0.0.1:5061") == [False, False]
