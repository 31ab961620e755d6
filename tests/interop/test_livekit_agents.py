"""Calls that an agent of LiveKit's agents framework takes: dispatched by the rule, told only its LIVEKIT_URL."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.livekit_calls import CALLER, bridge_on, outcome, phone
from tests.livekit_peers import Agent, LiveKit, needs_agents, needs_livekit
from tests.peers import free_port, wait_for
from tests.sound import GOOD_FIT, fit, speech

pytestmark = [needs_livekit, needs_agents, pytest.mark.xdist_group("livekit")]


@pytest.mark.parametrize(("codec", "through_the_bridge"), [("auto", False), ("opus", False), ("auto", True)])
def test_a_dispatched_agent_and_a_caller_hear_each_other(
    tmp_path: Path, codec: str, *, through_the_bridge: bool
) -> None:
    caller_says, agent_says = speech(tmp_path / "c.wav", 20), speech(tmp_path / "a.wav", 20, reverse=True)
    caller_heard, agent_heard = tmp_path / "caller-heard.wav", tmp_path / "agent-heard.wav"
    told = json.dumps({"say": str(agent_says), "heard": str(agent_heard), "seconds": 6})
    rule = (
        f"  media: {{roomCodec: {codec}}}\n  attributes: {{tenant: acme}}\n  metadata: hello\n"
        f"  room: {{agents: [{{agentName: receptionist, metadata: '{told}'}}]}}\n"
    )
    ours = f"127.0.0.1:{free_port(socket.SOCK_STREAM)}"
    with (
        LiveKit(tmp_path / "livekit") as server,
        bridge_on(server, tmp_path, rule, "", "--livekit-api", ours) as bridge,
        Agent(f"ws://{ours}" if through_the_bridge else server.url) as agent,
    ):
        call = phone(bridge, caller_says, caller_heard, 20, "+15550101111", "--dtmf", "5")
        shown = agent.await_event(lambda e: e["event"] == "caller")
        hears = agent.await_event(lambda e: e["event"] == "hears")
        agent.await_event(lambda e: e["event"] == "key" and e["digit"] == "5")
        ended = agent.await_event(lambda e: e["event"] == "ended")
        result = outcome(call)
        agent.await_event(lambda e: e["event"] == "done")
        [record] = wait_for(bridge.records, "the record")
    assert (shown["identity"], shown["kind"], shown["name"]) == (CALLER, 3, "Phone +15550101111")
    assert shown["metadata"] == "hello"
    assert shown["attributes"]["tenant"] == "acme"
    assert shown["attributes"]["sip.phoneNumber"] == "+15550101111"
    assert shown["attributes"]["sip.trunkPhoneNumber"] == "+15550100000"
    assert hears["mime"].lower() == {"auto": "audio/pcmu", "opus": "audio/opus", "pcma": "audio/pcma"}[codec]
    assert fit(caller_says, agent_heard) > GOOD_FIT, "the agent hears the phone"
    assert fit(agent_says, caller_heard) > GOOD_FIT, "the phone hears the agent"
    assert result["digits"] == "9"
    assert ended.get("answer") == "{}", f"who ends the call is told so: {ended}"
    assert (record["reason"], record["endedBy"]) == ("ended-by-room", "room")
