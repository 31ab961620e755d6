"""Phones that we did not write are called by the bridge, as LiveKit's own client asks for it; no server is needed."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from livekit import api
from livekit.protocol import sip

from tests.livekit_peers import KEY, SECRET, LiveKit
from tests.peers import Baresip, BridgeProcess, free_port, free_sip_port, is_taken, sipp_command, wait_for
from tests.sound import GOOD_FIT, fit, speech

SCENARIOS = Path(__file__).parent / "scenarios"
OURS, THEIRS = "+15550100000", "+15550109999"
FILE_S = 60.0
KEYS = {"LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}

TRUNK = """\
apiVersion: dialplane.dev/v1alpha1
kind: Trunk
metadata: {{name: out}}
spec:
  outbound: {{addresses: ["{host}:{port}"], transport: {transport}{more}}}
  media: {{roomCodec: {codec}{media}}}
---
apiVersion: dialplane.dev/v1alpha1
kind: PhoneNumber
metadata: {{name: ours}}
spec: {{number: "+15550100000", trunkRef: {{name: out}}, direction: outbound}}
"""


class Asked(BridgeProcess):
    """A bridge that is asked for calls by LiveKit's own client."""

    def __init__(self, manifests: Path, work: Path, *options: str, environment: Mapping[str, str] = KEYS) -> None:
        self.livekit_port = free_port(socket.SOCK_STREAM)
        options += ("--livekit-api", f"127.0.0.1:{self.livekit_port}")
        super().__init__(manifests, work, *options, environment=environment)

    def ask(self, what: Callable[[api.LiveKitAPI], Awaitable[Any]]) -> Any:
        """Something of LiveKit's own client."""

        async def run() -> Any:
            async with api.LiveKitAPI(f"http://127.0.0.1:{self.livekit_port}", KEY, SECRET) as client:
                return await what(client)

        return asyncio.run(run())

    def dial(self, **fields: Any) -> Any:
        """CreateSIPParticipant."""
        wanted = {"sip_trunk_id": "out", "sip_call_to": THEIRS, "room_name": "lobby", **fields}
        return self.ask(lambda c: c.sip.create_sip_participant(sip.CreateSIPParticipantRequest(**wanted)))

    def transfer(self, **fields: Any) -> Any:
        """TransferSIPParticipant."""
        who = {"room_name": "lobby", "participant_identity": f"sip_{THEIRS}", "transfer_to": "tel:+15550105555"}
        wanted = sip.TransferSIPParticipantRequest(**{**who, **fields})
        return self.ask(lambda c: c.sip.transfer_sip_participant(wanted))


class Calling(Asked):
    """A bridge whose one trunk is the phone at `port`, with embedded rooms or those of a `server`.

    `more` is written behind the trunk's transport; `files` are put beside the manifests.
    """

    def __init__(
        self,
        work: Path,
        port: int,
        transport: str = "udp",
        more: str = "",
        password: str = "",
        room_codec: str = "auto",
        server: LiveKit | None = None,
        host: str = "127.0.0.1",
        options: tuple[str, ...] = (),
        files: tuple[Path, ...] = (),
        media: str = "",
    ) -> None:
        manifests = work / "manifests"
        manifests.mkdir()
        for file in files:
            (manifests / file.name).write_bytes(file.read_bytes())
        (manifests / "password").write_text(password)
        trunk = TRUNK.format(host=host, port=port, transport=transport, more=more, codec=room_codec, media=media)
        (manifests / "trunk.yaml").write_text(trunk)
        if server is not None:
            options += ("--rooms", "livekit")
        super().__init__(manifests, work, *options, environment=server.environment if server is not None else KEYS)


@contextmanager
def sipp_phone(
    scenario: str, work: Path, calls: int = 1, transport: str = "udp", port: int = 0
) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """SIPp as the phone that is called, so often: its port and itself."""
    port = port or free_sip_port()
    options = ["-sf", str(SCENARIOS / f"{scenario}.xml"), "-m", str(calls), "-timeout", "90", "-t", f"{transport[0]}1"]
    command = sipp_command("127.0.0.1", work, *options)
    command[command.index("-p") + 1] = str(port)
    process = subprocess.Popen(command, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    try:
        wait_for(lambda: is_taken(port, kind) or process.poll() is not None, "SIPp to listen")
        yield port, process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ended_well(process: subprocess.Popen[str]) -> bool:
    return process.wait(30) == 0


@pytest.mark.peer("baresip")
@pytest.mark.xdist_group("baresip")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_phone_answers_and_hears_its_room(tmp_path: Path, transport: str) -> None:
    said = speech(tmp_path / "said.wav", FILE_S)
    with (
        Baresip(tmp_path / "phone", THEIRS, said, answers=True) as phone,
        Calling(tmp_path, phone.port, transport) as bridge,
    ):
        told = bridge.dial(wait_until_answered=True, dtmf="5w7#")
        assert (told.participant_identity, told.room_name) == (f"sip_{THEIRS}", "lobby")
        assert (told.sip_call_id[:4], told.participant_id[:3]) == ("SCL_", "PA_")
        wait_for(lambda: all(f"'{key}'" in phone.log() for key in "57#"), f"the keys: {phone.log()[-2000:]}")
        [live] = bridge.counters()["live"]
        assert (live["direction"], live["state"], live["callId"]) == ("outbound", "active", told.sip_call_id)
        time.sleep(4)  # real speech takes its time; alone in its room it hears itself
        phone.do("hangup")
        [record] = wait_for(bridge.records, "the record")
        heard = phone.heard()
    assert (record["reason"], record["endedBy"], record["from"], record["to"]) == ("hangup", "callee", OURS, THEIRS)
    assert fit(said, heard) > GOOD_FIT


@pytest.mark.peer("sipp")
def test_a_busy_phone_is_an_error_with_its_status_where_that_is_waited_for(tmp_path: Path) -> None:
    with sipp_phone("uas-busy", tmp_path) as (port, phone), Calling(tmp_path, port) as bridge:
        with pytest.raises(api.SipCallError) as busy:
            bridge.dial(wait_until_answered=True)
        assert (busy.value.sip_status_code, busy.value.sip_status) == (486, "Busy Here")
        assert busy.value.code == "resource_exhausted"
        assert ended_well(phone)
        [record] = bridge.records()
    assert (record["reason"], record["sipStatus"], record["sipReason"]) == ("busy", 486, "Busy Here")


@pytest.mark.peer("sipp")
def test_a_busy_phone_is_no_error_where_nobody_waits(tmp_path: Path) -> None:
    with sipp_phone("uas-busy", tmp_path) as (port, phone), Calling(tmp_path, port) as bridge:
        assert bridge.dial().sip_call_id
        assert ended_well(phone)
        [record] = wait_for(bridge.records, "the record")
    assert record["reason"] == "busy"


@pytest.mark.peer("sipp")
def test_a_phone_that_nobody_picks_up_is_cancelled(tmp_path: Path) -> None:
    with sipp_phone("uas-rings", tmp_path) as (port, phone), Calling(tmp_path, port) as bridge:
        wanted = sip.CreateSIPParticipantRequest(wait_until_answered=True).ringing_timeout
        wanted.FromSeconds(2)
        with pytest.raises(api.TwirpError) as late:
            bridge.dial(wait_until_answered=True, ringing_timeout=wanted)
        assert late.value.code == "deadline_exceeded"
        assert ended_well(phone)
        [record] = bridge.records()
    assert record["reason"] == "no-answer"


def test_nobody_listens_at_the_trunks_address(tmp_path: Path) -> None:
    with Calling(tmp_path, free_sip_port(), "tcp") as bridge:
        with pytest.raises(api.TwirpError) as unreachable:
            bridge.dial(wait_until_answered=True)
        assert unreachable.value.code == "failed_precondition"
        [record] = bridge.records()
    assert record["reason"] == "unreachable"


@pytest.mark.peer("sipp")
def test_twenty_phones_of_one_carrier_answer_at_once(tmp_path: Path) -> None:
    """The carrier's address is in no `allowedAddresses`, and its answers come faster than a stranger may speak."""
    with sipp_phone("uas-g711", tmp_path, calls=20) as (port, phones), Calling(tmp_path, port) as bridge:

        async def all_at_once(client: api.LiveKitAPI) -> list[Any]:
            wanted = [
                sip.CreateSIPParticipantRequest(
                    sip_trunk_id="out", sip_call_to=f"+155501090{n:02d}", room_name=f"r{n}", wait_until_answered=True
                )
                for n in range(20)
            ]
            return await asyncio.gather(*(client.sip.create_sip_participant(each) for each in wanted))

        assert len({told.sip_call_id for told in bridge.ask(all_at_once)}) == 20
        bridge.stop()
        assert ended_well(phones)


@pytest.mark.peer("sipp")
def test_a_password_is_shown_to_the_trunk_that_asks_for_it(tmp_path: Path) -> None:
    more = ", auth: {username: acme, passwordFrom: {file: password}}"
    with sipp_phone("uas-auth", tmp_path) as (port, phone), Calling(tmp_path, port, "udp", more, "tiger") as bridge:
        assert bridge.dial(wait_until_answered=True).sip_call_id
        bridge.stop()
        assert ended_well(phone)


@pytest.mark.peer("sipp")
def test_a_phone_is_sent_on(tmp_path: Path) -> None:
    with sipp_phone("uas-transfer", tmp_path) as (port, phone), Calling(tmp_path, port) as bridge:
        bridge.dial(wait_until_answered=True)
        told = bridge.transfer(headers={"X-Why": "sales"}, play_dialtone=True)
        assert told.status == sip.STS_TRANSFER_SUCCESSFUL
        assert (told.reason, told.sip_status.code) == (sip.STR_COMPLETED, 200)
        assert ended_well(phone)
        [record] = wait_for(bridge.records, "the record")
    assert record["reason"] == "transferred"


@pytest.mark.peer("sipp")
def test_a_transfer_that_is_declined_leaves_the_call_as_it_was(tmp_path: Path) -> None:
    with sipp_phone("uas-transfer-refused", tmp_path) as (port, phone), Calling(tmp_path, port) as bridge:
        bridge.dial(wait_until_answered=True)
        with pytest.raises(api.SipCallError) as declined:
            bridge.transfer(headers={"X-Why": "sales"})
        assert (declined.value.sip_status_code, declined.value.sip_transfer_reason) == (603, "STR_REJECTED")
        assert bridge.counters()["live"]
        bridge.stop()
        assert ended_well(phone)
