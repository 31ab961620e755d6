"""All that a call may do goes through a proxy that records its route, in and out, by UDP, TCP and TLS.

Phones (SIPp) speak UDP to one side of the proxy (kamailio), the bridge its transport to the other. So each scenario is
one with a proxy's routes, and by every transport.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from livekit import api
from livekit.protocol import sip

from tests.certificates import Authority
from tests.interop.test_dialling import OURS, SCENARIOS, Asked, ended_well, sipp_phone
from tests.interop.test_sessions import CALLED, answered, run
from tests.peers import Kamailio, free_port, free_sip_port, sipp_command, wait_for

pytestmark = [pytest.mark.peer("sipp", "kamailio"), pytest.mark.xdist_group("front")]
FORKS, OTHER = "+15550104444", "+15550105555"
RINGS = "+17770000001"
SECOND = Duration(seconds=1)

RULES = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {{name: out}}
spec:
  inbound: {{allowedAddresses: [127.0.0.1/32]}}
  outbound:
    addresses: ["127.0.0.1:{phone}"]
    proxy: "sip:{proxy};transport={transport}"
    allowedDestinations: ["+1555*"]
  media: {{dtmf: [rfc4733, info], timeout: 5m}}
  acceptRefer: true
---
apiVersion: dialplane.dev/v1alpha1
kind: PhoneNumber
metadata: {{name: ours}}
spec: {{number: "+15550100000", trunkRef: {{name: out}}, direction: both}}
---
apiVersion: dialplane.dev/v1alpha1
kind: DispatchRule
metadata: {{name: lobby}}
spec:
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


class Front(Asked):
    """A bridge behind its proxy, which speaks `transport` to it."""

    def __init__(self, work: Path, transport: str) -> None:
        self.transport, self.work = transport, work
        self.phone, self.second, self.phones = free_sip_port(), free_sip_port(), free_sip_port()
        authority, tls, ours = Authority(work), free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
        pair, proxy = authority.pair("proxy", "localhost"), free_sip_port()
        at = f"localhost:{tls}" if transport == "tls" else f"127.0.0.1:{proxy}"
        manifests = work / "manifests"
        manifests.mkdir()
        (manifests / "rules.yaml").write_text(RULES.format(phone=self.phone, proxy=at, transport=transport))
        listen = ("--listen", f"tls://127.0.0.1:{ours}", *authority.pair("bridge", "localhost").options)
        super().__init__(manifests, work, *listen, "--tls-ca", str(authority.file))
        here = f"127.0.0.1:{ours}" if transport == "tls" else self.target
        self.proxy = Kamailio(
            work, "front", port=proxy, TLS=str(tls), KEY=str(pair.key), CERTIFICATE=str(pair.certificate),
            PHONES=str(self.phones), SECOND=str(self.second), FORKS=FORKS, OTHER=OTHER,
            TARGET=f"{here};transport={transport}",
        )  # fmt: skip

    def call(self, work: Path, scenario: str, *options: str, called: str = CALLED) -> None:
        """A phone calls by the proxy."""
        run(self, work, scenario, *options, target=f"127.0.0.1:{self.phones}", called=called)

    def live(self, state: str = "active") -> list[dict[str, Any]]:
        """The calls that are in this state."""
        return [call for call in self.counters()["live"] if call["state"] == state]


@pytest.fixture(scope="module", params=["udp", "tcp", "tls"])
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """One for all tests of a transport."""
    bridge = Front(tmp_path_factory.mktemp("front"), request.param)
    with bridge.proxy, bridge:
        yield bridge
        passed = bridge.proxy.log()
        assert "passes BYE on" in passed


@pytest.fixture(autouse=True)
def all_is_over(front: Front) -> Iterator[None]:
    """No call is left when a test is at its end."""
    yield
    wait_for(lambda: not front.counters()["live"], "all calls to be over", 10)


# -- a phone calls -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", ["hold", "late-offer", "update", "session-timer", "info", "cancelled-late"])
def test_a_phone_changes_its_call(front: Front, tmp_path: Path, scenario: str) -> None:
    front.call(tmp_path, scenario)


def test_a_phone_acknowledges_what_it_hears_before_the_answer(front: Front, tmp_path: Path) -> None:
    messages = tmp_path / "messages.log"
    options = [
        "-sf",
        str(SCENARIOS / "early.xml"),
        "-s",
        RINGS,
        "-m",
        "1",
        "-trace_msg",
        "-message_file",
        str(messages),
    ]
    command = sipp_command(f"127.0.0.1:{front.phones}", tmp_path, *options)
    caller = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    [live] = wait_for(lambda: front.live("routed"), "the call to ring")
    wait_for(lambda: answered(messages, "3 UPDATE"), "the early dialog to be changed")
    front.steer(live["callId"], "answer")
    assert caller.wait(20) == 0, (tmp_path / "sipp-errors.log").read_text()


def test_a_phone_gives_up_while_it_rings(front: Front, tmp_path: Path) -> None:
    front.call(tmp_path, "cancelled", called=RINGS)


def test_a_phone_sends_its_call_on(front: Front, tmp_path: Path) -> None:
    with called(front, tmp_path, "uas-brief") as (_, phone):
        front.call(tmp_path, "refer", called=OURS)
        went_well(phone, tmp_path, "uas-brief")


def test_a_phone_takes_another_s_place(front: Front, tmp_path: Path) -> None:
    options = ["-sf", str(SCENARIOS / "replaced.xml"), "-s", OURS, "-m", "1"]
    command = sipp_command(f"127.0.0.1:{front.phones}", tmp_path, *options)
    phone = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    [live] = wait_for(front.live, "the first call")
    dialog = f"{live['sipCallId']};to-tag={live['callId']};from-tag={phone.pid}p1"
    (tmp_path / "taker").mkdir()
    front.call(tmp_path / "taker", "replaces", "-key", "replaces", dialog, called="bridge")
    assert phone.wait(20) == 0, (tmp_path / "sipp-errors.log").read_text()


# -- a phone is called -------------------------------------------------------------------------------------------------


def called(front: Front, work: Path, scenario: str, port: int = 0) -> Any:
    """The phone that the bridge calls."""
    (work / scenario).mkdir()
    return sipp_phone(scenario, work / scenario, port=port or front.phone)


def went_well(phone: subprocess.Popen[str], work: Path, scenario: str) -> None:
    errors = work / scenario / "sipp-errors.log"
    assert ended_well(phone), errors.read_text() if errors.exists() else scenario


def test_a_phone_that_is_called_is_held_across_glare_and_sent_on(front: Front, tmp_path: Path) -> None:
    with called(front, tmp_path, "uas-glare") as (_, phone):
        call_id = front.dial(wait_until_answered=True, play_dialtone=True).sip_call_id
        assert front.steer(call_id, "hold")["hold"] == "local"
        assert front.steer(call_id, "resume")["hold"] == ""
        told = front.transfer()
        assert (told.status, told.sip_status.code) == (sip.STS_TRANSFER_SUCCESSFUL, 200)
        went_well(phone, tmp_path, "uas-glare")


def test_a_phone_that_answers_while_it_is_cancelled_is_hung_up_on(front: Front, tmp_path: Path) -> None:
    with called(front, tmp_path, "uas-late") as (_, phone):
        with pytest.raises(api.TwirpError):
            front.dial(wait_until_answered=True, ringing_timeout=SECOND)
        went_well(phone, tmp_path, "uas-late")


def test_a_phone_that_has_moved_is_called_there(front: Front, tmp_path: Path) -> None:
    (tmp_path / "uas-moved").mkdir()
    with sipp_phone("uas-moved", tmp_path / "uas-moved", calls=2, port=front.phone) as (_, phone):
        front.dial(wait_until_answered=True, max_call_duration=SECOND)
        went_well(phone, tmp_path, "uas-moved")


def test_of_two_phones_that_answer_the_second_is_acknowledged_and_hung_up_on(front: Front, tmp_path: Path) -> None:
    with (
        called(front, tmp_path, "uas-first") as (_, first),
        called(front, tmp_path, "uas-second", front.second) as (_, second),
    ):
        front.dial(sip_call_to=FORKS, wait_until_answered=True, max_call_duration=SECOND)
        went_well(second, tmp_path, "uas-second")
        went_well(first, tmp_path, "uas-first")
