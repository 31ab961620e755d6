"""Calls in rooms of a genuine livekit-server, with LiveKit's own client on the other side."""

from __future__ import annotations

import audioop
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.livekit_calls import CALLER, NUMBER, bridge_on, is_active, outcome, phone
from tests.livekit_front import Front
from tests.livekit_peers import Client, LiveKit, needs_livekit
from tests.peers import ROOT, Baresip, free_port, lesson, sipp_command, wait_for
from tests.sound import GOOD_FIT, fit, samples, speech

pytestmark = [needs_livekit, pytest.mark.xdist_group("livekit")]
TALK_S = 5
SCENARIOS = Path(__file__).parent / "scenarios"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKit]:
    with LiveKit(tmp_path_factory.mktemp("livekit")) as running:
        yield running


@pytest.fixture
def door(server: LiveKit, request: pytest.FixtureRequest) -> Iterator[LiveKit | Front]:
    """The server as it is, or as an older one, by which a call has two media paths."""
    if request.param == "one-path":
        yield server
        return
    with Front(server, older=True) as front:
        yield front
        assert "/rtc" in front.paths


both_ways = pytest.mark.parametrize("door", ["one-path", "two-paths"], indirect=True)


@pytest.mark.parametrize(
    ("door", "codec"),
    [("one-path", "auto"), ("one-path", "opus"), ("one-path", "pcma"), ("two-paths", "auto"), ("two-paths", "opus")],
    indirect=["door"],
)
def test_a_caller_and_a_client_of_livekit_hear_each_other(
    server: LiveKit, door: LiveKit | Front, tmp_path: Path, codec: str
) -> None:
    caller_says, agent_says = speech(tmp_path / "c.wav", 20), speech(tmp_path / "a.wav", 20, reverse=True)
    rule = f"  media: {{roomCodec: {codec}}}\n  attributes: {{tenant: acme}}\n  metadata: hello\n"
    with bridge_on(door, tmp_path, rule) as bridge, Client(server, "agent", "lobby", agent_says) as agent:
        call = phone(bridge, caller_says, tmp_path / "heard.wav", TALK_S)
        shown = agent.await_event(lambda e: e["event"] == "participant" and e["identity"] == CALLER)
        track = agent.await_event(lambda e: e["event"] == "track" and e["identity"] == CALLER)
        agent.await_event(is_active)
        result = outcome(call)
        agent.await_event(lambda e: e["event"] == "attributes" and e["changed"].get("sip.callStatus") == "hangup")
        left = agent.await_event(lambda e: e["event"] == "left" and e["identity"] == CALLER)
        agent_heard = agent.heard(CALLER, tmp_path / "agent-heard.wav")
        assert bridge.records()[-1]["reason"] == "hangup"
    assert result["answered"]
    assert shown["kind"] == 3, "SIP"
    assert (shown["name"], shown["metadata"]) == ("Phone +15550101111", "hello")
    assert shown["attributes"]["sip.callStatus"] in ("ringing", "active"), "a slow machine shows it when it is answered"
    assert shown["attributes"]["tenant"] == "acme"
    assert track["mime"].lower() == {"auto": "audio/pcmu", "opus": "audio/opus", "pcma": "audio/pcma"}[codec]
    assert left["reason"] == 1, "client initiated"
    assert fit(caller_says, agent_heard) > GOOD_FIT, "the client hears the phone"
    assert fit(agent_says, tmp_path / "heard.wav") > GOOD_FIT, "the phone hears the client"


@pytest.mark.parametrize("codec", ["opus", "g722"])
def test_a_phone_of_a_wide_codec_is_published_as_opus(server: LiveKit, tmp_path: Path, codec: str) -> None:
    caller_says, agent_says = speech(tmp_path / "c.wav", 20), speech(tmp_path / "a.wav", 20, reverse=True)
    with bridge_on(server, tmp_path) as bridge, Client(server, "agent", "lobby", agent_says) as agent:
        call = phone(bridge, caller_says, tmp_path / "heard.wav", TALK_S, "+15550101111", "--codec", codec)
        track = agent.await_event(lambda e: e["event"] == "track" and e["identity"] == CALLER)
        result = outcome(call)
        agent_heard = agent.heard(CALLER, tmp_path / "agent-heard.wav")
    assert (result["answered"], result["codec"], track["mime"].lower()) == (True, codec, "audio/opus")
    assert fit(caller_says, agent_heard) > GOOD_FIT, "the client hears the phone"
    assert fit(agent_says, tmp_path / "heard.wav") > GOOD_FIT, "the phone hears the client"


def test_two_phones_hear_each_other_through_a_room(server: LiveKit, tmp_path: Path) -> None:
    says = [speech(tmp_path / "1.wav", 20), speech(tmp_path / "2.wav", 20, reverse=True)]
    heard = [tmp_path / "h1.wav", tmp_path / "h2.wav"]
    with bridge_on(server, tmp_path) as bridge:
        calls = [phone(bridge, says[n], heard[n], TALK_S, f"+1555010{n}{n}{n}{n}") for n in (0, 1)]
        assert all(outcome(call)["answered"] for call in calls)
    assert fit(says[1], heard[0]) > GOOD_FIT
    assert fit(says[0], heard[1]) > GOOD_FIT


def test_the_phone_rings_until_somebody_is_there(server: LiveKit, tmp_path: Path) -> None:
    with bridge_on(server, tmp_path, trunk="    ringingTimeout: 2s\n") as bridge:
        result = outcome(phone(bridge, speech(tmp_path / "c.wav", 5), tmp_path / "h.wav", 3))
        assert (result["answered"], result["sipStatus"]) == (False, 480)
        [record] = bridge.records()
    assert record["reason"] == "ringing-timeout"


def test_a_call_can_be_answered_before_its_room_is_ready(server: LiveKit, tmp_path: Path) -> None:
    with bridge_on(server, tmp_path, "  answer: immediately\n") as bridge:
        started = time.monotonic()
        assert outcome(phone(bridge, speech(tmp_path / "c.wav", 5), tmp_path / "h.wav", 1))["answered"]
    assert time.monotonic() - started < 10


def test_a_server_that_is_not_there_gives_callers_the_fallback(server: LiveKit, tmp_path: Path) -> None:
    absent = LiveKit(tmp_path / "absent")
    with bridge_on(absent, tmp_path, "  fallback: {sipCode: 503}\n") as bridge:
        assert "cannot be reached" in bridge.log()
        result = outcome(phone(bridge, speech(tmp_path / "c.wav", 5), tmp_path / "h.wav", 1))
        assert result["sipStatus"] == 503
        assert bridge.records()[-1]["reason"] == "room-unreachable"


def test_wrong_keys_are_said_at_the_start(server: LiveKit, tmp_path: Path) -> None:
    with lesson("01-one-number", tmp_path) as manifests:
        done = subprocess.run(
            [
                sys.executable, "-m", "runtime", "up", str(manifests), "--state", str(tmp_path / "state"),
                "--rooms", "livekit", "--listen", f"udp://127.0.0.1:{free_port()}", "--api", "off",
            ],
            cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
            env={**os.environ, **server.environment, "LIVEKIT_API_SECRET": "wrong" * 8},
        )  # fmt: skip
    assert done.returncode != 0
    assert "does not accept the API key devkey" in done.stderr
    assert "LIVEKIT_API_SECRET" in done.stderr
    assert "wrongwrong" not in done.stderr + done.stdout


@both_ways
@pytest.mark.peer("sipp")
def test_digits_procedures_and_headers_go_both_ways(server: LiveKit, door: LiveKit | Front, tmp_path: Path) -> None:
    trunk = (
        "    includeHeaders: x\n    headersToAttributes: {X-Tenant: tenant}\n"
        "    attributesToHeaders: {outcome: X-Outcome}\n    headers: {X-Served-By: dialplane}\n"
    )
    with (
        bridge_on(door, tmp_path, trunk=trunk) as bridge,
        Client(server, "agent", "lobby", speech(tmp_path / "a.wav", 5)) as agent,
    ):
        scenario = SCENARIOS / "room-caller.xml"
        options = (
            "-sf",
            str(scenario),
            "-s",
            NUMBER,
            "-m",
            "1",
            "-trace_msg",
            "-message_file",
            str(tmp_path / "messages.log"),
        )
        caller = subprocess.Popen(
            sipp_command(bridge.target, tmp_path, *options), cwd=tmp_path, stdout=subprocess.DEVNULL
        )
        shown = agent.await_event(lambda e: e["event"] == "participant" and e["identity"] == "sip_+15550101111")
        agent.await_event(is_active)
        time.sleep(0.5)
        agent.do("rpc", to=CALLER, method="lk.sip.GetRemoteHeaders", payload='{"exclude": ["X-Tenant"]}')
        headers = json.loads(agent.await_event(lambda e: e["event"] == "rpc")["answer"])["headers"]
        agent.events.clear()
        agent.do("rpc", to=CALLER, method="lk.sip.EndCall", payload=json.dumps({"headers": {"X-Bad": "a\r\nVia: x"}}))
        refused = agent.await_event(lambda e: e["event"] == "rpc")
        agent.events.clear()
        agent.do("attributes", room="lobby", identity=CALLER, attributes={"outcome": "sold"})
        agent.await_event(lambda e: e["event"] == "attributes" and e["changed"].get("outcome") == "sold")
        agent.do("rpc", to=CALLER, method="lk.sip.EndCall", payload=json.dumps({"headers": {"X-Why": "done"}}))
        ended = agent.await_event(lambda e: e["event"] == "rpc")
        assert caller.wait(20) == 0
        record = wait_for(lambda: bridge.records(), "the record")[-1]
    messages = (tmp_path / "messages.log").read_text()
    answer, bye = (next(m for m in messages.split("\n----") if f"\n{line}" in m) for line in ("SIP/2.0 200", "BYE "))
    assert shown["attributes"]["tenant"] == "acme"
    assert shown["attributes"]["sip.h.x-tenant"] == "acme"
    assert shown["attributes"]["sip.twilio.callSid"] == "CA1"
    assert headers["X-Twilio-CallSid"] == "CA1"
    assert {name.lower() for name in headers}.isdisjoint({"via", "x-tenant", "cseq"})
    assert refused["code"] == 1500
    assert ended.get("answer") == "{}", ended
    assert "X-Served-By: dialplane" in answer
    assert "X-Outcome: sold" in bye
    assert "X-Why: done" in bye
    assert (record["reason"], record["endedBy"]) == ("ended-by-room", "room")


@pytest.mark.peer("baresip")
def test_a_room_holds_its_phone_and_sees_the_phone_hold(server: LiveKit, tmp_path: Path) -> None:
    said = speech(tmp_path / "said.wav", 60.0)
    with (
        bridge_on(server, tmp_path) as bridge,
        Client(server, "agent", "lobby", speech(tmp_path / "a.wav", 5)) as agent,
        Baresip(tmp_path / "b", "+15550101111", said) as caller,
    ):

        def holds(who: str) -> None:
            agent.await_event(lambda e: e["event"] == "attributes" and e["changed"].get("sip.hold") == who)
            agent.events.clear()

        caller.do("dial", f"sip:{NUMBER}@{bridge.target}")
        agent.await_event(is_active)
        agent.do("rpc", to=CALLER, method="lk.sip.Hold", payload="{}")
        holds("local")
        caller.do("hold")
        holds("both")
        agent.do("rpc", to=CALLER, method="lk.sip.Resume", payload="")
        holds("remote")
        caller.do("resume")
        holds("")
        assert dict(bridge.counters()["live"][0])["state"] == "active"
        caller.do("hangup")


def test_attributes_beyond_the_servers_bound_are_left_out_and_the_calls_own_are_not(
    server: LiveKit, tmp_path: Path
) -> None:
    rule = "  attributes: {" + ", ".join(f"a{n:02}: {'x' * 2000}" for n in range(40)) + "}\n"
    with (
        bridge_on(server, tmp_path, rule) as bridge,
        Client(server, "agent", "lobby", speech(tmp_path / "a.wav", 5)) as agent,
    ):
        call = phone(bridge, speech(tmp_path / "c.wav", 5), tmp_path / "1.wav", 3)
        first = agent.await_event(lambda e: e["event"] == "participant" and e["identity"] == CALLER)
        last = agent.await_event(lambda e: e["event"] == "attributes" and "a30" in e["attributes"])
        assert outcome(call)["answered"]
    assert first["attributes"]["sip.phoneNumber"] == "+15550101111"
    size = sum(len(name) + len(value) for name, value in last["attributes"].items())
    assert 62_000 < size <= 64 << 10
    assert last["attributes"]["sip.phoneNumber"] == "+15550101111"


@both_ways
def test_keys_go_both_ways_and_not_from_phone_to_phone(server: LiveKit, door: LiveKit | Front, tmp_path: Path) -> None:
    said = speech(tmp_path / "c.wav", 20)
    with bridge_on(door, tmp_path) as bridge, Client(server, "agent", "lobby", said) as agent:
        pressing = phone(bridge, said, tmp_path / "1.wav", 5, "+15550101111", "--dtmf", "www57#")
        other = phone(bridge, said, tmp_path / "2.wav", 5, "+15550102222")
        for digit in "57#":
            agent.await_event(lambda e, d=digit: e["event"] == "dtmf" and (e["digit"], e["identity"]) == (d, CALLER))
        agent.do("dtmf", digit="9")
        heard = [outcome(call)["digits"] for call in (pressing, other)]
    assert heard == ["9", "9"]


@pytest.mark.peer("sipp")
def test_what_a_phone_writes_is_data_of_its_room(server: LiveKit, tmp_path: Path) -> None:
    said = speech(tmp_path / "c.wav", 20)
    with bridge_on(server, tmp_path, "  messages: room\n") as bridge, Client(server, "agent", "lobby", said) as agent:
        options = ["-sf", str(SCENARIOS / "message.xml"), "-s", NUMBER, "-m", "1"]
        phone = subprocess.Popen(
            sipp_command(bridge.target, tmp_path, *options), cwd=tmp_path, stdout=subprocess.DEVNULL
        )
        for method, kind, body in (("MESSAGE", "text/plain", "hello"), ("INFO", "application/xml", "<a/>")):
            told = agent.await_event(lambda e, m=method: e["event"] == "data" and m in e["text"])
            assert told["topic"] == "sip.message"
            assert json.loads(told["text"])["contentType"] == kind
            assert json.loads(told["text"])["body"].strip() == body
        assert phone.wait(20) == 0, (tmp_path / "sipp-errors.log").read_text()


@both_ways
@pytest.mark.parametrize(
    ("act", "reason"),
    [("remove", "removed"), ("delete", "room-closed"), ("duplicate", "duplicate-identity")],
)
def test_who_is_sent_out_of_the_room_is_hung_up_on(
    server: LiveKit, door: LiveKit | Front, tmp_path: Path, act: str, reason: str
) -> None:
    said = speech(tmp_path / "c.wav", 20)
    with bridge_on(door, tmp_path) as bridge, Client(server, "agent", "lobby", said) as agent:
        call = phone(bridge, said, tmp_path / "1.wav", 15)
        agent.await_event(is_active)
        if act == "duplicate":
            with Client(server, CALLER, "lobby"):
                result = outcome(call)
        else:
            agent.do(act, room="lobby", identity=CALLER)
            result = outcome(call)
        [record] = wait_for(bridge.records, "the record")
    assert result["endedByPeer"]
    assert (record["reason"], record["endedBy"]) == (reason, "room")


@both_ways
def test_a_track_that_the_server_mutes_is_silent(server: LiveKit, door: LiveKit | Front, tmp_path: Path) -> None:
    said = speech(tmp_path / "c.wav", 20)
    with bridge_on(door, tmp_path) as bridge, Client(server, "agent", "lobby", said) as agent:
        call = phone(bridge, said, tmp_path / "1.wav", 8)
        agent.await_event(lambda e: e["event"] == "track" and e["identity"] == CALLER)
        agent.do("mute", room="lobby", identity=CALLER)
        agent.await_event(lambda e: e["event"] == "muted" and e["identity"] == CALLER)
        time.sleep(0.5)
        before = samples(agent.heard(CALLER, tmp_path / "before.wav"))
        time.sleep(2)
        after = samples(agent.heard(CALLER, tmp_path / "after.wav"))
        assert outcome(call)["answered"]
    assert audioop.rms(after[len(before) :] or b"\0\0", 2) < 30


def test_a_rule_starts_its_agent(server: LiveKit, tmp_path: Path) -> None:
    """The dispatch is the server's: it is made with the room, by the token of the call that makes it."""
    rule = "  room: {agents: [{agentName: receptionist, metadata: desk}], metadata: from-the-rule}\n"
    said = speech(tmp_path / "c.wav", 5)
    with bridge_on(server, tmp_path, rule, "    ringingTimeout: 4s\n") as bridge:
        wait_for(lambda: not server.ask("rooms"), "the room of the tests before to be gone", 40)
        call = phone(bridge, said, tmp_path / "1.wav", 2)
        [dispatch] = wait_for(lambda: server.ask("dispatches", room="lobby"), "the dispatch")
        [room] = server.ask("rooms")
        outcome(call)
    assert (dispatch.agent_name, dispatch.metadata, room.metadata) == ("receptionist", "desk", "from-the-rule")
