"""A phone of a web page (RFC 7118) against a bridge as a user runs it; the WebSocket is a library's.

No peer of Debian's speaks SIP over WebSocket as a client, so its messages are written here as JsSIP writes them,
without an address of its own in Via and Contact; and, as the RFC allows, without Content-Length.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from ssl import create_default_context

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.certificates import Authority
from tests.peers import BridgeProcess, free_port, lesson, wait_for

PAGE = "https://phone.example"
WAIT_S = 20
PACKETS = 25


class Listening(BridgeProcess):
    """A bridge on the first example that listens by WebSocket, too: at `ws_port`, and by TLS at `wss_port`."""

    def __init__(self, manifests: Path, work: Path) -> None:
        self.authority = Authority(work)
        self.ws_port, self.wss_port = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
        listens = ("--listen", f"ws://127.0.0.1:{self.ws_port}", "--listen", f"wss://127.0.0.1:{self.wss_port}")
        pair = self.authority.pair("bridge", "localhost")
        super().__init__(manifests, work, *listens, *pair.options, "--ws-origin", PAGE)


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    work = tmp_path_factory.mktemp("ws")
    with lesson("01-one-number", work) as manifests, Listening(manifests, work) as it:
        yield it


class Page:
    """One phone in a page, with one call. Its RTP is plain, as long as the bridge speaks no other."""

    def __init__(self, bridge: Listening, scheme: str, origin: str = PAGE) -> None:
        self.scheme = scheme
        port = bridge.ws_port if scheme == "ws" else bridge.wss_port
        context = create_default_context(cafile=str(bridge.authority.file)) if scheme == "wss" else None
        self.at = f"localhost:{port}"
        made = connect(f"{scheme}://{self.at}", origin=Origin(origin), subprotocols=[Subprotocol("sip")], ssl=context)
        self._open = ExitStack()
        self.socket: ClientConnection = self._open.enter_context(made)
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind(("127.0.0.1", 0))
        self.rtp.settimeout(5)
        self._open.enter_context(self.rtp)
        self.call_id = f"page-{time.monotonic_ns()}"
        self.to = "<sip:+15550100000@localhost>"
        self.cseq = 0

    def close(self) -> None:
        self._open.close()

    def sdp(self, protocol: str = "RTP/AVP", direction: str = "sendrecv") -> str:
        port = self.rtp.getsockname()[1]
        return (
            f"v=0\r\no=- 7 {self.cseq} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} {protocol} 0\r\na=rtpmap:0 PCMU/8000\r\na={direction}\r\n"
        )

    def say(self, method: str, body: str = "") -> None:
        """A request of ours."""
        if method != "ACK":
            self.cseq += 1
        lines = [
            f"{method} sip:+15550100000@{self.at} SIP/2.0",
            f"Via: SIP/2.0/{self.scheme.upper()} e4s1bsjj5o5c.invalid;branch=z9hG4bK{self.call_id}{method}{self.cseq}",
            "Max-Forwards: 69",
            f"To: {self.to}",
            "From: <sip:+15550109999@page.example>;tag=page",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self.cseq} {method}",
            "Contact: <sip:ic7v3h1v@e4s1bsjj5o5c.invalid;transport=ws;ob>",
            "Supported: outbound",
            *(["Content-Type: application/sdp"] if body else []),
        ]
        self.socket.send("\r\n".join([*lines, "", body]))

    def hears(self, start: str) -> str:
        """The next message that is not provisional; it has to begin so."""
        while True:
            message = self.socket.recv(WAIT_S)
            assert isinstance(message, str), "our messages are UTF-8, so they come as text"
            if not message.startswith("SIP/2.0 1"):
                assert message.startswith(start), message
                return message

    def answer(self, request: str, body: str = "") -> None:
        """200 to a request of the bridge."""
        kept = re.findall(r"^(?:Via|From|To|Call-ID|CSeq): .*$", request, re.MULTILINE)
        more = ["Contact: <sip:ic7v3h1v@e4s1bsjj5o5c.invalid;transport=ws;ob>"]
        more += ["Content-Type: application/sdp"] if body else []
        lines = ["SIP/2.0 200 OK", *(line.strip() for line in kept), *more, "", body]
        self.socket.send("\r\n".join(lines))

    def is_answered(self) -> str:
        """Call, and be let in: the 200."""
        self.say("INVITE", self.sdp())
        answer = self.hears("SIP/2.0 200")
        self.to = re.findall(r"^To: (.*)\r$", answer, re.MULTILINE)[0]
        self.say("ACK")
        return answer

    def talks(self, answer: str) -> None:
        """Say something, and hear as much come back."""
        port = int(re.findall(r"m=audio (\d+) RTP/AVP", answer)[0])
        for number in range(PACKETS):
            head = bytes([0x80, 0]) + number.to_bytes(2, "big") + (number * 160).to_bytes(4, "big") + b"page"
            self.rtp.sendto(head + b"\xff" * 160, ("127.0.0.1", port))
            time.sleep(0.02)
        for _ in range(PACKETS):
            assert len(self.rtp.recv(2_000)) == 172


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_page_calls_talks_is_held_and_hangs_up(listening: Listening, scheme: str) -> None:
    page = Page(listening, scheme)
    try:
        answer = page.is_answered()
        assert (
            f"Via: SIP/2.0/{scheme.upper()} e4s1bsjj5o5c.invalid;branch=z9hG4bK{page.call_id}INVITE1;received=127.0.0.1"
            in answer
        )
        assert re.search(r"^Contact: <sip:127\.0\.0\.1:\d+;transport=ws>\r$", answer, re.MULTILINE)
        page.talks(answer)
        live = listening.counters()["live"][-1]
        told: list[dict[str, object]] = []
        asking = threading.Thread(target=lambda: told.append(listening.steer(live["callId"], "hold")))
        asking.start()
        page.answer(hold := page.hears("INVITE sip:ic7v3h1v@e4s1bsjj5o5c.invalid"), page.sdp(direction="recvonly"))
        page.hears("ACK sip:ic7v3h1v@e4s1bsjj5o5c.invalid")
        asking.join(WAIT_S)
        assert "a=sendonly" in hold
        assert f"Via: SIP/2.0/{scheme.upper()} 127.0.0.1" in hold
        assert told
        page.say("BYE")
        page.hears("SIP/2.0 200")
    finally:
        page.close()
    record = wait_for(lambda: [r for r in listening.records() if r["callId"] == live["callId"]], "the record")[0]
    assert record["reason"] == "hangup"
    assert record["media"]["packetsReceived"] >= PACKETS - 1, "the first may come before its call is up"
    status = listening.command("doctor", "-o", "json")
    assert [f"ws://127.0.0.1:{listening.ws_port}", f"wss://127.0.0.1:{listening.wss_port}"] == status["listeners"][2:]


def test_a_page_that_lost_its_connection_is_reached_by_the_one_that_it_comes_back_by(listening: Listening) -> None:
    page = Page(listening, "ws")
    again = None
    try:
        page.is_answered()
        call = listening.counters()["live"][-1]["callId"]
        page.socket.close()
        again = Page(listening, "ws")
        page.socket = again.socket
        page.say("INVITE", page.sdp())  # there is no other way: the page makes itself known by its new connection
        page.hears("SIP/2.0 200")
        page.say("ACK")
        threading.Thread(target=listening.steer, args=(call, "hold"), daemon=True).start()
        page.answer(page.hears("INVITE "), page.sdp(direction="recvonly"))
        page.hears("ACK ")
        page.say("BYE")
        page.hears("SIP/2.0 200")
    finally:
        page.close()
        if again is not None:
            again.close()


def test_a_browsers_own_media_is_refused_and_the_answer_says_why(listening: Listening) -> None:
    page = Page(listening, "ws")
    try:
        page.say("INVITE", page.sdp("UDP/TLS/RTP/SAVPF"))
        refused = page.hears("SIP/2.0 488")
        assert "UDP/TLS/RTP/SAVPF is not served: this trunk has no encrypted media, only RTP/AVP" in refused
    finally:
        page.close()


def test_a_page_that_is_not_named_may_not_connect(listening: Listening) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Page(listening, "ws", "https://elsewhere.example")
    assert refused.value.response.status_code == 403
    assert listening.counters()["connections"]["ended"]["WebSocket Origin Not Allowed"] == 1
