"""Phones that send their call on, with peers that we did not write."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.interop.test_dialling import SCENARIOS, ended_well, sipp_phone
from tests.interop.test_linphone import LOBBY, ONE, THREE, Listening, by_every_transport
from tests.interop.test_sessions import run
from tests.peers import Baresip, BridgeProcess, free_port, sipp_command, wait_for
from tests.sound import speech

RULES = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {{name: here}}
spec:
  inbound: {{allowedAddresses: [127.0.0.1/32]}}
  outbound: {{addresses: {addresses}, transport: {transport}, allowedDestinations: ["+1555*"]}}
  acceptRefer: true
---
apiVersion: dialplane.dev/v1alpha1
kind: PhoneNumber
metadata: {{name: ours}}
spec: {{number: "+15550100000", trunkRef: {{name: here}}, dispatchRuleRef: {{name: lobby}}}}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {{name: lobby}}
spec:
  rule: {{direct: {{room: lobby}}}}
"""


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_another_phone_takes_the_place_of_the_one_that_refers(tmp_path: Path, transport: str) -> None:
    manifests, calling, called = tmp_path / "manifests", tmp_path / "calling", tmp_path / "called"
    for folder in (manifests, calling, called):
        folder.mkdir()
    with sipp_phone("uas-referred", called, transport=transport) as (port, phone):
        (manifests / "rules.yaml").write_text(RULES.format(addresses=f'["127.0.0.1:{port}"]', transport=transport))
        with BridgeProcess(manifests, tmp_path) as bridge:
            run(bridge, calling, "refer", "-t", f"{transport[0]}1", called="+15550100000")
            [live] = wait_for(lambda: bridge.counters()["live"], "the call to go on")
            assert (live["room"], live["state"]) == ("lobby", "active")
            bridge.stop()
        assert ended_well(phone), (called / "sipp-errors.log").read_text()


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_a_phone_takes_another_s_place_by_its_dialog(tmp_path: Path, transport: str) -> None:
    manifests, first, second = tmp_path / "manifests", tmp_path / "first", tmp_path / "second"
    for folder in (manifests, first, second):
        folder.mkdir()
    (manifests / "rules.yaml").write_text(RULES.format(addresses=f'["127.0.0.1:{free_port()}"]', transport="udp"))
    with BridgeProcess(manifests, tmp_path) as bridge:
        options = ["-sf", str(SCENARIOS / "replaced.xml"), "-s", "+15550100000", "-m", "1", "-t", transport]
        command = sipp_command(bridge.target, first, *options)
        phone = subprocess.Popen(command, cwd=first, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        [live] = wait_for(lambda: [c for c in bridge.counters()["live"] if c["state"] == "active"], "the first call")
        dialog = f"{live['sipCallId']};to-tag={live['callId']};from-tag={phone.pid}p1"
        run(bridge, second, "replaces", "-t", transport, "-key", "replaces", dialog, called="bridge")
        assert phone.wait(20) == 0, f"{(first / 'sipp-errors.log').read_text()}\n{bridge.log()}"
        [record] = wait_for(bridge.records, "the one record")
        assert (record["reason"], record["room"]) == ("hangup", "lobby")


@pytest.mark.peer("sipp")
@pytest.mark.xdist_group("sipp")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("first", ["uas-unavailable", "uas-moved"])
def test_whom_a_phone_refers_to_is_called_as_any_other(tmp_path: Path, transport: str, first: str) -> None:
    """By the next address after 503, and where it has moved to; the phone hears of the outcome alone."""
    manifests, calling, called, next_one = (tmp_path / n for n in ("manifests", "calling", "called", "next"))
    for folder in (manifests, calling, called, next_one):
        folder.mkdir()
    calls = 2 if first == "uas-moved" else 1
    with (
        sipp_phone(first, called, calls, transport) as (one, phone),
        sipp_phone("uas-referred", next_one, transport=transport) as (two, last),
    ):
        addresses = f'["127.0.0.1:{one}", "127.0.0.1:{two}"]'
        (manifests / "rules.yaml").write_text(RULES.format(addresses=addresses, transport=transport))
        with BridgeProcess(manifests, tmp_path) as bridge:
            run(bridge, calling, "refer", "-t", f"{transport[0]}1", called="+15550100000")
            assert bridge.counters()["live"][0]["state"] == "active"
            told = {hop["address"]: hop["state"] for hop in bridge.command("doctor", "-o", "json")["trunks"][0]["hops"]}
            assert "up" in told.values() if first == "uas-moved" else "resting" in told.values(), told
            bridge.stop()
        assert ended_well(phone), (called / "sipp-errors.log").read_text()
        if first == "uas-unavailable":
            assert ended_well(last), (next_one / "sipp-errors.log").read_text()


@pytest.mark.peer("baresip")
@pytest.mark.xdist_group("baresip")
@by_every_transport
def test_baresip_sends_its_call_on(tmp_path: Path, transport: str) -> None:
    said = speech(tmp_path / "said.wav", 30.0)
    with (
        Baresip(tmp_path / "three", THREE, said, answers=True) as three,
        Listening(tmp_path, three.port, guard='["+1555*"]') as here,
        Baresip(tmp_path / "one", ONE, said, more=here.trusts) as one,
    ):
        one.do("dial", f"sip:{LOBBY}@{here.at(transport).replace('localhost', '127.0.0.1')}")
        [live] = wait_for(here.active, "its call")
        one.do("transfer", f"sip:{THREE}@anywhere.example")
        wait_for(lambda: "Call established" in three.log(), "the other phone to be called")
        assert here.active()[0]["callId"] == live["callId"], "the room keeps its participant"
        three.do("hangup")
        assert here.record_of(live["callId"])["reason"] == "hangup"
