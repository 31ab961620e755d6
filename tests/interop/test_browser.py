"""A real web page calls: JsSIP in a headless chromium, over ws:// and wss://."""

from __future__ import annotations

import base64
import hashlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.browser.chromium import Chromium, PageError
from tests.browser.served import Served
from tests.certificates import Authority, PairFiles
from tests.interop.test_dialling import FILE_S, KEYS, Calling
from tests.peers import BridgeProcess, free_port, wait_for
from tests.sound import GOOD_FIT, fit, speech, write_wav

TALK_S = 4.0
CALLED = "sip:+15550100000@bridge.example"
RULES = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {name: pages}
spec:
  inbound: {allowedAddresses: [127.0.0.1/32]}
  media: {dtmf: [rfc4733, info], encryption: require}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {name: lobby}
spec: {rule: {direct: {room: lobby}}, messages: room}
"""


class Hearing(BridgeProcess):
    """A bridge that hears pages of one origin, at `ws_port` and by TLS at `wss_port`."""

    transfer = Calling.transfer
    ask = Calling.ask

    def __init__(self, work: Path, origin: str) -> None:
        self.rooms = work / "rooms"
        self.said = speech(work / "said.wav", FILE_S)
        manifests = work / "manifests"
        manifests.mkdir()
        (manifests / "rules.yaml").write_text(RULES)
        self.pair = Authority(work).pair("bridge", "localhost")
        self.ws_port, self.wss_port = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
        self.livekit_port = free_port(socket.SOCK_STREAM)
        listens = ("--listen", f"ws://127.0.0.1:{self.ws_port}", "--listen", f"wss://127.0.0.1:{self.wss_port}")
        options = (*listens, *self.pair.options, "--ws-origin", origin, "--record", str(self.rooms))
        options += ("--livekit-api", f"127.0.0.1:{self.livekit_port}")
        super().__init__(manifests, work, *options, environment=KEYS)

    def recordings(self) -> list[Path]:
        """What its room has heard, call by call."""
        return sorted(self.rooms.iterdir())

    def url(self, scheme: str) -> str:
        return f"{scheme}://localhost:{self.ws_port if scheme == 'ws' else self.wss_port}/sip"


def key_of(pair: PairFiles) -> str:
    """As chromium's list of keys that it trusts has it."""
    certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(hashlib.sha256(certificate.public_key().public_bytes(*form)).digest()).decode()


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hearing, Chromium]]:
    """A bridge, and a browser with a page that it hears."""
    work = tmp_path_factory.mktemp("browser")
    with (
        Served() as served,
        Hearing(work, served.origin) as bridge,
        Chromium(served.url, bridge.said, (key_of(bridge.pair),)) as browser,
    ):
        yield bridge, browser


@pytest.fixture
def bridge(opened: tuple[Hearing, Chromium]) -> Hearing:
    return opened[0]


@pytest.fixture
def page(opened: tuple[Hearing, Chromium]) -> Chromium:
    """The page anew."""
    opened[1].reload()
    return opened[1]


def live(bridge: Hearing) -> dict[str, Any]:
    """The one call that is up."""
    [call] = bridge.counters()["live"]
    return dict(call)


@pytest.mark.peer("chromium", "jssip")
@pytest.mark.xdist_group("chromium")
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_page_calls_holds_and_is_held_presses_keys_writes_and_hangs_up(
    bridge: Hearing, page: Chromium, tmp_path: Path, scheme: str
) -> None:
    before = len(bridge.records())
    assert page.run(f"phone.start('{bridge.url(scheme)}')") == "3.13.8"
    assert page.run(f"phone.options('{CALLED}')") == 200
    answer = page.run(f"phone.call('{CALLED}')")
    assert "UDP/TLS/RTP/SAVPF" in answer
    time.sleep(TALK_S)  # real speech takes its time
    heard = write_wav(tmp_path / "heard.wav", base64.b64decode(page.run("phone.heard()")))
    assert page.run("phone.hold()")
    wait_for(lambda: live(bridge)["hold"] == "remote", "the page's hold")
    assert not page.run("phone.resume()")
    wait_for(lambda: live(bridge)["hold"] == "", "the page's resume")
    call_id = live(bridge)["callId"]
    assert bridge.steer(call_id, "hold")["hold"] == "local"
    wait_for(lambda: "hold remote" in page.run("phone.told()"), "the page to notice")
    assert bridge.steer(call_id, "resume")["hold"] == ""
    packets = live(bridge)["media"]["packetsReceived"]
    wait_for(lambda: live(bridge)["media"]["packetsReceived"] > packets + 25, "its voice after it all")
    page.run("phone.keys('12#', 'INFO')")
    wait_for(lambda: live(bridge)["media"]["digits"] == 3, "three keys")
    assert page.run("phone.message('hello')") == 200
    assert page.run("phone.hangUp()")
    [record] = wait_for(lambda: bridge.records()[before:], "the record")
    assert (record["reason"], record["from"], record["to"]) == ("hangup", "+15550109999", "+15550100000")
    assert record["mediaEncryption"].startswith("DTLS ")
    assert fit(bridge.said, heard) > GOOD_FIT, "the page hears itself"
    assert fit(bridge.said, bridge.recordings()[-1]) > GOOD_FIT, "the room has heard it"


@pytest.mark.peer("chromium", "jssip")
@pytest.mark.xdist_group("chromium")
def test_a_page_is_sent_on_by_the_bridge_and_then_hung_up_by_it(bridge: Hearing, page: Chromium) -> None:
    before = len(bridge.records())
    page.run(f"phone.start('{bridge.url('wss')}')")
    page.run(f"phone.call('{CALLED}')")
    first = live(bridge)["callId"]
    bridge.transfer(participant_identity="sip_+15550109999", transfer_to="sip:+15550105555@bridge.example")
    [record] = wait_for(lambda: bridge.records()[before:], "the first call's end")
    assert record["callId"] == first
    assert live(bridge)["to"] == "+15550105555", "the page has called there"
    assert "ended remote Terminated" in page.run("phone.told()"), "our BYE"
    page.run("phone.hangUp()")
    wait_for(lambda: bridge.records()[before + 1 :], "the other's end")


@pytest.mark.peer("chromium", "jssip")
@pytest.mark.xdist_group("chromium")
def test_a_page_of_another_origin_does_not_get_in(bridge: Hearing, page: Chromium) -> None:
    with Served() as elsewhere, Chromium(elsewhere.url) as other, pytest.raises(PageError, match="disconnected"):
        other.run(f"phone.start('{bridge.url('ws')}')")
    assert bridge.counters()["connections"]["ended"]["WebSocket Origin Not Allowed"] >= 1
