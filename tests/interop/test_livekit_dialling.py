"""Phones that are called into rooms of a genuine livekit-server, with LiveKit's own clients on both other sides."""

from __future__ import annotations

import cmath
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from livekit import api

from tests.interop.test_dialling import Calling, ended_well, sipp_phone
from tests.livekit_peers import Client, LiveKit, needs_livekit
from tests.peers import Baresip, wait_for
from tests.sound import GOOD_FIT, fit, speech

pytestmark = [needs_livekit, pytest.mark.xdist_group("livekit")]
THEIRS = "+15550109999"
PHONE = f"sip_{THEIRS}"
FILE_S = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKit]:
    with LiveKit(tmp_path_factory.mktemp("livekit")) as running:
        yield running


@pytest.mark.peer("baresip")
@pytest.mark.parametrize("codec", ["auto", "opus"])
def test_a_phone_and_an_agent_hear_each_other(server: LiveKit, tmp_path: Path, codec: str) -> None:
    said, agent_says = speech(tmp_path / "p.wav", FILE_S), speech(tmp_path / "a.wav", FILE_S, reverse=True)
    more = ", includeHeaders: x"
    with (
        Baresip(tmp_path / "phone", THEIRS, said, answers=True) as phone,
        Calling(tmp_path, phone.port, more=more, room_codec=codec, server=server) as bridge,
        Client(server, "agent", "lobby", agent_says) as agent,
    ):
        told = bridge.dial(
            wait_until_answered=True, dtmf="7", participant_name="Ann", participant_metadata="vip",
            participant_attributes={"case": "77"},
        )  # fmt: skip
        shown = agent.await_event(lambda e: e["event"] == "participant" and e["identity"] == PHONE)
        assert (shown["kind"], shown["name"], shown["metadata"]) == (3, "Ann", "vip")
        assert shown["attributes"]["sip.callID"] == told.sip_call_id
        assert shown["attributes"]["case"] == "77"
        for status in ("automation", "active"):
            agent.await_event(
                lambda e, s=status: e["event"] == "attributes" and e["changed"].get("sip.callStatus") == s
            )
        wait_for(lambda: "'7'" in phone.log(), "the key")
        agent.do("dtmf", digit="9")
        wait_for(lambda: "'9'" in phone.log(), f"the agent's key: {phone.log()[-1000:]}")
        time.sleep(4)
        phone.do("hangup")
        agent.await_event(lambda e: e["event"] == "left" and e["identity"] == PHONE)
        agent_heard, phone_heard = agent.heard(PHONE, tmp_path / "agent-heard.wav"), phone.heard()
        [record] = bridge.records()
    assert (record["reason"], record["endedBy"], record["participantIdentity"]) == ("hangup", "callee", PHONE)
    assert fit(said, agent_heard) > GOOD_FIT, "the agent hears the phone"
    assert fit(agent_says, phone_heard) > GOOD_FIT, "the phone hears the agent"


@pytest.mark.peer("sipp")
def test_a_busy_phone_leaves_its_room_with_the_right_reason(server: LiveKit, tmp_path: Path) -> None:
    with (
        sipp_phone("uas-busy", tmp_path) as (port, phone),
        Calling(tmp_path, port, server=server) as bridge,
        Client(server, "agent", "lobby") as agent,
    ):
        with pytest.raises(api.SipCallError) as busy:
            bridge.dial(wait_until_answered=True)
        assert busy.value.sip_status_code == 486
        left = agent.await_event(lambda e: e["event"] == "left" and e["identity"] == PHONE)
        assert left["reason"] == 12, "USER_REJECTED"
        assert ended_well(phone)


@pytest.mark.peer("sipp")
@pytest.mark.parametrize("act", ["remove", "delete"])
def test_a_phone_whose_room_is_taken_away_rings_no_longer(server: LiveKit, tmp_path: Path, act: str) -> None:
    with (
        sipp_phone("uas-rings", tmp_path) as (port, phone),
        Calling(tmp_path, port, server=server) as bridge,
        Client(server, "agent", "lobby") as agent,
    ):
        bridge.dial(play_dialtone=True)
        agent.await_event(lambda e: e["event"] == "attributes" and e["changed"].get("sip.callStatus") == "ringing")
        agent.do(act, room="lobby", identity=PHONE)
        assert ended_well(phone), "CANCEL, 487, ACK"
        [record] = wait_for(bridge.records, "the record")
    assert record["reason"] in ("removed", "room-closed")


@pytest.mark.peer("sipp")
def test_the_room_hears_the_ringing_tone(server: LiveKit, tmp_path: Path) -> None:
    with (
        sipp_phone("uas-rings", tmp_path) as (port, _phone),
        Calling(tmp_path, port, server=server) as bridge,
        Client(server, "agent", "lobby") as agent,
    ):
        bridge.dial(play_dialtone=True)
        agent.await_event(lambda e: e["event"] == "track" and e["identity"] == PHONE)
        time.sleep(6)
        heard = agent.heard(PHONE, tmp_path / "heard.wav")
    assert 0.05 < tone_share(heard, 425) < 0.6


@pytest.mark.peer("sipp")
def test_a_room_that_cannot_be_had_calls_nobody(tmp_path: Path) -> None:
    gone = LiveKit(tmp_path / "gone")
    with sipp_phone("uas-busy", tmp_path) as (port, phone), Calling(tmp_path, port, server=gone) as bridge:
        with pytest.raises(api.TwirpError) as refused:
            bridge.dial(wait_until_answered=True)
        assert refused.value.code == "unavailable"
        assert phone.poll() is None, "it was not called"


def tone_share(path: Path, hertz: int) -> float:
    """The share of frames of 20 ms in which this frequency is most of what there is (Goertzel)."""
    with wave.open(str(path)) as file:
        rate = file.getframerate()
        data = memoryview(file.readframes(file.getnframes())).cast("h")
    frame = rate // 50
    loud = 0
    for at in range(0, len(data) - frame, frame):
        part = data[at : at + frame]
        energy = sum(v * v for v in part)
        turn = cmath.exp(-2j * cmath.pi * hertz / rate)
        total, phase = 0j, 1 + 0j
        for value in part:
            total += value * phase
            phase *= turn
        loud += energy > frame * 10_000 and 2 * abs(total) ** 2 / frame > 0.8 * energy
    return loud / max(1, len(data) // frame)
