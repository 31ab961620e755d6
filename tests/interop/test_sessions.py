"""Calls that change while they are up, and what is heard before the answer, with phones that we did not write."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.interop.test_dialling import SCENARIOS, Calling, ended_well, sipp_phone
from tests.peers import (
    Baresip,
    BridgeProcess,
    Kamailio,
    bridge_with,
    free_port,
    sipp,
    sipp_command,
    wait_for,
)
from tests.sound import speech

both = pytest.mark.parametrize("transport", ["u1", "t1"])
CALLED = "+16660000001"

RULES = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {name: here}
spec:
  inbound: {allowedAddresses: [127.0.0.1/32]}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {name: lobby}
spec:
  match: {to: ["+1666*"]}
  rule: {direct: {room: lobby}}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {name: rings}
spec:
  match: {to: ["+1777*"]}
  rule: {direct: {room: rings}}
  answer: onRequest
  ringback: tone
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    """A bridge with a rule that answers at once, and one that waits to be asked."""
    with bridge_with(RULES, tmp_path_factory.mktemp("sessions")) as bridge:
        yield bridge


def run(bridge: BridgeProcess, work: Path, name: str, *options: str, target: str = "", called: str = CALLED) -> None:
    """One scenario of a caller, which must succeed."""
    done = sipp(target or bridge.target, work, "-sf", str(SCENARIOS / f"{name}.xml"), "-s", called, "-m", "1", *options)
    errors = work / "sipp-errors.log"
    told = errors.read_text() if errors.exists() else ""
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{told}\n{bridge.log()}"


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
@both
@pytest.mark.parametrize("scenario", ["update", "session-timer"])
def test_sipp_changes_a_call_and_refreshes_it(
    here: BridgeProcess, tmp_path: Path, scenario: str, transport: str
) -> None:
    run(here, tmp_path, scenario, "-t", transport)


def answered(messages: Path, cseq: str) -> bool:
    """Whether SIPp has received a 200 to this request of its."""
    text = messages.read_text() if messages.exists() else ""
    received = [part for part in text.split("\n-----") if " received " in part and "SIP/2.0 200" in part]
    return any(f"CSeq: {cseq}" in part for part in received)


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
@both
def test_sipp_hears_a_ringing_tone_acknowledges_it_and_is_answered_on_request(
    here: BridgeProcess, tmp_path: Path, transport: str
) -> None:
    messages = tmp_path / "messages.log"
    options = ["-sf", str(SCENARIOS / "early.xml"), "-s", "+17770000001", "-m", "1", "-t", transport]
    options += ["-trace_msg", "-message_file", str(messages)]
    command = sipp_command(here.target, tmp_path, *options)
    caller = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    live = wait_for(lambda: [c for c in here.counters()["live"] if c["room"] == "rings"], "the call to ring")
    wait_for(lambda: answered(messages, "3 UPDATE"), "the early dialog to be changed")
    assert here.command("pick-up", live[0]["callId"], "-o", "json")["callId"] == live[0]["callId"]
    assert caller.wait(20) == 0, f"{(tmp_path / 'sipp-errors.log').read_text()}\n{here.log()}"


@pytest.mark.peer("sipp", "kamailio")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize("scenario", ["update", "session-timer"])
def test_the_same_goes_through_a_proxy_that_stays_in_the_dialog(
    here: BridgeProcess, tmp_path: Path, scenario: str
) -> None:
    with Kamailio(tmp_path, "proxy", TARGET=here.target) as proxy:
        run(here, tmp_path, scenario, target=proxy.target)
        assert "passes UPDATE on" in proxy.log()
        assert "passes BYE on" in proxy.log()


@pytest.mark.peer("sipp", "kamailio")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize("scenario", ["update", "session-timer"])
@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_the_same_goes_through_a_proxy_that_speaks_to_us_by_a_stream(
    tmp_path: Path, transport: str, scenario: str
) -> None:
    """From the phone to the proxy it is UDP: the proxy records two routes, one for each side of it."""
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "rules.yaml").write_text(RULES)
    authority, tls_port = Authority(tmp_path), free_port(socket.SOCK_STREAM)
    pair = authority.pair("proxy", "localhost")
    listen = ("--listen", f"tls://127.0.0.1:{tls_port}", *authority.pair("bridge", "localhost").options)
    with BridgeProcess(tmp_path / "manifests", tmp_path, *listen, "--tls-ca", str(authority.file)) as here:
        target = f"{here.target if transport == 'tcp' else f'127.0.0.1:{tls_port}'};transport={transport}"
        values = {"TARGET": target, "KEY": str(pair.key), "CERTIFICATE": str(pair.certificate)}
        with Kamailio(tmp_path, "proxy", transport=transport, **values) as proxy:
            run(here, tmp_path, scenario, target=proxy.target)
            assert "passes BYE on" in proxy.log()
            assert here.counters()["connections"]["open"] == 1, "all of it goes along the proxy's own connection"


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_phone_plays_before_its_answer_and_is_held_across_glare(tmp_path: Path, transport: str) -> None:
    with sipp_phone("uas-early", tmp_path, transport=transport) as (port, phone), Calling(
        tmp_path, port, transport
    ) as bridge:  # fmt: skip
        call_id = bridge.dial(wait_until_answered=True, play_dialtone=True).sip_call_id
        held = bridge.steer(call_id, "hold")
        assert held["hold"] == "local"
        assert bridge.steer(call_id, "resume")["hold"] == ""
        bridge.stop()
        assert ended_well(phone), (tmp_path / "sipp-errors.log").read_text()


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
def test_a_call_is_sent_on_to_a_number_that_the_trunk_may_dial(tmp_path: Path) -> None:
    with sipp_phone("uas-moved", tmp_path, calls=2) as (port, phone), Calling(
        tmp_path, port, more=', allowedDestinations: ["+1555*"]'
    ) as bridge:  # fmt: skip
        bridge.dial(wait_until_answered=True)
        bridge.stop()
        assert ended_well(phone), (tmp_path / "sipp-errors.log").read_text()


@pytest.mark.peer("baresip")
@pytest.mark.xdist_group("baresip")
def test_baresip_holds_and_is_held(here: BridgeProcess, tmp_path: Path) -> None:
    said = speech(tmp_path / "said.wav", 60.0)
    with Baresip(tmp_path / "a", "+15550101111", said) as caller:
        caller.do("dial", f"sip:{CALLED}@{here.target}")
        wait_for(lambda: "Call established" in caller.log(), f"an answer: {caller.log()}")
        [live] = wait_for(lambda: here.counters()["live"], "the call")

        def hold() -> str:
            return str(here.counters()["live"][0]["hold"])

        caller.do("hold")
        wait_for(lambda: hold() == "remote", "baresip's hold")
        caller.do("resume")
        wait_for(lambda: hold() == "", "baresip's resume")
        assert here.steer(live["callId"], "hold")["hold"] == "local"
        assert here.command("resume", live["callId"], "-o", "json")["hold"] == ""
        caller.do("hangup")
        wait_for(lambda: not here.counters()["live"], "the end of the call")
