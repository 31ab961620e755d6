"""What is done with the sound of calls whose rooms are on a genuine livekit-server."""

from __future__ import annotations

import audioop
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.test_dialling import Calling
from tests.interop.test_sound import noisy, quietest, recorded, sides
from tests.livekit_calls import CALLER, bridge_on, is_active, outcome, phone
from tests.livekit_peers import Client, LiveKit, needs_livekit
from tests.peers import Baresip
from tests.sound import GOOD_FIT, fit, samples, speech, write_wav

pytestmark = [needs_livekit, pytest.mark.xdist_group("livekit")]
THEIRS = "sip_+15550109999"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKit]:
    with LiveKit(tmp_path_factory.mktemp("livekit")) as running:
        yield running


def test_a_room_is_told_of_a_recording_which_has_both_sides(server: LiveKit, tmp_path: Path) -> None:
    caller_says, agent_says = speech(tmp_path / "c.wav", 20), speech(tmp_path / "a.wav", 20, reverse=True)
    rule = "  recording: {format: opus}\n"
    with bridge_on(server, tmp_path, rule) as bridge, Client(server, "agent", "lobby", agent_says) as agent:
        call = phone(bridge, caller_says, tmp_path / "heard.wav", 5)
        told = agent.await_event(lambda e: e["event"] == "attributes" and "sip.recording" in e["changed"])
        assert outcome(call)["answered"]
        record = bridge.records()[-1]
        assert told["changed"]["sip.recording"] == record["recording"]
        left, right = sides(recorded(bridge, record))
    assert fit(caller_says, write_wav(tmp_path / "left.wav", left)) > GOOD_FIT
    assert fit(agent_says, write_wav(tmp_path / "right.wav", right)) > GOOD_FIT


@pytest.mark.parametrize("room_codec", ["auto", "opus"])
def test_a_room_hears_a_caller_without_its_noise(server: LiveKit, tmp_path: Path, room_codec: str) -> None:
    clean, said = noisy(tmp_path, 14)
    rule = f"  noiseCancellation: true\n  media: {{roomCodec: {room_codec}}}\n"
    says = speech(tmp_path / "a.wav", 20, reverse=True)
    with bridge_on(server, tmp_path, rule) as bridge, Client(server, "agent", "lobby", says) as agent:
        call = phone(bridge, said, tmp_path / "heard.wav", 10)
        agent.await_event(is_active)
        assert outcome(call)["answered"]
        heard = samples(agent.heard(CALLER, tmp_path / "agent-heard.wav"))
    assert quietest(heard[len(heard) // 2 :]) < 300, "between the words, where 1,200 came in"
    assert fit(clean, write_wav(tmp_path / "h.wav", heard)) > GOOD_FIT


@pytest.mark.peer("baresip")
@pytest.mark.parametrize("krisp", [True, False])
def test_krisp_enabled_asks_for_it_in_a_request(server: LiveKit, tmp_path: Path, krisp: bool) -> None:
    clean, said = noisy(tmp_path, 20)
    with (
        Baresip(tmp_path / "phone", "+15550109999", said, answers=True) as callee,
        Calling(tmp_path, callee.port, server=server) as bridge,
        Client(server, "agent", "lobby") as agent,
    ):
        bridge.dial(wait_until_answered=True, krisp_enabled=krisp)
        time.sleep(8)
        callee.do("hangup")
        agent.await_event(lambda e: e["event"] == "left" and e["identity"] == THEIRS)
        heard = samples(agent.heard(THEIRS, tmp_path / "agent-heard.wav"))
    second = heard[len(heard) // 2 :]
    assert (quietest(second) < 300) is krisp
    assert fit(clean, write_wav(tmp_path / "h.wav", heard)) > GOOD_FIT - 0.1
    assert audioop.rms(second, 2) > 100
