"""Callers whose carriers sign for them, with SIPp as the caller and an https server with the carrier's certificate.

PASSporTs and certificates are made by `tests.stir_carrier`, with nothing of the bridge's.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.https_server import HttpsServer, plain
from tests.interop.test_dialling import SCENARIOS
from tests.peers import BridgeProcess, Stunnel, free_port, sipp, wait_for
from tests.stir_carrier import ORIGID, Carrier

CALLER, CALLED, REPORTED = "+12155551212", "+12125551213", "+12125551214"
HIDDEN = "https://localhost:1/c.pem"

RULES = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {{name: carrier}}
spec:
  inbound:
    allowedAddresses: [127.0.0.1/32]
    identity: {{verify: {verify}, certificateHosts: ["localhost:{port}", "127.0.0.1:{port}"]}}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {{name: lobby}}
spec:
  rule: {{direct: {{room: lobby}}}}
"""


@dataclass
class Place:
    """A bridge that verifies callers, the carrier that signs for them, and where its certificate is."""

    bridge: BridgeProcess
    web: HttpsServer
    tls_port: int
    carrier: Carrier = field(default_factory=Carrier)

    def identity(self, what: str) -> str:
        """The value of an Identity header of now, with something wrong, or nothing."""
        now = time.time()
        more: dict[str, Any] = {"url": self.web.url("/c.pem")}
        match what:
            case "good" | "plain":
                more["attest"] = "A" if what == "good" else None
            case "old":
                now -= 100
            case "another caller":
                more["caller"] = "12155550000"
            case "forged":
                more["key"] = Carrier().own.key
            case "http":
                more["url"] = more["url"].replace("https", "http")
            case "unreachable":
                more["url"] = HIDDEN.replace(":1/", f":{self.web.port}/not-there/")
            case _:
                more["url"] = self.web.url(f"/{what}")
        return self.carrier.identity(now, **more)

    def call(self, work: Path, what: str, status: int = 200, *options: str, target: str = "") -> dict[str, Any]:
        """Have SIPp call, which must get this status; the record."""
        name = "signed" if status == 200 else "signed-refused"
        text = (SCENARIOS / f"{name}.xml").read_text().replace("STATUS", str(status))
        scenario = work / "call.xml"
        scenario.write_text(text.replace("SIP/2.0/[transport]", "SIP/2.0/TLS") if target else text)
        before = len(self.bridge.records())
        done = sipp(
            target or self.bridge.target, work, "-sf", str(scenario), "-s", CALLED, "-m", "1",
            "-key", "from", CALLER, "-key", "identity", self.identity(what), *options,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout[-2000:]}\n{self.bridge.log()}"
        record: dict[str, Any] = wait_for(lambda: self.bridge.records()[before:], "the record")[0]
        return record


def place(verify: str, work: Path) -> Iterator[Place]:
    with HttpsServer(work / "web") as web:
        carrier, tls_port = Carrier(), free_port(socket.SOCK_STREAM)
        (work / "authorities.pem").write_bytes(carrier.authority.pem)
        manifests = work / "manifests"
        manifests.mkdir()
        (manifests / "rules.yaml").write_text(RULES.format(verify=verify, port=web.port))
        options = (
            "--stir-authorities", str(work / "authorities.pem"), "--stir-network", "127.0.0.0/8",
            "--listen", f"tls://127.0.0.1:{tls_port}", *Authority(work).pair("bridge", "localhost").options,
        )  # fmt: skip
        web.pages |= {
            "/c.pem": plain(carrier.chain, Cache_Control="max-age=300"),
            "/moved": plain(b"", 302, Location=web.url("/c.pem")),
            "/oversize": plain(carrier.chain + b"\n" * (64 << 10)),
            "/noise": plain(b"nonsense"),
            "/slow": lambda _: time.sleep(5),
        }
        environment = {"SSL_CERT_FILE": str(web.authority.file)}
        with BridgeProcess(manifests, work, *options, environment=environment) as bridge:
            yield Place(bridge, web, tls_port, carrier)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    yield from place("require", tmp_path_factory.mktemp("require"))


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    yield from place("report", tmp_path_factory.mktemp("report"))


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_sipp_brings_a_signature_that_holds(strict: Place, tmp_path: Path, transport: str) -> None:
    record = strict.call(tmp_path, "good", 200, "-t", transport)
    assert (record["verstat"], record["attestation"], record["origId"]) == ("TN-Validation-Passed", "A", ORIGID)
    assert (record["reason"], record["room"]) == ("hangup", "lobby")
    plain_one = strict.call(tmp_path, "plain", 200, "-t", transport)
    assert (plain_one["verstat"], plain_one["attestation"]) == ("TN-Validation-Passed", "")
    assert strict.web.asked.count("/c.pem") == 1, "one fetch serves all calls"


@pytest.mark.peer("sipp", "stunnel4")
@pytest.mark.xdist_group("sipp")
def test_sipp_brings_one_by_tls(strict: Place, tmp_path: Path) -> None:
    with Stunnel(tmp_path, strict.tls_port) as stunnel:
        record = strict.call(tmp_path, "good", 200, "-t", "t1", target=stunnel.target)
        assert (record["verstat"], record["attestation"]) == ("TN-Validation-Passed", "A")
        assert strict.call(tmp_path, "forged", 438, "-t", "t1", target=stunnel.target)["sipStatus"] == 438


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize(
    ("what", "status", "reason", "words"),
    [
        ("old", 403, "identity-stale", "the PASSporT was issued 10"),
        ("another caller", 438, "identity-invalid", "for another caller"),
        ("forged", 438, "identity-invalid", "the signature"),
        ("http", 436, "identity-no-certificate", "not at an https URL"),
        ("unreachable", 436, "identity-no-certificate", "answers 404"),
        ("moved", 436, "identity-no-certificate", "no redirect is followed"),
        ("oversize", 436, "identity-no-certificate", "more than 64 KiB"),
        ("noise", 436, "identity-no-certificate", "there is no certificate"),
        ("slow", 436, "identity-no-certificate", "did not answer within 2.5 s"),
    ],
)
def test_sipp_is_refused_and_people_are_told_why(
    strict: Place, tmp_path: Path, what: str, status: int, reason: str, words: str
) -> None:
    record = strict.call(tmp_path, what, status)
    assert (record["sipStatus"], record["reason"]) == (status, reason)
    assert words in record["words"]
    assert words in strict.bridge.log()
    assert "/c.pem" not in strict.web.asked[-1:] or what not in ("moved", "oversize"), "no redirect was followed"


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize(("what", "verstat"), [("forged", "TN-Validation-Failed"), ("moved", "No-TN-Validation")])
def test_sipp_is_taken_where_the_trunk_only_reports(lenient: Place, tmp_path: Path, what: str, verstat: str) -> None:
    record = lenient.call(tmp_path, what, 200)
    assert (record["reason"], record["verstat"], record["attestation"]) == ("hangup", verstat, "")
    assert record["verstatWords"]


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
def test_other_authorities_are_taken_up_while_calls_come(lenient: Place, tmp_path: Path) -> None:
    assert lenient.call(tmp_path, "good")["verstat"] == "TN-Validation-Passed"
    file = lenient.bridge.state.parent / "authorities.pem"
    mine = file.read_bytes()
    file.write_bytes(Carrier().authority.pem)
    wait_for(lambda: lenient.bridge.log().count("callers are verified by 1 authorities") == 2, "the new file")
    assert lenient.call(tmp_path, "good")["verstat"] == "TN-Validation-Failed"
    file.write_bytes(mine)
    wait_for(lambda: lenient.bridge.log().count("callers are verified by 1 authorities") == 3, "the old file")
    assert lenient.call(tmp_path, "good")["verstat"] == "TN-Validation-Passed"
