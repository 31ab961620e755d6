"""SIP over TCP with SIPp and with sockets of our own: one connection or many, cut, half used, flooded."""

from __future__ import annotations

import re
import select
import socket
import subprocess
import time
from pathlib import Path

import pytest

from runtime.sip.limits import MESSAGE_WITHIN_S
from tests.peers import STEADY, BridgeProcess, sipp, sipp_command, talk_share, wait_for
from tests.sound import SPEECH_PCMU

pytestmark = [pytest.mark.peer("sipp"), pytest.mark.xdist_group("sipp")]
SCENARIOS = Path(__file__).parent / "scenarios"
ANSWER = b"SIP/2.0 200 OK"
SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"


class Caller:
    """One call by hand: each message goes down whichever connection it is given."""

    def __init__(self, bridge: BridgeProcess, name: str) -> None:
        self.bridge, self.name, self.to_tag, self.cseq = bridge, name, "", 0

    def connection(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.bridge.port))
        made.settimeout(10)
        return made

    def message(self, method: str, body: str = "") -> bytes:
        if method != "ACK":
            self.cseq += 1
        lines = [
            f"{method} sip:+16660000001@{self.bridge.target} SIP/2.0",
            f"Via: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK{self.name}{method}{self.cseq}",
            f"From: <sip:+15550101111@127.0.0.1>;tag={self.name}",
            f"To: <sip:+16660000001@{self.bridge.target}>{self.to_tag}",
            f"Call-ID: {self.name}@test",
            f"CSeq: {self.cseq} {method}",
            "Contact: <sip:+15550101111@127.0.0.1:9;transport=tcp>",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
            "",
            body,
        ]
        return "\r\n".join(lines).encode()

    def call(self, connection: socket.socket) -> None:
        """INVITE, 200, ACK."""
        connection.sendall(self.message("INVITE", SDP))
        answer = until_answer(connection, 200)
        self.to_tag = ";tag=" + re.search(r"^To:.*;tag=([^\s;]+)", answer, re.MULTILINE)[1]  # type: ignore[index]
        connection.sendall(self.message("ACK"))


def until_answer(connection: socket.socket, status: int) -> str:
    """All that comes until a response with this status is whole."""
    heard = ""
    while not re.search(rf"SIP/2\.0 {status} .*?\r\n\r\n", heard, re.DOTALL):
        data = connection.recv(65536)
        assert data, f"closed before {status}: {heard}"
        heard += data.decode()
    return heard


def test_many_calls_over_one_connection(shared_bridge: BridgeProcess, tmp_path: Path) -> None:
    ended = sum(shared_bridge.counters()["connections"]["ended"].values())
    before = len(shared_bridge.records())
    # All go into one room, which a slow machine must not fill: 80 are up at a time.
    done = sipp(
        shared_bridge.target, tmp_path, "-sn", "uac", "-s", "+16660000001", "-t", "t1", "-r", "100", "-m", "300",
        "-l", "80", "-d", "200",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    wait_for(lambda: len(shared_bridge.records()) == before + 300, "the records")
    assert {r["reason"] for r in shared_bridge.records()[before:]} == {"hangup"}
    wait_for(lambda: shared_bridge.counters()["connections"]["open"] == 0, "its end")
    assert sum(shared_bridge.counters()["connections"]["ended"].values()) == ended + 1


def test_each_call_over_a_connection_of_its_own_with_media(shared_bridge: BridgeProcess, tmp_path: Path) -> None:
    (tmp_path / "speech.ul").write_bytes(SPEECH_PCMU)
    (tmp_path / "to.csv").write_text("SEQUENTIAL\n" + "".join(f"+1666{n // 2 + 1:07d};\n" for n in range(20)))
    ended = sum(shared_bridge.counters()["connections"]["ended"].values())
    before = len(shared_bridge.records())
    options = ["-sf", str(SCENARIOS / "uac-g711.xml"), "-inf", "to.csv", "-m", "20", "-l", "20", "-r", "20"]
    done = sipp(shared_bridge.target, tmp_path, *options, "-d", "2000", "-t", "tn")
    assert done.returncode == 0, done.stdout[-2000:]
    records = wait_for(lambda: shared_bridge.records()[before:][19:] and shared_bridge.records()[before:], "records")
    assert all(record["media"]["packetsSent"] > 80 for record in records)
    wait_for(lambda: shared_bridge.counters()["connections"]["open"] == 0, "their end")
    assert sum(shared_bridge.counters()["connections"]["ended"].values()) == ended + 20


@pytest.mark.parametrize("transport", ["u1", "t1"])
def test_a_stopping_bridge_hangs_up_along_the_connection_that_a_call_came_by(
    bridge: BridgeProcess, tmp_path: Path, transport: str
) -> None:
    scenario = ["-sf", str(SCENARIOS / "hung-up.xml"), "-s", "+16660000001", "-m", "3", "-l", "3", "-r", "50"]
    call = subprocess.Popen(
        sipp_command(bridge.target, tmp_path, *scenario, "-t", transport), cwd=tmp_path, stdout=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: [r["state"] for r in bridge.counters()["live"]] == ["active"] * 3, "the calls to be up")
        bridge.stop()
        assert call.wait(20) == 0
    finally:
        call.kill()
    assert [record["reason"] for record in bridge.records()] == ["shutdown"] * 3


def test_a_call_outlives_its_connection_and_is_hung_up_by_another(shared_bridge: BridgeProcess) -> None:
    before = len(shared_bridge.records())
    caller = Caller(shared_bridge, "outlives")
    first = caller.connection()
    caller.call(first)
    first.close()
    wait_for(lambda: shared_bridge.counters()["connections"]["open"] == 0, "the bridge to see it")
    assert len(shared_bridge.counters()["live"]) == 1
    second = caller.connection()
    second.sendall(caller.message("INVITE", SDP))
    until_answer(second, 200)
    second.sendall(caller.message("ACK"))
    second.close()
    third = caller.connection()
    third.sendall(caller.message("BYE"))
    until_answer(third, 200)
    third.close()
    [record] = wait_for(lambda: shared_bridge.records()[before:], "the record")
    assert (record["reason"], record["endedBy"]) == ("hangup", "caller")


def test_half_a_message_and_silence_costs_one_answer_and_a_burst_no_other_call(
    bridge: BridgeProcess, tmp_path: Path
) -> None:
    (tmp_path / "speech.ul").write_bytes(SPEECH_PCMU)
    (tmp_path / "to.csv").write_text("SEQUENTIAL\n+16660000001;\n")
    scenario = ["-sf", str(SCENARIOS / "uac-g711.xml"), "-inf", "to.csv", "-m", "1", "-d", "11000"]
    call = subprocess.Popen(sipp_command(bridge.target, tmp_path, *scenario), cwd=tmp_path, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: len(bridge.counters()["live"]) == 1, "the call to be up")
        with Caller(bridge, "half").connection() as half:
            began = time.monotonic()
            half.sendall(Caller(bridge, "half").message("OPTIONS")[:-30])
            burst_of_options(bridge, 10_000)
            half.settimeout(MESSAGE_WITHIN_S + 5)
            assert "400 Message Did Not End In Time" in until_answer(half, 400)
            assert time.monotonic() - began >= MESSAGE_WITHIN_S
            assert half.recv(100) == b"", "and the connection is closed"
    finally:
        returned = call.wait(30)
    assert returned == 0
    record = wait_for(bridge.records, "the record")[-1]
    assert record["media"]["packetsLost"] == 0
    told = bridge.counters()
    assert talk_share(record) > STEADY, "a burst holds up no media"
    assert told["connections"]["ended"]["Message Did Not End In Time"] == 1


def burst_of_options(bridge: BridgeProcess, count: int) -> None:
    """So many requests in one connection as fast as it takes them: each is answered, though the rate is exceeded."""
    peer = Caller(bridge, "burst")
    connection = peer.connection()
    connection.setblocking(False)
    waiting = b"".join(peer.message("OPTIONS") for _ in range(count))
    heard, answered = b"", 0
    deadline = time.monotonic() + 30
    while answered < count:
        assert time.monotonic() < deadline, f"{answered} of {count} answered"
        readable, writable, _ = select.select([connection], [connection] if waiting else [], [], 1)
        if writable:
            waiting = waiting[connection.send(waiting[:65536]) :]
        if readable:
            data = connection.recv(1 << 20)
            assert data, "the connection stays open"
            heard = heard[1 - len(ANSWER) :] + data
            answered += heard.count(ANSWER)
    connection.close()
