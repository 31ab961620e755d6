"""Calls, registrations and probes that go through kamailio, by a preloaded Route (RFC 3261, 8.1.2 and 16.12)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from livekit import api
from livekit.protocol import sip

from tests.certificates import Authority
from tests.interop.test_dialling import THEIRS, Calling, ended_well, sipp_phone
from tests.peers import Kamailio, free_port, free_sip_port, wait_for


@contextmanager
def routed(
    work: Path, phone: int, transport: str, more: str = "", password: str = ""
) -> Iterator[tuple[Calling, Kamailio]]:
    """A bridge whose trunk is the phone, behind a proxy that is reached by this transport."""
    authority, tls = Authority(work), free_port(socket.SOCK_STREAM)
    pair = authority.pair("proxy", "localhost")
    values = {"TLS": str(tls), "KEY": str(pair.key), "CERTIFICATE": str(pair.certificate)}
    with Kamailio(work, "outbound-proxy", **values) as proxy:
        at = f"localhost:{tls}" if transport == "tls" else proxy.target
        more = f', proxy: "sip:{at};transport={transport}"{more}'
        listen = ("--listen", f"tls://127.0.0.1:{free_port(socket.SOCK_STREAM)}", *authority.pair("bridge").options)
        options = ("--tls-ca", str(authority.file), *listen)
        with Calling(work, phone, "auto", more, password, options=options) as bridge:
            yield bridge, proxy


@pytest.mark.peer("sipp", "kamailio")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_call_and_all_that_follows_in_it_goes_through_the_proxy(tmp_path: Path, transport: str) -> None:
    with sipp_phone("uas-g711", tmp_path) as (port, phone), routed(tmp_path, port, transport) as (bridge, proxy):
        bridge.dial(wait_until_answered=True)
        bridge.stop()
        assert ended_well(phone)
        for method in ("INVITE", "ACK", "BYE"):
            assert f"hears {method} to sip:" in proxy.log()
        assert f"hears INVITE to sip:{THEIRS}@127.0.0.1:{port} over {transport} by <sip:" in proxy.log()
        assert f"transport={transport};lr>" in proxy.log()
        [record] = bridge.records()
    assert record["reason"] == "shutdown"


@pytest.mark.peer("sipp", "kamailio")
@pytest.mark.xdist_group("sipp")
def test_a_call_that_nobody_answers_is_cancelled_through_the_proxy(tmp_path: Path) -> None:
    with sipp_phone("uas-rings", tmp_path) as (port, phone), routed(tmp_path, port, "tcp") as (bridge, proxy):
        wanted = sip.CreateSIPParticipantRequest(wait_until_answered=True).ringing_timeout
        wanted.FromSeconds(2)
        with pytest.raises(api.TwirpError):
            bridge.dial(wait_until_answered=True, ringing_timeout=wanted)
        assert ended_well(phone)
        assert "hears CANCEL" in proxy.log()


@pytest.mark.peer("kamailio")
def test_registrations_and_probes_go_through_the_proxy(tmp_path: Path) -> None:
    (tmp_path / "registrar").mkdir()
    values = {"ALGORITHM": "MD5", "MIN_EXPIRES": "30", "MAX_EXPIRES": "600"}
    more = ", auth: {username: acme, passwordFrom: {file: password}}, register: {expires: 5m}, probe: {every: 5s}"
    with (
        Kamailio(tmp_path / "registrar", "registrar", **values) as registrar,
        routed(tmp_path, registrar.port, "tcp", more, "tiger") as (bridge, proxy),
    ):
        wait_for(lambda: "registers sip:acme@127.0.0.1" in registrar.log(), "the registration")
        [trunk] = wait_for(
            lambda: [t for t in bridge.command("doctor", "-o", "json")["trunks"] if t["hops"][0]["state"] == "up"],
            "the probe's answer",
        )
        assert trunk["registration"]["state"] == "registered"
        for method in ("REGISTER", "OPTIONS"):
            assert f"hears {method} to sip:127.0.0.1:{registrar.port} over tcp by <sip:{proxy.target};" in proxy.log()


@pytest.mark.peer("kamailio")
def test_without_its_proxy_a_trunk_cannot_be_reached(tmp_path: Path) -> None:
    with routed(tmp_path, free_sip_port(), "tcp") as (bridge, proxy):
        proxy.__exit__()
        with pytest.raises(api.TwirpError) as unreachable:
            bridge.dial(wait_until_answered=True)
        assert proxy.target in unreachable.value.message
