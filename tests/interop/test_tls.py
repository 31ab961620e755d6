"""SIP over TLS with peers that we did not write: openssl, SIPp behind stunnel, baresip, and kamailio as a carrier."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority, PairFiles
from tests.interop.test_dialling import SCENARIOS, THEIRS, Calling, ended_well, sipp_phone
from tests.peers import (
    ROOT,
    STEADY,
    Baresip,
    BridgeProcess,
    Kamailio,
    Stunnel,
    free_port,
    lesson,
    sipp,
    sipp_command,
    talk_share,
    wait_for,
)
from tests.sound import GOOD_FIT, SPEECH_PCMU, fit, speech

TALK_S = 4.0
FILE_S = 60.0
CALLS = 20
OPTIONS = (
    "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bK1\r\nFrom: <sip:a@127.0.0.1>;tag=1\r\n"
    "To: <sip:127.0.0.1>\r\nCall-ID: openssl\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


class Secured(BridgeProcess):
    """A bridge on the first example that listens by TLS too, at `tls_port`, with a certificate for `localhost`."""

    def __init__(self, manifests: Path, work: Path, *options: str) -> None:
        self.authority = Authority(work)
        self.pair = self.authority.pair("bridge", "localhost")
        self.tls_port = free_port(socket.SOCK_STREAM)
        listen = f"tls://127.0.0.1:{self.tls_port}"
        super().__init__(manifests, work, "--listen", listen, *self.pair.options, *options)


@pytest.fixture
def secured(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Secured]:
    """The parameter: further options."""
    with (
        lesson("01-one-number", tmp_path) as manifests,
        Secured(manifests, tmp_path, *getattr(request, "param", ())) as it,
    ):
        yield it


def s_client(port: int, authority: Authority, *options: str, says: str = "") -> str:
    """What openssl tells of who listens there, and what it hears."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", str(authority.file)]
    with subprocess.Popen(
        [*command, "-verify_return_error", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    ) as client:  # fmt: skip
        assert client.stdin is not None
        client.stdin.write(says)
        client.stdin.flush()
        if says:
            time.sleep(0.5)  # it ends with its input, whatever is still to come
        return client.communicate(timeout=20)[0]


@pytest.mark.peer("openssl")
@pytest.mark.parametrize("secured", [("--tls-alpn", "sip")], indirect=True)
def test_openssl_is_answered_by_the_versions_that_are_spoken(secured: Secured) -> None:
    for version in ("-tls1_2", "-tls1_3"):
        heard = s_client(secured.tls_port, secured.authority, version, "-alpn", "sip", says=OPTIONS)
        assert "Verify return code: 0 (ok)" in heard
        assert "ALPN protocol: sip" in heard
        assert "SIP/2.0 200 OK" in heard
    heard = s_client(secured.tls_port, secured.authority, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
    assert "alert protocol version" in heard


@pytest.mark.peer("sipp", "stunnel4", "openssl")
@pytest.mark.xdist_group("sipp")
def test_a_certificate_is_replaced_under_live_calls(secured: Secured, tmp_path: Path) -> None:
    (tmp_path / "speech.ul").write_bytes(SPEECH_PCMU)
    (tmp_path / "to.csv").write_text("SEQUENTIAL\n" + "".join(f"+1666{n // 2 + 1:07d};\n" for n in range(CALLS)))
    scenario = (SCENARIOS / "uac-g711.xml").read_text().replace("SIP/2.0/[transport]", "SIP/2.0/TLS")
    (tmp_path / "tls.xml").write_text(scenario.replace("transport=[transport]", "transport=tls"))
    options = ["-sf", "tls.xml", "-inf", "to.csv", "-m", str(CALLS), "-l", str(CALLS), "-r", "20", "-t", "tn"]
    with Stunnel(tmp_path, secured.tls_port) as stunnel:
        command = sipp_command(stunnel.target, tmp_path, *options, "-d", "9000")
        calls = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
        try:
            wait_for(lambda: [c["state"] for c in secured.counters()["live"]] == ["active"] * CALLS, "all calls")
            secured.pair.key.write_text("half a file")
            wait_for(lambda: "go on with the certificates of before" in secured.log(), "the broken pair to be told")
            assert "verify return:1" in s_client(secured.tls_port, secured.authority, "-verify_hostname", "localhost")
            secured.authority.pair("bridge", "new.example")
            wait_for(lambda: "TLS certificate for new.example" in secured.log(), "the new pair")
            heard = s_client(secured.tls_port, secured.authority, "-verify_hostname", "new.example")
            assert "Verify return code: 0" in heard
            told = secured.counters()
            assert len(told["live"]) == CALLS
            assert told["connections"]["open"] >= CALLS
            assert calls.wait(60) == 0, "each call is hung up along its connection"
        finally:
            calls.kill()
    records = wait_for(lambda: secured.records()[CALLS - 1 :] and secured.records(), "the records")
    assert {record["reason"] for record in records} == {"hangup"}
    assert all(talk_share(record) > STEADY and record["media"]["packetsLost"] == 0 for record in records)


def baresip_config(work: Path, pair: PairFiles, authority: Authority) -> str:
    """Its TLS: one file of certificate and key."""
    both = work / "baresip.pem"
    both.write_text(pair.certificate.read_text() + pair.key.read_text())
    return f"sip_certificate {both}\nsip_cafile {authority.file}\n"


@pytest.mark.peer("baresip")
@pytest.mark.xdist_group("baresip")
def test_baresip_calls_over_tls(secured: Secured, tmp_path: Path) -> None:
    said = speech(tmp_path / "said.wav", FILE_S)
    more = baresip_config(tmp_path, secured.authority.pair("phone", "phone.example"), secured.authority)
    with Baresip(tmp_path / "a", "+15550101111", said, more=more) as caller:
        caller.do("dial", f"sip:+16660000009@127.0.0.1:{secured.tls_port};transport=tls")
        wait_for(lambda: "Call established" in caller.log(), f"an answer: {caller.log()}")
        assert secured.counters()["connections"]["open"] == 1
        time.sleep(TALK_S)  # real speech takes its time
        caller.do("hangup")
        wait_for(lambda: "terminated" in caller.log().lower(), "the end of the call")
        heard = caller.heard()
    assert fit(said, heard) > GOOD_FIT


@pytest.mark.peer("baresip")
@pytest.mark.xdist_group("baresip")
def test_baresip_is_called_over_tls_by_its_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    said = speech(tmp_path / "said.wav", FILE_S)
    more = baresip_config(tmp_path, authority.pair("phone", "localhost"), authority)
    # It hangs up by a connection of its own, to our Contact.
    listen = ("--listen", f"tls://127.0.0.1:{free_port(socket.SOCK_STREAM)}", *authority.pair("bridge").options)
    options = ("--tls-ca", str(authority.file), *listen)
    with (
        Baresip(tmp_path / "phone", THEIRS, said, more=more, answers=True) as phone,
        Calling(tmp_path, phone.port + 1, "tls", host="localhost", options=options) as bridge,
    ):
        bridge.dial(wait_until_answered=True)
        time.sleep(TALK_S)
        phone.do("hangup")
        [record] = wait_for(bridge.records, "the record")
        heard = phone.heard()
    assert (record["reason"], record["endedBy"]) == ("hangup", "callee")
    assert fit(said, heard) > GOOD_FIT


def carrier(
    work: Path, authority: Authority, bridge_port: int, phone_port: int, tls_port: int, name: str = "localhost"
) -> Kamailio:
    """kamailio with a certificate for this name that talks to nobody without one."""
    pair = authority.pair("carrier", name, common_name="carrier.example")
    return Kamailio(
        work, "tls", TLS=str(tls_port), BRIDGE=str(bridge_port), PHONE=f"127.0.0.1:{phone_port}",
        CERTIFICATE=str(pair.certificate), KEY=str(pair.key), CA=str(authority.file),
    )  # fmt: skip


@pytest.mark.peer("sipp", "kamailio")
@pytest.mark.xdist_group("sipp")
def test_a_carrier_that_wants_a_client_certificate_takes_our_call(tmp_path: Path) -> None:
    authority, tls_port = Authority(tmp_path), free_port(socket.SOCK_STREAM)
    client = authority.pair("client", "bridge.example", common_name="bridge.example")
    tls = f", tls: {{certificateFrom: {{file: {client.certificate.name}}}, keyFrom: {{file: {client.key.name}}}}}"
    with sipp_phone("uas-g711", tmp_path) as (port, phone), carrier(tmp_path, authority, 9, port, tls_port) as proxy:
        files = (client.certificate, client.key)
        options = ("--tls-ca", str(authority.file))
        with Calling(tmp_path, tls_port, "tls", tls, host="localhost", options=options, files=files) as bridge:
            bridge.dial(wait_until_answered=True)
            bridge.stop()
            assert "hears INVITE over tls bridge.example" in proxy.log()
            assert "hears BYE over tls bridge.example" in proxy.log()
            assert ended_well(phone)
            [record] = bridge.records()
    assert record["reason"] == "shutdown"


@pytest.mark.peer("kamailio")
@pytest.mark.parametrize(
    ("name", "trusts", "why"),
    [
        ("carrier.example", "authority", "Certificate Of Another Name (for carrier.example, not localhost)"),
        ("localhost", "other", "Certificate Not Trusted ("),
    ],
)
def test_a_carrier_under_another_name_or_of_nobody_trusted_is_not_called(
    tmp_path: Path, name: str, trusts: str, why: str
) -> None:
    authorities = {trust: Authority(tmp_path, trust) for trust in ("authority", "other")}
    tls_port = free_port(socket.SOCK_STREAM)
    options = ("--tls-ca", str(authorities[trusts].file))
    with (
        carrier(tmp_path, authorities["authority"], 9, 9, tls_port, name) as proxy,
        Calling(tmp_path, tls_port, "tls", host="localhost", options=options) as bridge,
    ):
        bridge.dial()
        [record] = wait_for(bridge.records, "the record")
        assert "INVITE" not in proxy.log()
    assert record["reason"] == "unreachable"
    assert why in record["words"]


@pytest.mark.peer("sipp", "kamailio")
@pytest.mark.xdist_group("sipp")
def test_a_carrier_calls_over_tls_and_shows_its_certificate(tmp_path: Path) -> None:
    with lesson("01-one-number", tmp_path) as manifests:
        ca = str(tmp_path / "authority.pem")
        with Secured(manifests, tmp_path, "--tls-client-ca", ca) as bridge:
            tls_port = free_port(socket.SOCK_STREAM)
            assert "certificate required" in s_client(bridge.tls_port, bridge.authority, says=OPTIONS)
            with carrier(tmp_path, bridge.authority, bridge.tls_port, 9, tls_port) as proxy:
                (tmp_path / "speech.ul").write_bytes(SPEECH_PCMU)
                (tmp_path / "to.csv").write_text("SEQUENTIAL\n+16660000001;\n")
                options = ["-sf", str(SCENARIOS / "uac-g711.xml"), "-inf", "to.csv", "-m", "3", "-r", "3", "-d", "1000"]
                done = sipp(proxy.target, tmp_path, *options)
                assert done.returncode == 0, done.stdout[-2000:]
                records = wait_for(lambda: bridge.records()[2:] and bridge.records(), "the records")
                assert bridge.counters()["connections"]["open"] == 1, "one connection for all"
    assert {record["reason"] for record in records} == {"hangup"}


@pytest.mark.peer("openssl")
def test_the_test_phones_call_each_other_by_sips(tmp_path: Path) -> None:
    authority, port = Authority(tmp_path), free_port(socket.SOCK_STREAM)
    pair = authority.pair("phone", "localhost")
    python = [str(ROOT / ".venv" / "bin" / "python"), "-m", "runtime"]
    answers = subprocess.Popen(
        [*python, "answer", "--listen", f"tls://127.0.0.1:{port}", *pair.options, "--ring", "0", "-o", "json"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert answers.stderr is not None
    assert "waits for a call on tls://" in answers.stderr.readline()
    uri = f"sips:+15550109999@localhost:{port}"
    done = subprocess.run(
        [*python, "call", uri, "--tls-ca", str(authority.file)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert answers.wait(20) == 0
    answers.communicate()
