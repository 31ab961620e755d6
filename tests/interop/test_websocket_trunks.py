"""Trunks that are called by WebSocket (RFC 7118), with kamailio as the server and phones behind it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.interop.test_dialling import FILE_S, THEIRS, Calling, ended_well, sipp_phone
from tests.interop.test_registering import MANIFESTS
from tests.peers import Baresip, BridgeProcess, Kamailio, free_port, free_sip_port, wait_for
from tests.sound import GOOD_FIT, fit, speech

TALK_S = 4.0
PATH = ", webSocketPath: /sip"


class Carrier(Kamailio):
    """A kamailio that takes WebSockets at `port`, and by TLS at `tls_port` as localhost; `phone` is behind it."""

    def __init__(self, work: Path, authority: Authority, phone: int = 9, ports: tuple[int, int] | None = None) -> None:
        self.tls_port = ports[1] if ports is not None else free_port(socket.SOCK_STREAM)
        pair = authority.pair("carrier", "localhost")
        super().__init__(
            work, "websocket", port=ports[0] if ports is not None else 0, TLS=str(self.tls_port),
            PHONE=f"127.0.0.1:{phone}", KEY=str(pair.key), CERTIFICATE=str(pair.certificate),
        )  # fmt: skip

    def at(self, transport: str) -> int:
        """The port that is called by this transport."""
        return self.tls_port if transport == "wss" else self.port


@contextmanager
def called_by(work: Path, phone: int, transport: str, more: str = PATH) -> Iterator[tuple[Calling, Carrier]]:
    """A bridge whose trunk is this carrier, by its name."""
    authority = Authority(work)
    options = ("--tls-ca", str(authority.file))
    with (
        Carrier(work, authority, phone) as carrier,
        Calling(work, carrier.at(transport), transport, more, host="localhost", options=options) as bridge,
    ):
        yield bridge, carrier


@pytest.mark.peer("sipp", "kamailio")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize("transport", ["ws", "wss"])
def test_a_phone_is_called_by_websocket_and_hung_up(tmp_path: Path, transport: str) -> None:
    with sipp_phone("uas-g711", tmp_path) as (port, phone), called_by(tmp_path, port, transport) as (bridge, carrier):
        bridge.dial(wait_until_answered=True)
        bridge.dial(room_name="other", sip_call_to="+15550108888")
        assert bridge.counters()["connections"]["open"] == 1, "one WebSocket for all"
        bridge.stop()
        assert ended_well(phone)
        for method in ("INVITE", "ACK", "BYE"):
            assert f"hears {method} to sip:" in carrier.log()
        assert f"over {transport} by" in carrier.log()
        assert carrier.log().count(f"is asked for /sip by localhost:{carrier.at(transport)}") == 1
        assert "shutdown" in {record["reason"] for record in bridge.records()}


@pytest.mark.peer("baresip", "kamailio")
@pytest.mark.xdist_group("baresip")
def test_a_phone_behind_it_is_held_taken_back_heard_and_hangs_up(tmp_path: Path) -> None:
    said = speech(tmp_path / "said.wav", FILE_S)
    with (
        Baresip(tmp_path / "phone", THEIRS, said, answers=True) as phone,
        called_by(tmp_path, phone.port, "wss") as (bridge, carrier),
    ):
        bridge.dial(wait_until_answered=True)
        [live] = bridge.counters()["live"]
        time.sleep(TALK_S)
        for verb in ("hold", "resume"):
            bridge.steer(live["callId"], verb)
        assert carrier.log().count("hears INVITE") == 3
        phone.do("hangup")
        [record] = wait_for(bridge.records, "the record")
        heard = phone.heard()
    assert (record["reason"], record["endedBy"]) == ("hangup", "callee")
    assert fit(said, heard) > GOOD_FIT


@pytest.mark.peer("kamailio")
@pytest.mark.xdist_group("kamailio")
@pytest.mark.parametrize("transport", ["ws", "wss"])
def test_a_trunk_registers_is_called_by_its_connection_and_comes_back(tmp_path: Path, transport: str) -> None:
    authority, manifests = Authority(tmp_path), tmp_path / "manifests"
    manifests.mkdir()
    (manifests / "password").write_text("tiger")
    ports = free_sip_port(), free_port(socket.SOCK_STREAM)
    trunk = MANIFESTS.format(transport=transport, more="webSocketPath: /sip\n    probe: {every: 5s}")
    at = ports[transport == "wss"]
    (manifests / "trunk.yaml").write_text(trunk.replace("[carrier.example]", f'["localhost:{at}"]'))
    with BridgeProcess(manifests, tmp_path, "--tls-ca", str(authority.file)) as bridge:
        for life in ("first", "second"):
            (tmp_path / life).mkdir()
            with Carrier(tmp_path / life, authority, ports=ports) as carrier:
                wait_for(lambda carrier=carrier: "registers sip:acme@localhost" in carrier.log(), "it to register", 150)
                told = wait_for(lambda carrier=carrier: is_called(bridge, carrier), "a call to come", 30)
                assert told["uri"] == "sip:+15550100000@carrier.example"
                [shown] = wait_for(lambda: are_up(bridge), "the probe's answer")
                assert shown["hops"][0]["address"] == f"{transport}://127.0.0.1:{at}"
                assert shown["registration"]["state"] == "registered"
                if life == "second":
                    bridge.stop()
                    wait_for(lambda carrier=carrier: "for 0\n" in carrier.log(), "the registration to be taken back")
    assert [record["trunk"] for record in bridge.records() if record["reason"] == "hangup"] == ["default/out"] * 2


def is_called(bridge: BridgeProcess, carrier: Carrier) -> dict[str, Any] | None:
    """Somebody calls the carrier, which sends the call to where the trunk is registered: what was heard, if it was."""
    words = ("--via", f"udp://{carrier.target}", "--seconds", "1", "-o", "json")
    told = bridge.command("call", "sip:+15550100000@carrier.example", *words)
    return told if told["answered"] else None


def are_up(bridge: BridgeProcess) -> list[dict[str, Any]]:
    """The trunks whose address has answered its probe."""
    return [trunk for trunk in bridge.command("doctor", "-o", "json")["trunks"] if trunk["hops"][0]["state"] == "up"]


@pytest.mark.peer("sipp", "kamailio")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize("transport", ["ws", "wss"])
def test_a_proxy_is_reached_by_websocket(tmp_path: Path, transport: str) -> None:
    authority = Authority(tmp_path)
    options = ("--tls-ca", str(authority.file))
    with sipp_phone("uas-g711", tmp_path) as (port, phone), Carrier(tmp_path, authority) as proxy:
        more = f', proxy: "sip:localhost:{proxy.at(transport)};transport={transport}"{PATH}'
        with Calling(tmp_path, port, "auto", more, options=options) as bridge:
            bridge.dial(wait_until_answered=True)
            bridge.stop()
            assert ended_well(phone)
        route = f"by <sip:localhost:{proxy.at(transport)};transport=ws;lr>"
        assert f"hears INVITE to sip:{THEIRS}@127.0.0.1:{port} over {transport} {route}" in proxy.log()
        assert "hears BYE to sip:" in proxy.log()


@pytest.mark.peer("kamailio")
@pytest.mark.xdist_group("kamailio")
@pytest.mark.parametrize(
    ("transport", "more", "why"),
    [
        ("ws", "", "WebSocket Refused: HTTP 404"),
        ("wss", PATH, "Certificate Not Trusted ("),
        ("wss", f"{PATH}, proxy: 'sip:127.0.0.1:9;transport=ws'", "Connection Refused"),
    ],
)
def test_what_is_in_the_way_is_said(tmp_path: Path, transport: str, more: str, why: str) -> None:
    carrier_authority, ours = Authority(tmp_path), Authority(tmp_path, "other")
    with (
        Carrier(tmp_path, carrier_authority) as carrier,
        Calling(
            tmp_path, carrier.at(transport), transport, more, host="localhost", options=("--tls-ca", str(ours.file))
        ) as bridge,
    ):
        bridge.dial()
        [record] = wait_for(bridge.records, "the record")
        assert "INVITE" not in carrier.log()
    assert record["reason"] == "unreachable"
    assert why in record["words"]
