"""A carrier as its profile has it: SIP written by hand, of none of the bridge's code, over UDP, TCP or TLS.

It takes calls (with a challenge, numbers in its form, codecs, methods, a rate), sends callers on by REFER in the form
that it takes, tells of it by NOTIFY or hangs up instead, and calls in. What it would refuse it refuses, and says why.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import ssl
import threading
import time
from collections import deque
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from schemas.providers.profiles import Profile
from tests.peers import wait_for

SDP = "application/sdp"
REALM, NONCE = "sip.carrier.example", "c6f2a1"
PAYLOADS = {"0": "pcmu", "8": "pcma", "9": "g722", "111": "opus"}
PLUS = re.compile(r"sip:(\+[1-9][0-9]{1,14})@([^>;:]+)")
LATE_S = 0.1
"""How long it takes for each of its answers: a real one asks the telephone network first."""


@dataclass
class Message:
    """A message as its lines: `start`, headers by lower-case name in order, body."""

    start: str
    headers: list[tuple[str, str]]
    body: str

    def first(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    @property
    def method(self) -> str:
        return self.start.partition(" ")[0]

    @property
    def status(self) -> int:
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0


def parse(data: bytes) -> Message:
    head, _, body = data.decode().partition("\r\n\r\n")
    start, *lines = head.split("\r\n")
    pairs = [line.partition(":") for line in lines]
    return Message(start, [(name.strip().lower(), value.strip()) for name, _, value in pairs], body)


class Line:
    """One way to the bridge: a UDP socket and an address, or a stream."""

    def __init__(self, sock: socket.socket, peer: tuple[str, int] | None, transport: str) -> None:
        self.sock, self.peer, self.transport = sock, peer, transport
        self._rest = b""

    def send(self, text: str) -> None:
        if self.peer is None:
            self.sock.sendall(text.encode())
        else:
            self.sock.sendto(text.encode(), self.peer)

    def messages(self, data: bytes) -> list[Message]:
        """What has come whole; a datagram is one message."""
        if self.peer is not None:
            return [parse(data)] if data.strip() else []
        self._rest += data
        found = []
        while b"\r\n\r\n" in self._rest:
            head, _, rest = self._rest.lstrip(b"\r\n").partition(b"\r\n\r\n")
            length = int(re.search(rb"(?i)^content-length: *([0-9]+)", head, re.MULTILINE)[1])  # type: ignore[index]
            if len(rest) < length:
                break
            found.append(parse(head + b"\r\n\r\n" + rest[:length]))
            self._rest = rest[length:]
        return found


class Carrier:
    """One provider; `password` None: it knows us by our address. `pair` is its certificate and key for TLS."""

    def __init__(self, known: Profile, transport: str, password: str | None, pair: tuple[Path, Path] | None = None):
        self.facts, self.transport, self.password, self.pair = known.facts, transport, password, pair
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.sock = socket.socket(socket.AF_INET, kind)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.media.bind(("127.0.0.1", 0))
        self.heard: list[Message] = []
        """Everything that the bridge sent."""
        self.refused: list[str] = []
        """Why it refused something."""
        self.told: list[int] = []
        """How its own requests were answered."""
        self._began: deque[float] = deque()
        self._numbers = count(1)
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._listen)]

    def __enter__(self) -> Carrier:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in list(self._threads):
            thread.join(5)
        self.sock.close()
        self.media.close()

    def requests(self, method: str) -> list[Message]:
        """What came of a method."""
        return [message for message in self.heard if message.method == method]

    def call_in(self, bridge_port: int, to: str, from_: str, seconds: float = 0.5) -> int:
        """Call the bridge, and hang up; the final status."""
        if self.transport == "udp":
            line = Line(self.sock, ("127.0.0.1", bridge_port), "udp")
        else:
            stream = socket.create_connection(("127.0.0.1", bridge_port))
            line = Line(stream, None, "tcp")
            self._serve(line)
        number, before = next(self._numbers), len(self.heard)
        about = f"in-{number}@carrier"
        ids = f"From: <sip:{from_}@carrier.example>;tag=in{number}\r\nCall-ID: {about}\r\n"
        target = f"sip:{to}@127.0.0.1:{bridge_port}"
        self._request(
            line, "INVITE", target, ids + f"To: <{target}>\r\nContact: <{self._contact()}>\r\n", 1, self._sdp()
        )

        def answer() -> Message | None:
            mine = (m for m in self.heard[before:] if m.first("call-id") == about)
            return next((m for m in mine if m.status >= 200 and m.first("cseq").endswith("INVITE")), None)

        final: Message = wait_for(answer, "an answer to the carrier's call")
        to_header = f"To: {final.first('to')}\r\n"
        found = re.search(r"<(.*?)>", final.first("contact"))
        self._request(line, "ACK", found[1] if found else target, ids + to_header, 1)
        if final.status == 200:
            time.sleep(seconds)
            self._request(line, "BYE", found[1] if found else target, ids + to_header, 2)
        return final.status

    # -- sockets ---------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        self.sock.settimeout(0.1)
        if self.transport == "udp":
            while not self._stopping.is_set():
                with contextlib.suppress(TimeoutError):
                    data, peer = self.sock.recvfrom(65_536)
                    self._take(Line(self.sock, peer, "udp"), data)
            return
        self.sock.listen()
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError, ssl.SSLError):
                stream, _ = self.sock.accept()
                stream.settimeout(5)
                if self.pair is not None:
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(*self.pair)
                    stream = context.wrap_socket(stream, server_side=True)
                self._serve(Line(stream, None, self.transport))

    def _serve(self, line: Line) -> None:
        def read() -> None:
            line.sock.settimeout(0.1)
            with line.sock, contextlib.suppress(OSError):
                while not self._stopping.is_set():
                    with contextlib.suppress(TimeoutError):
                        data = line.sock.recv(65_536)
                        if not data:
                            return
                        self._take(line, data)

        thread = threading.Thread(target=read)
        self._threads.append(thread)
        thread.start()

    def _take(self, line: Line, data: bytes) -> None:
        for message in line.messages(data):
            self.heard.append(message)
            if message.status:
                if not message.first("cseq").endswith("INVITE"):
                    self.told.append(message.status)
            else:
                self._answer(line, message)

    # -- what it does ----------------------------------------------------------------------------------------------

    def _answer(self, line: Line, request: Message) -> None:
        method = request.method
        if method in self.facts.methods_left_out.value:
            self._refuse(line, request, 405, f"no {method}")
        elif method == "INVITE":
            self._invited(line, request)
        elif method == "REFER":
            self._referred(line, request)
        elif method != "ACK":
            self._respond(line, request, 200 if method in ("BYE", "OPTIONS", "CANCEL") else 501)

    def _invited(self, line: Line, request: Message) -> None:
        number = PLUS.search(request.start)
        if self.facts.number_form.value == "+E.164" and not (number and PLUS.search(request.first("from"))):
            return self._refuse(line, request, 400, "numbers are +E.164")
        header = self.facts.username_header.value
        if header and not request.first(header.lower()):
            return self._refuse(line, request, 403, f"no {header}")
        if self.password is not None and not request.first("proxy-authorization"):
            challenge = f'Proxy-Authenticate: Digest realm="{REALM}", nonce="{NONCE}", algorithm=MD5, qop="auth"\r\n'
            return self._respond(line, request, 407, challenge)
        if self.password is not None and not self._proves(request):
            return self._refuse(line, request, 403, "wrong password")
        now, rate = time.monotonic(), self.facts.calls_per_second.value
        while self._began and self._began[0] < now - 1:
            self._began.popleft()
        if rate is not None and len(self._began) >= rate:
            return self._refuse(line, request, 503, "cps limit exceeded")
        self._began.append(now)
        offered = re.search(r"m=audio [0-9]+ RTP/AVP ([0-9 ]+)", request.body)
        codecs = [PAYLOADS.get(payload, "") for payload in offered[1].split()] if offered else []
        if not {*codecs} & {*self.facts.codecs.value}:
            return self._refuse(line, request, 488, "none of its codecs")
        known = self.facts.codecs.known  # an offer can be held to what was verified alone; the rest is passed over
        if known and (alien := {codec for codec in codecs if codec} - {*known}):
            self.refused.append(f"offered {', '.join(alien)}, which it does not take")
        self._respond(line, request, 100)
        time.sleep(LATE_S)
        self._respond(line, request, 183, body=self._sdp())
        self._respond(line, request, 180)
        time.sleep(LATE_S)
        return self._respond(line, request, 200, body=self._sdp())

    def _referred(self, line: Line, request: Message) -> None:
        target = request.first("refer-to")
        number = PLUS.search(target)
        own_host = self.requests("INVITE")[-1].start.partition("@")[2].partition(":")[0].partition(" ")[0]
        form = self.facts.refer_to.value
        if form == "tel" and not target.startswith(("tel:", "<tel:")):
            return self._refuse(line, request, 403, f"{target} is not tel:")
        if form == "sip" and (number is None or number[2] != own_host):
            return self._refuse(line, request, 403, f"{target} is no sip: at {own_host}")
        self._respond(line, request, 202)
        time.sleep(LATE_S)
        ids = f"From: {request.first('to')}\r\nTo: {request.first('from')}\r\nCall-ID: {request.first('call-id')}\r\n"
        contact = re.search(r"<(.*?)>", request.first("contact"))
        assert contact is not None
        if not self.facts.refer_notify.value:
            return self._request(line, "BYE", contact[1], ids, 1)
        for cseq, (state, said) in enumerate((("active", "100 Trying"), ("terminated;reason=noresource", "200 OK")), 1):
            news = f"Event: refer\r\nSubscription-State: {state}\r\nContact: <{self._contact()}>\r\n"
            self._request(line, "NOTIFY", contact[1], ids + news, cseq, f"SIP/2.0 {said}\r\n", "message/sipfrag")
        return None

    def _proves(self, request: Message) -> bool:
        """RFC 2617's arithmetic, done here once more."""
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', request.first("proxy-authorization")))

        def md5(*parts: str) -> str:
            return hashlib.md5(":".join(parts).encode()).hexdigest()

        own, asked = md5(given["username"], REALM, self.password or ""), md5(request.method, given["uri"])
        wanted = md5(own, NONCE, given["nc"], given["cnonce"], given["qop"], asked)
        return given["realm"] == REALM and given["response"] == wanted

    # -- what it says ----------------------------------------------------------------------------------------------

    def _refuse(self, line: Line, request: Message, status: int, why: str) -> None:
        self.refused.append(why)
        self._respond(line, request, status, f"X-Why: {why}\r\n")

    def _respond(self, line: Line, request: Message, status: int, more: str = "", body: str = "") -> None:
        to = request.first("to")
        to += "" if ";tag=" in to or status == 100 else f";tag=carrier{abs(hash(request.first('call-id'))) % 10**8}"
        head = "".join(f"Via: {via}\r\n" for via in request.all("via"))
        head += f"From: {request.first('from')}\r\nTo: {to}\r\n"
        head += f"Call-ID: {request.first('call-id')}\r\nCSeq: {request.first('cseq')}\r\n"
        head += f"Contact: <{self._contact()}>\r\n" if status < 400 else ""
        line.send(f"SIP/2.0 {status} Told\r\n{head}{more}{_with(body)}")

    def _request(
        self,
        line: Line,
        method: str,
        target: str,
        headers: str,
        cseq: int,
        body: str = "",
        kind: str = "application/sdp",
    ) -> None:
        via = (
            f"Via: SIP/2.0/{line.transport.upper()} 127.0.0.1:{self.port};branch=z9hG4bK{next(self._numbers)}-{method}"
        )
        common = f"CSeq: {cseq} {method}\r\nMax-Forwards: 70\r\n"
        line.send(f"{method} {target} SIP/2.0\r\n{via};rport\r\n{headers}{common}{_with(body, kind)}")

    def _contact(self) -> str:
        return f"sip:carrier@127.0.0.1:{self.port};transport={self.transport}"

    def _sdp(self) -> str:
        payloads = [payload for payload, codec in PAYLOADS.items() if codec in self.facts.codecs.value][:2]
        audio = f"m=audio {self.media.getsockname()[1]} RTP/AVP {' '.join(payloads)} 101\r\n"
        events = "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
        return f"v=0\r\no=c 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n{audio}{events}"


def _with(body: str, kind: str = SDP) -> str:
    return (f"Content-Type: {kind}\r\n" if body else "") + f"Content-Length: {len(body)}\r\n\r\n{body}"
