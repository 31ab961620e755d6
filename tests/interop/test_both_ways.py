"""One kamailio that calls come in and go out by, at once: all that happens in them goes through it (Record-Route)."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.interop.test_dialling import FILE_S, THEIRS, Calling
from tests.peers import Baresip, Kamailio, free_port, free_sip_port, wait_for
from tests.sound import GOOD_FIT, fit, speech

TALK_S = 4.0
CALLING_IN = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {name: in}
spec:
  inbound: {allowedAddresses: [127.0.0.1/32]}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {name: desk}
spec: {trunkRefs: [{name: in}], rule: {direct: {room: desk}}}
"""


@pytest.mark.peer("baresip", "kamailio")
@pytest.mark.xdist_group("baresip")
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_calls_of_both_directions_are_held_and_ended_from_both_sides_at_once(tmp_path: Path, transport: str) -> None:
    said = speech(tmp_path / "said.wav", FILE_S)
    authority, port = Authority(tmp_path), free_sip_port()
    ours, theirs = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
    pair = authority.pair("proxy", "localhost")
    listen = ("--listen", f"tls://127.0.0.1:{ours}", *authority.pair("bridge", "localhost").options)
    proxy_at = f"localhost:{theirs}" if transport == "tls" else f"127.0.0.1:{port}"
    with (
        Baresip(tmp_path / "called", THEIRS, said, answers=True) as called,
        Calling(
            tmp_path, called.port, "auto", f', proxy: "sip:{proxy_at};transport={transport}"',
            options=("--tls-ca", str(authority.file), *listen),
        ) as bridge,
        Kamailio(
            tmp_path, "both-ways", port=port, TLS=str(theirs), KEY=str(pair.key), CERTIFICATE=str(pair.certificate),
            TRANSPORT=transport, BRIDGE=f"127.0.0.1:{ours}" if transport == "tls" else bridge.target,
        ) as proxy,
        Baresip(tmp_path / "caller", "+15550101111", said) as caller,
    ):  # fmt: skip
        (bridge.manifests / "in.yaml").write_text(CALLING_IN)
        wait_for(lambda: "new tables revision=2" in bridge.log(), "calls to be let in")
        bridge.dial(wait_until_answered=True)
        caller.do("dial", f"sip:+16660000001@{proxy.target}")
        wait_for(lambda: "Call established" in caller.log(), f"an answer: {caller.log()}")
        live = {call["direction"]: call["callId"] for call in bridge.counters()["live"]}
        time.sleep(TALK_S)
        for direction in ("inbound", "outbound"):
            assert bridge.steer(live[direction], "hold")["hold"] == "local"
        caller.do("hold")
        wait_for(lambda: "both" in {call["hold"] for call in bridge.counters()["live"]}, "the phone's hold, too")
        caller.do("resume")
        for direction in ("inbound", "outbound"):
            bridge.steer(live[direction], "resume")
        wait_for(lambda: {call["hold"] for call in bridge.counters()["live"]} == {""}, "both to go on")
        called.do("hangup")
        wait_for(lambda: len(bridge.records()) == 1, "the phone's end")
        bridge.stop()
        wait_for(lambda: "terminated" in caller.log().lower(), "our end")
        passed = re.findall(r"passes (\w+) on within (\S+), heard over (\w+)", proxy.log())
        heard = called.heard()
    assert len({call for _, call, _ in passed}) == 2
    for method in ("ACK", "INVITE", "BYE"):
        assert {way for name, _, way in passed if name == method} == {"udp", transport}, f"{method} of both sides"
    assert f"for the bridge, heard over {transport}" in proxy.log()
    assert {record["reason"] for record in bridge.records()} == {"hangup", "shutdown"}
    assert fit(said, heard) > GOOD_FIT
