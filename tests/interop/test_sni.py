"""One bridge for several names: openssl is shown the certificate that it asks for, and each is replaced by itself."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.interop.test_dialling import SCENARIOS
from tests.interop.test_tls import s_client
from tests.peers import BridgeProcess, Stunnel, free_port, lesson, sipp_command, wait_for
from tests.sound import SPEECH_PCMU

CALLS = 5


class Named(BridgeProcess):
    """A bridge on the first example with two certificates, named in the environment; at `tls_port` and `wss_port`."""

    def __init__(self, manifests: Path, work: Path) -> None:
        self.authority = Authority(work)
        self.pairs = [self.authority.pair("one", "one.example"), self.authority.pair("two", "*.two.example")]
        self.tls_port, self.wss_port = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
        listens = ("--listen", f"tls://127.0.0.1:{self.tls_port}", "--listen", f"wss://127.0.0.1:{self.wss_port}")
        environment = {
            "DIALPLANE_TLS_CERT": os.pathsep.join(str(pair.certificate) for pair in self.pairs),
            "DIALPLANE_TLS_KEY": os.pathsep.join(str(pair.key) for pair in self.pairs),
        }
        super().__init__(manifests, work, *listens, environment=environment)

    def shows(self, port: int, *asked: str) -> str:
        """The certificate that openssl gets, by its names, when it asks for this one or for none."""
        heard = s_client(port, self.authority, *(("-servername", *asked) if asked else ("-noservername",)))
        assert "Verify return code: 0 (ok)" in heard
        pem = heard[heard.index("-----BEGIN") : heard.index("-----END")] + "-----END CERTIFICATE-----\n"
        words = ["openssl", "x509", "-noout", "-ext", "subjectAltName"]
        return subprocess.run(words, input=pem, capture_output=True, text=True, check=True).stdout


@pytest.mark.peer("sipp", "stunnel4", "openssl")
@pytest.mark.xdist_group("sipp")
def test_each_name_has_its_certificate_and_one_is_replaced_under_live_calls(tmp_path: Path) -> None:
    (tmp_path / "speech.ul").write_bytes(SPEECH_PCMU)
    (tmp_path / "to.csv").write_text("SEQUENTIAL\n" + "".join(f"+1666{n:07d};\n" for n in range(1, CALLS + 1)))
    scenario = (SCENARIOS / "uac-g711.xml").read_text().replace("SIP/2.0/[transport]", "SIP/2.0/TLS")
    (tmp_path / "tls.xml").write_text(scenario.replace("transport=[transport]", "transport=tls"))
    options = ["-sf", "tls.xml", "-inf", "to.csv", "-m", str(CALLS), "-l", str(CALLS), "-r", "20", "-t", "tn"]
    with (
        lesson("01-one-number", tmp_path) as manifests,
        Named(manifests, tmp_path) as bridge,
        Stunnel(tmp_path, bridge.tls_port) as stunnel,
    ):
        for port in (bridge.tls_port, bridge.wss_port):
            assert "DNS:one.example" in bridge.shows(port)
            assert "DNS:one.example" in bridge.shows(port, "nobody.example")
            assert "DNS:*.two.example" in bridge.shows(port, "sip.two.example")
        command = sipp_command(stunnel.target, tmp_path, *options, "-d", "6000")
        calls = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
        try:
            wait_for(lambda: [c["state"] for c in bridge.counters()["live"]] == ["active"] * CALLS, "all calls")
            bridge.authority.pair("two", "*.two.example", "three.example")
            wait_for(lambda: "for *.two.example, three.example" in bridge.log(), "the new certificate")
            assert "DNS:three.example" in bridge.shows(bridge.tls_port, "three.example")
            assert "DNS:one.example" in bridge.shows(bridge.tls_port, "one.example")
            assert len(bridge.counters()["live"]) == CALLS
            assert calls.wait(60) == 0, "each call is hung up along its connection"
        finally:
            calls.kill()
        records = wait_for(lambda: bridge.records()[CALLS - 1 :] and bridge.records(), "the records")
    assert {record["reason"] for record in records} == {"hangup"}
    assert all(record["media"]["packetsLost"] == 0 for record in records)
    assert "EXPIRED" not in bridge.log()
