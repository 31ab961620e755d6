"""What a call set-up costs the bridge by each SIP transport, and how soon its caller hears 100 Trying.

A caller of ours places calls without media one after the other, at a steady rate, and hangs each up when it is
answered: over UDP, over one TCP connection and one TLS connection, and over a new one for each call. CPU is that of the
bridge alone, so a busy machine disturbs it little; from the INVITE to its 100 the wall clock counts. Rounds are taken
in turns. UDP is the reference in the same run.

    python -m tests.bench.transports [--calls 300] [--rounds 3] [--rate 50]
"""

from __future__ import annotations

import argparse
import socket
import ssl
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

from tests.bench.figures import Figure, digits, report, spread
from tests.bench.machine import cpu_s
from tests.certificates import Authority
from tests.peers import BridgeProcess, free_port, lesson, wait_for

WAYS = {
    "udp": "UDP",
    "tcp": "one TCP connection",
    "tcp-each": "a TCP connection of its own",
    "tls": "one TLS connection",
    "tls-each": "a TLS connection of its own",
}
WARM_UP = 30
_numbers = count(1)

SDP = (
    "v=0\r\no=b 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
    "a=rtpmap:0 PCMU/8000\r\n"
)


class Caller:
    """One way to the bridge, over which calls are placed one after the other."""

    def __init__(self, transport: str, bridge: tuple[str, int], context: ssl.SSLContext) -> None:
        self.transport = transport.upper()
        if transport == "udp":
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sock.connect(bridge)
        else:
            self.sock = socket.create_connection(bridge)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if transport == "tls":
            self.sock = context.wrap_socket(self.sock, server_hostname="localhost")
        self.sock.settimeout(10)
        self.here, self.there = "{}:{}".format(*self.sock.getsockname()), "{}:{}".format(*bridge)
        self._rest = b""

    def call(self) -> float:
        """One call from INVITE to the answer to its BYE; milliseconds until its 100."""
        number = next(_numbers)
        began = time.perf_counter()
        self._send("INVITE", number, 1, f"<sip:+16660000001@{self.there}>", SDP)
        trying = self._until(b"SIP/2.0 100 ")
        heard_ms = (time.perf_counter() - began) * 1000
        assert trying
        answer = self._until(b"SIP/2.0 200 ")
        to = next(line for line in answer.split("\r\n") if line.lower().startswith("to:"))[3:].strip()
        self._send("ACK", number, 1, to)
        self._send("BYE", number, 2, to)
        self._until(b"SIP/2.0 200 ")
        return heard_ms

    def close(self) -> None:
        """Let go of it."""
        self.sock.close()

    def _send(self, method: str, number: int, cseq: int, to: str, body: str = "") -> None:
        kind = "Content-Type: application/sdp\r\n" if body else ""
        head = (
            f"{method} sip:+16660000001@{self.there} SIP/2.0\r\n"
            f"Via: SIP/2.0/{self.transport} {self.here};rport;branch=z9hG4bK-{number}-{method}\r\n"
            f"From: <sip:+15550001111@{self.here}>;tag=b{number}\r\nTo: {to}\r\nCall-ID: bench-{number}@{self.here}\r\n"
            f"CSeq: {cseq} {method}\r\nContact: <sip:b@{self.here};transport={self.transport.lower()}>\r\n"
            f"Max-Forwards: 70\r\n{kind}Content-Length: {len(body)}\r\n\r\n"
        )
        self.sock.sendall((head + body).encode())

    def _until(self, start: bytes) -> str:
        """The next message that begins so; others, like 180, are passed over."""
        while True:
            head, end, rest = self._rest.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0) if end else 0
            if not end or len(rest) < length:
                self._rest += self.sock.recv(65_536)
                continue
            self._rest = rest[length:]
            if head.startswith(start):
                return head.decode()


def place(connect: Callable[[], Caller], calls: int, rate: int, *, each: bool) -> list[float]:
    """So many calls at this rate; milliseconds to the 100 of each, the connection's own set-up not among them."""
    heard: list[float] = []
    began = time.monotonic()
    shared = None if each else connect()
    for place in range(calls):
        time.sleep(max(0.0, began + place / rate - time.monotonic()))
        with closing(connect()) if shared is None else closing(_Kept(shared)) as caller:
            heard.append(caller.call())
    if shared is not None:
        shared.close()
    return heard


class _Kept:
    """A caller that is not closed after a call."""

    def __init__(self, caller: Caller) -> None:
        self.call = caller.call

    def close(self) -> None:
        """It goes on."""


def main() -> None:
    """Measure and report."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=300)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--rate", type=int, default=50)
    chosen = options.parse_args()
    cpu_ms: dict[str, list[float]] = {way: [] for way in WAYS}
    trying: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder, lesson("01-one-number", Path(folder)) as manifests:
        work, tls_port = Path(folder), free_port(socket.SOCK_STREAM)
        authority = Authority(work)
        listen = ("--listen", f"tls://127.0.0.1:{tls_port}", *authority.pair("bridge", "localhost").options)
        context = ssl.create_default_context(cafile=str(authority.file))
        with BridgeProcess(manifests, work, *listen) as bridge:

            def measure(way: str, calls: int) -> None:
                transport = way.partition("-")[0]
                port = tls_port if transport == "tls" else bridge.port
                before, ended = cpu_s(bridge.process.pid), len(bridge.records())
                heard = place(
                    lambda: Caller(transport, ("127.0.0.1", port), context),
                    calls,
                    chosen.rate,
                    each=way.endswith("each"),
                )
                wait_for(lambda: len(bridge.records()) == ended + calls, "every call to be over")
                cpu_ms[way].append((cpu_s(bridge.process.pid) - before) / calls * 1000)
                trying[way].extend(heard)

            for way in WAYS:
                measure(way, WARM_UP)
                cpu_ms[way].clear()
                trying[way].clear()
            for _ in range(chosen.rounds):
                for way in WAYS:
                    measure(way, chosen.calls)
    per_s = {way: 1000 / statistics.median(times) for way, times in cpu_ms.items()}
    heard = {way: spread(times) for way, times in trying.items()}
    how = f"CPU, median of {chosen.rounds} times {chosen.calls} calls"
    wall = f"wall clock of {chosen.rounds * chosen.calls:,} calls at {chosen.rate}/s"
    report(
        [
            *(
                Figure(
                    id=f"setups-{way}", what=f"calls set up and ended by {name}, per second of one core", how=how,
                    value=per_s[way], unit="/s", reference=None if way == "udp" else per_s["udp"],
                    beside="" if way == "udp" else "the same by UDP", floor=True,
                )
                for way, name in WAYS.items()
            ),
            *(
                Figure(
                    id=f"trying-{way}", what=f"INVITE -> 100 by {name}, p99", how=wall, value=heard[way]["p99"],
                    unit="ms", reference=None if way == "udp" else heard["udp"]["p99"],
                    beside="" if way == "udp" else "the same by UDP", budget=10.0,
                )
                for way, name in WAYS.items()
            ),
        ],
        cpu_ms={way: [digits(time) for time in times] for way, times in cpu_ms.items()}, trying_ms=heard,
    )  # fmt: skip


if __name__ == "__main__":
    main()
