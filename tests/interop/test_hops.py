"""Trunks with several servers, as a real DNS names them: calls go where somebody is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.dns_server import DnsServer
from tests.interop.test_calling_out import Phone, dialled
from tests.interop.test_dialling import KEYS
from tests.peers import BridgeProcess, free_sip_port, wait_for

TRUNK = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {{name: out}}
spec:
  outbound: {{addresses: [carrier.example], transport: {transport}}}
---
apiVersion: dialplane.dev/v1alpha1
kind: PhoneNumber
metadata: {{name: ours}}
spec: {{number: "+15550100000", trunkRef: {{name: out}}, direction: outbound}}
"""


def bridge_by(server: DnsServer, work: Path, transport: str = "auto", *more: str) -> BridgeProcess:
    (work / "manifests").mkdir()
    (work / "manifests" / "trunk.yaml").write_text(TRUNK.format(transport=transport))
    options = ("--livekit-api", "127.0.0.1:0", "--dns", server.address, *more)
    return BridgeProcess(work / "manifests", work, *options, environment=KEYS)


def srv(transport: str, priority: int, port: int, target: str = "a.carrier.example.") -> str:
    service = {"tls": "_sips._tcp", "wss": "_sips._ws"}.get(transport, f"_sip._{transport}")
    return f"{service}.carrier.example. 60 IN SRV {priority} 10 {port} {target}"


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls", "wss"])
def test_a_trunk_with_three_targets_survives_the_loss_of_two(tmp_path: Path, transport: str) -> None:
    address, authority = "a.carrier.example. 60 IN A 127.0.0.1", Authority(tmp_path)
    shows = authority.pair("phone", "carrier.example").options if transport in ("tls", "wss") else ()
    with (
        Phone(tmp_path, *shows, "--ring", "0", "--seconds", "1", transport=transport) as phone,
        DnsServer(address, srv(transport, 1, free_sip_port()), srv(transport, 2, free_sip_port()),
                  srv(transport, 3, phone.port)) as server,
        bridge_by(server, tmp_path, transport, "--tls-ca", str(authority.file)) as bridge,
    ):  # fmt: skip
        assert "answered" in dialled(bridge, "--wait")
        phone.told()
        wait_for(bridge.records, "the record")
        with Phone(tmp_path, *shows, "--ring", "0", "--seconds", "1", transport=transport, port=phone.port) as again:
            assert "answered" in dialled(bridge, "--wait")
            again.told()
        _, second = wait_for(lambda: len(bridge.records()) == 2 and bridge.records(), "the second record")
        assert second["answeredAt"] - second["createdAt"] < 3, "the dead ones are known"


def test_the_domain_chooses_the_transport(tmp_path: Path) -> None:
    with (
        Phone(tmp_path, "--ring", "0", "--seconds", "1", transport="tcp") as phone,
        DnsServer(
            'carrier.example. 60 IN NAPTR 1 1 "s" "SIP+D2T" "" _sip._tcp.carrier.example.',
            'carrier.example. 60 IN NAPTR 2 1 "s" "SIP+D2U" "" _sip._udp.carrier.example.',
            srv("tcp", 1, phone.port, "127.0.0.1."),
        ) as server,
        bridge_by(server, tmp_path) as bridge,
    ):
        assert "answered" in dialled(bridge, "--wait")
        phone.told()


def test_a_name_that_is_nowhere_known_is_said(tmp_path: Path) -> None:
    with DnsServer() as server, bridge_by(server, tmp_path) as bridge:
        assert "no address is known for carrier.example" in dialled(bridge, "--wait", code=1)
