"""Phones for measuring: calls by hand-written SIP, RTP on sockets whose packets the kernel stamps on arrival.

SIPp cannot say when a packet came, and our own phone is what would be measured. A `Phone` speaks just enough to be
called; `talk` lets many speak at once, each at its own moment within the 20 ms, so that no two share a tick's phase.
"""

from __future__ import annotations

import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count, pairwise

TICK_S = 0.020
FRAME_BYTES = 160
SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@qq")
_HEADER = struct.Struct("!BBHII")
_MEDIA_PORT = re.compile(rb"\nm=audio ([0-9]+) ")
_TO = re.compile(rb"\r\nTo: ([^\r\n]+)")
_CALL_ID = re.compile(rb"\r\nCall-ID: bench-([0-9]+)@")
_CONTACT = re.compile(rb"\r\nContact: <([^>\r\n]+)>")
_numbers = count(1)

INVITE = """INVITE sip:{to}@{host} SIP/2.0
Via: SIP/2.0/UDP {here};branch=z9hG4bK-{id};rport
From: <sip:+1555{id:07d}@{here}>;tag=f{id}
To: <sip:{to}@{host}>
Call-ID: bench-{id}@{here}
CSeq: 1 INVITE
Contact: <sip:bench@{here}>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: {size}

{body}"""
SDP = """v=0
o=bench 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio {port} RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=ptime:20
"""
NEXT = """{method} {target} SIP/2.0
Via: SIP/2.0/UDP {here};branch=z9hG4bK-{method}-{id};rport
From: <sip:+1555{id:07d}@{here}>;tag=f{id}
To: {to}
Call-ID: bench-{id}@{here}
CSeq: {cseq} {method}
Max-Forwards: 70
Content-Length: 0

"""


def lines(text: str) -> bytes:
    """SIP's line ends."""
    return text.replace("\n", "\r\n").encode()


def stamped_socket(buffer_bytes: int = 1 << 20) -> socket.socket:
    """A UDP socket on loopback whose packets carry their time of arrival."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    sock.bind(("127.0.0.1", 0))
    return sock


def receive(sock: socket.socket) -> tuple[bytes, float]:
    """A datagram and the wall-clock second at which the kernel had it."""
    data, ancillary, _, _ = sock.recvmsg(4096, socket.CMSG_SPACE(_TIMESPEC.size))
    seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
    return data, seconds + nanoseconds * 1e-9


class Signalling:
    """One user agent's SIP socket: what it sends and waits for, call by call."""

    def __init__(self, bridge: tuple[str, int]) -> None:
        self.bridge = bridge
        self.sock = stamped_socket(4 << 20)
        self.sock.settimeout(5)
        self.here = "{}:{}".format(*self.sock.getsockname())

    def invite(self, to: str, media_port: int) -> int:
        """Ask for a call; its number."""
        number = next(_numbers)
        body = lines(SDP.format(port=media_port)).decode()
        host = "{}:{}".format(*self.bridge)
        head = INVITE.format(to=to, host=host, here=self.here, id=number, size=len(body), body="")
        self.sock.sendto(lines(head) + body.encode(), self.bridge)
        return number

    def send(self, method: str, number: int, answer: bytes, cseq: int) -> None:
        """ACK or BYE within the call that `answer` answered; ACK of a refusal too."""
        to, contact = _TO.search(answer), _CONTACT.search(answer)
        assert to is not None
        target = contact[1].decode() if contact else "sip:bench@{}:{}".format(*self.bridge)
        branch = NEXT.format(method=method, target=target, here=self.here, id=number, to=to[1].decode(), cseq=cseq)
        if not contact:  # RFC 3261 section 17.1.1.3: the ACK of a refusal belongs to the INVITE's transaction
            branch = branch.replace(f"z9hG4bK-{method}-{number}", f"z9hG4bK-{number}")
        self.sock.sendto(lines(branch), self.bridge)

    def close(self) -> None:
        """Let go of the socket."""
        self.sock.close()


def status_of(data: bytes) -> int:
    """The status of a response, 0 for a request."""
    return int(data[8:11]) if data.startswith(b"SIP/2.0 ") else 0


@dataclass
class Phone:
    """One call that is up. `arrivals` are (wall-clock seconds, payload) of what it heard, `sent` of what it said."""

    number: int
    answer: bytes
    media: socket.socket
    remote: tuple[str, int]
    phase_s: float = 0.0
    arrivals: list[tuple[float, bytes]] = field(default_factory=list)
    sent: list[tuple[float, bytes]] = field(default_factory=list)

    def say(self, tick: int, payload: bytes) -> None:
        """Send its frame of this tick, and note when."""
        header = _HEADER.pack(0x80, 0, tick & 0xFFFF, tick * FRAME_BYTES & 0xFFFFFFFF, self.number)
        self.sent.append((time.time(), payload))
        self.media.sendto(header + payload, self.remote)

    def gaps_ms(self) -> list[float]:
        """The time between each two packets that came, in milliseconds."""
        times = [at for at, _ in self.arrivals]
        return [(later - earlier) * 1000 for earlier, later in pairwise(times)]


def dial(signalling: Signalling, *numbers: str) -> list[Phone]:
    """Call all of these at once and be answered: one whose room is empty may ring until the next is there."""
    media = {signalling.invite(to, sock.getsockname()[1]): sock for to in numbers for sock in (stamped_socket(),)}
    answered: dict[int, Phone] = {}
    while len(answered) < len(media):
        data = signalling.sock.recv(65_536)
        about = _CALL_ID.search(data)
        if about is None or int(about[1]) not in media or int(about[1]) in answered or status_of(data) < 200:
            continue
        assert status_of(data) == 200, data[:60]
        number = int(about[1])
        signalling.send("ACK", number, data, 1)
        port = _MEDIA_PORT.search(data)
        assert port is not None
        answered[number] = Phone(number, data, media[number], ("127.0.0.1", int(port[1])))
    return [answered[number] for number in media]


@contextmanager
def calls(bridge: tuple[str, int], numbers: Sequence[str]) -> Iterator[list[Phone]]:
    """Calls to these numbers, up until the block ends."""
    signalling = Signalling(bridge)
    phones = [phone for at in range(0, len(numbers), 2) for phone in dial(signalling, *numbers[at : at + 2])]
    for place, phone in enumerate(phones):
        phone.phase_s = TICK_S * place / len(phones)
    try:
        yield phones
    finally:
        for phone in phones:
            signalling.send("BYE", phone.number, phone.answer, 2)
            phone.media.close()
        time.sleep(0.2)
        signalling.close()


@contextmanager
def talk(phones: Sequence[Phone], frame: Callable[[int, int], bytes]) -> Iterator[None]:
    """Let all speak and listen while the block runs: phone `place` says `frame(place, tick)` every 20 ms."""
    with heard_while(phones, partial(_speak, phones, frame)):
        yield


@contextmanager
def heard_while(phones: Sequence[Phone], speak: Callable[[threading.Event], None]) -> Iterator[None]:
    """Let all listen, and `speak` in a thread of its own until its event is set, while the block runs."""
    stop = threading.Event()
    threads = [threading.Thread(target=speak, args=(stop,)), threading.Thread(target=listen, args=(phones, stop))]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _speak(phones: Sequence[Phone], frame: Callable[[int, int], bytes], stop: threading.Event) -> None:
    began = time.monotonic() + 0.05
    tick = 0
    while not stop.is_set():
        for place, phone in enumerate(phones):
            wait = began + tick * TICK_S + phone.phase_s - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            payload = frame(place, tick)
            phone.say(tick, payload)
        tick += 1


def listen(phones: Sequence[Phone], stop: threading.Event) -> None:
    """Note what each of these phones hears; the kernel has stamped it, so being late here costs nothing."""
    by_descriptor = {phone.media.fileno(): phone for phone in phones}
    poll = select.poll()
    for descriptor in by_descriptor:
        poll.register(descriptor, select.POLLIN)
    while not stop.is_set():
        for descriptor, _ in poll.poll(50):
            phone = by_descriptor[descriptor]
            data, at = receive(phone.media)
            phone.arrivals.append((at, data[12:]))


RELAY = """
import select, socket, sys
ports = [int(port) for port in sys.argv[1:]]
socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in ports]
for sock in socks:
    sock.bind(("127.0.0.1", 0))
print(*[sock.getsockname()[1] for sock in socks], flush=True)
poll = select.poll()
by_descriptor = {sock.fileno(): place for place, sock in enumerate(socks)}
for descriptor in by_descriptor:
    poll.register(descriptor, select.POLLIN)
while True:
    for descriptor, _ in poll.poll():
        place = by_descriptor[descriptor]
        data = socks[place].recv(2048)
        socks[place ^ 1].sendto(data, ("127.0.0.1", ports[place ^ 1]))
"""
"""The least that any relay does: it sends on what it receives, to the other one of two."""


@contextmanager
def relayed(count: int) -> Iterator[tuple[list[Phone], int]]:
    """The reference: so many phones, two by two through a bare relay, and the relay's process."""
    media = [stamped_socket() for _ in range(count)]
    ports = [str(sock.getsockname()[1]) for sock in media]
    with subprocess.Popen([sys.executable, "-u", "-c", RELAY, *ports], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        remotes = [int(port) for port in process.stdout.readline().split()]
        phones = [
            Phone(place, b"", sock, ("127.0.0.1", port), phase_s=TICK_S * place / count)
            for place, (sock, port) in enumerate(zip(media, remotes, strict=True))
        ]
        try:
            yield phones, process.pid
        finally:
            process.terminate()
    for sock in media:
        sock.close()
