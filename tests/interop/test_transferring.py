"""Callers that we send on (REFER of ours), and what becomes of all three: baresip and linphone, which then talk."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from livekit import api
from livekit.protocol import sip

from tests.interop.test_dialling import Asked
from tests.interop.test_linphone import Listening, by_every_transport
from tests.linphone import Linphone
from tests.peers import Baresip, wait_for
from tests.sound import fit, speech

pytestmark = [pytest.mark.peer("baresip", "linphonec"), pytest.mark.xdist_group("baresip")]
ONE, TWO, THREE = "+15550101111", "+15550102222", "+15550109999"
ROOM = "+16660000001"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    with Listening(tmp_path_factory.mktemp("transferring")) as bridge:
        yield bridge


class Transfer(threading.Thread):
    """TransferSIPParticipant of the first caller, while the test goes on."""

    def __init__(self, bridge: Asked, to: str, **more: Any) -> None:
        super().__init__()
        self.bridge, self.wanted = bridge, {"transfer_to": to, "participant_identity": f"sip_{ONE}", **more}
        self.failure: api.SipCallError | api.TwirpError | None = None
        self.start()

    def run(self) -> None:
        try:
            self.bridge.transfer(**self.wanted)
        except api.TwirpError as failure:
            self.failure = failure


def answered(phone: Baresip, bridge: Listening, transport: str) -> str:
    """A baresip calls: the call's id."""
    phone.do("dial", f"sip:{ROOM}@{bridge.at(transport).replace('localhost', '127.0.0.1')}")  # it asks no hosts file
    [live] = wait_for(bridge.active, "the call to be answered")
    return str(live["callId"])


@by_every_transport
def test_a_caller_is_sent_on_and_the_two_talk(here: Listening, tmp_path: Path, transport: str) -> None:
    said, answers = speech(tmp_path / "said.wav", 60.0), speech(tmp_path / "answers.wav", 60.0, reverse=True)
    with (
        Baresip(tmp_path / "one", ONE, said, more=here.trusts) as one,
        Baresip(tmp_path / "three", THREE, answers, answers=True) as three,
    ):
        call_id = answered(one, here, transport)
        told = here.transfer(participant_identity=f"sip_{ONE}", transfer_to=f"sip:{THREE}@127.0.0.1:{three.port}")
        assert (told.status, told.sip_status.code) == (sip.STS_TRANSFER_SUCCESSFUL, 200)
        assert here.record_of(call_id)["reason"] == "transferred"
        time.sleep(3)  # real speech takes its time
        three.do("hangup")
        wait_for(lambda: "terminated" in three.log().lower(), "the end of their call")
        heard = one.heard(), three.heard()
    assert fit(answers, heard[0]) > 0.6
    assert fit(said, heard[1]) > 0.6


@by_every_transport
def test_a_transfer_that_is_called_off_or_takes_too_long_leaves_the_call_in_its_room(
    here: Listening, tmp_path: Path, transport: str
) -> None:
    said = speech(tmp_path / "said.wav", 60.0)
    with (
        Baresip(tmp_path / "one", ONE, said, more=here.trusts) as one,
        Linphone(tmp_path / "three", THREE) as three,
    ):
        call_id = answered(one, here, transport)
        to = f"sip:{THREE}@127.0.0.1:{three.port}"
        late = Transfer(here, to, ringing_timeout=Duration(seconds=1))
        three.settles("LinphoneCallIncomingReceived")
        late.join(20)
        assert late.failure is not None
        assert late.failure.code == "deadline_exceeded"
        assert here.active()[0]["callId"] == call_id, "it is where it was"
        three.do("terminate")
        three.settles("LinphoneCallEnd")
        assert here.active()[0]["callId"] == call_id

        kept = Transfer(here, to)
        three.settles("LinphoneCallIncomingReceived", 2)
        assert here.steer(call_id, "keep")["callId"] == call_id
        kept.join(20)
        assert kept.failure is not None
        assert kept.failure.code == "canceled"
        assert here.active()[0]["callId"] == call_id
        three.do("answer")  # a REFER cannot be taken back
        assert here.record_of(call_id)["reason"] == "transferred"
        three.do("terminate")


@by_every_transport
def test_a_number_that_declines_is_told_with_its_status(here: Listening, tmp_path: Path, transport: str) -> None:
    said = speech(tmp_path / "said.wav", 60.0)
    with (
        Baresip(tmp_path / "one", ONE, said, more=here.trusts) as one,
        Linphone(tmp_path / "three", THREE) as three,
    ):
        call_id = answered(one, here, transport)
        transfer = Transfer(here, f"sip:{THREE}@127.0.0.1:{three.port}")
        three.settles("LinphoneCallIncomingReceived")
        three.do("terminate")
        transfer.join(20)
        assert isinstance(transfer.failure, api.SipCallError)
        assert (transfer.failure.sip_status_code, transfer.failure.sip_transfer_reason) == (603, "STR_REJECTED")
        assert here.active()[0]["callId"] == call_id
        one.do("hangup")
        assert here.record_of(call_id)["reason"] == "hangup"


@by_every_transport
def test_two_callers_are_connected_after_a_consultation(here: Listening, tmp_path: Path, transport: str) -> None:
    """Refer-To names the second one's dialog with us in Replaces; the two of them talk without the bridge."""
    with (
        Linphone(tmp_path / "one", ONE, here.authority.file) as one,
        Linphone(tmp_path / "two", TWO, answers=True) as two,
    ):
        one.do(f"call sip:{ROOM}@{here.at(transport)}")
        two.do(f"call sip:{ROOM}@{here.target}")
        first, second = wait_for(lambda: (calls := here.active()) and len(calls) == 2 and calls, "both calls")
        if first["from"] != ONE:
            first, second = second, first
        told = here.transfer(participant_identity=f"sip_{ONE}", transfer_to=f"sip:{second['callId']}@call")
        assert (told.status, told.sip_status.code) == (sip.STS_TRANSFER_SUCCESSFUL, 200)
        assert here.record_of(first["callId"])["reason"] == "transferred"
        assert here.record_of(second["callId"])["reason"] == "hangup"
        assert two.has("INVITE sip:", "Replaces: ", "Referred-By: ")
        assert one.talks_to(two)
        one.do("terminate")
        two.settles("LinphoneCallEnd", 2)
