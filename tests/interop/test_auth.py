"""Passwords over a real wire: SIPp, kamailio and baresip, each as the one who asks or as the one who is asked."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from runtime.gate.sources import STRANGER_INVITES_BURST
from tests.peers import ROOT, Baresip, BridgeProcess, Kamailio, free_port, sipp, wait_for
from tests.sound import speech

SCENARIOS = Path(__file__).parent / "scenarios"
PASSWORD = "Tiger-over-the-wire"
MANIFEST = """
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {{name: carrier}}
spec:
  inbound:
    {addresses}
    auth: {{username: carrier, passwordFrom: {{file: password}}{algorithms}}}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {{name: lobby}}
spec:
  rule: {{direct: {{room: lobby}}}}
"""
NUMBER = "+15550100000"


def declare(folder: Path, algorithms: str = "", addresses: str = "allowedAddresses: [127.0.0.1/32]") -> Path:
    """Manifests of one trunk that asks for a password by these algorithms, and the password beside them."""
    folder.mkdir(exist_ok=True)
    chosen = f", algorithms: [{algorithms}]" if algorithms else ""
    (folder / "password").write_text(PASSWORD + "\n")
    (folder / "trunk.yaml").write_text(MANIFEST.format(algorithms=chosen, addresses=addresses))
    return folder


@pytest.fixture
def guarded(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[BridgeProcess]:
    """A bridge whose trunk asks for a password; the parameter says by which algorithms."""
    folder = declare(tmp_path / "manifests", getattr(request, "param", ""))
    with BridgeProcess(folder, tmp_path) as bridge:
        yield bridge


def phone(uri: str, *options: str, password: str = "") -> dict[str, Any]:
    """`bridge call`, its JSON; a password goes through the environment."""
    done = subprocess.run(
        [sys.executable, "-m", "runtime", "call", uri, "--seconds", "1", "-o", "json", *options],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PHONE_PASSWORD": password},
    )  # fmt: skip
    assert done.stdout, done.stderr
    assert not password or password not in done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def login(user: str) -> list[str]:
    return ["--user", user, "--password-env", "PHONE_PASSWORD"]


def reasons(bridge: BridgeProcess) -> list[tuple[int, str]]:
    return [(record["sipStatus"], record["reason"]) for record in bridge.records()]


# -- our own phone -----------------------------------------------------------------------------------------------------


def test_our_phone_logs_in_and_a_wrong_password_is_refused_and_recorded(guarded: BridgeProcess) -> None:
    uri = f"sip:{NUMBER}@{guarded.target}"
    assert phone(uri, *login("carrier"), password=PASSWORD)["answered"]
    refused = phone(uri, *login("carrier"), password="wrong")
    assert (refused["answered"], refused["sipStatus"], refused["warning"]) == (False, 401, "")
    assert phone(uri)["sipStatus"] == 401
    wait_for(lambda: len(guarded.records()) == 2, "the records")
    assert reasons(guarded) == [(200, "hangup"), (401, "wrong-credentials")]
    assert guarded.counters()["challenged"] == 3
    assert PASSWORD not in guarded.log()


def test_a_changed_password_is_live_within_seconds_and_no_call_notices(guarded: BridgeProcess) -> None:
    uri = f"sip:{NUMBER}@{guarded.target}"
    (guarded.manifests / "password").write_text("Lion-over-the-wire")
    wait_for(lambda: guarded.counters()["revision"] == 2, "the new password")
    assert phone(uri, *login("carrier"), password="Lion-over-the-wire")["answered"]
    assert phone(uri, *login("carrier"), password=PASSWORD)["sipStatus"] == 401


def test_a_bridge_with_another_key_says_so_and_goes_on(guarded: BridgeProcess) -> None:
    key = guarded.state / "secret.key"
    kept = key.read_text()
    options = ["--state", str(guarded.state.parent / "other"), "--tables", f"sqlite:///{guarded.state}/tables.db"]
    listen = free_port()
    command = [
        sys.executable,
        "-m",
        "runtime",
        "run",
        *options,
        "--listen",
        f"udp://127.0.0.1:{listen}",
        "--api",
        "off",
    ]
    with (guarded.state.parent / "other.log").open("w") as log:
        other = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    try:
        said = guarded.state.parent / "other.log"
        wait_for(lambda: "bridge answers calls" in said.read_text(), "the other bridge")
        uri = f"sip:{NUMBER}@127.0.0.1:{listen}"
        assert phone(uri, *login("carrier"), password=PASSWORD)["sipStatus"] == 500
        assert "cannot be unsealed" in said.read_text()
        (guarded.state.parent / "other" / "secret.key").write_text(kept)
        wait_for(lambda: phone(uri, *login("carrier"), password=PASSWORD)["answered"], "the key that was put right")
    finally:
        other.terminate()
        other.wait(20)


INVITE = (
    "INVITE sip:{number}@{target} SIP/2.0\r\nVia: SIP/2.0/UDP {source};branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\n"
    "From: <sip:eve@{source}>;tag=e{n}\r\nTo: <sip:{number}@{target}>\r\nCall-ID: eve-{n}\r\nCSeq: 1 INVITE\r\n"
    "Contact: <sip:eve@{source}>\r\nContent-Length: 0\r\n\r\n"
)


def test_where_a_password_is_all_that_is_asked_for_strangers_are_asked_seldom_and_who_knows_it_comes_in(
    tmp_path: Path,
) -> None:
    folder = declare(tmp_path / "manifests", addresses="calledNumbers: any")
    with BridgeProcess(folder, tmp_path) as bridge, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as eve:
        eve.bind(("127.0.0.9", 0))
        source = "{}:{}".format(*eve.getsockname())
        for n in range(200):
            message = INVITE.format(number=NUMBER, target=bridge.target, source=source, n=n)
            eve.sendto(message.encode(), ("127.0.0.1", bridge.port))
            time.sleep(0.002)
        wait_for(lambda: bridge.counters()["datagrams"].get("turned-away", 0) >= 190, "the flood to be turned away")
        assert 1 <= bridge.counters()["challenged"] <= STRANGER_INVITES_BURST
        uri = f"sip:{NUMBER}@{bridge.target}"
        with ThreadPoolExecutor(4) as pool:
            began = time.monotonic()
            told = list(pool.map(lambda _: phone(uri, *login("carrier"), password=PASSWORD), range(4)))
        assert [one["answered"] for one in told] == [True] * 4
        assert time.monotonic() - began < 15, "no call had to wait for a stranger's turn"
        assert reasons(bridge) == [(200, "hangup")] * 4


# -- SIPp --------------------------------------------------------------------------------------------------------------


def sipp_is_challenged(bridge: BridgeProcess, work: Path, password: str) -> None:
    """SIPp calls, answers a challenge, and hangs up when it is let in."""
    (work / "login.csv").write_text(f"SEQUENTIAL\n[authentication username=carrier password={password}]\n")
    before = len(bridge.records())
    done = sipp(
        bridge.target,
        work,
        "-sf",
        str(SCENARIOS / "uac-auth.xml"),
        "-inf",
        "login.csv",
        "-s",
        NUMBER,
        "-m",
        "1",
        "-auth_uri",
        f"{NUMBER}@{bridge.target}",
    )
    assert done.returncode == 0, done.stdout[-2000:]
    wait_for(lambda: len(bridge.records()) > before, "the record")


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize("guarded", ["MD5"], indirect=True)
def test_sipp_is_challenged_and_comes_in_with_the_right_password(guarded: BridgeProcess, tmp_path: Path) -> None:
    sipp_is_challenged(guarded, tmp_path, PASSWORD)
    sipp_is_challenged(guarded, tmp_path, "wrong")
    assert reasons(guarded) == [(200, "hangup"), (401, "wrong-credentials")]


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize(("password", "expected"), [("tiger", 200), ("lion", 403)])
def test_sipp_challenges_our_phone_and_checks_its_answer(tmp_path: Path, password: str, expected: int) -> None:
    port = free_port()
    command = ["sipp", "-sf", str(SCENARIOS / "uas-auth.xml"), "-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    peer = subprocess.Popen([*command, "-m", "1", "-nostdin"], cwd=tmp_path, **quiet)
    try:
        told = phone(f"sip:{NUMBER}@127.0.0.1:{port}", *login("acme"), password=password)
        assert told["sipStatus"] == expected
        assert peer.wait(20) == 0
    finally:
        peer.kill()
        peer.wait()


# -- kamailio ----------------------------------------------------------------------------------------------------------


@pytest.mark.peer("kamailio")
@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
@pytest.mark.parametrize("field", ["www", "proxy"])
def test_kamailio_challenges_our_phone_on_its_way_to_the_bridge(
    shared_bridge: BridgeProcess, tmp_path: Path, algorithm: str, field: str
) -> None:
    values = {"ALGORITHM": algorithm, "FIELD": field, "TARGET": shared_bridge.target}
    with Kamailio(tmp_path, "challenger", **values) as proxy:
        via = ["--via", f"udp://{proxy.target}"]
        uri = f"sip:{NUMBER}@kamailio.example"
        told = phone(uri, *via, *login("acme"), password="tiger")
        assert told["answered"], (told, proxy.log())
        assert "lets INVITE in: acme" in proxy.log()
        wait_for(lambda: "lets BYE in: acme" in proxy.log(), f"a BYE with credentials: {proxy.log()}")
        assert proxy.log().count(f"asks INVITE for a password by {algorithm}") == 1
        assert phone(uri, *via, *login("acme"), password="lion")["sipStatus"] in (401, 407)
        assert phone(uri, *via)["sipStatus"] in (401, 407)


@pytest.mark.peer("kamailio")
@pytest.mark.parametrize(
    ("guarded", "config"), [("MD5", "challenged-md5"), ("SHA-256", "challenged-sha256")], indirect=["guarded"]
)
def test_kamailio_answers_the_bridge_for_its_callers(guarded: BridgeProcess, tmp_path: Path, config: str) -> None:
    with Kamailio(tmp_path, config, TARGET=guarded.target, PASSWORD=PASSWORD) as proxy:
        told = phone(f"sip:{NUMBER}@carrier.example", "--via", f"udp://{proxy.target}")
        assert told["answered"], (told, proxy.log(), guarded.log())
        assert "answers a challenge by" in proxy.log()
    wait_for(guarded.records, "the record")
    assert reasons(guarded) == [(200, "hangup")]
    with Kamailio(tmp_path, config, TARGET=guarded.target, PASSWORD="wrong") as proxy:
        assert phone(f"sip:{NUMBER}@carrier.example", "--via", f"udp://{proxy.target}")["sipStatus"] == 401
    assert (401, "wrong-credentials") in reasons(guarded)


# -- baresip -----------------------------------------------------------------------------------------------------------


@pytest.mark.peer("baresip")
@pytest.mark.xdist_group("baresip")
@pytest.mark.parametrize("guarded", ["MD5"], indirect=True)
def test_baresip_is_challenged_and_comes_in(guarded: BridgeProcess, tmp_path: Path) -> None:
    said = speech(tmp_path / "said.wav", 60.0)
    account = f";auth_user=carrier;auth_pass={PASSWORD}"
    with Baresip(tmp_path / "a", "+15550101111", said, login=account) as caller:
        caller.do("dial", f"sip:{NUMBER}@{guarded.target}")
        wait_for(lambda: "Call established" in caller.log(), f"an answer: {caller.log()}")
        caller.do("hangup")
    wait_for(guarded.records, "the record")
    assert reasons(guarded) == [(200, "hangup")]
