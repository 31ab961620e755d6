"""Trunks that register with a registrar that we did not write: by password, over its restart, and called by it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.dns_server import DnsServer
from tests.peers import BridgeProcess, Kamailio, free_sip_port, wait_for

MANIFESTS = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {{name: out}}
spec:
  inbound: {{}}
  outbound:
    addresses: [carrier.example]
    transport: {transport}
    auth: {{username: acme, passwordFrom: {{file: password}}}}
    register: {{expires: 30s}}
    {more}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {{name: all}}
spec: {{rule: {{direct: {{room: lobby}}}}}}
"""


def srv(transport: str, *ports: int) -> list[str]:
    service = "_sips._tcp" if transport == "tls" else f"_sip._{transport}"
    services = [
        f"{service}.carrier.example. 60 IN SRV {n} 10 {port} a.carrier.example." for n, port in enumerate(ports, 1)
    ]
    return [*services, "a.carrier.example. 60 IN A 127.0.0.1"]


@contextmanager
def registering(
    work: Path, transport: str, *ports: int, more: str = "", password: str = "tiger", options: tuple[str, ...] = ()
) -> Iterator[BridgeProcess]:
    """A bridge whose trunk registers with the registrars at these ports."""
    manifests = work / "manifests"
    manifests.mkdir()
    (manifests / "password").write_text(password)
    (manifests / "trunk.yaml").write_text(MANIFESTS.format(transport=transport, more=more))
    with (
        DnsServer(*srv(transport, *ports)) as server,
        BridgeProcess(manifests, work, "--dns", server.address, *options) as bridge,
    ):
        yield bridge


def registrar(work: Path, transport: str = "udp", algorithm: str = "MD5", **more: Any) -> Kamailio:
    values = {"ALGORITHM": algorithm, "MIN_EXPIRES": "10", "MAX_EXPIRES": "60", **more}
    return Kamailio(work, "registrar", transport=transport, **values)


def called(work: Path, kamailio: Kamailio, bridge: BridgeProcess, transport: str) -> dict[str, Any]:
    """Somebody calls the carrier, which sends the call to where the trunk is registered: what the phone heard."""
    return bridge.command(
        "call", "sip:+15550100000@carrier.example", "--via", f"{transport}://{kamailio.target}",
        "--seconds", "1", "-o", "json",
    )  # fmt: skip


@pytest.mark.peer("kamailio")
@pytest.mark.xdist_group("kamailio")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_a_registered_trunk_is_called_and_survives_its_registrars_restart(
    tmp_path: Path, transport: str, algorithm: str
) -> None:
    port = free_sip_port()
    probe = "probe: {every: 5s}" if transport == "udp" else ""
    with registering(tmp_path, transport, port, more=probe) as bridge:
        wait_for(lambda: "not registered" in bridge.log(), "nobody to be there")
        with registrar(tmp_path, transport, algorithm, port=port) as kamailio:
            wait_for(lambda: "registered for 30 s" in bridge.log(), "the registration", 150)
            told = called(tmp_path, kamailio, bridge, transport)
            assert told["answered"], told
            [record] = wait_for(bridge.records, "the record")
            assert (record["trunk"], record["room"], record["to"]) == ("default/out", "lobby", "+15550100000")
        with registrar(tmp_path, transport, algorithm, port=port) as kamailio:
            count = kamailio.log().count("registers sip:acme@carrier.example")
            wait_for(
                lambda: kamailio.log().count("registers sip:acme@carrier.example") > count, "it to register anew", 150
            )
            wait_for(lambda: called(tmp_path, kamailio, bridge, transport)["answered"], "calls to come again", 30)
            bridge.stop()
            wait_for(lambda: "for 0\n" in kamailio.log(), "the registration to be taken back")


@pytest.mark.peer("kamailio")
@pytest.mark.xdist_group("kamailio")
def test_over_tls_the_registrar_must_be_whom_its_name_says(tmp_path: Path) -> None:
    authority, port = Authority(tmp_path), free_sip_port()
    options = ("--tls-ca", str(authority.file))
    for name in ("elsewhere.example", "carrier.example"):
        pair = authority.pair("carrier", name)
        work = tmp_path / name
        work.mkdir()
        files = {"KEY": str(pair.key), "CERTIFICATE": str(pair.certificate)}
        with registrar(work, "tls", port=port, **files), registering(work, "tls", port, options=options) as bridge:
            words = "registered for 30 s" if name == "carrier.example" else "Certificate Of Another Name"
            wait_for(lambda bridge=bridge, words=words: words in bridge.log(), words, 150)


@pytest.mark.peer("kamailio")
@pytest.mark.xdist_group("kamailio")
def test_the_next_of_three_registrars_is_taken_where_two_are_gone(tmp_path: Path) -> None:
    with (
        registrar(tmp_path) as kamailio,
        registering(tmp_path, "udp", free_sip_port(), free_sip_port(), kamailio.port) as bridge,
    ):
        wait_for(lambda: "registered for 30 s" in bridge.log(), "the registration", 150)


@pytest.mark.peer("kamailio")
@pytest.mark.xdist_group("kamailio")
def test_a_registrar_that_wants_longer_gets_it(tmp_path: Path) -> None:
    with registrar(tmp_path, MIN_EXPIRES="45") as kamailio, registering(tmp_path, "udp", kamailio.port) as bridge:
        wait_for(lambda: "registered for 45 s" in bridge.log(), "the registration", 150)


@pytest.mark.peer("kamailio")
@pytest.mark.xdist_group("kamailio")
def test_a_wrong_password_is_said_and_not_tried_over_and_over(tmp_path: Path) -> None:
    with registrar(tmp_path) as kamailio, registering(tmp_path, "udp", kamailio.port, password="lion") as bridge:
        wait_for(lambda: "outbound.auth is missing or wrong" in bridge.log(), "the refusal", 60)
