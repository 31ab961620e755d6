"""linphone calls a bridge as a user runs it, by UDP, TCP and TLS: PRACK, UPDATE, timers, hold, and sending calls on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.interop.test_dialling import Asked
from tests.linphone import Linphone
from tests.peers import Baresip, free_port, free_sip_port, wait_for
from tests.sound import speech

pytestmark = [pytest.mark.peer("linphonec"), pytest.mark.xdist_group("baresip")]
by_every_transport = pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
ONE, TWO, THREE = "+15550101111", "+15550102222", "+15550109999"
LOBBY, RINGS = "+16660000001", "+17770000001"

RULES = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {{name: here}}
spec:
  inbound: {inbound}
  outbound: {{addresses: ["127.0.0.1:{phone}"], allowedDestinations: {guard}}}
  acceptRefer: true
  media: {{timeout: 5m}}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {{name: lobby}}
spec:
  match: {{to: ["+1666*"]}}
  rule: {{direct: {{room: lobby}}}}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {{name: rings}}
spec:
  match: {{to: ["+1777*"]}}
  rule: {{direct: {{room: rings}}}}
  answer: onRequest
  ringback: tone
"""
NAMED = "{allowedAddresses: [127.0.0.1/32]}"
BY_PASSWORD = "{auth: {username: acme, passwordFrom: {file: password}, algorithms: [MD5]}}"


class Listening(Asked):
    """A bridge that is called by UDP, TCP and TLS, and whose trunk is the phone at `phone`."""

    def __init__(self, work: Path, phone: int = 0, inbound: str = NAMED, guard: str = "[]") -> None:
        self.authority, self.tls_port = Authority(work), free_port(socket.SOCK_STREAM)
        self.trusts = f"sip_cafile {self.authority.file}"
        manifests = work / "manifests"
        manifests.mkdir()
        (manifests / "password").write_text("tiger")
        rules = RULES.format(phone=phone or free_sip_port(), inbound=inbound, guard=guard)
        (manifests / "rules.yaml").write_text(rules)
        pair = self.authority.pair("bridge", "localhost", "127.0.0.1")
        super().__init__(manifests, work, "--listen", f"tls://127.0.0.1:{self.tls_port}", *pair.options)

    def at(self, transport: str) -> str:
        """Host, port and transport, as a phone dials them."""
        if transport == "tls":
            return f"localhost:{self.tls_port};transport=tls"
        return f"{self.target};transport={transport}"

    def active(self) -> list[dict[str, Any]]:
        """The calls that have been answered."""
        return [call for call in self.counters()["live"] if call["state"] == "active"]

    def record_of(self, call_id: str) -> dict[str, Any]:
        """The record of a call, once it has one."""
        records = wait_for(lambda: [r for r in self.records() if r["callId"] == call_id], "the record")
        return dict(records[0])


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    with Listening(tmp_path_factory.mktemp("linphone")) as bridge:
        yield bridge


@by_every_transport
def test_linphone_acknowledges_the_ringing_agrees_on_a_timer_and_either_side_holds(
    here: Listening, tmp_path: Path, transport: str
) -> None:
    with Linphone(tmp_path / "one", ONE, here.authority.file, reliable=2) as phone:
        phone.do(f"call sip:{RINGS}@{here.at(transport)}")
        [live] = wait_for(lambda: here.counters()["live"], "the call to ring")
        wait_for(lambda: phone.has("PRACK sip:", "RAck: "), "its PRACK of the ringing tone")
        here.steer(live["callId"], "answer")
        phone.settles("LinphoneCallStreamsRunning")

        def hold() -> str:
            return str(here.active()[0]["hold"])

        phone.do("pause")
        wait_for(lambda: hold() == "remote", "linphone's hold")
        phone.settles("LinphoneCallPaused")
        phone.do("resume")
        wait_for(lambda: hold() == "", "linphone's resume")
        assert here.steer(live["callId"], "hold")["hold"] == "local"
        phone.settles("LinphoneCallPausedByRemote")
        assert here.steer(live["callId"], "resume")["hold"] == ""
        phone.do("terminate")
        assert here.record_of(live["callId"])["reason"] == "hangup"
        assert phone.has("SIP/2.0 200 OK", "Session-Expires: 90;refresher=", "Require: timer")


@by_every_transport
@pytest.mark.peer("baresip")
def test_linphone_sends_its_call_on(tmp_path: Path, transport: str) -> None:
    said = speech(tmp_path / "said.wav", 30.0)
    with (
        Baresip(tmp_path / "three", THREE, said, answers=True) as three,
        Listening(tmp_path, three.port, guard='["+1555*"]') as here,
        Linphone(tmp_path / "one", ONE, here.authority.file) as one,
    ):
        one.do(f"call sip:{LOBBY}@{here.at(transport)}")
        [live] = wait_for(here.active, "its call")
        one.settles("LinphoneCallStreamsRunning")
        one.do(f"transfer sip:{THREE}@anywhere.example")
        wait_for(lambda: "Call established" in three.log(), "the other phone to be called")
        one.settles("LinphoneCallEnd")
        assert one.has("NOTIFY sip:", "Subscription-State: terminated", "SIP/2.0 200 OK")
        assert here.active()[0]["callId"] == live["callId"], "the room keeps its participant"
        three.do("hangup")
        assert here.record_of(live["callId"])["reason"] == "hangup"


@by_every_transport
def test_linphone_sends_its_call_on_to_whom_it_has_consulted(tmp_path: Path, transport: str) -> None:
    """REFER with Replaces: the bridge takes linphone's place in its call with the other phone."""
    with (
        Linphone(tmp_path / "three", THREE, answers=True) as three,
        Listening(tmp_path, three.port, guard='["+1555*"]') as here,
        Linphone(tmp_path / "one", ONE, here.authority.file) as one,
    ):
        one.do(f"call sip:{LOBBY}@{here.at(transport)}")
        [live] = wait_for(here.active, "its call")
        one.settles("LinphoneCallStreamsRunning")
        one.do("pause")
        one.settles("LinphoneCallPaused")
        one.do(f"call sip:{THREE}@127.0.0.1:{three.port}")
        one.settles("LinphoneCallStreamsRunning", 2)
        one.do("transfer 1 --to-call 2")
        one.settles("LinphoneCallEnd", 2)
        assert three.has("INVITE sip:", "Replaces: ")
        assert one.has("NOTIFY sip:", "Subscription-State: terminated", "SIP/2.0 200 OK")
        assert here.active()[0]["callId"] == live["callId"]
        three.do("terminate")
        assert here.record_of(live["callId"])["reason"] == "hangup"


@by_every_transport
def test_whom_linphone_has_consulted_takes_its_place_by_the_trunks_password(tmp_path: Path, transport: str) -> None:
    """INVITE with Replaces on a trunk that names no address: a challenge first, and without the password nothing."""
    login = ("acme", "tiger", "LiveKit")
    with (
        Listening(tmp_path, inbound=BY_PASSWORD) as here,
        nullcontext(here.at(transport)) as way,  # linphone leaves the port out of Refer-To
        Linphone(tmp_path / "one", ONE, here.authority.file, login=login) as one,
        Linphone(tmp_path / "two", TWO, here.authority.file, login=login, answers=True, route=way) as two,
        Linphone(tmp_path / "three", THREE, here.authority.file, answers=True, route=way) as stranger,
    ):
        one.do(f"call sip:{LOBBY}@{here.at(transport)}")
        [live] = wait_for(here.active, "its call")
        one.settles("LinphoneCallStreamsRunning")
        for count, phone in ((2, stranger), (3, two)):
            one.do("pause")
            one.settles("LinphoneCallPaused", count - 1)
            one.do(f"call sip:{TWO}@127.0.0.1:{phone.port}")
            one.settles("LinphoneCallStreamsRunning", 2 * count - 2)
            one.do(f"transfer {count} --to-call 1")
            if phone is stranger:
                wait_for(lambda: stranger.has("SIP/2.0 401 Unauthorized"), "the challenge", 8)
                assert here.active()[0]["callId"] == live["callId"]
                one.do(f"terminate {count}")
                one.settles("LinphoneCallEnd")
                one.do("resume 1")
                one.settles("LinphoneCallStreamsRunning", 2 * count - 1)
        one.settles("LinphoneCallEnd", 3)
        assert two.has("INVITE sip:", "Replaces: ", "Authorization:")
        assert here.active()[0]["callId"] == live["callId"]
        two.do("terminate")
        assert here.record_of(live["callId"])["reason"] == "hangup"
